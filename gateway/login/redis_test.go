package login

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/xuangate/xuangate/test/redisd"
)

func TestMain(m *testing.M) {
	// go-redis looks once a second whether a server that was gone is back, and only then whether its pool has been closed.
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/redis/go-redis/v9/internal/pool.(*ConnPool).tryDial"))
}

// stores counts those that tests made: each has a prefix of its own, so one server serves them all.
var stores atomic.Int64

func storeOn(t *testing.T, dial func() redis.UniversalClient) *Redis {
	client := dial()
	t.Cleanup(func() { _ = client.Close() })
	return NewRedis(RedisOptions{Client: client, Prefix: fmt.Sprint("test", stores.Add(1))})
}

func TestRedis(t *testing.T) {
	s := redisd.Start(t)
	testStore(t, func(t *testing.T) Store { return storeOn(t, s.Dial) })

	t.Run("what one node issues another finds, and what one revokes the other does not", func(t *testing.T) {
		a := storeOn(t, s.Dial)
		b := NewRedis(RedisOptions{Client: a.client, Prefix: a.prefix})
		issued, err := a.Create(t.Context(), 4, 1, time.Now().Add(time.Hour))
		require.NoError(t, err)
		found, err := b.Find(t.Context(), issued.Token)
		require.NoError(t, err)
		require.Equal(t, issued.Login, found)
		_, err = a.Revoke(t.Context(), issued.Token)
		require.NoError(t, err)
		_, err = b.Find(t.Context(), issued.Token)
		require.ErrorIs(t, err, ErrUnknown)
	})

	t.Run("tokens are stored hashed only, and nothing outlives the last login", func(t *testing.T) {
		r := storeOn(t, s.Dial)
		require.NoError(t, r.Keep(t.Context(), 4, []byte("sealed")))
		issued, err := r.Create(t.Context(), 4, 1, time.Now().Add(time.Hour))
		require.NoError(t, err)
		require.NoError(t, r.Keep(t.Context(), 4, []byte("sealed again")))
		keys, err := s.Client().Keys(t.Context(), "*"+r.prefix+":*").Result()
		require.NoError(t, err)
		require.Len(t, keys, 3)
		secret := strings.TrimPrefix(string(issued.Token), tokenPrefix)
		for _, key := range keys {
			dump, err := s.Client().Dump(t.Context(), key).Result()
			require.NoError(t, err)
			require.NotContains(t, key+dump, secret)
			ttl, err := s.Client().TTL(t.Context(), key).Result()
			require.NoError(t, err)
			require.Greater(t, ttl, 58*time.Minute, key)
			require.LessOrEqual(t, ttl, time.Hour+time.Second, key)
		}
	})

	t.Run("a call that is repeated because its answer was lost does and answers the same", func(t *testing.T) {
		r := storeOn(t, s.Dial)
		first, err := r.Create(t.Context(), 4, 1, time.Now().Add(time.Hour))
		require.NoError(t, err)
		h, _ := first.Token.hash()
		next := strings.Repeat("ab", 32)
		now, expires := time.Now().UnixMicro(), time.Now().Add(time.Hour).UnixMicro()
		for range 2 {
			answer, err := scriptCreate.Run(t.Context(), r.client, []string{r.userKey(4), r.secretKey(4)}, now, expires, next, 1, MaxPerUser).StringSlice()
			require.NoError(t, err)
			require.Equal(t, h.String(), answer[0])
		}
		for range 2 {
			answer, err := scriptReplace.Run(t.Context(), r.client, []string{r.userKey(4)}, now, "call", MaxPerUser).StringSlice()
			require.NoError(t, err)
			require.Equal(t, next, answer[0])
			require.Len(t, answer, 3)
		}
		second, err := r.Create(t.Context(), 4, 1, time.Now().Add(time.Hour))
		require.NoError(t, err)
		h, _ = second.Token.hash()
		for range 2 {
			answer, err := scriptRevoke.Run(t.Context(), r.client, []string{r.userKey(4)}, h.String(), "call").Text()
			require.NoError(t, err)
			require.True(t, strings.HasSuffix(answer, " -"))
		}
	})

	t.Run("while Redis is away a token found lately stays valid, others cannot be judged", func(t *testing.T) {
		own := redisd.Start(t)
		r := storeOn(t, own.Dial)
		found, err := r.Create(t.Context(), 4, 1, time.Now().Add(time.Hour))
		require.NoError(t, err)
		unseen, err := r.Create(t.Context(), 5, 1, time.Now().Add(time.Hour))
		require.NoError(t, err)
		_, err = r.Find(t.Context(), found.Token)
		require.NoError(t, err)
		own.Kill()
		l, err := r.Find(t.Context(), found.Token)
		require.NoError(t, err)
		require.Equal(t, found.Login, l)
		_, err = r.Find(t.Context(), unseen.Token)
		require.ErrorIs(t, err, ErrAway)
		for _, err := range []error{
			r.Keep(t.Context(), 4, nil), r.Forget(t.Context(), 4),
			second(r.Create(t.Context(), 4, 1, time.Now().Add(time.Hour))), second(r.Revoke(t.Context(), found.Token)),
			second(r.Replace(t.Context(), 4)), second(r.Live(t.Context(), 4)), second(r.Kept(t.Context(), 4)),
		} {
			require.ErrorIs(t, err, ErrAway)
		}
		own.Start()
		redisd.Until(t, "Redis, which has forgotten it, is asked again", func(ctx context.Context) error {
			if _, err := r.Find(ctx, found.Token); !errors.Is(err, ErrUnknown) {
				return fmt.Errorf("got %w", err)
			}
			return nil
		})
	})
}

func second[T any](_ T, err error) error { return err }

func TestRedisCluster(t *testing.T) {
	c := redisd.StartCluster(t)
	testStore(t, func(t *testing.T) Store { return storeOn(t, c.Dial) })
}

func TestSeen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSeen(time.Minute)
		s.add(hash{1}, Login{User: 1, Expires: time.Now().Add(time.Hour)})
		s.add(hash{2}, Login{User: 2, Expires: time.Now().Add(time.Second)})
		time.Sleep(59 * time.Second)
		_, ok := s.lately(hash{1})
		require.True(t, ok)
		_, ok = s.lately(hash{2})
		require.False(t, ok, "it has expired")
		time.Sleep(2 * time.Second)
		_, ok = s.lately(hash{1})
		require.False(t, ok, "too long ago")
		l, ok := s.login(hash{1})
		require.True(t, ok)
		require.EqualValues(t, 1, l.User)
		s.forget(hash{1})
		_, ok = s.login(hash{1})
		require.False(t, ok)
		for i := range maxSeen + 10 {
			s.add(hash{byte(i), byte(i >> 8), byte(i >> 16), 1}, Login{})
		}
		require.Len(t, s.byHash, maxSeen)
		require.Equal(t, maxSeen, s.order.Len())
	})
}
