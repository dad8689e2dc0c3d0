package inline

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/xuangate/xuangate/adapter"
	"github.com/xuangate/xuangate/adapter/legacy"
	"github.com/xuangate/xuangate/adapter/xxb"
	"github.com/xuangate/xuangate/adapter/xxd"
	"github.com/xuangate/xuangate/test/xuanxuan"
)

// A bench is a Server without an xxd: the test speaks as one, and looks at what an xxd would be answered.
type bench struct {
	*Server
	t      *testing.T
	legacy *xuanxuan.Server
	port   int
	chat   string
}

// ask sends a call as an xxd forwards it from the websocket of a client.
func (b *bench) ask(port int, user int64, method string, params any) object {
	b.t.Helper()
	return b.send(map[string]any{
		"client": map[string]any{"IP": "127.0.0.1", "Port": port, "Zone": ""}, "module": "chat", "method": method, "params": params, "userID": user, "v": "2.3.0", "lang": "zh-cn",
	})
}

func (b *bench) send(call any) object {
	b.t.Helper()
	text, err := json.Marshal(call)
	require.NoError(b.t, err)
	return b.sendText(string(text))
}

// sendText sends a call letter by letter, as those of an xxd itself. No answer is an empty one.
func (b *bench) sendText(text string) object {
	b.t.Helper()
	q, err := parseRequest(b.sites[""], []byte(text))
	require.NoError(b.t, err)
	o, _ := parseObject(b.answer(b.t.Context(), q, nil).plain)
	return o
}

func (b *bench) login(port int, account, lang string) object {
	b.t.Helper()
	return b.send(map[string]any{
		"client": map[string]any{"IP": "127.0.0.1", "Port": port, "Zone": ""}, "module": "chat", "method": "login",
		"params": []string{"", account, "e10adc3949ba59abbe56e057f20f883e", "online"}, "v": "2.3.0", "lang": lang,
	})
}

func (b *bench) logout(user int64) object {
	b.t.Helper()
	return b.sendText(fmt.Sprintf(`{"module":"chat","method":"logout","lang":"zh-cn","userID":%d}`, user))
}

func (b *bench) newPort() int { b.port++; return b.port }

// here has a user on the web.
func (b *bench) here(user legacy.UserID) {
	b.t.Helper()
	_, err := b.Call(b.t.Context(), legacy.Chat(user, "userchange", map[string]string{"status": "online"}))
	require.NoError(b.t, err)
}

// shows make each fault, and say whether it is there for an xxd.
var shows = map[Fault]func(b *bench) bool{
	Broadcasts: func(b *bench) bool {
		_, named := b.ask(b.newPort(), 4, "joinchat", []any{"nosuch", true}).users()
		return !named
	},
	Kickoffs: func(b *bench) bool { return b.ask(b.newPort(), 4, "nosuch", nil).is("kickoff") },
	Reserved: func(b *bench) bool {
		return b.ask(b.newPort(), 4, "checkUserChange", []string{""}).is("checkuserchange")
	},
	Anonymous: func(b *bench) bool {
		before := b.legacy.Calls()["chat/history"]
		b.ask(b.newPort(), 0, "history", []any{b.chat, 1, 1, 0, false, 0})
		return b.legacy.Calls()["chat/history"] > before
	},
	SecondLogin: func(b *bench) bool {
		port := b.newPort()
		b.login(port, "dave", "zh-cn")
		return b.login(port, "dave", "zh-cn").text("result") == "success"
	},
	ShortParams: func(b *bench) bool {
		var users []any
		o := b.ask(b.newPort(), 4, "userGetlist", nil)
		return json.Unmarshal(o.get("users"), &users) == nil && slices.ContainsFunc(users, func(u any) bool { _, text := u.(string); return text })
	},
	Noise:     func(b *bench) bool { return b.logout(0).is("logout") },
	Injection: func(b *bench) bool { return b.login(b.newPort(), "alice", `zh-cn","x":"`).text("result") == "success" },
	Spoofing: func(b *bench) bool {
		o := b.ask(b.newPort(), 4, "message", []any{[]any{draft(b.chat, 5, "spoofed")}})
		var rows []struct{ User int64 }
		require.NoError(b.t, json.Unmarshal(o.get("data"), &rows))
		return rows[0].User == 5
	},
	Presence: func(b *bench) bool {
		b.here(5)
		b.login(b.newPort(), "bob", "zh-cn")
		b.arrived(b.t.Context(), b.sites[""], 5)
		return b.logout(5).is("logout")
	},
	Loss: func(b *bench) bool {
		b.here(6)
		b.ask(b.newPort(), 4, "message", []any{[]any{draft(b.chat, 4, "to the web alone")}})
		b.login(b.newPort(), "carol", "zh-cn")
		o := b.sendText(`{"module":"chat","method":"getOfflineMessages","lang":"zh-cn","userID":6}`)
		b.arrived(b.t.Context(), b.sites[""], 6)
		return !strings.Contains(string(o.get("data")), "to the web alone")
	},
	Committers: func(b *bench) bool {
		few := b.chat + "-few"
		b.ask(b.newPort(), 4, "create", []any{few, "few", "group", []int64{4, 5}, 0, false})
		b.ask(b.newPort(), 4, "setcommitters", []any{few, "4"})
		return b.ask(b.newPort(), 4, "message", map[string]any{"messages": []any{draft(few, 4, "may I")}}).text("result") != "success"
	},
}

func draft(chat string, user int64, content string) map[string]any {
	return map[string]any{"gid": chat + content, "cgid": chat, "user": user, "type": "normal", "contentType": "text", "content": content, "date": "", "order": 0}
}

// TestEachCureAlone leaves out one cure after the other: that fault is there then, and the others are not.
func TestEachCureAlone(t *testing.T) {
	behind, err := xuanxuan.Start(t.Context(), xuanxuan.Options{}, "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, behind.Close()) })
	key, err := legacy.NewKey(xuanxuan.DefaultKey)
	require.NoError(t, err)
	for fault := range Faults {
		require.Contains(t, shows, fault)
	}
	for left := range shows {
		t.Run(string(left), func(t *testing.T) {
			s, err := New(Config{
				Backend: xxb.Config{URL: behind.URL(), Key: key},
				Sites:   []Site{{XXD: xxd.Config{URL: "http://127.0.0.1:1"}}}, // there is none
				Uncured: []Fault{left}, Settle: 1,
				Hear: func(context.Context, adapter.News) error { return nil },
				Log:  slog.New(slog.DiscardHandler),
			})
			require.NoError(t, err)
			defer s.Close()
			b := &bench{Server: s, t: t, legacy: behind, chat: "of-" + string(left)}
			b.ask(b.newPort(), 4, "create", []any{b.chat, "x", "group", []int64{4, 5, 6}, 0, false})
			for fault, there := range shows {
				require.Equal(t, fault == left, there(b), "%s, while %s is not cured", fault, left)
			}
		})
	}
}
