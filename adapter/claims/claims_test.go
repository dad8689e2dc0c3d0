package claims

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/xuangate/xuangate/adapter"
	"github.com/xuangate/xuangate/test/redisd"
)

func TestMain(m *testing.M) {
	// go-redis looks once a second whether a server that was gone is back, and only then whether its pool has been closed.
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/redis/go-redis/v9/internal/pool.(*ConnPool).tryDial"))
}

func TestMemory(t *testing.T) {
	testClaims(t, func(*testing.T) func(holder string) adapter.Claims { return NewMemory().As })
}

func TestRedis(t *testing.T) {
	s := redisd.Start(t)
	client := s.Dial()
	t.Cleanup(func() { _ = client.Close() })
	var places atomic.Int64
	testClaims(t, func(*testing.T) func(holder string) adapter.Claims {
		prefix := fmt.Sprint("test", places.Add(1))
		return func(holder string) adapter.Claims { return NewRedis(client, prefix, holder) }
	})
	t.Run("a claim that Redis has lost stays whose it was, unless another took it since", func(t *testing.T) {
		a, b := NewRedis(client, "lost", "a"), NewRedis(client, "lost", "b")
		one, err := a.Take(t.Context(), "link:one", time.Minute)
		require.NoError(t, err)
		two, err := a.Take(t.Context(), "link:two", time.Minute)
		require.NoError(t, err)
		require.NoError(t, s.Client().FlushAll(t.Context()).Err())
		_, err = b.Take(t.Context(), "link:two", time.Minute)
		require.NoError(t, err)
		require.NoError(t, a.Renew(t.Context(), one, time.Minute))
		require.ErrorIs(t, a.Renew(t.Context(), two, time.Minute), adapter.ErrLost)
		_, err = b.Take(t.Context(), "link:one", time.Minute)
		require.ErrorIs(t, err, adapter.ErrHeld)
	})
	t.Run("nothing is known while Redis is away", func(t *testing.T) {
		own := redisd.Start(t)
		client := own.Dial()
		defer client.Close()
		own.Kill()
		_, err := NewRedis(client, "x", "a").Take(t.Context(), "key", time.Minute)
		require.Error(t, err)
		require.NotErrorIs(t, err, adapter.ErrHeld)
	})
}

// testClaims is what all Claims promise. make gives a place without claims, as holders take them there.
func testClaims(t *testing.T, make func(t *testing.T) func(holder string) adapter.Claims) {
	const long = time.Hour
	const short = 50 * time.Millisecond

	t.Run("one holds a claim, another hears whose it is", func(t *testing.T) {
		as := make(t)
		a, b := as("a"), as("b")
		mine, err := a.Take(t.Context(), "key", long)
		require.NoError(t, err)
		require.Equal(t, "a", mine.Holder)
		require.Empty(t, mine.Former)
		theirs, err := b.Take(t.Context(), "key", long)
		require.ErrorIs(t, err, adapter.ErrHeld)
		require.Equal(t, "a", theirs.Holder)
		require.Equal(t, mine.Fence, theirs.Fence)
		require.NoError(t, a.Renew(t.Context(), mine, long))
		require.ErrorIs(t, b.Renew(t.Context(), theirs, long), adapter.ErrLost, "knowing it is not holding it")
		require.NoError(t, b.Release(t.Context(), theirs))
		require.NoError(t, a.Renew(t.Context(), mine, long))
		_, err = b.Take(t.Context(), "another key", long)
		require.NoError(t, err)
	})

	t.Run("what was released is another's to take, who hears whose it was", func(t *testing.T) {
		as := make(t)
		a, b := as("a"), as("b")
		mine, err := a.Take(t.Context(), "key", long)
		require.NoError(t, err)
		require.NoError(t, a.Release(t.Context(), mine))
		theirs, err := b.Take(t.Context(), "key", long)
		require.NoError(t, err)
		require.Equal(t, "a", theirs.Former)
		require.Greater(t, theirs.Fence, mine.Fence)
		require.ErrorIs(t, a.Renew(t.Context(), mine, long), adapter.ErrLost)
		require.NoError(t, a.Release(t.Context(), mine))
		require.NoError(t, b.Renew(t.Context(), theirs, long), "an old claim released takes nothing from its next holder")
	})

	t.Run("the holder's own next claim ends the one before", func(t *testing.T) {
		a := make(t)("a")
		first, err := a.Take(t.Context(), "key", long)
		require.NoError(t, err)
		second, err := a.Take(t.Context(), "key", long)
		require.NoError(t, err)
		require.Equal(t, "a", second.Former)
		require.Greater(t, second.Fence, first.Fence)
		require.ErrorIs(t, a.Renew(t.Context(), first, long), adapter.ErrLost)
		require.NoError(t, a.Release(t.Context(), first))
		require.NoError(t, a.Renew(t.Context(), second, long))
	})

	t.Run("a claim ends with its lease", func(t *testing.T) {
		as := make(t)
		a, b := as("a"), as("b")
		mine, err := a.Take(t.Context(), "key", short)
		require.NoError(t, err)
		var theirs adapter.Claim
		redisd.Until(t, "the lease has ended", func(ctx context.Context) (err error) {
			theirs, err = b.Take(ctx, "key", long)
			return err
		})
		require.Equal(t, "a", theirs.Former)
		require.Greater(t, theirs.Fence, mine.Fence)
		require.ErrorIs(t, a.Renew(t.Context(), mine, long), adapter.ErrLost)
	})

	t.Run("a link's claim that ran out is named to one of all who ask, with its note, and no other", func(t *testing.T) {
		as := make(t)
		a, b, c := as("a"), as("b"), as("c")
		take := func(key string, lease time.Duration) adapter.Claim {
			claim, err := a.Take(t.Context(), key, lease)
			require.NoError(t, err)
			return claim
		}
		take("link:held", long)
		take("lane:x", short)
		require.NoError(t, a.Release(t.Context(), take("link:released", long)))
		first := take("link:first", long)
		first.Note = "of the first"
		require.NoError(t, a.Renew(t.Context(), first, short))
		second := take("link:second", long)
		redisd.Until(t, "the first has ended", func(ctx context.Context) error {
			if err := a.Renew(ctx, second, long); err != nil {
				return err
			}
			list, err := b.Abandoned(ctx, 10)
			if err != nil || len(list) == 0 {
				return fmt.Errorf("%d, %w", len(list), err)
			}
			require.Equal(t, []adapter.Claim{{Key: "link:first", Holder: "a", Fence: first.Fence, Note: "of the first"}}, list)
			return nil
		})
		third := take("link:third", long)
		require.NoError(t, a.Renew(t.Context(), second, 0))
		require.NoError(t, a.Renew(t.Context(), third, 0))
		require.ErrorIs(t, a.Renew(t.Context(), third, long), adapter.ErrLost, "it has been given up")
		var named []string
		for _, claims := range []adapter.Claims{b, c, b} {
			list, err := claims.Abandoned(t.Context(), 1)
			require.NoError(t, err)
			for _, claim := range list {
				named = append(named, claim.Key)
			}
		}
		require.Equal(t, []string{"link:second", "link:third"}, named)
		theirs, err := c.Take(t.Context(), "link:third", long)
		require.NoError(t, err)
		require.Equal(t, "a", theirs.Former)
		require.NoError(t, c.Renew(t.Context(), theirs, long))
	})

	t.Run("of many who take at once one has it at a time", func(t *testing.T) {
		as := make(t)
		var inside atomic.Int64
		var all sync.WaitGroup
		for i := range 8 {
			claims := as(fmt.Sprint("node", i))
			all.Go(func() {
				for taken := 0; taken < 10; {
					c, err := claims.Take(t.Context(), "key", long)
					if err != nil {
						if !errors.Is(err, adapter.ErrHeld) {
							t.Error(err)
							return
						}
						continue
					}
					taken++
					if inside.Add(1) != 1 {
						t.Error("two have it")
					}
					inside.Add(-1)
					if err := claims.Release(t.Context(), c); err != nil {
						t.Error(err)
					}
				}
			})
		}
		all.Wait()
	})
}
