package traces

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/xuangate/xuangate/adapter/legacy"
	"github.com/xuangate/xuangate/gen/model"
	"github.com/xuangate/xuangate/test/collector"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// sending makes Traces that send to c, or to nobody.
func sending(t testing.TB, to string, sample float64) *Traces {
	t.Helper()
	traces, err := New(Config{
		Endpoint: to, Headers: map[string]string{"X-Key": "open"}, Sample: sample, Server: "10.0.0.5:11443", Version: "v1", Log: slog.New(slog.DiscardHandler),
	})
	require.NoError(t, err)
	t.Cleanup(func() { traces.Close(t.Context()) })
	return traces
}

const (
	theirTrace = "0af7651916cd43dd8448eb211c80319c"
	theirSpan  = "b7ad6b7169203331"
)

func from(flags string) http.Header {
	return http.Header{"Traceparent": {"00-" + theirTrace + "-" + theirSpan + "-" + flags}, "Tracestate": {"v=1"}}
}

func named(name string) func(collector.Span) bool {
	return func(s collector.Span) bool { return s.Name == name }
}

func TestSpans(t *testing.T) {
	to := collector.Start(t)
	traces := sending(t, to.URL, 1)
	ctx, r := traces.Request(t.Context(), http.Header{}, "SendMsg")
	call := legacy.Chat(4, "message", "very private")
	traces.LegacyCall(ctx, call, legacy.Response{Result: legacy.Success}, time.Second, nil)
	traces.LegacyCall(ctx, legacy.Chat(4, "mute"), legacy.Response{Result: legacy.Fail, Message: "very private"}, 0, nil)
	traces.LegacyCall(ctx, legacy.Chat(4, "hide"), legacy.Response{}, 0, fmt.Errorf("very private: %w", context.DeadlineExceeded))
	traces.LegacyCall(ctx, legacy.Chat(4, "star"), legacy.Response{}, 0, errors.New("very private"))
	r.End(End{ID: "here", Method: "POST", Route: "/send_msg", Status: 504, Code: model.TooSlow, Session: 4})
	traces.LegacyCall(t.Context(), legacy.Chat(0, "notify"), legacy.Response{}, 0, nil) // nobody's request
	_, refused := traces.Request(t.Context(), http.Header{}, "GetMe")
	refused.End(End{Method: "POST", Route: "/get_me", Status: 401, Code: model.InvalidToken})
	traces.Close(t.Context())

	sent, lost := traces.Spans()
	require.EqualValues(t, 6, sent)
	require.Zero(t, lost)
	require.Len(t, to.Spans(), 6)
	require.Equal(t, "open", to.Headers().Get("X-Key"))

	top := to.Find(t, "the operation", named("SendMsg"))
	require.Equal(t, "SERVER", top.Kind)
	require.Empty(t, top.Parent)
	require.Equal(t, r.ID(), top.Trace)
	require.True(t, top.Failed, "5xx is ours, or the chat server's")
	require.Equal(t, map[string]string{
		"http.request.method": "POST", "http.route": "/send_msg", "http.response.status_code": "504",
		"xuangate.request": "here", "xuangate.code": "10004", "xuangate.session": "4",
	}, top.Attributes)
	require.Equal(t, "xuangate", top.Resource["service.name"])
	require.Equal(t, "v1", top.Resource["service.version"])
	require.NotEmpty(t, top.Resource["service.instance.id"])

	for name, want := range map[string]struct {
		outcome string
		failed  bool
	}{"chat/message": {"ok", false}, "chat/mute": {"refused", false}, "chat/hide": {"timeout", true}, "chat/star": {"unreachable", true}} {
		below := to.Find(t, name, named(name))
		require.Equal(t, "CLIENT", below.Kind, name)
		require.Equal(t, top.ID, below.Parent, name)
		require.Equal(t, top.Trace, below.Trace, name)
		require.Equal(t, want.failed, below.Failed, name)
		require.Equal(t, map[string]string{
			"server.address": "10.0.0.5", "server.port": "11443", "xuangate.legacy.module": "chat", "xuangate.legacy.method": name[len("chat/"):],
			"xuangate.legacy.outcome": want.outcome,
		}, below.Attributes, name)
	}
	message := to.Find(t, "the call", named("chat/message"))
	require.Equal(t, time.Second, message.End.Sub(message.Start))

	plain := to.Find(t, "the refused one", named("GetMe"))
	require.False(t, plain.Failed, "4xx is the client's")
	require.NotContains(t, plain.Attributes, "xuangate.session")
	for _, s := range to.Spans() {
		require.NotContains(t, fmt.Sprint(s), "very private")
	}
}

func TestWhoAsksDecides(t *testing.T) {
	to := collector.Start(t)
	for _, share := range []float64{0, 1} {
		traces := sending(t, to.URL, share)
		t.Run(fmt.Sprint("what he traces is traced, whatever the share: ", share), func(t *testing.T) {
			ctx, r := traces.Request(t.Context(), from("01"), "Login")
			require.Equal(t, theirTrace, r.ID())
			onwards := http.Header{}
			traces.Inject(ctx, onwards)
			require.Regexp(t, "^00-"+theirTrace+"-[0-9a-f]{16}-01$", onwards.Get("Traceparent"))
			require.NotContains(t, onwards.Get("Traceparent"), theirSpan, "ours is in between")
			require.Equal(t, "v=1", onwards.Get("Tracestate"))
			r.End(End{})
		})
		t.Run(fmt.Sprint("what he does not is not: ", share), func(t *testing.T) {
			ctx, r := traces.Request(t.Context(), from("00"), "Logout")
			require.Nil(t, r)
			require.Empty(t, r.ID())
			onwards := http.Header{}
			traces.Inject(ctx, onwards)
			require.Regexp(t, "^00-"+theirTrace+"-[0-9a-f]{16}-00$", onwards.Get("Traceparent"), "nor is it elsewhere")
			traces.LegacyCall(ctx, legacy.Chat(4, "logout"), legacy.Response{}, 0, nil)
			r.End(End{})
		})
		traces.Close(t.Context())
	}
	require.Len(t, to.Spans(), 2)
	for _, s := range to.Spans() {
		require.Equal(t, "Login", s.Name)
		require.Equal(t, theirSpan, s.Parent)
	}

	t.Run("a header that is none is as good as none", func(t *testing.T) {
		traces := sending(t, to.URL, 1)
		_, r := traces.Request(t.Context(), http.Header{"Traceparent": {"00-" + theirTrace + "-x-01"}}, "Login")
		require.NotEqual(t, theirTrace, r.ID())
		require.Len(t, r.ID(), 32)
		r.End(End{})
	})
	t.Run("the share changes at once, and no share is none", func(t *testing.T) {
		traces := sending(t, to.URL, 0)
		begin := func() *Request {
			_, r := traces.Request(t.Context(), http.Header{}, "Login")
			r.End(End{})
			return r
		}
		for range 100 {
			require.Nil(t, begin())
		}
		traces.SetSample(1)
		require.NotNil(t, begin())
		traces.SetSample(0.5)
		some := 0
		for range 1000 {
			if begin() != nil {
				some++
			}
		}
		require.InDelta(t, 500, some, 150)
	})
}

func TestOff(t *testing.T) {
	var off *Traces
	ctx, r := off.Request(t.Context(), from("01"), "Login")
	require.Equal(t, t.Context(), ctx)
	require.Empty(t, r.ID())
	r.End(End{})
	off.LegacyCall(ctx, legacy.Chat(4, "getlist"), legacy.Response{}, 0, nil)
	onwards := http.Header{}
	off.Inject(ctx, onwards)
	require.Empty(t, onwards)
	off.SetSample(1)
	off.Close(t.Context())
}

func TestEndpoint(t *testing.T) {
	for set, want := range map[string]string{
		"http://127.0.0.1:4318":             "http://127.0.0.1:4318/v1/traces",
		"http://127.0.0.1:4318/":            "http://127.0.0.1:4318/v1/traces",
		"https://traces.example.com/a/b":    "https://traces.example.com/a/b",
		"https://traces.example.com/api/v1": "https://traces.example.com/api/v1",
	} {
		got, err := Endpoint(set)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
}

// BenchmarkRequest is what a request with one call pays for being traced: nothing where traces are off, little where chance leaves it
// out, and some microseconds where it gets its two spans, of which the sending is not a part.
func BenchmarkRequest(b *testing.B) {
	making := func(sample float64) *Traces {
		t := newTraces(Config{Sample: sample, Server: "10.0.0.5:11443", Log: slog.New(slog.DiscardHandler)}, takes(func(context.Context, int) error { return nil }))
		b.Cleanup(func() { t.Close(b.Context()) })
		return t
	}
	for _, way := range []struct {
		name   string
		traces *Traces
	}{{"off", nil}, {"left out", making(0)}, {"traced", making(1)}} {
		b.Run(way.name, func(b *testing.B) {
			top, h, c := b.Context(), http.Header{}, legacy.Chat(4, "getlist")
			b.ReportAllocs()
			for b.Loop() {
				ctx, r := way.traces.Request(top, h, "GetConversations")
				way.traces.LegacyCall(ctx, c, legacy.Response{Result: legacy.Success}, time.Millisecond, nil)
				r.End(End{ID: "an id", Method: "POST", Route: "/get_conversations", Status: 200, Session: 4})
			}
		})
	}
}
