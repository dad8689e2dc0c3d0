package eventlog

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/xuangate/xuangate/test/redisd"
)

// impatient makes a node give Redis up soon.
func impatient(o *RedisOptions) { o.patience = 300 * time.Millisecond }

func away(t testing.TB, l *Redis, want bool) {
	t.Helper()
	redisd.Until(t, fmt.Sprint("away is ", want), func(context.Context) error {
		if err := l.Away(); (err != nil) != want {
			return fmt.Errorf("away: %v", err)
		}
		return nil
	})
}

func TestRedisOutage(t *testing.T) {
	t.Run("Redis dies and comes back empty: its node's users hear on meanwhile, then all are told to reload", func(t *testing.T) {
		s := redisd.Start(t)
		prefix := newPrefix()
		a, b := node(t, s.Dial, prefix, impatient), node(t, s.Dial, prefix, impatient)
		onA, onB := readerOf(t, a, 1), readerOf(t, b, 1)
		say(t, a, "before", 1)
		onA.until("before")
		onB.until("before")

		s.Kill()
		say(t, a, "meanwhile", 1)
		onA.until("meanwhile")
		require.Equal(t, []string{"before", "meanwhile"}, onA.got, "its beginning is not noticed")
		away(t, b, true)
		s.Start()
		onA.until("reset")
		onB.until("reset")
		away(t, a, false)
		away(t, b, false)
		say(t, b, "after", 1)
		onA.until("after")
		onB.until("after")
		require.Equal(t, []string{"before", "meanwhile", "reset", "after"}, onA.got)
	})

	t.Run("Redis stands still for a while: what was appended meanwhile reaches the users of other nodes, once", func(t *testing.T) {
		s := redisd.Start(t)
		prefix := newPrefix()
		a, b := node(t, s.Dial, prefix, impatient), node(t, s.Dial, prefix, func(o *RedisOptions) { o.patience = time.Minute })
		onA, onB, quiet := readerOf(t, a, 1), readerOf(t, b, 1), readerOf(t, a, 2)
		say(t, a, "before", 1, 2)
		quiet.until("before")
		onB.until("before")
		s.Pause()
		for i := range 5 {
			say(t, a, fmt.Sprint("meanwhile ", i), 1)
		}
		onA.until("meanwhile 4")
		s.Resume()
		onB.until("meanwhile 4")
		require.Equal(t, []string{"before", "meanwhile 0", "meanwhile 1", "meanwhile 2", "meanwhile 3", "meanwhile 4"}, onB.got)
		onA.until("reset")
		away(t, a, false)
		quiet.read()
		require.Equal(t, []string{"before"}, quiet.got, "nothing was told to her meanwhile, so she need not reload")
	})

	t.Run("events that have no Once are not doubled either", func(t *testing.T) {
		s := redisd.Start(t)
		prefix := newPrefix()
		a := node(t, s.Dial, prefix, impatient)
		fresh := readerOf(t, node(t, s.Dial, prefix, func(o *RedisOptions) { o.patience = time.Minute }), 1)
		s.Pause()
		newFixture(t, a).append(text("x"), 1) // Redis has it in its socket already, and carries it out later
		s.Resume()
		away(t, a, false)
		say(t, a, "last", 1)
		fresh.until("last")
		require.Equal(t, []string{"x", "last"}, fresh.got)
	})

	t.Run("everything in Redis is deleted: all are told to reload", func(t *testing.T) {
		s := redisd.Start(t)
		prefix := newPrefix()
		a, b := node(t, s.Dial, prefix, nil), node(t, s.Dial, prefix, nil)
		onA, onB := readerOf(t, a, 1), readerOf(t, b, 1)
		say(t, a, "before", 1)
		onA.until("before")
		onB.until("before")
		require.NoError(t, s.Client().FlushAll(t.Context()).Err())
		onA.until("reset")
		onB.until("reset")
		say(t, b, "after", 1)
		onA.until("after")
		onB.until("after")
		require.NoError(t, s.Client().FlushAll(t.Context()).Err())
		say(t, b, "at once", 1) // it begins the other log, before anybody has looked
		onA.until("reset")
		require.Len(t, onA.got, 4)
		say(t, b, "later", 1)
		onA.until("later")
	})

	t.Run("an append that a new master does not have is appended again; what others have heard has all reload", func(t *testing.T) {
		s := redisd.Start(t)
		prefix := newPrefix()
		stalled := newStall(s)
		a, b := node(t, stalled.dial, prefix, nil), node(t, s.Dial, prefix, nil)
		onA, onB := readerOf(t, a, 1), readerOf(t, b, 1)
		say(t, a, "before", 1)
		onA.until("before")
		onB.until("before")

		replica := snapshot(t, s, prefix)
		say(t, b, "lost", 1)
		onB.until("lost")
		restore(t, s, replica) // before a hears of it? That is of no matter: b has
		onB.until("reset")
		onA.until("reset")

		stalled.hold(true) // nobody hears what a appends
		replica = snapshot(t, s, prefix)
		var appending sync.WaitGroup
		appending.Go(func() { say(t, a, "appended twice", 2) })
		redisd.Until(t, "it is in the stream", func(ctx context.Context) error {
			if n := s.Client().HExists(ctx, logKeys(prefix)[keyOnce], "appended twice").Val(); !n {
				return errors.New("not yet")
			}
			return nil
		})
		restore(t, s, replica)
		appending.Wait()
		stalled.hold(false)
		require.True(t, s.Client().HExists(t.Context(), logKeys(prefix)[keyOnce], "appended twice").Val())
	})

	t.Run("a tail that falls silent is replaced, and one whose connection breaks", func(t *testing.T) {
		s := redisd.Start(t)
		prefix := newPrefix()
		stalled := newStall(s)
		a, b := node(t, stalled.dial, prefix, nil), node(t, s.Dial, prefix, nil)
		r := readerOf(t, a, 1)
		say(t, b, "1", 1)
		r.until("1")
		stalled.once(t)
		say(t, b, "2", 1)
		r.until("2")
		require.NoError(t, a.Away())
		require.NoError(t, s.Client().ClientKillByFilter(t.Context(), "TYPE", "normal", "SKIPME", "yes").Err())
		say(t, b, "3", 1)
		r.until("3")
		require.Equal(t, []string{"1", "2", "3"}, r.got)
	})

	t.Run("a node starts without Redis, and goes on there when it comes", func(t *testing.T) {
		s := redisd.Start(t)
		s.Kill()
		prefix := newPrefix()
		l := node(t, s.Dial, prefix, impatient)
		r := readerOf(t, l, 1)
		say(t, l, "alone", 1)
		r.until("alone")
		require.Error(t, l.Away())
		s.Start()
		r.until("reset")
		say(t, l, "after", 1)
		r.until("after")
		require.Equal(t, []string{"alone", "reset", "after"}, r.got)
	})

	t.Run("more than can be told late: the users of other nodes are told to reload", func(t *testing.T) {
		s := redisd.Start(t)
		prefix := newPrefix()
		a := node(t, s.Dial, prefix, impatient)
		onB := readerOf(t, node(t, s.Dial, prefix, func(o *RedisOptions) { o.patience = time.Minute }), 1)
		s.Pause()
		say(t, a, "one", 1)
		for i := range maxPending {
			say(t, a, fmt.Sprint(i), 1)
		}
		s.Resume()
		onB.until("reset")
		away(t, a, false)
		require.Nil(t, a.pending)
	})
}

func TestRedisFailover(t *testing.T) {
	c := redisd.StartCluster(t)
	prefix := newPrefix()
	a, b := node(t, c.Dial, prefix, nil), node(t, c.Dial, prefix, nil)
	onA, onB := readerOf(t, a, 1), readerOf(t, b, 1)
	say(t, a, "before", 1)
	onA.until("before")
	onB.until("before")

	master := c.Master(logKeys(prefix)[keyStream])
	replica := c.Replica(master)
	require.NotNil(t, replica)
	redisd.Until(t, "the replica has all there is", func(ctx context.Context) error {
		n, err := master.Client().Do(ctx, "WAIT", 1, 100).Int()
		if err == nil && n < 1 {
			err = errors.New("not yet")
		}
		return err
	})
	replica.Pause()
	require.NoError(t, master.Client().ClientKillByFilter(t.Context(), "TYPE", "replica").Err()) // or it waits in the replica's socket
	say(t, a, "not replicated", 1)
	onA.until("not replicated")
	onB.until("not replicated")
	master.Kill()
	replica.Resume()
	onA.until("reset")
	onB.until("reset")
	say(t, b, "after", 1)
	onA.until("after")
	onB.until("after")
}

// TestRedisSentinel has a master die with what its replica was not told, which sentinels then promote.
func TestRedisSentinel(t *testing.T) {
	w := redisd.StartWatched(t)
	prefix := newPrefix()
	a, b := node(t, w.Dial, prefix, nil), node(t, w.Dial, prefix, nil)
	onA, onB := readerOf(t, a, 1), readerOf(t, b, 1)
	say(t, a, "before", 1)
	onA.until("before")
	onB.until("before")
	w.Replicated()

	w.Replica.Pause()
	require.NoError(t, w.Master.Client().ClientKillByFilter(t.Context(), "TYPE", "replica").Err()) // or it waits in the replica's socket
	say(t, a, "not replicated", 1)
	onB.until("not replicated")
	w.Master.Kill()
	w.Replica.Resume()
	for i := range 5 { // to the user of both, whichever way the log goes on meanwhile
		say(t, a, fmt.Sprint("meanwhile ", i), 1)
	}
	onA.until("meanwhile 4")
	w.Promoted()
	onA.until("reset")
	onB.until("reset")
	away(t, a, false)
	away(t, b, false)
	say(t, b, "after", 1)
	onA.until("after")
	onB.until("after")
	kept := w.Replica.Client().HKeys(t.Context(), logKeys(prefix)[keyOnce]).Val()
	require.Subset(t, kept, []string{"meanwhile 0", "meanwhile 1", "meanwhile 2", "meanwhile 3", "meanwhile 4", "after"}, "what was appended here meanwhile is appended there")
}

// snapshot is what a replica has that is not told what comes afterwards; restore makes it the master.
func snapshot(t *testing.T, s *redisd.Server, prefix string) map[string]string {
	keys := map[string]string{}
	for _, key := range logKeys(prefix) {
		keys[key], _ = s.Client().Dump(t.Context(), key).Result()
	}
	return keys
}

func restore(t *testing.T, s *redisd.Server, keys map[string]string) {
	_, err := s.Client().TxPipelined(t.Context(), func(p redis.Pipeliner) error {
		for key, dump := range keys {
			if p.Del(t.Context(), key); dump != "" {
				p.RestoreReplace(t.Context(), key, 0, dump)
			}
		}
		return nil
	})
	require.NoError(t, err)
}

// A stall makes clients whose blocking connections can be kept from hearing anything.
type stall struct {
	s *redisd.Server

	mu    sync.Mutex
	held  chan struct{} // closed while all may be heard
	dials int
	tails []*stalledConn // what the second and later clients opened
}

type stalledConn struct {
	net.Conn
	of   *stall
	dead chan struct{} // closed: never to be heard again
	gone chan struct{} // closed by Close
	end  sync.Once
}

func newStall(s *redisd.Server) *stall {
	open := make(chan struct{})
	close(open)
	return &stall{s: s, held: open}
}

// dial makes the log's first client as it is, and those after it, which follow the stream, to be stalled.
func (st *stall) dial() redis.UniversalClient {
	st.mu.Lock()
	defer st.mu.Unlock()
	st.dials++
	if st.dials == 1 {
		return st.s.Dial()
	}
	return redis.NewClient(&redis.Options{
		Addr: st.s.Addr, DialTimeout: time.Second, ReadTimeout: time.Second, MaxRetries: -1,
		Dialer: func(ctx context.Context, network, addr string) (net.Conn, error) {
			conn, err := new(net.Dialer).DialContext(ctx, network, addr)
			if err != nil {
				return nil, err
			}
			c := &stalledConn{Conn: conn, of: st, dead: make(chan struct{}), gone: make(chan struct{})}
			st.mu.Lock()
			defer st.mu.Unlock()
			st.tails = append(st.tails, c)
			return c, nil
		},
	})
}

// hold keeps everything from being heard, or lets it be.
func (st *stall) hold(still bool) {
	st.mu.Lock()
	defer st.mu.Unlock()
	if still {
		st.held = make(chan struct{})
	} else {
		close(st.held)
	}
}

// once has the connections that are there never heard again.
func (st *stall) once(t *testing.T) {
	st.mu.Lock()
	defer st.mu.Unlock()
	require.NotEmpty(t, st.tails)
	for _, c := range st.tails {
		close(c.dead)
	}
	st.tails = nil
}

func (c *stalledConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.of.mu.Lock()
	held := c.of.held
	c.of.mu.Unlock()
	select {
	case <-held:
	case <-c.gone:
		return 0, net.ErrClosed
	}
	select {
	case <-c.dead:
		<-c.gone
		return 0, net.ErrClosed
	default:
		return n, err
	}
}

func (c *stalledConn) Close() error {
	c.end.Do(func() { close(c.gone) })
	return c.Conn.Close()
}
