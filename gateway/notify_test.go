package gateway

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/require"

	"github.com/xuangate/xuangate/adapter"
	"github.com/xuangate/xuangate/adapter/legacy"
	"github.com/xuangate/xuangate/gateway/eventlog"
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

	t.Run("a poll's answer is bounded, and the next one has the rest", func(t *testing.T) {
		w := newWorld(t, nil)
		token := w.signIn(alice, 1)
		at, err := w.events.End(t.Context())
		require.NoError(t, err)
		for range 40 {
			w.tell(strings.Repeat("x", 60_000), alice)
		}
		for _, all := range []string{"", "&events=all"} {
			after, n := at.String(), 0
			for rounds := 0; n < 40; rounds++ {
				require.Less(t, rounds, 4)
				a := w.ask(w.request(http.MethodGet, "/notify?protoc=poll&timeout=0&after="+after+all, token, nil))
				require.Less(t, len(a.data), maxPoll+100_000)
				var got struct{ Position string }
				require.NoError(t, json.Unmarshal(a.data, &got))
				n, after = n+strings.Count(string(a.data), `"Content"`), got.Position
			}
			require.Equal(t, 40, n)
		}
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
