package gateway

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"
	r3labs "github.com/r3labs/sse/v2"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/xuangate/xuangate/adapter"
	"github.com/xuangate/xuangate/adapter/legacy"
	"github.com/xuangate/xuangate/gateway/eventlog"
	"github.com/xuangate/xuangate/gateway/login"
	"github.com/xuangate/xuangate/gen/model"
)

func TestNotify(t *testing.T) {
	onEachTransport(t, "what one sends the others hear, and in order", func(t *testing.T, p model.Protocol) {
		w := newWorld(t, nil)
		a, b, c := w.signIn(alice, 1), w.signIn(bob, 1), w.signIn(carol, 1)
		own, other, outside := w.open(t, p, a, ""), w.open(t, p, b, ""), w.open(t, p, c, "")
		w.online(t, alice, bob, carol)
		for i := range 5 {
			w.say(a, fmt.Sprint(i))
		}
		own.hears(t, "0", "1", "2", "3", "4")
		other.hears(t, "0", "1", "2", "3", "4")
		w.tell("for carol", carol)
		outside.hears(t, "for carol")
	})

	onEachTransport(t, "by default messages only, with events=all every kind", func(t *testing.T, p model.Protocol) {
		w := newWorld(t, nil)
		token := w.signIn(alice, 1)
		few, all := w.open(t, p, token, w.here()), w.open(t, p, token, "events=all&"+w.here())
		_, err := w.events.Append(t.Context(), adapter.Event{
			Kind: model.EventKindNotification, To: adapter.Recipients{All: true}, Data: model.Notification{Id: "n", Title: "hi"},
		})
		require.NoError(t, err)
		at := w.tell("after", alice)
		few.hears(t, "after")
		var kinds []string
		h := heard{}
		for h.content != "after" {
			if h = all.next(t); h.kind != "user" { // alice's own coming
				kinds = append(kinds, h.kind)
			}
			if h.kind == "notification" {
				require.Contains(t, string(h.data), `"Title":"hi"`)
			}
		}
		require.Equal(t, []string{"notification", "message"}, kinds)
		require.Equal(t, at.String(), h.position)
	})

	t.Run("the message is MsgData with its position", func(t *testing.T) {
		w := newWorld(t, nil)
		a := w.signIn(alice, 1)
		l := w.open(t, model.ProtocolWs, a, "")
		w.say(a, "hello")
		var m model.MsgData
		require.NoError(t, json.Unmarshal(l.next(t).data, &m))
		require.Equal(t, "team", m.ConversationID)
		require.Equal(t, "4", m.FromSession)
		require.Equal(t, "hello", m.Content)
		require.EqualValues(t, 1, m.Type)
		require.Regexp(t, `^[0-9a-f]{16}-[0-9a-f]{16}$`, m.Position)
		require.Regexp(t, `^[2-9A-HJ-NP-Z]{5}-[2-9A-HJ-NP-Z]{4}-[2-9A-HJ-NP-Z]{4}-[2-9A-HJ-NP-Z]{3}$`, m.MsgId)
	})

	t.Run("the headers choose where protoc is left out", func(t *testing.T) {
		w := newWorld(t, nil)
		token := w.signIn(alice, 1)
		r := w.request(http.MethodGet, "/notify?timeout=0", token, nil)
		require.Contains(t, w.ask(r).body, `"Msg":[]`)
		r.Header.Set("Accept", "text/event-stream")
		resp, err := w.http.Do(r)
		require.NoError(t, err)
		require.Equal(t, "text/event-stream", resp.Header.Get("Content-Type"))
		_ = resp.Body.Close()
		conn, _, err := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(w.url, "http")+"/notify?token="+string(token), nil)
		require.NoError(t, err)
		_ = conn.Close()
	})

	t.Run("a poll waits 25 seconds unless told otherwise, and answers with the position", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorldOn(t, nil, newPipes)
			token := w.signIn(alice, 1)
			for query, wait := range map[string]time.Duration{"": 25 * time.Second, "&timeout=3": 3 * time.Second, "&timeout=0": 0} {
				start := time.Now()
				a := w.ask(w.request(http.MethodGet, "/notify?protoc=poll"+query, token, nil))
				require.Equal(t, wait, time.Since(start).Truncate(time.Second), query)
				end, err := w.events.End(t.Context())
				require.NoError(t, err)
				require.JSONEq(t, `{"Msg":[],"Position":"`+end.String()+`"}`, string(a.data))
			}
			a := w.ask(w.request(http.MethodGet, "/notify?protoc=poll&timeout=0&events=all", token, nil))
			require.Contains(t, string(a.data), `"Events":[]`)
		})
	})

	t.Run("a user may not open more streams than allowed, another may", func(t *testing.T) {
		w := newWorld(t, func(c *Config) { c.StreamsPerUser = 2 })
		token := w.signIn(alice, 1)
		first := w.open(t, model.ProtocolSse, token, "")
		w.open(t, model.ProtocolWs, token, "")
		for _, p := range transports {
			require.Contains(t, w.open(t, p, token, "").next(t).end, "10009 ")
		}
		w.open(t, model.ProtocolSse, w.signIn(bob, 1), "")
		first.close()
		eventually(t, func() bool {
			return w.ask(w.request(http.MethodGet, "/notify?protoc=poll&timeout=0", token, nil)).code == model.OK
		})
	})

	t.Run("no proxy may keep or hold back what it passes", func(t *testing.T) {
		w := newWorld(t, nil)
		h := w.ask(w.request(http.MethodGet, "/notify?protoc=poll&timeout=0", w.signIn(alice, 1), nil)).header
		require.Equal(t, "no-store, no-transform", h.Get("Cache-Control"))
		require.Equal(t, "no", h.Get("X-Accel-Buffering"))
	})
}

func TestResume(t *testing.T) {
	t.Run("from any transport to any other nothing is missing or doubled", func(t *testing.T) {
		w := newWorld(t, nil)
		a, b := w.signIn(alice, 1), w.signIn(bob, 1)
		n, at := 0, ""
		for _, from := range transports {
			for _, to := range transports {
				l := w.open(t, from, b, "after="+at)
				w.online(t, bob)
				w.say(a, fmt.Sprint(n))
				at = l.hears(t, fmt.Sprint(n)).position
				l.close()
				w.say(a, fmt.Sprint(n+1))
				w.say(a, fmt.Sprint(n+2))
				l = w.open(t, to, b, "after="+at)
				at = l.hears(t, fmt.Sprint(n+1), fmt.Sprint(n+2)).position
				l.close()
				n += 3
			}
		}
	})

	t.Run("Last-Event-ID resumes, and goes before after: an EventSource reconnects to its first address", func(t *testing.T) {
		w := newWorld(t, nil)
		token := w.signIn(alice, 1)
		w.open(t, model.ProtocolSse, token, "")
		old := w.tell("1", alice)
		recent := w.tell("2", alice)
		w.tell("3", alice)
		r := w.request(http.MethodGet, "/notify?protoc=poll&after="+old.String(), token, nil)
		r.Header.Set("Last-Event-ID", recent.String())
		a := w.ask(r)
		require.NotContains(t, string(a.data), `"Content":"2"`)
		require.Contains(t, string(a.data), `"Content":"3"`)
	})

	t.Run("without after a stream begins now", func(t *testing.T) {
		w := newWorld(t, nil)
		token := w.signIn(alice, 1)
		first := w.open(t, model.ProtocolSse, token, "")
		w.tell("before", alice)
		first.hears(t, "before")
		second := w.open(t, model.ProtocolSse, token, "")
		w.tell("after", alice)
		second.hears(t, "after")
	})

	onEachTransport(t, "ten rings of others' traffic lose a quiet user nothing", func(t *testing.T, p model.Protocol) {
		w := newWorld(t, func(c *Config) { c.Events = eventlog.NewMemory(eventlog.MemoryOptions{Size: 20}) })
		token := w.signIn(alice, 1)
		open := w.open(t, p, token, "")
		w.online(t, alice)
		at := open.hears(t, toAlice(w, "begin")).position
		gone := w.open(t, p, token, "after="+at)
		gone.close()
		for range 200 {
			w.tell("x", bob)
		}
		w.tell("end", alice)
		open.hears(t, "end")
		w.open(t, p, token, "after="+at).hears(t, "end")
	})
}

func toAlice(w *world, content string) string {
	w.tell(content, alice)
	return content
}

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
		rec := &record{token: token}
		rec.login, _ = w.logins.Find(t.Context(), token)
		sub := subscription{login: rec.login, token: token}
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
func (w *words) tick(eventlog.Position) error  { w.list = append(w.list, "tick"); return nil }
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
			synctest.Wait()
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

func TestClient(t *testing.T) {
	t.Run("r3labs/sse follows, reconnects and resumes", func(t *testing.T) {
		w := newWorld(t, nil)
		a, b := w.signIn(alice, 1), w.signIn(bob, 1)
		follow := func(after string, from func(e *r3labs.Event) bool) {
			client := r3labs.NewClient(w.url + "/notify")
			client.Connection = w.http
			client.Headers = map[string]string{"Authorization": "Bearer " + string(b)}
			client.LastEventID.Store([]byte(after))
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			events := make(chan *r3labs.Event, 100)
			done := make(chan error, 1)
			go func() {
				done <- client.SubscribeRawWithContext(ctx, func(e *r3labs.Event) { events <- e })
			}()
			for {
				select {
				case e := <-events:
					if len(e.Data) > 0 && from(e) {
						cancel()
						<-done
						return
					}
				case <-time.After(patience):
					t.Fatal("nothing came")
				}
			}
		}
		begin, err := w.events.End(t.Context())
		require.NoError(t, err)
		w.tell("1", alice, bob)
		w.tell("2", alice, bob)
		var last string
		follow(begin.String(), func(e *r3labs.Event) bool {
			require.Equal(t, "message", string(e.Event))
			require.Contains(t, string(e.Data), `"Content":"1"`)
			last = string(e.ID)
			return true
		})
		w.say(a, "3")
		var contents []string
		follow(last, func(e *r3labs.Event) bool {
			var m model.MsgData
			require.NoError(t, json.Unmarshal(e.Data, &m))
			require.Equal(t, string(e.ID), m.Position)
			contents = append(contents, m.Content)
			return m.Content == "3"
		})
		require.Equal(t, []string{"2", "3"}, contents)
	})

	t.Run("a page of another origin opens no WebSocket; ours, a configured one and no page at all do", func(t *testing.T) {
		w := newWorld(t, func(c *Config) { c.Origins = []string{"https://chat.example.com"} })
		token := w.signIn(alice, 1)
		for origin, ok := range map[string]bool{
			"": true, w.url: true, "https://chat.example.com": true,
			"https://evil.example.com": false, "null": false, "https://chat.example.com.evil.com": false,
		} {
			h := http.Header{}
			if origin != "" {
				h.Set("Origin", origin)
			}
			conn, resp, err := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(w.url, "http")+"/notify?token="+string(token), h)
			if ok {
				require.NoError(t, err, origin)
				_ = conn.Close()
				continue
			}
			require.Error(t, err, origin)
			require.Equal(t, http.StatusForbidden, resp.StatusCode)
			var p model.Problem
			require.NoError(t, json.NewDecoder(resp.Body).Decode(&p))
			require.Equal(t, model.NotAllowed, p.Code)
		}
	})

	t.Run("a client that sends more than a word is shown the door", func(t *testing.T) {
		w := newWorld(t, nil)
		conn, _, err := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(w.url, "http")+"/notify?token="+string(w.signIn(alice, 1)), nil)
		require.NoError(t, err)
		defer conn.Close()
		require.NoError(t, conn.WriteMessage(websocket.TextMessage, []byte("hello")))
		require.NoError(t, conn.WriteMessage(websocket.TextMessage, make([]byte, maxClientMessage+1)))
		for err == nil {
			_, _, err = conn.ReadMessage()
		}
		require.True(t, websocket.IsCloseError(err, websocket.CloseMessageTooBig), "%v", err)
	})

	onEachTransport(t, "a client that goes leaves nothing behind", func(t *testing.T, p model.Protocol) {
		w := newWorld(t, nil)
		token := w.signIn(alice, 1)
		l := w.open(t, p, token, "")
		w.online(t, alice)
		l.close()
		eventually(t, func() bool { return w.server.streams.count() == 0 })
		require.NotContains(t, w.log.String(), `"level":"ERROR"`)
	})

	t.Run("a stalled reader costs nobody else anything, and is given up", func(t *testing.T) {
		w := newWorld(t, nil)
		a, b := w.signIn(alice, 1), w.signIn(bob, 1)
		w.stall(t, a)
		l := w.open(t, model.ProtocolSse, b, "")
		w.online(t, alice, bob)
		big := strings.Repeat("x", 60000)
		for range 200 {
			w.tell(big, alice)
			w.tell("small", bob)
		}
		for range 200 {
			l.hears(t, "small")
		}
	})

	t.Run("a stalled reader is given up after the write timeout", func(t *testing.T) {
		for _, p := range []model.Protocol{model.ProtocolSse, model.ProtocolWs} {
			t.Run(string(p), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w := newWorldOn(t, nil, newPipes)
					token := w.signIn(alice, 1)
					conn, err := w.dial(t.Context(), "tcp", "public")
					require.NoError(t, err)
					defer conn.Close()
					r := w.request(http.MethodGet, "/notify?protoc="+string(p), token, nil)
					if p == model.ProtocolWs {
						for k, v := range map[string]string{"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="} {
							r.Header.Set(k, v)
						}
					}
					require.NoError(t, r.Write(conn))
					ends := map[model.Protocol]string{model.ProtocolSse: "\n\n\r\n", model.ProtocolWs: "\r\n\r\n"}[p]
					for seen := ""; !strings.HasSuffix(seen, ends); { // up to where the stream begins, and nothing more
						var b [1]byte
						_, err := io.ReadFull(conn, b[:])
						require.NoError(t, err)
						seen += string(b[:])
					}
					time.Sleep(12 * time.Second)
					w.tell("x", alice)
					start := time.Now()
					for w.server.streams.count() > 0 {
						time.Sleep(100 * time.Millisecond)
					}
					require.InDelta(t, writeTimeout.Seconds(), time.Since(start).Seconds(), closeTimeout.Seconds()+1)
				})
			})
		}
	})
}

// stall opens a stream of a client that reads nothing until the returned function is called.
func (w *world) stall(t *testing.T, token login.Token) func() *listener {
	conn, err := net.Dial("tcp", strings.TrimPrefix(w.url, "http://"))
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	require.NoError(t, w.request(http.MethodGet, "/notify?protoc=sse", token, nil).Write(conn))
	eventually(t, func() bool { return w.server.streams.count() > 0 })
	return func() *listener {
		l := &listener{protocol: model.ProtocolSse, heard: make(chan heard, 10000), cancel: func() { _ = conn.Close() }, closed: make(chan struct{})}
		go l.readSSE(conn, false)
		t.Cleanup(l.close)
		return l
	}
}

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
		w.server.Drain(t.Context())
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
		w.server.Drain(t.Context())
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
			w.server.Drain(ctx)
			synctest.Wait()
			require.Zero(t, w.server.streams.count())
		})
	})
}

func TestManyClients(t *testing.T) {
	w := newWorld(t, func(c *Config) {
		c.Events, c.StreamsPerUser = eventlog.NewMemory(eventlog.MemoryOptions{}), 300
	})
	a, b := w.signIn(alice, 1), w.signIn(bob, 1)
	w.open(t, model.ProtocolSse, a, "")
	stop := make(chan struct{})
	var sending, clients sync.WaitGroup
	sending.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
				w.tell(fmt.Sprint(i), alice, bob)
				time.Sleep(100 * time.Microsecond)
			}
		}
	})
	for i := range 200 {
		clients.Go(func() {
			token := a
			if i%2 == 0 {
				token = b
			}
			for range 3 {
				l := w.open(t, transports[i%3], token, "")
				h := l.next(t)
				first, err := strconv.Atoi(h.content)
				assert.NoError(t, err, "%+v", h)
				for k := 1; k <= 3; k++ { // nothing is missing in between
					l.hears(t, fmt.Sprint(first+k))
				}
				l.close()
			}
		})
	}
	clients.Wait()
	close(stop)
	sending.Wait()
	eventually(t, func() bool { return w.server.streams.count() == 1 })
}

// here is the query of a stream that begins at this moment, whenever it gets there.
func (w *world) here() string {
	end, err := w.events.End(w.t.Context())
	require.NoError(w.t, err)
	return "after=" + end.String()
}

// online waits until users have been set online, so that a stream begins before what the test does next.
func (w *world) online(t *testing.T, users ...legacy.UserID) {
	t.Helper()
	for _, u := range users {
		eventually(t, func() bool {
			w.server.presence.mu.Lock()
			defer w.server.presence.mu.Unlock()
			a := w.server.presence.users[u]
			return a != nil && a.online && a.streams > 0
		})
	}
}

func (s *streams) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.open)
}
