package node_test

import (
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/xuangate/xuangate/cmd/xuangate/node"
	"github.com/xuangate/xuangate/gen/model"
	"github.com/xuangate/xuangate/test/collector"
	"github.com/xuangate/xuangate/test/redisd"
	"github.com/xuangate/xuangate/test/xuanxuan"
)

const (
	theirTrace = "0af7651916cd43dd8448eb211c80319c"
	theirSpan  = "b7ad6b7169203331"
)

// traced is a header of a request whose caller traces it, or not, where flags are 00.
func traced(header http.Header, flags string) http.Header {
	header = header.Clone()
	header.Set("Traceparent", "00-"+theirTrace+"-"+theirSpan+"-"+flags)
	header.Set("X-Request-Id", "call-"+flags)
	return header
}

func TestTraces(t *testing.T) {
	to, log := collector.Start(t), &logBook{}
	s := backend(t)
	c := before(s)
	c.LogTo, c.Ops.Addr = log, "127.0.0.1:0"
	c.Trace.Endpoint, c.Trace.Sample, c.Trace.Headers = to.URL, 0, "X-Key=a key, X-Team = chat"
	hangup := make(chan os.Signal)
	c.Hangup, c.Again = hangup, func() (node.Config, []error) {
		next := c
		next.Trace.Sample = 1
		return next, nil
	}
	n := run(t, c)
	alice := n.signIn(t, "alice")
	stream := n.listen(t, alice)
	next(t, stream, "id")

	// None of these is traced: chance is 0, whoever asks for it says no, or it is nobody's operation.
	post(t, n.api+"/get_joined_conversation", bearer(alice), struct{}{})
	post(t, n.api+"/get_joined_conversation", traced(bearer(alice), "00"), struct{}{})
	for _, path := range []string{"/livez", "/nowhere"} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, n.api+path, nil)
		require.NoError(t, err)
		req.Header = traced(http.Header{}, "01")
		res, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		require.NoError(t, res.Body.Close())
	}

	// This is, and the log has its trace.
	secret := "not to be told"
	post(t, n.api+"/login", traced(http.Header{}, "01"), model.LoginRequest{Account: "bob", Password: secret})
	require.Eventually(t, func() bool { return strings.Contains(log.String(), "trace="+theirTrace) }, patience, time.Millisecond)
	require.Equal(t, 1, strings.Count(log.String(), "trace="))

	// From here on all are.
	hangup <- syscall.SIGHUP
	require.Eventually(t, func() bool { return strings.Contains(log.String(), "changed=[trace.sample]") }, patience, time.Millisecond)
	next(t, n.listen(t, alice), "id")
	s.SetFaults(xuanxuan.Fault{Method: "history", Status: http.StatusBadGateway, Body: []byte("no")})
	group := must[model.ConversationRef](t, post(t, n.api+"/create_conversation", bearer(alice), model.CreateConversationRequest{Name: secret, Members: []string{"5"}})).ConversationId
	require.Equal(t, model.Unreachable, post(t, n.api+"/get_conversation_last_30_msg", bearer(alice), map[string]any{"conversation_id": group}).Code)
	n.stop(t) // which sends what is still to be sent

	named := func(name string) func(collector.Span) bool {
		return func(s collector.Span) bool { return s.Name == name }
	}
	login := to.Find(t, "the sign-in", named("Login"))
	require.Equal(t, theirTrace, login.Trace)
	require.Equal(t, theirSpan, login.Parent)
	require.Equal(t, "call-01", login.Attributes["xuangate.request"])
	require.Equal(t, "10104", login.Attributes["xuangate.code"])
	require.False(t, login.Failed)
	call := to.Find(t, "the call of the sign-in", named("chat/login"))
	require.Equal(t, login.ID, call.Parent)
	require.Equal(t, "refused", call.Attributes["xuangate.legacy.outcome"])
	require.Equal(t, strings.TrimPrefix(s.URL(), "http://"), net.JoinHostPort(call.Attributes["server.address"], call.Attributes["server.port"])+"/xuanxuan.php")

	failed := to.Find(t, "the failed one", named("GetConversationLast30Msg"))
	require.True(t, failed.Failed)
	require.Equal(t, "4", failed.Attributes["xuangate.session"])
	require.Equal(t, "/get_conversation_last_30_msg", failed.Attributes["http.route"])
	require.Contains(t, log.String(), "trace="+failed.Trace)
	ask := to.Find(t, "the call that failed", func(s collector.Span) bool { return s.Name == "chat/history" && s.Failed })
	require.Equal(t, failed.Trace, ask.Trace)

	open := to.Find(t, "the stream", named("Notify"))
	require.Equal(t, "200", open.Attributes["http.response.status_code"])
	streams := 0
	for _, one := range to.Spans() {
		require.NotContains(t, one.Name, "ivez")
		require.NotEqual(t, "GetJoinedConversation", one.Name)
		if one.Name == "Notify" {
			streams++
		}
		for _, value := range one.Attributes {
			for _, private := range []string{secret, alice, alice[3:], "alice", "bob", group} {
				require.NotContains(t, value, private)
			}
		}
	}
	require.Equal(t, 1, streams, "the first one was not traced, and so is its end")
	require.Equal(t, "a key", to.Headers().Get("X-Key"))
	require.Equal(t, "chat", to.Headers().Get("X-Team"))
	require.NotContains(t, log.String(), "a key")
}

func TestTracesThatNobodyTakes(t *testing.T) {
	to, log, leave := collector.Start(t), &logBook{}, make(chan struct{})
	defer close(leave)
	to.Instead(func(http.ResponseWriter, *http.Request) { <-leave })
	c := before(backend(t))
	c.LogTo, c.Ops.Addr, c.Drain = log, "127.0.0.1:0", time.Second
	c.Trace.Endpoint, c.Trace.Sample = to.URL, 1
	n := run(t, c)
	alice := n.signIn(t, "alice")
	for range 600 { // more than one batch
		require.Equal(t, model.OK, post(t, n.api+"/get_me", bearer(alice), struct{}{}).Code)
	}
	require.Contains(t, scrape(t, n.ops), "xuangate_trace_spans_total")
	n.stop(t)
	require.Contains(t, log.String(), "traces are lost")
	require.Equal(t, 1, strings.Count(log.String(), "traces are lost"))
}

func TestTracesGoOverNodes(t *testing.T) {
	r, to := redisd.Start(t), collector.Start(t)
	x := front(t, backend(t))
	trace := func(c *node.Config) { c.Trace.Endpoint, c.Trace.Sample = to.URL, 0 }
	a, _ := linked(t, r, x, trace)
	b, _ := linked(t, r, x, trace)
	alice := a.signIn(t, "alice")
	require.Equal(t, model.OK, post(t, b.api+"/get_conversations", traced(bearer(alice), "01"), struct{}{}).Code)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, b.api+"/notify?protoc=poll&timeout=0", nil)
	require.NoError(t, err)
	req.Header = traced(bearer(alice), "01")
	res, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	a.stop(t)
	b.stop(t)

	in := func(name, parent string) collector.Span {
		return to.Find(t, name+" below "+parent, func(s collector.Span) bool { return s.Name == name && s.Parent == parent && s.Trace == theirTrace })
	}
	asked := in("GetConversations", theirSpan)
	answered := in("GetConversations", asked.ID)
	require.NotEqual(t, asked.Resource["service.instance.id"], answered.Resource["service.instance.id"])
	require.Equal(t, asked.Attributes["xuangate.request"], answered.Attributes["xuangate.request"])
	require.Equal(t, "4", answered.Attributes["xuangate.session"])
	in("chat/getlist", answered.ID)
	in("Attend", in("Notify", theirSpan).ID)
}

func TestTraceSettings(t *testing.T) {
	for _, fault := range []struct {
		trace node.Trace
		want  string
	}{
		{node.Trace{Sample: 1.5}, "trace.sample: is 1.5, want 0 to 1"},
		{node.Trace{Sample: -1}, "trace.sample: is -1, want 0 to 1"},
		{node.Trace{Endpoint: "127.0.0.1:4318"}, "trace.endpoint: is no address of a collector"},
		{node.Trace{Endpoint: "http://user:password@127.0.0.1:4318"}, "trace.endpoint: is no address of a collector"},
		{node.Trace{Endpoint: "http://127.0.0.1:4318", Headers: "a key"}, "trace.headers: the header in place 1 is none"},
		{node.Trace{Endpoint: "http://127.0.0.1:4318", Headers: "X-A=b,X C=d"}, "trace.headers: the header in place 2 is none"},
		{node.Trace{Endpoint: "http://127.0.0.1:4318", Headers: "X-A=b\nX-B: c"}, "trace.headers: the header in place 1 is none"},
	} {
		c := valid()
		c.Trace = fault.trace
		wrong := c.Validate()
		require.Len(t, wrong, 1, fault.want)
		require.ErrorContains(t, wrong[0], fault.want)
		require.NotContains(t, wrong[0].Error(), "password")
		require.NotContains(t, wrong[0].Error(), "a key")
	}
	require.Equal(t, 0.1, node.Default().Trace.Sample)
}

func TestCheckTraces(t *testing.T) {
	s, to := backend(t), collector.Start(t)
	free, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, free.Close())
	file := filepath.Join(t.TempDir(), "headers")
	require.NoError(t, os.WriteFile(file, []byte("Authorization=Basic very secret\n"), 0o600))
	says := func(status int, text string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { http.Error(w, text, status) }
	}
	for _, one := range []struct {
		name     string
		endpoint string
		instead  http.HandlerFunc
		want     string
	}{
		{"one that takes traces", to.URL, nil, "^false trace.endpoint: the collector takes traces$"},
		{"nothing listens", "http://" + free.Addr().String(), nil, "^true trace.endpoint: nothing listens there"},
		{"no such host", "http://nowhere.invalid:4318", nil, "^true trace.endpoint: no such host: nowhere.invalid"},
		{"another page", to.URL + "/elsewhere", nil, `^true trace.endpoint: what answers takes no traces there \(404\)`},
		{"another key", to.URL, says(http.StatusUnauthorized, "no"), `^true trace.headers: the collector wants other ones \(401\)`},
		{"one that is ill", to.URL, says(http.StatusInternalServerError, "disk full"), `^true trace.endpoint: the collector answers 500: "disk full`},
		{"TLS where there is none", strings.Replace(to.URL, "http:", "https:", 1), nil, "^true trace.endpoint: "},
	} {
		t.Run(one.name, func(t *testing.T) {
			to.Instead(one.instead)
			c := before(s)
			c.Trace.Endpoint, c.Trace.HeadersFile = one.endpoint, node.SecretFile(file)
			var said []string
			for _, f := range node.Check(t.Context(), c) {
				require.NotContains(t, f.Text, "very secret")
				if strings.HasPrefix(f.Text, "trace.") {
					said = append(said, map[bool]string{true: "true ", false: "false "}[f.Fault]+f.Text)
				}
			}
			require.Len(t, said, 1)
			require.Regexp(t, regexp.MustCompile(one.want), said[0])
		})
	}
	require.Equal(t, "Basic very secret", to.Headers().Get("Authorization"))
}
