package adapter

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/xuangate/xuangate/adapter/legacy"
	"github.com/xuangate/xuangate/adapter/xxb"
	"github.com/xuangate/xuangate/gen/model"
	"github.com/xuangate/xuangate/test/xuanxuan"
)

func TestBreaker(t *testing.T) {
	slow, gone := context.DeadlineExceeded, errors.New("connection refused")
	call := func(t *testing.T, b *breaker, u legacy.UserID, method string, err error) {
		done, refused := b.enter("test", legacy.Chat(u, method))
		require.NoError(t, refused)
		done(err)
	}
	isOpen := func(t *testing.T, b *breaker) bool {
		done, err := b.enter("test", legacy.Chat(9, "ping"))
		if err == nil {
			done(legacy.ErrNotSent) // which says nothing
			return false
		}
		var e *Error
		require.ErrorAs(t, err, &e)
		require.Equal(t, model.Unreachable, e.Code)
		require.Positive(t, e.RetryAfter)
		require.LessOrEqual(t, e.RetryAfter, openFor)
		return true
	}

	t.Run("a server that is gone is left alone, then one call tries it", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			b := newBreaker(false)
			for range tripAfter {
				require.False(t, isOpen(t, b))
				call(t, b, 4, "getlist", gone)
			}
			require.True(t, isOpen(t, b))
			time.Sleep(openFor + time.Millisecond)
			first, err := b.enter("test", legacy.Chat(4, "getlist"))
			require.NoError(t, err)
			_, err = b.enter("test", legacy.Chat(5, "getlist"))
			require.Error(t, err, "one at a time")
			first(gone)
			require.True(t, isOpen(t, b))
			time.Sleep(openFor + time.Millisecond)
			require.False(t, isOpen(t, b), "a call that tells nothing leaves the next one to try")
			call(t, b, 4, "getlist", nil)
			for range 10 {
				require.False(t, isOpen(t, b))
			}
			require.EqualValues(t, 2, b.opened.Load())
			require.Positive(t, b.refused.Load())
		})
	})
	type asked struct {
		user   legacy.UserID
		method string
		err    error
	}
	for name, c := range map[string]struct {
		perUser bool
		again   []asked // which trips nothing, however often
		then    []asked // which does, if there is any
	}{
		"one slow method is no outage, two are":                  {false, []asked{{4, "history", slow}}, []asked{{4, "getlist", slow}}},
		"an answer in between begins anew, and a refusal is one": {false, []asked{{4, "history", slow}, {4, "getlist", slow}, {4, "getlist", nil}}, nil},
		"one user's connection speaks for him alone":             {true, []asked{{4, "history", slow}, {4, "getlist", gone}}, []asked{{5, "getlist", slow}}},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBreaker(c.perUser)
			for range 100 {
				for _, a := range c.again {
					call(t, b, a.user, a.method, a.err)
				}
			}
			require.False(t, isOpen(t, b))
			for _, a := range c.then {
				call(t, b, a.user, a.method, a.err)
				require.True(t, isOpen(t, b))
			}
		})
	}
	t.Run("who gives up, or never asked, says nothing", func(t *testing.T) {
		b := newBreaker(false)
		for _, err := range []error{context.Canceled, legacy.ErrNotSent, legacy.ErrKicked, refuse("x", model.Unsupported, "no"), &legacy.TooLargeError{}} {
			for range 2 * tripAfter {
				call(t, b, 4, "getlist", err)
			}
		}
		require.False(t, isOpen(t, b))
	})
}

// On a real backend: timeouts end when the breaker opens, and it closes by itself.
func TestBreakerOnBackend(t *testing.T) {
	server, err := xuanxuan.Start(t.Context(), xuanxuan.Options{}, "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { require.NoError(t, server.Close()) }()
	key, err := legacy.NewKey(xuanxuan.DefaultKey)
	require.NoError(t, err)
	client := xxb.New(xxb.Config{URL: server.URL(), Key: key})
	defer client.Close()
	a, err := New(Config{Caller: client, Sink: func(context.Context, Event) error { return nil }, MaxCalls: 4})
	require.NoError(t, err)
	ctx := t.Context()
	ask := func(method string) error {
		_, err := a.call(ctx, "test", legacy.Chat(4, method))
		return err
	}
	require.NoError(t, ask("getlist"))

	server.SetFaults(xuanxuan.Fault{Status: http.StatusBadGateway, Body: []byte("no")})
	for range tripAfter {
		require.Equal(t, model.Unreachable, code(ask("getlist")))
	}
	before := server.Calls()["chat/getlist"]
	for range 20 {
		err := ask("getlist")
		require.Equal(t, model.Unreachable, code(err))
		require.ErrorIs(t, err, errOpen)
	}
	require.Equal(t, before, server.Calls()["chat/getlist"], "nothing reaches it")
	require.True(t, a.Load().Open)
	server.SetFaults()
	require.Eventually(t, func() bool { return ask("getlist") == nil }, 30*time.Second, 20*time.Millisecond)
	require.False(t, a.Load().Open)

	t.Run("no more calls are under way than may be, and who waits in vain is told", func(t *testing.T) {
		a.timeout = 300 * time.Millisecond
		server.SetFaults(xuanxuan.Fault{Method: "history", Delay: time.Minute})
		defer server.SetFaults()
		hanging, hangUp := context.WithCancel(ctx)
		defer hangUp()
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() {
				_, err := a.berthed(hanging, client, "test", legacy.Chat(4, "history", "x", 1, 1, 0, false, 0))
				require.ErrorIs(t, err, context.Canceled)
			})
		}
		require.Eventually(t, func() bool { return a.Load().Calls == 4 }, 10*time.Second, time.Millisecond)
		err := ask("getlist")
		require.Equal(t, model.Unreachable, code(err))
		require.ErrorIs(t, err, legacy.ErrNotSent)
		require.EqualValues(t, 1, a.Load().RefusedCalls)
		hangUp()
		all.Wait()
		require.Zero(t, a.Load().Calls)
		a.timeout = 10 * time.Second
		require.NoError(t, ask("getlist"))
	})
}

func TestQueue(t *testing.T) {
	in := func(t *testing.T, f func(t *testing.T, q *queue)) {
		synctest.Test(t, func(t *testing.T) { f(t, newQueue(10)) })
	}
	fill := func(t *testing.T, q *queue) {
		for range 10 {
			require.NoError(t, q.enter(t.Context(), false, false))
		}
	}

	t.Run("a second's worth at once, the rest one after the other", func(t *testing.T) {
		in(t, func(t *testing.T, q *queue) {
			start := time.Now()
			var all sync.WaitGroup
			for range 110 {
				all.Go(func() { require.NoError(t, q.enter(t.Context(), false, true)) })
			}
			all.Wait()
			require.Equal(t, 10*time.Second, time.Since(start))
			time.Sleep(time.Minute)
			start = time.Now()
			fill(t, q)
			require.Zero(t, time.Since(start), "quiet time fills it, and no further")
			require.NoError(t, q.enter(t.Context(), true, false))
			require.Equal(t, 100*time.Millisecond, time.Since(start))
		})
	})
	t.Run("who waits at /login goes before connections that come back", func(t *testing.T) {
		in(t, func(t *testing.T, q *queue) {
			fill(t, q)
			var all sync.WaitGroup
			for range 5000 {
				all.Go(func() { require.NoError(t, q.enter(t.Context(), false, true)) })
			}
			synctest.Wait()
			require.Equal(t, 5000, q.waiting())
			start := time.Now()
			require.NoError(t, q.enter(t.Context(), true, false))
			require.LessOrEqual(t, time.Since(start), 100*time.Millisecond)
			err := q.enter(t.Context(), false, false)
			require.Equal(t, model.Unreachable, code(err), "nobody waits ten minutes for a stream")
			var e *Error
			require.ErrorAs(t, err, &e)
			require.InDelta(t, 500, e.RetryAfter.Seconds(), 1)
			all.Wait()
			require.InDelta(t, 500, time.Since(start).Seconds(), 1)
		})
	})
	t.Run("who gives up leaves his place", func(t *testing.T) {
		in(t, func(t *testing.T, q *queue) {
			fill(t, q)
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer cancel()
			err := q.enter(ctx, true, false)
			require.ErrorIs(t, err, legacy.ErrNotSent)
			require.ErrorIs(t, err, context.DeadlineExceeded)
			require.Zero(t, q.waiting())
			start := time.Now()
			require.NoError(t, q.enter(t.Context(), false, false))
			require.Equal(t, 50*time.Millisecond, time.Since(start))
		})
	})
}
