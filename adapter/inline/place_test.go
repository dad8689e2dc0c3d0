package inline

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/xuangate/xuangate/adapter"
	"github.com/xuangate/xuangate/adapter/claims"
	"github.com/xuangate/xuangate/adapter/legacy"
	"github.com/xuangate/xuangate/adapter/xxb"
	"github.com/xuangate/xuangate/adapter/xxd"
	"github.com/xuangate/xuangate/test/xuanxuan"
)

// A place is a reference xxd and backend with several nodes between them, as they share claims.
type place struct {
	t      *testing.T
	legacy *xuanxuan.Server
	xxd    *xuanxuan.XXD
	at     net.Listener // where the xxd will be
	shared *Shared
	claims func(holder string) adapter.Claims
	down   atomic.Bool // the claims
}

func newPlace(t *testing.T) *place {
	behind, err := xuanxuan.Start(t.Context(), xuanxuan.Options{}, "127.0.0.1:0")
	require.NoError(t, err)
	at, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	p := &place{t: t, legacy: behind, at: at, claims: claims.NewMemory().As}
	t.Cleanup(func() {
		if p.xxd != nil {
			require.NoError(t, p.xxd.Close())
		}
		require.NoError(t, behind.Close())
	})
	return p
}

// start starts the xxd, whose backend is at an address.
func (p *place) start(backend string) {
	p.t.Helper()
	var err error
	p.xxd, err = xuanxuan.StartXXD(p.t.Context(), xuanxuan.XXDOptions{Backend: backend + Path, Listener: p.at}, "")
	require.NoError(p.t, err)
}

// A node is one of them. end ends it in order, while its door still stands.
type node struct {
	*Server
	door  *httptest.Server
	crash *atomic.Bool
	end   func()
}

// dies ends it without letting go of what it holds.
func (n *node) dies() {
	n.crash.Store(true)
	n.end()
	n.door.Close()
}

func (p *place) node() *node {
	n := &node{crash: new(atomic.Bool)}
	n.door = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { n.ServeHTTP(w, r) }))
	key, err := legacy.NewKey(xuanxuan.DefaultKey)
	require.NoError(p.t, err)
	n.Server, err = New(Config{
		Backend: xxb.Config{URL: p.legacy.URL(), Key: key},
		Sites:   []Site{{XXD: xxd.Config{URL: "http://" + p.at.Addr().String()}}},
		Hear:    func(context.Context, adapter.News) error { return nil },
		Claims:  &cut{p.claims(n.door.URL + " " + n.door.URL), &p.down, n.crash},
		Shared:  p.shared,
		Log:     slog.New(slog.DiscardHandler),
	})
	require.NoError(p.t, err)
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { n.Run(ctx) })
	n.end = sync.OnceFunc(func() {
		stop()
		running.Wait()
	})
	p.t.Cleanup(func() {
		n.end()
		n.door.Close()
		n.Close()
	})
	return n
}

func (n *node) active() bool {
	here, _, _ := n.lead.where()
	return here
}

func (n *node) isActive(t *testing.T) {
	t.Helper()
	require.Eventually(t, n.active, patience, time.Millisecond)
}

// cut are claims that cannot be had while one of its switches is set.
type cut struct {
	adapter.Claims
	down, crash *atomic.Bool
}

func (c *cut) fails() error {
	if c.down.Load() || c.crash.Load() {
		return errors.New("no claims")
	}
	return nil
}

func (c *cut) Take(ctx context.Context, key string, d time.Duration) (adapter.Claim, error) {
	if err := c.fails(); err != nil {
		return adapter.Claim{}, err
	}
	return c.Claims.Take(ctx, key, d)
}

func (c *cut) Renew(ctx context.Context, claim adapter.Claim, d time.Duration) error {
	if err := c.fails(); err != nil {
		return err
	}
	return c.Claims.Renew(ctx, claim, d)
}

func (c *cut) Release(ctx context.Context, claim adapter.Claim) error {
	if err := c.fails(); err != nil {
		return err
	}
	return c.Claims.Release(ctx, claim)
}

// desk signs an account in to the xxd, and returns what waited for it and how it hears a message.
func (p *place) desk(account string) (waiting []legacy.MessageRow, hears func(content string), leave func()) {
	p.t.Helper()
	server, err := xxd.New(xxd.Config{URL: p.xxd.URL()})
	require.NoError(p.t, err)
	defer server.Close()
	sum := md5.Sum([]byte(xuanxuan.DemoPassword))
	conn, welcome, err := server.Dial(p.t.Context(), account, hex.EncodeToString(sum[:]))
	require.NoError(p.t, err)
	leave = sync.OnceFunc(func() { _ = conn.Close() })
	p.t.Cleanup(leave)
	return welcome.Messages, func(content string) {
		limit, cancel := context.WithTimeout(p.t.Context(), patience)
		defer cancel()
		for {
			push, err := conn.Next(limit)
			require.NoError(p.t, err, "no %q", content)
			var rows legacy.List[legacy.MessageRow]
			if push.Method == "message" && push.Decode(&rows) == nil && len(rows) > 0 && string(rows[len(rows)-1].Content) == content {
				return
			}
		}
	}, leave
}

// says has alice say something on the web at a node.
func (n *node) says(t *testing.T, content string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	r, err := n.Call(ctx, legacy.Chat(4, "message", []legacy.DraftRow{{GID: legacy.MessageGID(content), CGID: "g", User: 4, Type: "normal", ContentType: "text", Content: content}}))
	require.NoError(t, err)
	require.Equal(t, legacy.Success, r.Result)
}

func (n *node) group(t *testing.T, members ...legacy.UserID) {
	t.Helper()
	_, err := n.Call(t.Context(), legacy.Chat(4, "create", "g", "g", legacy.TypeGroup, members, 0, false))
	require.NoError(t, err)
}
