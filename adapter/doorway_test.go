package adapter

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/xuangate/xuangate/adapter/legacy"
	"github.com/xuangate/xuangate/gen/model"
)

// doorway is a server that users sign in to: each dial takes the next of the prepared outcomes, or lets alice in.
type doorway struct {
	*script
	mu       sync.Mutex
	outcomes []error // of the next dials; nil lets in
	welcome  legacy.Welcome
	dialled  int
	verified int
	open     *wire // the connection that was made last
	kicked   []legacy.UserID
	drawer   drawer
}

// drawer keeps secrets as a store would.
type drawer struct{ sync.Map }

func (d *drawer) secrets() Secrets {
	return Secrets{
		Keep: func(_ context.Context, u legacy.UserID, sealed []byte) error { d.Store(u, sealed); return nil },
		Kept: func(_ context.Context, u legacy.UserID) ([]byte, error) {
			sealed, _ := d.Load(u)
			b, _ := sealed.([]byte)
			return b, nil
		},
		Forget: func(_ context.Context, u legacy.UserID) error { d.Delete(u); return nil },
	}
}

// wire is an Upstream whose pushes the test writes.
type wire struct {
	*script
	pushes chan legacy.Push
	once   sync.Once
	ended  chan struct{}
	cause  error

	limit     int64
	transfers error // what comes of uploads and downloads
}

func (w *wire) Next(ctx context.Context) (legacy.Push, error) {
	select {
	case p := <-w.pushes:
		return p, nil
	default:
	}
	select {
	case p := <-w.pushes:
		return p, nil
	case <-w.ended:
		return legacy.Push{}, w.cause
	case <-ctx.Done():
		return legacy.Push{}, ctx.Err()
	}
}

func (w *wire) UploadLimit() int64 { return w.limit }

func (w *wire) Upload(_ context.Context, up legacy.Upload, body io.Reader) (legacy.File, error) {
	if _, err := io.Copy(io.Discard, body); err != nil {
		return legacy.File{}, fmt.Errorf("wrapped: %w", err)
	}
	return legacy.File{ID: 7, Time: 1795313274, Name: up.Name}, w.transfers
}

func (w *wire) Open(context.Context, legacy.File) (io.ReadSeekCloser, int64, error) {
	return nil, 0, w.transfers
}

func (w *wire) end(cause error) { w.once.Do(func() { w.cause = cause; close(w.ended) }) }

func (w *wire) Close() error { w.end(legacy.ErrClosed); return nil }

func (d *doorway) dial(context.Context, string, string) (Upstream, legacy.Welcome, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.dialled++
	if len(d.outcomes) > 0 {
		err := d.outcomes[0]
		d.outcomes = d.outcomes[1:]
		if err != nil {
			return nil, legacy.Welcome{}, err
		}
	}
	d.open = &wire{script: d.script, pushes: make(chan legacy.Push, 100), ended: make(chan struct{})}
	return d.open, d.welcome, nil
}

func (d *doorway) next(errs ...error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.outcomes = errs
}

func (d *doorway) answer(method string, f func(legacy.Call) (legacy.Response, error)) {
	d.script.mu.Lock()
	defer d.script.mu.Unlock()
	d.answers[method] = f
}

func (d *doorway) times() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.dialled
}

func (d *doorway) push(method, data string) {
	d.open.pushes <- legacy.Push{Module: "chat", Method: method, Result: legacy.Success, Data: json.RawMessage(data)}
}

// told are the events so far as a log keeps them: one Once once. Those about links are left out.
func (d *doorway) told() (list []Event) {
	d.script.mu.Lock()
	defer d.script.mu.Unlock()
	had := map[string]bool{"": false}
	for _, e := range d.events {
		if e.Kind != model.EventKindUpstream && !had[e.Once] {
			list = append(list, e)
			had[e.Once] = e.Once != ""
		}
	}
	return list
}

// states are the states of links told so far.
func (d *doorway) states() (list []model.UpstreamState) {
	d.script.mu.Lock()
	defer d.script.mu.Unlock()
	for _, e := range d.events {
		if e.Kind == model.EventKindUpstream {
			list = append(list, e.Data.(model.Upstream).Upstream)
		}
	}
	return list
}

// inLink runs a test in a bubble of time, with alice signed in over a link.
func inLink(t *testing.T, change func(*Config), test func(t *testing.T, a *Adapter, d *doorway)) {
	synctest.Test(t, func(t *testing.T) {
		_, s := newScripted(t)
		d := &doorway{script: s}
		var users []legacy.UserRow
		require.NoError(t, answer(t, legacy.Chat(0, "userGetlist", ""), usersFrame).Decode(&users))
		r, err := s.answers["getlist"](legacy.Chat(4, "getlist"))
		require.NoError(t, err)
		require.NoError(t, r.Decode(&d.welcome.Chats))
		d.welcome.User, d.welcome.Users = users[1], users
		c := Config{
			Upstreams: &Upstreams{
				Dial: d.dial,
				Verify: func(context.Context, string, string) error {
					d.mu.Lock()
					defer d.mu.Unlock()
					d.verified++
					if len(d.outcomes) > 0 {
						return d.outcomes[0]
					}
					return nil
				},
				Probe: func(context.Context) error { return nil },
			},
			Sink: s.sink, Timeout: time.Second, Log: slog.New(slog.DiscardHandler),
			Secrets: d.drawer.secrets(), SecretKey: "secret",
			OnKick: func(_ context.Context, u legacy.UserID) error { d.kicked = append(d.kicked, u); return nil },
		}
		if change != nil {
			change(&c)
		}
		a, err := New(c)
		require.NoError(t, err)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- a.Run(ctx) }()
		_, err = a.SignIn(t.Context(), "alice", "md5")
		require.NoError(t, err)
		test(t, a, d)
		cancel()
		require.NoError(t, <-done)
	})
}

func rowJSON(id int, gid, content string) string {
	return fmt.Sprintf(`{"id":%d,"gid":%q,"cgid":"team","user":5,"date":%d,"type":"normal","contentType":"text","content":%q}`, id, gid, 1795312700+id, content)
}
