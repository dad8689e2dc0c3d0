package wire

import (
	"context"
	"errors"
	"strconv"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/xuangate/xuangate/adapter/legacy"
)

func TestPushes(t *testing.T) {
	gone := errors.New("gone")
	t.Run("come in order, and after the last the reason why no more do", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			q := NewPushes(new(legacy.Room))
			go func() {
				for i := range 100 {
					if q.Put(legacy.Push{Method: strconv.Itoa(i)}) != nil {
						return
					}
				}
				q.End(gone)
			}()
			for i := range 100 {
				p, err := q.Next(t.Context())
				require.NoError(t, err)
				require.Equal(t, strconv.Itoa(i), p.Method)
			}
			for range 2 {
				_, err := q.Next(t.Context())
				require.ErrorIs(t, err, gone)
			}
		})
	})
	t.Run("are kept up to the limit, all of a call or none", func(t *testing.T) {
		q := NewPushes(new(legacy.Room))
		require.NoError(t, q.Put(make([]legacy.Push, MaxPushes-1)...))
		require.ErrorContains(t, q.Put(make([]legacy.Push, 2)...), "unread")
		require.NoError(t, q.Put(legacy.Push{Method: "last"}))
		require.Error(t, q.Put(legacy.Push{}))
		q.End(gone)
		for range MaxPushes - 1 {
			_, err := q.Next(t.Context())
			require.NoError(t, err)
		}
		p, err := q.Next(t.Context())
		require.NoError(t, err)
		require.Equal(t, "last", p.Method)
	})
	t.Run("are waited for as long as ctx allows", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := NewPushes(new(legacy.Room)).Next(ctx)
		require.ErrorIs(t, err, context.Canceled)
	})
}

func TestTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		turn, done, gone := NewTurn(), make(chan struct{}), errors.New("gone")
		take := func(ctx context.Context) error { return turn.Take(ctx, done, func() error { return gone }) }
		require.NoError(t, take(t.Context()))
		ctx, cancel := context.WithCancel(t.Context())
		waits := make(chan error)
		go func() { waits <- take(ctx) }()
		synctest.Wait()
		cancel()
		err := <-waits
		require.ErrorIs(t, err, context.Canceled)
		require.ErrorIs(t, err, legacy.ErrNotSent)
		require.ErrorIs(t, take(ctx), context.Canceled)

		go func() { waits <- take(t.Context()) }()
		synctest.Wait()
		turn.Give()
		require.NoError(t, <-waits)
		close(done)
		err = take(t.Context())
		require.ErrorIs(t, err, gone)
		require.ErrorIs(t, err, legacy.ErrNotSent)
	})
}
