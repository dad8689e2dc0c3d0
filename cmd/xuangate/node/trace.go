package node

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/xuangate/xuangate/gateway/metrics"
	"github.com/xuangate/xuangate/gateway/traces"
)

const (
	// traceTimeout is how long Check waits for the collector of traces.
	traceTimeout = 5 * time.Second
	// lastTraces bounds the sending of the last spans when the node ends, beside a third of drain. Without it a collector that does
	// not answer keeps the process.
	lastTraces = 2 * time.Second
	// maxTold bounds what Check tells of a collector's own words, in bytes.
	maxTold = 200
)

// Trace is where spans of requests go, in OpenTelemetry's protocol.
type Trace struct {
	Endpoint    string     `help:"Where traces are sent, a collector that takes OTLP over HTTP, such as http://127.0.0.1:4318; without a path its standard one is meant, /v1/traces. Empty: nowhere."`
	Sample      float64    `reload:"" default:"0.1" help:"The share of requests that are traced, 0 to 1, of those whose traceparent header does not say whether they are."`
	Headers     Secret     `help:"Headers for the collector, such as a key, NAME=VALUE, with commas between them."`
	HeadersFile SecretFile `help:"File that holds trace.headers."`
}

func (t Trace) validate(f *faults) {
	if t.Sample < 0 || t.Sample > 1 || math.IsNaN(t.Sample) {
		f.add("trace.sample", "is %g, want 0 to 1", t.Sample)
	}
	if t.Endpoint == "" {
		return
	}
	u, err := url.Parse(t.Endpoint)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		f.add("trace.endpoint", "is no address of a collector; write it as http://127.0.0.1:4318, and keys into trace.headers")
	}
	if _, err := t.headers(); err != nil {
		f.add("trace.headers", "%s", err)
	}
}

// headers are those that go to the collector. Their values are not in the error.
func (t Trace) headers() (map[string]string, error) {
	list := map[string]string{}
	if t.Headers == "" {
		return list, nil
	}
	for i, one := range strings.Split(string(t.Headers), ",") {
		name, value, found := strings.Cut(one, "=")
		name, value = strings.TrimSpace(name), strings.TrimSpace(value)
		if !found || name == "" || strings.ContainsFunc(name, notOfName) || strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r == 0x7f }) {
			return nil, fmt.Errorf("the header in place %d is none; write NAME=VALUE, with commas between them", i+1)
		}
		list[name] = value
	}
	return list, nil
}

// notOfName says that a character stands in no name of a header.
func notOfName(r rune) bool {
	return r <= ' ' || r >= 0x7f || strings.ContainsRune(`"(),/:;<=>?@[\]{}`, r)
}

// traces begins to send traces, where that is wanted.
func (c Config) traces(log *slog.Logger) (*traces.Traces, error) {
	if c.Trace.Endpoint == "" {
		return nil, nil
	}
	headers, err := c.Trace.headers()
	if err != nil {
		return nil, fmt.Errorf("trace.headers: %w", err)
	}
	version, _, _ := Build()
	t, err := traces.New(traces.Config{
		Endpoint: c.Trace.Endpoint, Headers: headers, Sample: c.Trace.Sample, Server: c.Legacy.host(), Version: version, Log: log,
	})
	if err != nil {
		return nil, fmt.Errorf("trace.endpoint: %w", err)
	}
	return t, nil
}

// endTraces sends the last spans, as far as there is time.
func endTraces(ctx context.Context, t *traces.Traces, drain time.Duration) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), min(drain/3, lastTraces))
	defer cancel()
	t.Close(ctx)
}

// host is where the chat server is, HOST:PORT.
func (l Legacy) host() string {
	at := l.XXB.URL
	switch l.Mode {
	case "xxd":
		at = l.XXD.URL
	case "v1":
		return l.V1.Addr
	}
	u, err := url.Parse(at)
	if err != nil {
		return ""
	}
	port := map[string]string{"http": "80", "https": "443"}[u.Scheme]
	return u.Hostname() + ":" + cmp.Or(u.Port(), port)
}

// watchTraces adds what becomes of spans to a State, where there are any.
func watchTraces(to *metrics.State, t *traces.Traces) {
	if t != nil {
		to.Spans = t.Spans
	}
}

// check sends the collector no spans at all, which it takes if it would take some.
func (t Trace) check(ctx context.Context) []Finding {
	var unset faults
	if t.validate(&unset); t.Endpoint == "" || len(unset) > 0 {
		return nil // Validate has said so
	}
	told := func(fault bool, setting, format string, args ...any) []Finding {
		return []Finding{{fault, setting + ": " + fmt.Sprintf(format, args...)}}
	}
	ctx, cancel := context.WithTimeout(ctx, traceTimeout)
	defer cancel()
	res, err := t.knock(ctx)
	if err != nil {
		return told(true, "trace.endpoint", "%s", unreachable(err, traceTimeout))
	}
	defer res.Body.Close()
	switch {
	case res.StatusCode == http.StatusUnauthorized, res.StatusCode == http.StatusForbidden:
		return told(true, "trace.headers", "the collector wants other ones (%d)", res.StatusCode)
	case res.StatusCode == http.StatusNotFound, res.StatusCode == http.StatusMethodNotAllowed:
		return told(true, "trace.endpoint", "what answers takes no traces there (%d); is it the port of OTLP over HTTP, 4318 as a rule?", res.StatusCode)
	case res.StatusCode >= http.StatusMultipleChoices:
		words, _ := io.ReadAll(io.LimitReader(res.Body, maxTold)) // as far as it says something
		return told(true, "trace.endpoint", "the collector answers %d: %q", res.StatusCode, words)
	}
	return told(false, "trace.endpoint", "the collector takes traces")
}

// knock sends an ExportTraceServiceRequest without spans, which is no byte.
func (t Trace) knock(ctx context.Context) (*http.Response, error) {
	to, err := traces.Endpoint(t.Endpoint)
	if err != nil {
		return nil, err
	}
	headers, err := t.headers()
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, to, http.NoBody)
	if err != nil {
		return nil, err
	}
	for name, value := range headers {
		req.Header.Set(name, value)
	}
	req.Header.Set("Content-Type", "application/x-protobuf")
	once := http.Client{
		Transport:     &http.Transport{Proxy: http.ProxyFromEnvironment, DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	res, err := once.Do(req)
	if late := ctx.Err(); err != nil && late != nil {
		err = errors.Join(late, err)
	}
	return res, err
}
