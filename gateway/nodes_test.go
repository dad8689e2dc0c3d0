package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/xuangate/xuangate/adapter"
	"github.com/xuangate/xuangate/adapter/claims"
	"github.com/xuangate/xuangate/adapter/legacy"
	"github.com/xuangate/xuangate/gateway/eventlog"
	"github.com/xuangate/xuangate/gateway/login"
	"github.com/xuangate/xuangate/gen/model"
)

// TestNodeMarks has a node a speak to b, where c holds alice's link, and nothing listens where c says it is.
func TestNodeMarks(t *testing.T) {
	const secret = "a secret of all nodes"
	logins := login.NewMemory()
	held := claims.NewMemory()
	_, err := held.As(NodeName("c", "http://127.0.0.1:1")).Take(t.Context(), "link:alice", time.Hour)
	require.NoError(t, err)
	name := NodeName("b", "http://127.0.0.1:2")
	translation, err := adapter.New(adapter.Config{
		Upstreams: &adapter.Upstreams{
			Dial: func(context.Context, string, string) (adapter.Upstream, legacy.Welcome, error) {
				return nil, legacy.Welcome{}, errors.New("nobody may be dialled whom another node holds")
			},
			Verify: func(context.Context, string, string) error { return nil },
			Probe:  func(context.Context) error { return nil },
		},
		Sink:    func(context.Context, adapter.Event) error { return nil },
		Secrets: adapter.Secrets{Keep: logins.Keep, Kept: logins.Kept, Forget: logins.Forget},
		Claims:  held.As(name),
	})
	require.NoError(t, err)
	ctx, end := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- translation.Run(ctx) }()
	defer func() { end(); require.NoError(t, <-ended) }()
	b, err := NewNodes(name, secret)
	require.NoError(t, err)
	defer b.Close()
	s, err := New(Config{Legacy: translation, Events: eventlog.NewMemory(eventlog.MemoryOptions{}), Logins: logins, Nodes: b})
	require.NoError(t, err)
	h := httptest.NewServer(s.Public())
	defer h.Close()
	a, err := NewNodes(NodeName("a", ""), secret)
	require.NoError(t, err)

	signIn := func(mark func(*http.Request)) *http.Request {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, h.URL+"/login", strings.NewReader(`{"account":"alice","password":"x","platform":1}`))
		require.NoError(t, err)
		req.Header.Set("Content-Type", "application/json")
		if mark != nil {
			mark(req)
		}
		return req
	}
	answer := func(req *http.Request) (code int, text, retry string) {
		res, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		defer res.Body.Close()
		var p model.Problem
		require.NoError(t, json.NewDecoder(res.Body).Decode(&p))
		return int(p.Code), p.Error, res.Header.Get("Retry-After")
	}

	code, text, retry := answer(signIn(nil))
	require.Equal(t, 10002, code)
	require.Contains(t, text, "does not answer", "a client's request is forwarded")
	require.NotEmpty(t, retry)

	once := signIn(func(r *http.Request) { a.mark(r, hop{To: b.name}) })
	code, text, retry = answer(once)
	require.Equal(t, 10002, code)
	require.Contains(t, text, "another node holds", "a node's request is not forwarded again")
	require.NotEmpty(t, retry)

	for rule, mark := range map[string]func(*http.Request){
		"sent before":       func(r *http.Request) { r.Header.Set(nodeHeader, once.Header.Get(nodeHeader)) },
		"is not a node's":   func(r *http.Request) { a.mark(r, hop{To: b.name}); r.URL.RawQuery = "x=1" },
		"has ended":         func(r *http.Request) { a.mark(r, hop{To: NodeName("b0", "http://127.0.0.1:2")}) },
		"same secret_key":   func(r *http.Request) { other, _ := NewNodes("x", "another"); other.mark(r, hop{To: b.name}) },
		"who may do this":   func(r *http.Request) { r.URL.Path = "/get_me"; a.mark(r, hop{To: b.name}) },
		"say who may do":    func(r *http.Request) { r.URL.Path = "/inner/get_token"; a.mark(r, hop{To: b.name, User: 4}) },
		"does not hold the": func(r *http.Request) { r.URL.Path = attendPath + "4"; a.mark(r, hop{To: b.name}) },
	} {
		code, text, _ := answer(signIn(mark))
		require.Contains(t, text, rule)
		require.NotZero(t, code)
	}
}
