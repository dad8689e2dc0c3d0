package gateway

import (
	"context"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/require"

	"github.com/xuangate/xuangate/gen/model"
)

func TestDrain(t *testing.T) {
	t.Run("open streams end with a hint when to come back", func(t *testing.T) {
		w := newWorld(t, nil)
		token := w.signIn(alice, 1)
		streams := map[model.Protocol]*listener{}
		for _, p := range transports {
			streams[p] = w.open(t, p, token, "timeout=60")
		}
		w.online(t, alice)
		eventually(t, func() bool { return w.server.streams.count() == 3 })
		w.server.Drain(t.Context(), 0)
		require.Zero(t, w.server.streams.count())

		require.Equal(t, "eof", streams[model.ProtocolSse].next(t).end)
		require.Contains(t, streams[model.ProtocolWs].next(t).end, "close 1012 retry_ms=")
		h := streams[model.ProtocolPoll].any(t)
		require.Equal(t, "position", h.kind, "a poll is answered")
		require.Contains(t, streams[model.ProtocolPoll].next(t).end, "10002 ")
		for _, l := range streams {
			l.close()
		}
		require.Regexp(t, `^([5-9]\d\d|[1-4]\d{3})$`, streams[model.ProtocolSse].retry)
		require.Regexp(t, `^retry_ms=([5-9]\d\d|[1-4]\d{3})$`, streams[model.ProtocolWs].retry)
	})

	t.Run("new ones are refused, calls are answered", func(t *testing.T) {
		w := newWorld(t, nil)
		token := w.signIn(alice, 1)
		w.server.Drain(t.Context(), 0)
		for _, p := range transports {
			require.Contains(t, w.open(t, p, token, "").next(t).end, "10002 ")
		}
		require.Equal(t, model.OK, w.post("/get_joined_conversation", token, nil).code)
	})

	t.Run("a WebSocket that takes no last word is cut", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorldOn(t, nil, newPipes)
			conn, _, err := (&websocket.Dialer{NetDialContext: w.dial}).DialContext(t.Context(), "ws://public/notify?token="+string(w.signIn(alice, 1)), nil)
			require.NoError(t, err)
			defer conn.Close() // and never reads
			w.tell("x", alice)
			synctest.Wait()
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			w.server.Drain(ctx, 0)
			synctest.Wait()
			require.Zero(t, w.server.streams.count())
		})
	})
}

func TestDrainSpread(t *testing.T) {
	for name, c := range map[string]struct {
		streams int
		spread  time.Duration
		took    time.Duration
	}{
		"a few are gone at once":                         {3, 5 * time.Second, 20 * time.Millisecond},
		"many are spread":                                {200, 5 * time.Second, 1990 * time.Millisecond},
		"very many end faster, within the spread":        {1000, 5 * time.Second, 4995 * time.Millisecond},
		"and all of them at once where there is no time": {1000, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStreams(StreamLimits{Node: 1000, User: 1000, Address: 1000}, func(string) {})
				for range c.streams {
					ctx, one, err := s.enter(t.Context(), alice, netip.Addr{})
					require.NoError(t, err)
					context.AfterFunc(ctx, one.close)
				}
				start := time.Now()
				s.drain(t.Context(), c.spread)
				require.Equal(t, c.took, time.Since(start).Truncate(time.Microsecond))
				require.Zero(t, s.count())
				_, _, err := s.enter(t.Context(), alice, netip.Addr{})
				require.ErrorContains(t, err, "out of service")
			})
		})
	}
}

func TestStreamLimits(t *testing.T) {
	t.Run("of more than a user may have the oldest ends, and says why", func(t *testing.T) {
		for p, want := range map[model.Protocol]string{model.ProtocolSse: "superseded", model.ProtocolWs: "close 4003 superseded", model.ProtocolPoll: "10009 "} {
			w := newWorld(t, func(c *Config) { c.Streams.User = 2 })
			token := w.signIn(alice, 1)
			first := w.open(t, p, token, "timeout=60")
			eventually(t, func() bool { return w.server.streams.count() == 1 })
			others := []*listener{w.open(t, model.ProtocolSse, token, ""), w.open(t, model.ProtocolSse, token, "")}
			h := first.next(t)
			require.Contains(t, h.kind+h.end, want)
			eventually(t, func() bool { return w.server.streams.count() == 2 })
			w.tell("x", alice)
			for _, l := range others {
				require.Equal(t, "x", l.next(t).content)
			}
		}
	})

	t.Run("one address has no more than it may, another has its own", func(t *testing.T) {
		s := newStreams(StreamLimits{Node: 100, User: 100, Address: 2}, func(string) {})
		from := func(addr string) (*stream, error) {
			_, one, err := s.enter(t.Context(), alice, netip.MustParseAddr(addr))
			return one, err
		}
		first, err := from("2001:db8::1")
		require.NoError(t, err)
		_, err = from("2001:db8::2:1")
		require.NoError(t, err)
		_, err = from("2001:db8::3") // of the same /64
		require.ErrorContains(t, err, "(10009)")
		_, err = from("2001:db8:0:1::1")
		require.NoError(t, err)
		_, err = from("192.0.2.1")
		require.NoError(t, err)
		_, err = from("::ffff:192.0.2.1")
		require.NoError(t, err)
		_, err = from("192.0.2.1")
		require.ErrorContains(t, err, "(10009)")
		first.close()
		_, err = from("2001:db8::3")
		require.NoError(t, err)
	})

	t.Run("nor has the node, and nothing of a closed one is left", func(t *testing.T) {
		s := newStreams(StreamLimits{Node: 1, User: 1, Address: 1}, func(string) {})
		for range 3 {
			_, one, err := s.enter(t.Context(), alice, netip.MustParseAddr("192.0.2.1"))
			require.NoError(t, err)
			_, _, err = s.enter(t.Context(), bob, netip.MustParseAddr("192.0.2.2"))
			require.ErrorContains(t, err, "(10002)")
			one.close()
		}
		require.Empty(t, s.users)
		require.Empty(t, s.addresses)
		require.Empty(t, s.open)
	})
}

func (s *streams) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.open)
}
