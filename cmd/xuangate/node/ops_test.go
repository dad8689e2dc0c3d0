package node_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	common "github.com/prometheus/common/model"
	"github.com/stretchr/testify/require"

	"github.com/xuangate/xuangate/cmd/xuangate/node"
	"github.com/xuangate/xuangate/gateway/metrics"
	"github.com/xuangate/xuangate/gen/model"
	"github.com/xuangate/xuangate/test/xuanxuan"
)

// scrape reads a node's metrics as Prometheus does.
func scrape(t *testing.T, ops string) map[string]*dto.MetricFamily {
	t.Helper()
	res, err := http.Get(ops + "/metrics")
	require.NoError(t, err)
	defer res.Body.Close()
	require.Equal(t, http.StatusOK, res.StatusCode)
	parser := expfmt.NewTextParser(common.UTF8Validation)
	families, err := parser.TextToMetricFamilies(res.Body)
	require.NoError(t, err)
	return families
}

// value is that of the one series of a metric with these labels, each written name=value; 0 where there is none.
func value(families map[string]*dto.MetricFamily, name string, labels ...string) float64 {
	for _, m := range families[name].GetMetric() {
		found := 0
		for _, l := range m.GetLabel() {
			for _, want := range labels {
				if l.GetName()+"="+l.GetValue() == want {
					found++
				}
			}
		}
		if found == len(labels) {
			return m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	return 0
}

func TestOps(t *testing.T) {
	c := before(backend(t))
	c.Ops.Addr, c.Ops.PProf = "127.0.0.1:0", true
	n := run(t, c)
	bob := n.signIn(t, "bob")
	stream := n.listen(t, bob)
	next(t, stream, "id")
	room := must[model.ConversationRef](t, post(t, n.api+"/create_conversation", bearer(n.signIn(t, "alice")),
		model.CreateConversationRequest{Name: "周报", Members: []string{"5"}}))
	must[model.SentMsg](t, post(t, n.api+"/send_msg", bearer(bob), model.SendMsgRequest{ConversationId: room.ConversationId, Type: 1, Content: "hi"}))
	next(t, stream, "data")

	families := scrape(t, n.ops)
	require.Equal(t, 2.0, value(families, "xuangate_requests_total", "operation=Login", "code=0"))
	require.Equal(t, 2.0, value(families, "xuangate_request_duration_seconds", "operation=Login"))
	require.Positive(t, value(families, "xuangate_legacy_calls_total", "method=chat/message", "outcome=ok"))
	require.Positive(t, value(families, "xuangate_legacy_call_duration_seconds", "method=chat/message"))
	require.Equal(t, 1.0, value(families, "xuangate_streams", "transport=sse"))
	require.Equal(t, 1.0, value(families, "xuangate_resumes_total", "outcome=new"))
	require.Positive(t, value(families, "xuangate_deliveries_total", "transport=sse"))
	require.Equal(t, 1.0, value(families, "xuangate_build_info"))
	require.Positive(t, value(families, "go_goroutines"))
	require.Positive(t, value(families, "process_open_fds"))

	for path, want := range map[string]int{"/livez": 200, "/readyz": 200, "/debug/pprof/cmdline": 200, "/get_users": 404} {
		res, err := http.Get(n.ops + path)
		require.NoError(t, err)
		require.NoError(t, res.Body.Close())
		require.Equal(t, want, res.StatusCode, path)
	}
	res, err := http.Get(n.api + "/metrics")
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	require.Equal(t, http.StatusNotFound, res.StatusCode, "the public listener has no metrics")
	n.stop(t)
	_, err = http.Get(n.ops + "/livez")
	require.Error(t, err)
}

func TestOpsShowsWhatProtects(t *testing.T) {
	s := backend(t)
	c := before(s)
	c.Ops.Addr = "127.0.0.1:0"
	c.Limits.Connections = 8
	n := run(t, c)
	alice := n.signIn(t, "alice")

	t.Run("connections, and those that are one too many", func(t *testing.T) {
		require.Positive(t, value(scrape(t, n.ops), "xuangate_connections"))
		var open []net.Conn
		require.Eventually(t, func() bool {
			conn, err := net.Dial("tcp", strings.TrimPrefix(n.api, "http://"))
			require.NoError(t, err)
			open = append(open, conn)
			return value(scrape(t, n.ops), "xuangate_limits_hit_total", "limit=connections") > 0
		}, patience, time.Millisecond)
		require.LessOrEqual(t, value(scrape(t, n.ops), "xuangate_connections"), 8.0)
		for _, conn := range open {
			require.NoError(t, conn.Close())
		}
		require.Eventually(t, func() bool { return value(scrape(t, n.ops), "xuangate_connections") < 8 }, patience, time.Millisecond)
	})
	t.Run("calls under way", func(t *testing.T) {
		s.SetFaults(xuanxuan.Fault{Method: "getlist", Delay: time.Minute})
		gone, leave := context.WithCancel(t.Context())
		asked := make(chan struct{})
		go func() {
			defer close(asked)
			_, _ = ask(gone, n.api+"/get_joined_conversation", bearer(alice), struct{}{}) // nobody waits for the answer
		}()
		require.Eventually(t, func() bool { return value(scrape(t, n.ops), "xuangate_legacy_calls_under_way") == 1 }, patience, time.Millisecond)
		leave()
		<-asked
		s.SetFaults()
	})
	t.Run("a chat server that is left alone", func(t *testing.T) {
		families := scrape(t, n.ops)
		require.Contains(t, families, "xuangate_legacy_down")
		require.Zero(t, value(families, "xuangate_legacy_down"))
		require.Zero(t, value(families, "xuangate_legacy_outages_total"))
		s.SetFaults(xuanxuan.Fault{Status: http.StatusBadGateway, Body: []byte("no")})
		require.Eventually(t, func() bool {
			post(t, n.api+"/get_joined_conversation", bearer(alice), struct{}{})
			families = scrape(t, n.ops)
			return value(families, "xuangate_legacy_down") == 1
		}, patience, time.Millisecond)
		require.Equal(t, 1.0, value(families, "xuangate_legacy_outages_total"))
		post(t, n.api+"/get_joined_conversation", bearer(alice), struct{}{})
		require.Positive(t, value(scrape(t, n.ops), "xuangate_legacy_refused_total", "reason=down"))
	})
	n.stop(t)
}

func TestOpsOutlivesTheDrain(t *testing.T) {
	s := backend(t)
	var holding atomic.Bool
	held, release := make(chan struct{}, 1), make(chan struct{})
	way := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if holding.CompareAndSwap(true, false) { // one call waits until the test has seen what it is about
			held <- struct{}{}
			<-release
		}
		s.ServeHTTP(w, r)
	}))
	t.Cleanup(way.Close)
	c := before(s)
	c.Legacy.XXB.URL, c.Ops.Addr = way.URL+"/xuanxuan.php", "127.0.0.1:0"
	c.Drain, c.Legacy.Timeout = patience, patience // the request is not to be cut meanwhile
	n := run(t, c)
	alice := n.signIn(t, "alice")
	holding.Store(true)
	result := make(chan error, 1)
	go func() {
		a, err := ask(t.Context(), n.api+"/get_joined_conversation", bearer(alice), struct{}{})
		if err == nil && a.Code != model.OK {
			err = errors.New(a.Error)
		}
		result <- err
	}()
	<-held
	n.end()
	require.Eventually(t, func() bool {
		res, err := http.Get(n.ops + "/readyz")
		require.NoError(t, err, "it listens while the node drains")
		require.NoError(t, res.Body.Close())
		return res.StatusCode == http.StatusServiceUnavailable
	}, patience, time.Millisecond)
	require.Contains(t, scrape(t, n.ops), "xuangate_streams")
	close(release)
	require.NoError(t, <-result)
	require.NoError(t, <-n.ended)
}

func TestOpsSettings(t *testing.T) {
	c := valid()
	c.Ops.Addr = c.Addr
	require.ErrorContains(t, c.Validate()[0], "ops.addr: is the same as addr")
	c.Ops = node.Ops{PProf: true}
	require.ErrorContains(t, c.Validate()[0], "ops.pprof: is set without ops.addr")
}

var fqName = regexp.MustCompile(`fqName: "(xuangate_[a-z_]+)"`)

func TestOperationsListsEveryMetric(t *testing.T) {
	m := metrics.New()
	m.Watch(metrics.State{})
	descs := make(chan *prometheus.Desc)
	go func() {
		defer close(descs)
		m.Describe(descs)
	}()
	var want []string
	for d := range descs {
		if name := fqName.FindStringSubmatch(d.String()); name != nil {
			want = append(want, name[1])
		}
	}
	page, err := os.ReadFile("../deploy/OPERATIONS.md")
	require.NoError(t, err)
	var got []string
	for line := range strings.Lines(string(page)) {
		if name, ok := strings.CutPrefix(line, "| `xuangate_"); ok {
			name, _, _ = strings.Cut(name, "`")
			got = append(got, "xuangate_"+name)
		}
	}
	require.ElementsMatch(t, want, got)
}
