// Package collector is a collector of OpenTelemetry for tests: it takes spans in OTLP over HTTP, as a real one does, and
// keeps what they say.
package collector

import (
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	otlp "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	traces "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// patience is how long a span that should come may take. It is never waited out where all is well.
const patience = 30 * time.Second

// A Span is what a test asks of one. Ids are in hex; Parent is empty for a span without one.
type Span struct {
	Name, Trace, ID, Parent string
	Kind                    string // SERVER or CLIENT
	Failed                  bool
	Attributes              map[string]string
	Resource                map[string]string
	Start, End              time.Time
}

// A Collector takes spans at URL/v1/traces until the test ends. All methods may be used from any goroutine.
type Collector struct {
	URL string

	mu      sync.Mutex
	spans   []Span
	headers http.Header // of the last request
	instead http.HandlerFunc
	came    chan struct{} // closed when more spans have come
}

// Start starts one.
func Start(t testing.TB) *Collector {
	c := &Collector{came: make(chan struct{})}
	s := httptest.NewServer(c)
	t.Cleanup(s.Close)
	c.URL = s.URL
	return c
}

// Instead has requests answered by h, and nothing taken. Nil ends that.
func (c *Collector) Instead(h http.HandlerFunc) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.instead = h
}

// Spans are those that came so far.
func (c *Collector) Spans() []Span {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]Span(nil), c.spans...)
}

// Headers are those of the last request.
func (c *Collector) Headers() http.Header {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.headers.Clone()
}

// Find waits for a span.
func (c *Collector) Find(t testing.TB, what string, is func(Span) bool) Span {
	t.Helper()
	late := time.After(patience)
	for {
		c.mu.Lock()
		i, came := slices.IndexFunc(c.spans, is), c.came
		if i >= 0 {
			defer c.mu.Unlock()
			return c.spans[i]
		}
		c.mu.Unlock()
		select {
		case <-came:
		case <-late:
			t.Fatalf("no span is %s; there are %+v", what, c.Spans())
		}
	}
}

func (c *Collector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	instead := c.instead
	c.headers = r.Header
	c.mu.Unlock()
	if instead != nil {
		instead(w, r)
		return
	}
	if r.Method != http.MethodPost || r.URL.Path != "/v1/traces" {
		http.NotFound(w, r)
		return
	}
	body, err := io.ReadAll(r.Body)
	var in otlp.ExportTraceServiceRequest
	if err == nil {
		err = proto.Unmarshal(body, &in)
	}
	if err != nil || r.Header.Get("Content-Type") != "application/x-protobuf" {
		http.Error(w, "no OTLP: "+fmt.Sprint(err), http.StatusBadRequest)
		return
	}
	c.keep(&in)
	answer, err := proto.Marshal(&otlp.ExportTraceServiceResponse{})
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/x-protobuf")
	_, _ = w.Write(answer) // who does not read it will say so
}

func (c *Collector) keep(in *otlp.ExportTraceServiceRequest) {
	c.mu.Lock()
	defer c.mu.Unlock()
	close(c.came)
	c.came = make(chan struct{})
	for _, from := range in.ResourceSpans {
		for _, scope := range from.ScopeSpans {
			for _, s := range scope.Spans {
				c.spans = append(c.spans, Span{
					Name: s.Name, Trace: hex.EncodeToString(s.TraceId), ID: hex.EncodeToString(s.SpanId), Parent: hex.EncodeToString(s.ParentSpanId),
					Kind: kinds[s.Kind], Failed: s.Status.GetCode() == traces.Status_STATUS_CODE_ERROR,
					Attributes: texts(s.Attributes), Resource: texts(from.Resource.GetAttributes()),
					Start: time.Unix(0, int64(s.StartTimeUnixNano)), End: time.Unix(0, int64(s.EndTimeUnixNano)),
				})
			}
		}
	}
}

var kinds = map[traces.Span_SpanKind]string{traces.Span_SPAN_KIND_SERVER: "SERVER", traces.Span_SPAN_KIND_CLIENT: "CLIENT"}

// texts are attributes as text, whatever they are.
func texts(list []*common.KeyValue) map[string]string {
	all := map[string]string{}
	for _, kv := range list {
		switch v := kv.Value.GetValue().(type) {
		case *common.AnyValue_StringValue:
			all[kv.Key] = v.StringValue
		case *common.AnyValue_IntValue:
			all[kv.Key] = fmt.Sprint(v.IntValue)
		default:
			all[kv.Key] = kv.Value.String()
		}
	}
	return all
}
