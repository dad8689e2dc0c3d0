package v1_test

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/xuangate/xuangate/adapter/legacy"
	"github.com/xuangate/xuangate/adapter/v1"
	"github.com/xuangate/xuangate/test/xuanxuan"
)

func TestLists(t *testing.T) {
	_, alice, _ := team(t)
	require.Len(t, as[[]legacy.UserRow](t, ask(t, alice, "userGetlist", "")), 7)
	for _, ids := range []any{"5,6", []int{5, 6}, []legacy.UserID{5, 6}} {
		rows := as[[]legacy.UserRow](t, ask(t, alice, "userGetlist", ids))
		require.Len(t, rows, 2, "%v", ids)
		require.Equal(t, legacy.Text("Bob"), rows[0].Realname)
	}
	chats := as[[]legacy.ChatRow](t, ask(t, alice, "getlist"))
	require.Len(t, chats, 2)
	require.Equal(t, legacy.Date{}, chats[1].LastActiveTime)
	require.True(t, chats[1].Silent())
	require.Empty(t, as[[]legacy.ChatRow](t, ask(t, alice, "getpubliclist")))
	require.Empty(t, ask(t, alice, "getOfflineMessages").Data)
	m := as[struct{ Members legacy.Users }](t, ask(t, alice, "members", legacy.ChatGID("team")))
	require.Equal(t, legacy.Users{4, 5}, m.Members)
}

func TestChangesToAChat(t *testing.T) {
	s, alice, bob := team(t)
	admin, _ := s.dial(t, "admin")
	system, err := s.tables.SystemChat(t.Context())
	require.NoError(t, err)
	t.Run("answers and pushes are the whole chat", func(t *testing.T) {
		for _, c := range []struct {
			method string
			params []any
			now    func(legacy.ChatRow) bool
		}{
			{"changename", []any{"team", "Other"}, func(c legacy.ChatRow) bool { return c.Name == "Other" }},
			{"changepublic", []any{"team", true}, func(c legacy.ChatRow) bool { return c.Public == 1 }},
			{"setcommitters", []any{"team", "4,5"}, func(c legacy.ChatRow) bool { return c.Committers == "4,5" }},
			{"addmember", []any{"team", []int{6}, true}, func(c legacy.ChatRow) bool { return c.Has(6) }},
			{"addmember", []any{"team", []int{6}, false}, func(c legacy.ChatRow) bool { return !c.Has(6) }},
		} {
			answered := as[legacy.ChatRow](t, ask(t, alice, c.method, c.params...))
			require.True(t, c.now(answered), "%s: %+v", c.method, answered)
			var pushed legacy.ChatRow
			require.NoError(t, until(t, bob, c.method).Decode(&pushed))
			require.True(t, c.now(pushed), c.method)
			require.Equal(t, legacy.Text("team"), pushed.GID)
		}
	})
	t.Run("admins of the system chat", func(t *testing.T) {
		require.Contains(t, string(as[legacy.ChatRow](t, ask(t, admin, "setadmin", system, []int{1, 4}, true)).Admins), "1,4")
		require.Contains(t, string(until(t, bob, "setadmin").Data), system)
	})
	t.Run("leaving, and no way back", func(t *testing.T) {
		require.False(t, as[legacy.ChatRow](t, ask(t, bob, "joinchat", "team", false)).Has(5))
		require.NotNil(t, until(t, alice, "joinchat"))
		for c, call := range map[*v1.Conn]legacy.Call{bob: legacy.Chat(0, "joinchat", "team", true), alice: legacy.Chat(0, "addmember", "team", []int{5}, true)} {
			_, err := c.Call(t.Context(), call)
			require.ErrorAs(t, err, new(*legacy.UnsupportedError))
			require.ErrorContains(t, err, "1.0")
		}
		_, err := alice.Call(t.Context(), legacy.Chat(0, "addmember", "team", []int{5, 7}, true))
		require.ErrorAs(t, err, new(*legacy.UnsupportedError), "one of two")
		require.Contains(t, string(ask(t, alice, "members", "team").Data), "7")
	})
	t.Run("a change to a chat that one cannot see is made, and unsure", func(t *testing.T) {
		ask(t, alice, "create", "secret", "Secret", "group", []int{4}, 0, false)
		r := ask(t, admin, "changename", "secret", "Known")
		require.True(t, r.Unsure)
		require.Empty(t, r.Data)
		ask(t, alice, "changepublic", "secret", true)
		r = ask(t, admin, "changename", "secret", "Public")
		require.False(t, r.Unsure)
		require.Equal(t, legacy.Text("Public"), as[legacy.ChatRow](t, r).Name)
	})
	t.Run("a refusal keeps its words", func(t *testing.T) {
		r, err := alice.Call(t.Context(), legacy.Chat(0, "joinchat", "nosuch", true))
		require.NoError(t, err)
		require.Equal(t, "不是多人会话。", r.Reason())
	})
	t.Run("marks", func(t *testing.T) {
		ask(t, alice, "star", "team", true)
		ask(t, alice, "hide", "team", true)
		row := as[[]legacy.ChatRow](t, ask(t, alice, "getlist"))[1]
		require.EqualValues(t, 1, row.Star)
		require.EqualValues(t, 1, row.Hide)
	})
}

func TestUsersChange(t *testing.T) {
	_, alice, bob := team(t)
	u := as[legacy.UserRow](t, ask(t, alice, "userchange", map[string]string{"status": "busy"}))
	require.Equal(t, legacy.Text("busy"), u.Status)
	require.Equal(t, legacy.Text("Alice"), u.Realname)
	require.Contains(t, string(until(t, bob, "userchange").Data), "busy")
	u = as[legacy.UserRow](t, ask(t, alice, "userchange", map[string]string{"realname": "Alicia", "email": "", "account": "alice"}))
	require.Equal(t, legacy.Text("Alicia"), u.Realname)
	require.Contains(t, string(until(t, bob, "userchange").Data), "Alicia")
	_, err := alice.Call(t.Context(), legacy.Chat(0, "userchange", map[string]string{"email": "a@example.com", "status": "away"}))
	require.ErrorContains(t, err, "email")
	_, err = alice.Call(t.Context(), legacy.Chat(0, "userchange", 5))
	require.Error(t, err)
}

func TestSettings(t *testing.T) {
	_, alice, _ := team(t)
	require.Equal(t, "null", string(ask(t, alice, "settings", "alice", "").Data))
	value := map[string]any{"a": "猫 😀", "n": []any{1.0, nil}}
	require.Equal(t, value, as[map[string]any](t, ask(t, alice, "settings", "alice", value)))
	require.Equal(t, value, as[map[string]any](t, ask(t, alice, "settings", "alice", "")))
}

func TestWhatA10ServerCannotDo(t *testing.T) {
	s, alice, _ := team(t)
	before := s.tables.Calls()
	for call, what := range map[string]string{
		"chat/mute": "muting", "chat/category": "categories", "chat/dismiss": "dismissing", "chat/notify": "notices",
		"chat/getOfflineNotify": "notices", "chat/extensions": "extensions", "entry/visit": "extensions", "chat/getTodoes": "todos",
		"chat/upsertTodo": "todos", "chat/uploadFile": "files", "chat/checkUserChange": "changed users", "chat/serverStart": "serverStart",
		"chat/logout": "logout", "nosuch/thing": "nosuch/thing",
	} {
		module, method, _ := strings.Cut(call, "/")
		_, err := alice.Call(t.Context(), legacy.Call{Module: module, Method: method, Params: []any{"team"}})
		var lacks *legacy.UnsupportedError
		require.ErrorAs(t, err, &lacks, call)
		require.Contains(t, err.Error(), "version 1.0")
		require.Contains(t, err.Error(), what)
	}
	require.Equal(t, before, s.tables.Calls(), "nothing is sent")
	t.Run("nor what an older one does not know yet", func(t *testing.T) {
		older, err := xuanxuan.StartV1(t.Context(), s.tables, xuanxuan.V1Options{Without: []string{"setcommitters"}}, "127.0.0.1:0")
		require.NoError(t, err)
		defer func() { require.NoError(t, older.Close()) }()
		server, err := v1.New(v1.Config{Addr: older.Addr()})
		require.NoError(t, err)
		carol, _, err := server.Dial(t.Context(), "carol", md5) // who is not at the other one, which would tell her what this one is to tell
		require.NoError(t, err)
		defer carol.Close()
		_, err = carol.Call(t.Context(), legacy.Chat(0, "setcommitters", "team", "4"))
		var lacks *legacy.UnsupportedError
		require.ErrorAs(t, err, &lacks)
	})
}

func TestMessages(t *testing.T) {
	s, alice, bob := team(t)
	t.Run("the others hear it once, and so does the sender", func(t *testing.T) {
		rows := as[[]legacy.MessageRow](t, ask(t, alice, "message", draft("one", "text", "hello <&> 猫")))
		require.Len(t, rows, 1)
		require.Equal(t, legacy.Text("hello <&> 猫"), rows[0].Content)
		for _, c := range []*v1.Conn{alice, bob} {
			var heard []legacy.MessageRow
			require.NoError(t, until(t, c, "message").Decode(&heard))
			require.Equal(t, rows, heard)
		}
	})
	t.Run("a repeated one is answered from history, and told once more", func(t *testing.T) {
		first := as[[]legacy.MessageRow](t, ask(t, alice, "message", draft("again", "text", "first")))
		require.NoError(t, s.tables.InsertMessages(t.Context(), "team", 300, func(int) xuanxuan.Message { return xuanxuan.Message{Content: "x"} }))
		require.Equal(t, first, as[[]legacy.MessageRow](t, ask(t, alice, "message", draft("again", "text", "first"))))
		for range 2 {
			require.Contains(t, string(until(t, alice, "message").Data), "again")
		}
	})
	t.Run("a lost one is not found", func(t *testing.T) {
		s.tables.SetFaults(xuanxuan.Fault{LoseMessages: true})
		defer s.tables.SetFaults()
		require.Empty(t, as[[]legacy.MessageRow](t, ask(t, alice, "message", draft("lost", "text", "x"))))
	})
	t.Run("a refusal is no news", func(t *testing.T) {
		r, err := alice.Call(t.Context(), legacy.Chat(0, "message", []legacy.DraftRow{{GID: "x", CGID: "nosuch", Type: "normal", ContentType: "text"}}))
		require.NoError(t, err)
		require.Equal(t, "会话不存在。", r.Reason())
		ask(t, alice, "message", draft("next", "text", "next"))
		require.Contains(t, string(until(t, alice, "message").Data), "next")
	})
	t.Run("that a chat has another name is no message", func(t *testing.T) {
		ask(t, alice, "changename", "team", "Renamed")
		ask(t, alice, "message", draft("after", "text", "after"))
		for _, c := range []*v1.Conn{alice, bob} {
			for content := legacy.Text(""); content != "after"; {
				var rows []legacy.MessageRow
				require.NoError(t, until(t, c, "message").Decode(&rows))
				require.Len(t, rows, 1)
				require.Positive(t, rows[0].ID)
				content = rows[0].Content
			}
		}
	})
	t.Run("of several at once it is the caller's business", func(t *testing.T) {
		_, err := alice.Call(t.Context(), legacy.Chat(0, "message", append(draft("a", "text", "x"), draft("b", "text", "x")...)))
		var lacks *legacy.UnsupportedError
		require.ErrorAs(t, err, &lacks)
	})
	t.Run("an object that is too large as a text is not sent", func(t *testing.T) {
		before := s.tables.Calls()["chat/message"]
		_, err := alice.Call(t.Context(), legacy.Chat(0, "message", draft("big", "object", `{"x":"`+strings.Repeat(`\"`, 32000)+`"}`)))
		var large *legacy.TooLargeError
		require.ErrorAs(t, err, &large)
		require.Equal(t, before, s.tables.Calls()["chat/message"])
	})
}

func TestContentTypesThat10HasNot(t *testing.T) {
	_, alice, bob := team(t)
	n := 0
	for _, contentType := range []string{"text", "plain", "emotion", "image", "file", "object"} {
		for _, content := range []string{
			"", "x", `{"type":"url"}`, `{"type":"xuangate","t":9,"s":1,"c":"猫"}`, `{"type":"xuangate","t":5,"s":0,"c":"{\"type\":\"xuangate\",\"t\":"}`,
			`{"type":"xuangate","t":`, `{"type":"xuangate","t":1,"s":2,"c":"x"}`, "x\u2063", "\u2063", "\u2063x", "x\u2063\u2063", `{"type":"xuangate","t":1}` + "\u2063",
		} {
			if contentType == "object" && strings.HasPrefix(content, `{"type":"xuangate","t":`) && !json.Valid([]byte(content)) {
				continue // the translation wraps such a one
			}
			n++
			rows := as[[]legacy.MessageRow](t, ask(t, alice, "message", draft(fmt.Sprint("c", n), contentType, content)))
			require.Len(t, rows, 1)
			require.Equal(t, [2]string{contentType, content}, [2]string{string(rows[0].ContentType), string(rows[0].Content)}, "answered")
			var heard []legacy.MessageRow
			require.NoError(t, until(t, bob, "message").Decode(&heard))
			require.Equal(t, [2]string{contentType, content}, [2]string{string(heard[0].ContentType), string(heard[0].Content)}, "heard")
			require.Equal(t, heard, as[[]legacy.MessageRow](t, ask(t, bob, "history", "team", 1, 1, 0, false, 0)), "read")
		}
	}
}

func TestHistoryFromADateOn(t *testing.T) {
	s := start(t)
	alice, _ := s.dial(t, "alice")
	begin := time.Now().Add(-24 * time.Hour).Truncate(time.Second)
	for name, date := range map[string]func(n, i int) time.Duration{
		"one a second":      func(_, i int) time.Duration { return time.Duration(i) * time.Second },
		"40 a second":       func(_, i int) time.Duration { return time.Duration(i/40) * time.Second },
		"all in one second": func(int, int) time.Duration { return 0 },
	} {
		for _, n := range []int{0, 1, 50, 51, 101, 900} {
			gid := fmt.Sprint(name[:3], n)
			ask(t, alice, "create", gid, gid, "group", []int{4}, 0, false)
			require.NoError(t, s.tables.InsertMessages(t.Context(), gid, n, func(i int) xuanxuan.Message {
				return xuanxuan.Message{User: 4, Content: fmt.Sprint(i), Date: begin.Add(date(n, i))}
			}))
			bound := 1 + int(math.Ceil(math.Log2(math.Max(1, math.Ceil(float64(n)/50)))))
			for _, since := range []int{-1, 1, n / 80, n / 2, n - 1, n + 1} {
				at := begin.Add(time.Duration(since) * time.Second).Unix()
				want := 0
				for i := range n {
					if begin.Add(date(n, i)).Unix() >= at {
						want++
					}
				}
				before := s.tables.Calls()["chat/history"]
				r := ask(t, alice, "history", legacy.ChatGID(gid), 1, 1, 0, false, at)
				require.EqualValues(t, want, r.Pager.Total, "%s, %d of %d", name, since, n)
				require.LessOrEqual(t, s.tables.Calls()["chat/history"]-before, bound, "%s, %d of %d", name, since, n)
				require.Len(t, as[[]legacy.MessageRow](t, r), min(1, want))

				r = ask(t, alice, "history", gid, 30, 3, 0, false, at)
				rows := as[[]legacy.MessageRow](t, r)
				require.Len(t, rows, max(0, min(30, want-60)), "%s, page 3 from %d of %d", name, since, n)
				if len(rows) > 0 {
					require.Equal(t, legacy.Text(fmt.Sprint(n-61)), rows[0].Content)
				}
			}
		}
	}
	t.Run("dates that follow nothing cost no more than the limit", func(t *testing.T) {
		ask(t, alice, "create", "odd", "odd", "group", []int{4}, 0, false)
		require.NoError(t, s.tables.InsertMessages(t.Context(), "odd", 1000, func(i int) xuanxuan.Message {
			return xuanxuan.Message{User: 4, Date: begin.Add(time.Duration(i*7919%1000) * time.Second)}
		}))
		before := s.tables.Calls()["chat/history"]
		total := int64(ask(t, alice, "history", "odd", 1, 1, 0, false, begin.Add(500*time.Second).Unix()).Pager.Total)
		require.True(t, total >= 0 && total <= 1000)
		require.LessOrEqual(t, s.tables.Calls()["chat/history"]-before, 1+5)
	})
}
