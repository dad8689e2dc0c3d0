package contract

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/r3labs/sse/v2"
	"github.com/stretchr/testify/require"
	"gopkg.in/cenkalti/backoff.v1"

	"github.com/xuangate/xuangate/adapter/legacy"
	"github.com/xuangate/xuangate/gen/model"
	"github.com/xuangate/xuangate/test/xuanxuan"
)

// transports open a stream of messages after a position ("" for none), each in its own way; the stream ends with ctx.
var transports = map[string]func(ctx context.Context, u *user, after string) <-chan model.MsgData{
	"sse":  sseStream,
	"ws":   wsStream,
	"poll": pollStream,
}

func sseStream(ctx context.Context, u *user, after string) <-chan model.MsgData {
	out := make(chan model.MsgData, 1000)
	c := sse.NewClient(u.w.url+"/notify?protoc=sse", sse.ClientMaxBufferSize(1<<20))
	c.Connection = u.w.http
	c.Headers = map[string]string{"Authorization": "Bearer " + u.token}
	c.ReconnectStrategy = &backoff.StopBackOff{}
	if after != "" {
		c.LastEventID.Store([]byte(after))
	}
	connected := make(chan struct{})
	go func() {
		defer close(out)
		first := true
		_ = c.SubscribeRawWithContext(ctx, func(e *sse.Event) {
			if first {
				first = false
				close(connected)
			}
			if string(e.Event) != "message" {
				return
			}
			var m model.MsgData
			if json.Unmarshal(e.Data, &m) == nil {
				out <- m
			}
		})
		if first {
			close(connected)
		}
	}()
	<-connected
	return out
}

func wsStream(ctx context.Context, u *user, after string) <-chan model.MsgData {
	out := make(chan model.MsgData, 1000)
	url := "ws" + strings.TrimPrefix(u.w.url, "http") + "/notify?token=" + u.token + "&after=" + after
	conn, res, err := websocket.DefaultDialer.DialContext(ctx, url, nil)
	if err != nil {
		u.w.t.Errorf("dial: %v %v", err, res)
		close(out)
		return out
	}
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	go func() {
		defer close(out)
		defer stop()
		defer conn.Close()
		for {
			_, text, err := conn.ReadMessage()
			if err != nil {
				return
			}
			if err := u.w.answers.holdTold(text, false); err != nil {
				_ = u.w.answers.note(err)
				return
			}
			var m model.MsgData
			if json.Unmarshal(text, &m) == nil && m.MsgId != "" {
				out <- m
			}
		}
	}()
	return out
}

func pollStream(ctx context.Context, u *user, after string) <-chan model.MsgData {
	out := make(chan model.MsgData, 1000)
	ask := func(after string, timeout int) (model.Poll, bool) {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("%s/notify?protoc=poll&timeout=%d&after=%s", u.w.url, timeout, after), nil)
		if err != nil {
			return model.Poll{}, false
		}
		req.Header.Set("Authorization", "Bearer "+u.token)
		res, err := u.w.http.Do(req)
		if err != nil {
			return model.Poll{}, false
		}
		defer res.Body.Close()
		var a model.PollAnswer
		if json.NewDecoder(res.Body).Decode(&a) != nil || a.Code != model.OK {
			return model.Poll{}, false
		}
		return a.Data, true
	}
	p, ok := ask(after, 0)
	go func() {
		defer close(out)
		for ok {
			for _, m := range p.Msg {
				out <- m
			}
			p, ok = ask(p.Position, 5)
		}
	}()
	return out
}

// next waits for the stream's next message.
func next(t *testing.T, stream <-chan model.MsgData) model.MsgData {
	t.Helper()
	select {
	case m, ok := <-stream:
		require.True(t, ok, "the stream ended")
		return m
	case <-time.After(patience):
		require.FailNow(t, "no message came")
		return model.MsgData{}
	}
}

func TestEveryTransportTellsEveryMessageOnceInOrder(t *testing.T) {
	for name, open := range transports {
		t.Run(name, func(t *testing.T) {
			inEachMode(t, func(t *testing.T, w *world) {
				alice, bob := w.signIn("alice"), w.signIn("bob")
				team := alice.group("team", bob)
				ctx, cancel := context.WithCancel(t.Context())
				stream := open(ctx, bob, "")
				for i := range 50 {
					alice.say(team, fmt.Sprint(i))
				}
				for i := range 50 {
					m := next(t, stream)
					require.Equal(t, fmt.Sprint(i), m.Content)
					require.NotEmpty(t, m.Position)
					require.False(t, m.Late)
				}
				cancel()
				for range stream {
				}
			})
		})
	}
}

func TestAPositionMeansTheSameOnEveryTransport(t *testing.T) {
	inEachMode(t, func(t *testing.T, w *world) {
		alice, bob := w.signIn("alice"), w.signIn("bob")
		team, at := alice.group("team", bob), bob.here()
		for i := range 30 {
			alice.say(team, fmt.Sprint(i))
		}
		var heard []string
		for len(heard) < 30 { // ten messages on one transport, then on with the next
			for _, name := range []string{"sse", "ws", "poll"} {
				ctx, cancel := context.WithCancel(t.Context())
				stream := transports[name](ctx, bob, at)
				for range 5 {
					m := next(t, stream)
					heard, at = append(heard, m.Content), m.Position
				}
				cancel()
				for range stream {
				}
			}
		}
		require.Equal(t, numbers(0, 30), heard)
	})
}

func TestComingOnline(t *testing.T) {
	for name, open := range transports {
		t.Run(name, func(t *testing.T) {
			inEachMode(t, func(t *testing.T, w *world) {
				alice, bob := w.signIn("alice"), w.signIn("bob")
				team := alice.group("team", bob)
				for i := range 5 {
					alice.say(team, fmt.Sprint(i))
				}
				stream := open(t.Context(), bob, "")
				for i := range 5 {
					require.Equal(t, fmt.Sprint(i), next(t, stream).Content, "what was said before the first stream waits for it")
				}
				alice.say(team, "live")
				require.Equal(t, "live", next(t, stream).Content, "once each")

				again := open(t.Context(), bob, "")
				alice.say(team, "now")
				require.Equal(t, "now", next(t, again).Content, "a second stream begins now")
			})
		})
	}
}

func TestWaitingMessagesThatTheLogDoesNotHold(t *testing.T) {
	inEachMode(t, func(t *testing.T, w *world) {
		alice := w.signIn("alice")
		team := get[model.ConversationRef](alice, "/create_conversation", object{"conversation_type": 0, "name": "team", "members": []string{"5"}}).ConversationId
		alice.say(team, "in the log")
		// A desktop's message, or one of before our restart: legacy alone knows it.
		w.desktop(legacy.Chat(4, "message", []legacy.DraftRow{{GID: "desktop-1", CGID: legacy.ChatGID(team), User: 4, Type: "normal", ContentType: "text", Content: "only in legacy"}}))
		bob := w.signIn("bob")
		heard, _ := bob.until("", count(model.EventKindMessage, 2))
		got := []string{}
		for _, e := range only(heard, model.EventKindMessage) {
			got = append(got, e.message(t).Content)
		}
		slices.Sort(got)
		require.Equal(t, []string{"in the log", "only in legacy"}, got)
		require.Len(t, alice.last30(team), 2)
	})
}

func TestNoticesReachTheirUsers(t *testing.T) {
	inEachModeWith(t, "notices", func(t *testing.T, w *world) {
		alice, bob := w.signIn("alice"), w.signIn("bob")
		at, other := alice.here(), bob.here()
		require.NoError(t, w.legacy.AddNotice(t.Context(), xuanxuan.Notice{Users: []int64{4}, Title: "任务", Content: "live :smile:", URL: "http://x/y", Actions: []xuanxuan.NoticeAction{{Label: "Open", URL: "http://x/z", Type: "primary"}}, SenderID: "todo", SenderName: "Todo"}))
		require.NoError(t, w.legacy.AddNotice(t.Context(), xuanxuan.Notice{Users: []int64{6}, Title: "T", Content: "waits"}))
		heard, _ := alice.until(at, count(model.EventKindNotification, 1))
		var n model.Notification
		require.NoError(t, json.Unmarshal(only(heard, model.EventKindNotification)[0].Data, &n))
		require.Equal(t, "任务", n.Title)
		require.Equal(t, "live 😄", n.Content)
		require.Equal(t, "Todo", n.Sender.Name)
		require.Equal(t, "primary", n.Actions[0].Type)
		heard, _ = bob.poll(other, 0)
		require.Empty(t, only(heard, model.EventKindNotification))

		carol := w.signIn("carol")
		heard, _ = carol.until("", count(model.EventKindNotification, 1))
		require.Contains(t, kinds(heard), "waits")
	})
}

func TestPresenceIsTold(t *testing.T) {
	inEachMode(t, func(t *testing.T, w *world) {
		alice := w.signIn("alice")
		at := alice.here()
		bob := w.signIn("bob")
		if !w.linked() {
			heard, _ := alice.poll(at, 0)
			require.Empty(t, only(heard, model.EventKindUser), "signing in is not coming online")
		}
		bob.here()
		online := func(list []event) bool {
			for _, e := range only(list, model.EventKindUser) {
				var u model.User
				require.NoError(t, json.Unmarshal(e.Data, &u))
				if u.Session == bob.session && u.Status == "online" {
					return true
				}
			}
			return false
		}
		alice.until(at, online)
		require.NoError(t, w.legacy.AddUser(t.Context(), xuanxuan.User{ID: 9, Account: "zoe", Realname: "Zoe"}))
		alice.until(at, func(list []event) bool { return strings.Contains(kinds(list), "Zoe") })
	})
}
