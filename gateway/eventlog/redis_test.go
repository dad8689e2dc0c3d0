package eventlog

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/xuangate/xuangate/adapter"
	"github.com/xuangate/xuangate/adapter/legacy"
	"github.com/xuangate/xuangate/test/redisd"
)

// logs counts those that tests made: each has a prefix of its own, so one server serves them all.
var logs atomic.Int64

func newPrefix() string { return fmt.Sprint("test", logs.Add(1)) }

// node starts one node's log, which ends with the test. change, if not nil, changes the options first.
func node(t testing.TB, dial func() redis.UniversalClient, prefix string, change func(*RedisOptions)) *Redis {
	t.Helper()
	o := RedisOptions{Dial: dial, Prefix: prefix, Log: slog.New(slog.NewTextHandler(t.Output(), nil))}
	if change != nil {
		change(&o)
	}
	l := NewRedis(o)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- l.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-ended)
	})
	return l
}

func TestRedis(t *testing.T) {
	s := redisd.Start(t)
	testLog(t, func(t *testing.T, size int) Log {
		return node(t, s.Dial, newPrefix(), func(o *RedisOptions) { o.Size = size })
	})
}

func TestRedisCluster(t *testing.T) {
	c := redisd.StartCluster(t)
	testLog(t, func(t *testing.T, size int) Log {
		return node(t, c.Dial, newPrefix(), func(o *RedisOptions) { o.Size = size })
	})
}

// A reader is a client with the rule of resuming: what it got, in order, and "reset" where it was told to reload.
type reader struct {
	t   testing.TB
	l   Log
	u   legacy.UserID
	at  Position
	got []string
	b   bell
}

func readerOf(t *testing.T, l Log, u legacy.UserID) *reader {
	r := &reader{t: t, l: l, u: u, b: watchOf(t, l, u)}
	at, err := l.End(t.Context())
	require.NoError(t, err)
	r.at = at
	return r
}

// moves has the reader go on at another node, from where it is.
func (r *reader) moves(t *testing.T, to Log) { r.l, r.b = to, watchOf(t, to, r.u) }

// read takes what is there.
func (r *reader) read() {
	r.t.Helper()
	for {
		list, next, err := r.l.Read(context.Background(), r.u, r.at, 100)
		if errors.Is(err, ErrPositionLost) {
			r.got = append(r.got, "reset")
			r.at, err = r.l.End(context.Background())
			require.NoError(r.t, err)
			continue
		}
		require.NoError(r.t, err)
		r.at = next
		if len(list) == 0 {
			return
		}
		for _, e := range list {
			var data struct{ Content string }
			require.NoError(r.t, json.Unmarshal(e.Append(nil, false), &data))
			r.got = append(r.got, data.Content)
		}
	}
}

// until reads until the last thing it got is this.
func (r *reader) until(last string) {
	r.t.Helper()
	redisd.Until(r.t, fmt.Sprintf("user %d hears %s after %v", r.u, last, &r.got), func(context.Context) error {
		r.read()
		if len(r.got) == 0 || r.got[len(r.got)-1] != last {
			return fmt.Errorf("got %v", r.got)
		}
		return nil
	})
}

func say(t testing.TB, l Log, content string, users ...legacy.UserID) Position {
	t.Helper()
	e := event(text(content), adapter.Recipients{All: len(users) == 0, Users: users})
	e.Once = content
	at, err := l.Append(context.Background(), e)
	require.NoError(t, err)
	return at
}

func TestRedisNodes(t *testing.T) {
	s := redisd.Start(t)

	t.Run("two nodes tell the same in the same order at the same positions, each Once once", func(t *testing.T) {
		prefix := newPrefix()
		nodes := []*Redis{node(t, s.Dial, prefix, nil), node(t, s.Dial, prefix, nil)}
		begin, err := nodes[0].End(t.Context())
		require.NoError(t, err)
		var writing sync.WaitGroup
		for _, l := range nodes {
			for w := range 4 {
				writing.Go(func() {
					for i := range 100 {
						say(t, l, fmt.Sprintf("%d/%d", w, i), 1) // each node says the same
					}
				})
			}
		}
		writing.Wait()
		var got [2][]string
		for i, l := range nodes {
			redisd.Until(t, "all is heard", func(ctx context.Context) error {
				list, _, err := l.Read(ctx, 1, begin, 1000)
				if err != nil || len(list) < 400 {
					return fmt.Errorf("%d heard, %w", len(list), err)
				}
				got[i] = nil
				for _, e := range list {
					got[i] = append(got[i], e.At.String()+" "+content(t, e))
				}
				return nil
			})
		}
		require.Len(t, got[0], 400)
		require.Equal(t, got[0], got[1])
	})

	t.Run("a client goes on at another node, and at one that was started since", func(t *testing.T) {
		prefix := newPrefix()
		a, b := node(t, s.Dial, prefix, nil), node(t, s.Dial, prefix, nil)
		r := readerOf(t, a, 1)
		say(t, a, "1", 1)
		r.until("1")
		say(t, b, "2", 1)
		r.moves(t, b)
		say(t, a, "3", 1)
		r.until("3")
		say(t, b, "4", 1)
		r.moves(t, node(t, s.Dial, prefix, nil))
		r.until("4")
		require.Equal(t, []string{"1", "2", "3", "4"}, r.got)
	})

	t.Run("a position that another node gave is not lost, however far this one is behind", func(t *testing.T) {
		prefix := newPrefix()
		a := node(t, s.Dial, prefix, nil)
		stalled := newStall(s)
		b := node(t, stalled.dial, prefix, nil)
		r := readerOf(t, b, 1)
		say(t, a, "1", 1)
		r.until("1")
		stalled.hold(true)
		r.moves(t, a)
		say(t, a, "2", 1)
		r.until("2")
		r.moves(t, b)
		r.read()
		stalled.hold(false)
		say(t, a, "3", 1)
		r.until("3")
		require.Equal(t, []string{"1", "2", "3"}, r.got)
	})

	t.Run("a late message is late on every node, and dropped entries are forgotten on each", func(t *testing.T) {
		prefix := newPrefix()
		a, b := node(t, s.Dial, prefix, nil), node(t, s.Dial, prefix, nil)
		begin, err := a.End(t.Context())
		require.NoError(t, err)
		for i, l := range []*Redis{a, b} {
			_, err := l.Append(t.Context(), message("c", legacy.MessageID(5-i), "x", 1))
			require.NoError(t, err)
		}
		redisd.Until(t, "both are heard", func(ctx context.Context) error {
			list, _, err := a.Read(ctx, 1, begin, 10)
			if err != nil || len(list) < 2 {
				return fmt.Errorf("%d, %w", len(list), err)
			}
			require.False(t, list[0].late)
			require.True(t, list[1].late)
			return nil
		})
	})

	t.Run("what the ring has dropped is read from the stream, for this user alone", func(t *testing.T) {
		prefix := newPrefix()
		a := node(t, s.Dial, prefix, nil)
		begin, err := a.End(t.Context())
		require.NoError(t, err)
		var want []string
		for i := range 50 {
			say(t, a, fmt.Sprint("own", i), 1)
			say(t, a, fmt.Sprint("other", i), 2)
			want = append(want, fmt.Sprint("own", i))
		}
		small := node(t, s.Dial, prefix, func(o *RedisOptions) { o.Bytes = 5000 })
		r := &reader{t: t, l: small, u: 1, at: begin}
		r.read()
		require.Equal(t, want, r.got)
		list, next, err := small.Read(t.Context(), 1, begin, 7)
		require.NoError(t, err)
		require.Len(t, list, 7)
		require.Equal(t, list[6].At, next)
	})

	t.Run("a node that was started since knows whose entries were dropped", func(t *testing.T) {
		prefix := newPrefix()
		small := func(o *RedisOptions) { o.Size = 3 }
		a := node(t, s.Dial, prefix, small)
		begin, err := a.End(t.Context())
		require.NoError(t, err)
		say(t, a, "for 1", 1)
		for i := range 10 {
			say(t, a, fmt.Sprint(i), 2)
		}
		b := newFixture(t, node(t, s.Dial, prefix, small))
		_, _, err = b.Read(t.Context(), 1, begin, 10)
		require.ErrorIs(t, err, ErrPositionLost)
		require.Empty(t, b.read(3, begin), "nothing of hers was dropped")
		say(t, a, "all")
		for i := range 10 {
			say(t, a, fmt.Sprint("x", i), 2)
		}
		redisd.Until(t, "the other node hears it", func(ctx context.Context) error {
			if _, _, err := b.Read(ctx, 3, begin, 10); !errors.Is(err, ErrPositionLost) {
				return fmt.Errorf("got %w", err)
			}
			return nil
		})
	})

	t.Run("what is older than the age is dropped", func(t *testing.T) {
		prefix := newPrefix()
		l := node(t, s.Dial, prefix, func(o *RedisOptions) { o.Age = time.Millisecond })
		begin, err := l.End(t.Context())
		require.NoError(t, err)
		say(t, l, "old", 1)
		keys := logKeys(prefix)
		redisd.Until(t, "it is dropped", func(ctx context.Context) error {
			left := s.Client().XLen(ctx, keys[keyStream]).Val() + s.Client().HLen(ctx, keys[keyOnce]).Val()
			if left > 0 {
				return fmt.Errorf("%d left", left)
			}
			return nil
		})
		fresh := newFixture(t, node(t, s.Dial, prefix, nil))
		_, _, err = fresh.Read(t.Context(), 1, begin, 10)
		require.ErrorIs(t, err, ErrPositionLost)
		require.Empty(t, fresh.read(2, begin))
		at := fresh.end()
		say(t, fresh, "new", 1)
		require.Equal(t, []string{"new"}, fresh.read(1, at))
	})

	t.Run("everything in Redis is bounded by the size, but for one number a user", func(t *testing.T) {
		const size = 20
		prefix := newPrefix()
		l := node(t, s.Dial, prefix, func(o *RedisOptions) { o.Size = size })
		for i := range 500 {
			u := legacy.UserID(1 + i%7)
			e := message(legacy.ChatGID(fmt.Sprint(i%50)), legacy.MessageID(i), "x", u, u+1)
			e.Once = fmt.Sprint(i % 300)
			_, err := l.Append(t.Context(), e)
			require.NoError(t, err)
		}
		for i, key := range logKeys(prefix)[keyOnce:] {
			n := s.Client().HLen(t.Context(), key).Val()
			require.Positive(t, n, i)
			require.LessOrEqual(t, n, int64(size), key)
		}
		require.LessOrEqual(t, s.Client().XLen(t.Context(), logKeys(prefix)[keyStream]).Val(), int64(size))
	})

	t.Run("a message to a group of 1,000 is one write, also when it is heard a hundred times at once", func(t *testing.T) {
		l := node(t, s.Dial, newPrefix(), nil)
		at, err := l.End(t.Context())
		require.NoError(t, err)
		to := make([]legacy.UserID, 1000)
		for i := range to {
			to[i] = legacy.UserID(i + 1)
		}
		before := s.Calls("xadd")
		scripts := s.Calls("evalsha")
		var links sync.WaitGroup
		for range 100 {
			links.Go(func() { say(t, l, "to all of them", to...) })
		}
		links.Wait()
		require.Equal(t, 1, s.Calls("xadd")-before)
		require.LessOrEqual(t, s.Calls("evalsha")-scripts, 1+2, "one append, and what watches over the tail")
		require.Equal(t, []string{"to all of them"}, newFixture(t, l).read(1000, at))
	})

	t.Run("clients that come back within the ring cost no read of Redis", func(t *testing.T) {
		l := newFixture(t, node(t, s.Dial, newPrefix(), nil))
		var at []Position
		for i := range 500 {
			at = append(at, say(t, l, fmt.Sprint(i), 1))
		}
		before := s.Calls("xrange")
		scripts, reads := s.Calls("evalsha"), s.Calls("hmget")
		for i := range 5000 {
			list, _, err := l.Read(t.Context(), 1, at[i%500], 100)
			require.NoError(t, err)
			require.Len(t, list, min(100, 499-i%500))
		}
		watching := s.Calls("evalsha") - scripts // once a second, with a look at each
		require.LessOrEqual(t, s.Calls("xrange")-before, 2*watching)
		require.LessOrEqual(t, s.Calls("hmget")-reads, 2*watching)
	})
}

func TestBells(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBells()
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { b.run(ctx) })
		var woken atomic.Int64
		var many []*watch
		for range 1000 {
			many = append(many, &watch{wake: func() { woken.Add(1) }})
		}
		b.wake(many)
		synctest.Wait()
		require.EqualValues(t, 1000, woken.Load(), "the first are woken at once")
		for range 5 {
			b.wake(many)
		}
		synctest.Wait()
		require.EqualValues(t, 1000, woken.Load(), "their writes go first")
		time.Sleep(1000 * wakeCost)
		synctest.Wait()
		require.EqualValues(t, 2000, woken.Load(), "then once for all that came meanwhile")
		time.Sleep(time.Second)
		b.wake(many[:1])
		synctest.Wait()
		b.wake(many[:1])
		time.Sleep(wakeCost)
		synctest.Wait()
		require.EqualValues(t, 2002, woken.Load(), "one alone delays nothing")
		cancel()
		running.Wait()
	})
}
