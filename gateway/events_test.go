package gateway

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/require"

	"github.com/xuangate/xuangate/adapter/legacy"
	"github.com/xuangate/xuangate/gateway/eventlog"
	"github.com/xuangate/xuangate/gen/model"
)

func TestReset(t *testing.T) {
	small := func(c *Config) { c.Events = eventlog.NewMemory(eventlog.MemoryOptions{Size: 20}) }

	onEachTransport(t, "a position that is lost", func(t *testing.T, p model.Protocol) {
		w := newWorld(t, small)
		token := w.signIn(alice, 1)
		w.open(t, model.ProtocolSse, token, "")
		w.online(t, alice)
		at := w.tell("0", alice)
		var end eventlog.Position
		for i := range 30 {
			end = w.tell(fmt.Sprint(i), alice)
		}
		for rule, lost := range map[string]string{
			"dropped since": at.String(),
			"another log's": "5e1d0c2b4a69f7e8-000000000000002a",
			"not yet there": end.String()[:17] + "ffffffffffffffff",
		} {
			t.Run(rule, func(t *testing.T) {
				l := w.open(t, p, token, "after="+lost)
				h := l.next(t)
				if p == model.ProtocolPoll {
					require.Contains(t, h.end, "10010 ")
					require.Contains(t, h.end, end.String(), "the sentence tells where to go on")
					return
				}
				require.Equal(t, "reset", h.kind)
				require.Equal(t, end.String(), h.position)
				require.JSONEq(t, `{"Event":"reset","Position":"`+end.String()+`"}`, string(h.data))
				end = w.tell("from now on", alice)
				require.Equal(t, end.String(), l.hears(t, "from now on").position)
			})
		}
	})

	t.Run("a reader that falls behind more than the log holds", func(t *testing.T) {
		w := newWorld(t, small)
		token := w.signIn(alice, 1)
		stalled := w.stall(t, token)
		big := strings.Repeat("x", 60000)
		for range 200 { // more than the sockets' buffers
			w.tell(big, alice)
		}
		l, resets := stalled(), 0
		for heard := false; !heard; {
			select {
			case h := <-l.heard:
				heard = h.content == "live"
				if h.kind == "reset" {
					resets++
				}
			case <-time.After(10 * time.Millisecond): // it has caught up
				w.tell("live", alice)
			}
		}
		require.Positive(t, resets)
	})

	onEachTransport(t, "does not hide that the login has ended meanwhile", func(t *testing.T, p model.Protocol) {
		w := newWorld(t, small)
		token := w.signIn(alice, 1)
		sub := subscription{}
		sub.login, _ = w.logins.Find(t.Context(), token)
		sub.after, _ = eventlog.ParsePosition("5e1d0c2b4a69f7e8-000000000000002a") // lost
		_, err := w.logins.Revoke(t.Context(), token)
		require.NoError(t, err)
		said := &words{}
		require.NoError(t, w.server.deliver(t.Context(), sub, said))
		require.Equal(t, []string{"end revoked"}, said.list)
	})
}

// words is a transport that keeps what it is told.
type words struct{ list []string }

func (w *words) interval() time.Duration { return time.Hour }

func (w *words) send(entries []*eventlog.Entry, _ eventlog.Position) error {
	for range entries {
		w.list = append(w.list, "entry")
	}
	return nil
}

func (w *words) tick(eventlog.Position) error { w.list = append(w.list, "tick"); return nil }

func (w *words) reset(eventlog.Position) error { w.list = append(w.list, "reset"); return nil }

func (w *words) end(why model.EventKind, _ eventlog.Position) error {
	w.list = append(w.list, "end "+string(why))
	return nil
}

func (w *words) restart(eventlog.Position, time.Duration) error {
	w.list = append(w.list, "restart")
	return nil
}

func TestEndOfLogin(t *testing.T) {
	ends := map[model.Protocol]map[model.EventKind]string{
		model.ProtocolSse:  {model.EventKindKickoff: "kickoff", model.EventKindRevoked: "revoked", model.EventKindExpired: "expired"},
		model.ProtocolWs:   {model.EventKindKickoff: "close 4001 kickoff", model.EventKindRevoked: "close 4002 revoked", model.EventKindExpired: "close 4002 expired"},
		model.ProtocolPoll: {model.EventKindKickoff: "10103 ", model.EventKindRevoked: "10101 ", model.EventKindExpired: "10101 "},
	}
	ended := func(t *testing.T, l *listener, why model.EventKind) {
		t.Helper()
		h := l.next(t)
		if l.protocol == model.ProtocolSse {
			require.Equal(t, string(why), h.kind)
			require.Equal(t, "eof", l.next(t).end)
			return
		}
		require.Contains(t, h.end, ends[l.protocol][why])
	}

	onEachTransport(t, "signed in again on the same platform", func(t *testing.T, p model.Protocol) {
		w := newWorld(t, nil)
		token, other := w.signIn(alice, 1), w.signIn(alice, 2)
		l, stays := w.open(t, p, token, ""), w.open(t, p, other, w.here())
		w.online(t, alice)
		w.signIn(alice, 1)
		ended(t, l, model.EventKindKickoff)
		ended(t, w.open(t, model.ProtocolPoll, token, ""), model.EventKindKickoff)
		w.tell("still here", alice)
		stays.hears(t, "still here")
	})

	onEachTransport(t, "signed out", func(t *testing.T, p model.Protocol) {
		w := newWorld(t, nil)
		token := w.signIn(alice, 1)
		l := w.open(t, p, token, "events=all")
		w.online(t, alice)
		for l.any(t).kind != "user" && p != model.ProtocolPoll { // alice's own coming
		}
		require.Equal(t, model.OK, w.post("/logout", token, nil).code)
		for p == model.ProtocolPoll {
			h := l.next(t)
			if h.end != "" {
				require.Contains(t, h.end, "10101 ")
				return
			}
		}
		ended(t, l, model.EventKindRevoked)
	})

	onEachTransport(t, "expired while the stream is open", func(t *testing.T, p model.Protocol) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorldOn(t, func(c *Config) { c.TokenTTL = 40 * time.Second }, newPipes)
			l := w.open(t, p, w.signIn(alice, 1), "timeout=60")
			start := time.Now()
			l.patience = time.Minute
			ended(t, l, model.EventKindExpired)
			require.Equal(t, 40*time.Second, time.Since(start).Truncate(time.Second))
		})
	})

	onEachTransport(t, "ended before it opened: an answer, not a stream", func(t *testing.T, p model.Protocol) {
		w := newWorld(t, nil)
		token := w.signIn(alice, 1)
		w.signIn(alice, 1)
		require.Contains(t, w.open(t, p, token, "").next(t).end, "10103 ")
		require.Contains(t, w.open(t, p, "xg_unknown", "").next(t).end, "10101 ")
	})

	t.Run("ended between the check of the token and the first read: not overlooked", func(t *testing.T) {
		w := newWorld(t, nil)
		token := w.signIn(alice, 1)
		// Coming online falls between the two.
		w.legacy.answer("userchange", func(c legacy.Call) (string, error) {
			w.legacy.answer("userchange", func(c legacy.Call) (string, error) { return success("userchange", userRow(c.User, "online")) })
			w.signIn(alice, 1)
			return success("userchange", userRow(c.User, "online"))
		})
		require.Contains(t, w.open(t, model.ProtocolSse, token, "").next(t).end, "10103 ")
	})
}

func TestHeartbeat(t *testing.T) {
	t.Run("sse: every 15 seconds a comment and the position, which moves past others' events", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorldOn(t, nil, newPipes)
			l := w.open(t, model.ProtocolSse, w.signIn(alice, 1), "")
			<-l.heard // where it begins
			start := time.Now()
			for i := range 3 {
				at := w.tell("x", bob)
				h := <-l.heard
				require.Equal(t, time.Duration(i+1)*15*time.Second, time.Since(start).Truncate(time.Second))
				require.Equal(t, "position", h.kind)
				require.Equal(t, at.String(), h.position)
			}
			require.Equal(t, "2000", l.retry)
		})
	})

	t.Run("ws: every 25 seconds a ping and the position", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorldOn(t, nil, newPipes)
			l := w.open(t, model.ProtocolWs, w.signIn(alice, 1), "")
			first := <-l.heard
			require.Equal(t, "position", first.kind, "where it begins")
			require.NotEmpty(t, first.position)
			start := time.Now()
			for i := range 5 { // a client that answers stays, beyond any pong's time
				at := w.tell("x", bob)
				h := <-l.heard
				require.Equal(t, time.Duration(i+1)*25*time.Second, time.Since(start).Truncate(time.Second))
				require.JSONEq(t, `{"Event":"position","Position":"`+at.String()+`"}`, string(h.data))
			}
		})
	})

	t.Run("ws: a client that answers no ping is given up", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorldOn(t, nil, newPipes)
			conn, _, err := (&websocket.Dialer{NetDialContext: w.dial}).DialContext(t.Context(), "ws://public/notify?token="+string(w.signIn(alice, 1)), nil)
			require.NoError(t, err)
			defer conn.Close()
			conn.SetPingHandler(func(string) error { return nil })
			start := time.Now()
			for err == nil {
				_, _, err = conn.ReadMessage()
			}
			require.InDelta(t, pongTimeout.Seconds(), time.Since(start).Seconds(), closeTimeout.Seconds()+1)
		})
	})
}
