package xuanxuan

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// corrupted is what the zero date reads as in Shanghai.
const corrupted = float64(-62170013143)

// atRecording is a clock in whose time a rewritten date has no month, as in the recordings. In other years ten digits
// can happen to be a date.
func atRecording() time.Time { return time.Unix(recordedFrom, 0) }

func TestChats(t *testing.T) {
	newChats := func(t *testing.T) *Backend {
		s := newBackend(t, Options{Now: atRecording})
		login(t, s, "alice", "bob", "carol")
		call(t, s, 4, "create", "g", "G", "group", []any{4, 5}, 0, false)
		return s
	}

	t.Run("an outsider may do everything to a chat", func(t *testing.T) {
		s := newChats(t)
		for _, c := range [][]any{
			{"changename", "g", "Renamed"},
			{"changepublic", "g", true},
			{"setcommitters", "g", "4,5"},
			{"addmember", "g", []any{7}, true},
			{"addmember", "g", []any{7}, false},
			{"members", "g"},
			{"history", "g", 10, 1, 0, false, 0},
			{"dismiss", "g"},
		} {
			require.Equal(t, "success", call(t, s, 6, c[0].(string), c[1:]...).Result, c[0])
		}
	})

	t.Run("every rewriting corrupts the dates", func(t *testing.T) {
		for _, c := range [][]any{{"changename", "g", "N"}, {"changepublic", "g", true}, {"setcommitters", "g", ""}, {"dismiss", "g"}} {
			s := newChats(t)
			call(t, s, 4, "message", []any{map[string]any{"gid": "m", "cgid": "g", "content": "x"}})
			require.EqualValues(t, recordedFrom, getChat(t, s, "g")["lastActiveTime"])
			call(t, s, 4, c[0].(string), c[1:]...)
			got := getChat(t, s, "g")
			require.Equal(t, corrupted, got["createdDate"], c[0])
			require.Zero(t, got["lastActiveTime"], c[0])
			require.EqualValues(t, recordedFrom, got["editedDate"], c[0])
		}
	})

	t.Run("a dismissed chat stays in its members' lists and leaves the public one", func(t *testing.T) {
		s := newChats(t)
		call(t, s, 4, "changepublic", "g", true)
		require.Len(t, call(t, s, 6, "getpubliclist").rows(), 1)
		require.EqualValues(t, recordedFrom, call(t, s, 4, "dismiss", "g").object()["dismissDate"])
		require.Empty(t, call(t, s, 6, "getpubliclist").rows())
		require.Len(t, call(t, s, 4, "getlist").rows(), 2)
	})

	t.Run("any rewriting after dismiss revives the chat", func(t *testing.T) {
		s := newChats(t)
		call(t, s, 4, "dismiss", "g")
		refused := call(t, s, 4, "message", []any{map[string]any{"gid": "m", "cgid": "g", "content": "x"}})
		require.Equal(t, "fail", refused.Result)
		require.Equal(t, []any{"讨论组已被解散"}, refused.column("messages"))
		require.Zero(t, call(t, s, 4, "changename", "g", "Back").object()["dismissDate"])
		require.Len(t, call(t, s, 4, "message", []any{map[string]any{"gid": "m", "cgid": "g", "content": "x"}}).rows(), 1)
	})

	t.Run("a chat without a name can never be rewritten", func(t *testing.T) {
		s := newChats(t)
		call(t, s, 4, "create", "nameless", "", "group", []any{4}, 0, false)
		require.Equal(t, "Change name failed.", call(t, s, 4, "changename", "nameless", "").Message)
		require.Equal(t, "Change public failed.", call(t, s, 4, "changepublic", "nameless", true).Message)
		require.Equal(t, "Set committers failed.", call(t, s, 4, "setcommitters", "nameless", "4").Message)
		require.Equal(t, "Dismiss chat failed.", call(t, s, 4, "dismiss", "nameless").Message)
		require.NotEqual(t, corrupted, getChat(t, s, "nameless")["createdDate"])
	})

	t.Run("the system chat takes a name and committers, but is no group", func(t *testing.T) {
		s := newChats(t)
		system, err := s.SystemChat(t.Context())
		require.NoError(t, err)
		require.Equal(t, "success", call(t, s, 6, "changename", system, "All").Result)
		require.Equal(t, "success", call(t, s, 6, "setcommitters", system, "1").Result)
		for _, c := range [][]any{{"dismiss", system}, {"joinchat", system, false}, {"addmember", system, []any{4}, false}, {"changepublic", system, true}} {
			require.Equal(t, "不是多人会话。", call(t, s, 1, c[0].(string), c[1:]...).Message, c[0])
		}
	})

	t.Run("type system makes a chat of all users", func(t *testing.T) {
		s := newChats(t)
		made := call(t, s, 4, "create", "mine", "Mine", "system", []any{4}, 0, false)
		require.Equal(t, []any{1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0}, made.object()["members"])
		require.Equal(t, []any{4.0, 5.0, 6.0}, made.Users)
	})

	t.Run("ids are compared without case and blanks at the end, and answered as stored", func(t *testing.T) {
		s := newChats(t)
		call(t, s, 4, "create", "Chat-A  ", "A", "group", []any{4, 5}, 0, false)
		again := call(t, s, 6, "create", "cHAT-a", "Other", "group", []any{6}, 0, true)
		require.Equal(t, "Chat-A", again.object()["gid"])
		require.Equal(t, "A", again.object()["name"])
		require.Equal(t, map[string]any{"gid": "CHAT-A ", "members": []any{4.0, 5.0}}, call(t, s, 6, "members", "CHAT-A ").object())
		sent := call(t, s, 4, "message", []any{map[string]any{"gid": "M-1", "cgid": "chat-a", "content": "x"}})
		require.Equal(t, []any{"chat-a"}, sent.column("cgid"))
		repeated := call(t, s, 5, "message", []any{map[string]any{"gid": "m-1 ", "cgid": "Chat-A", "content": "y"}})
		require.Equal(t, []any{"M-1"}, repeated.column("gid"))
		require.Equal(t, []any{"x"}, call(t, s, 4, "history", "CHAT-A", 10, 1, 0, false, 0).column("content"))
	})

	t.Run("a gid beyond 40 characters is stored short and kills the call", func(t *testing.T) {
		s := newChats(t)
		long := strings.Repeat("x", 41)
		w := post(s, `{"module":"chat","method":"create","params":["`+long+`","L","group",[4],0,false],"userID":4,"v":"2.3.0"}`)
		require.Equal(t, http.StatusInternalServerError, w.Code)
		require.Zero(t, w.Body.Len())
		require.Equal(t, "L", getChat(t, s, long[:40])["name"])
	})

	t.Run("names are cut at 60 characters, after emoji became question marks", func(t *testing.T) {
		s := newChats(t)
		named := call(t, s, 4, "changename", "g", strings.Repeat("名", 58)+"😀").object()
		require.Equal(t, strings.Repeat("名", 58)+"??", named["name"])
	})

	t.Run("a chat whose last member goes is told to everybody online", func(t *testing.T) {
		s := newChats(t)
		call(t, s, 4, "addmember", "g", []any{4}, false)
		require.Equal(t, []any{4.0, 5.0, 6.0}, call(t, s, 5, "addmember", "g", []any{5}, false).Users)
		sent := call(t, s, 4, "message", []any{map[string]any{"gid": "m", "cgid": "g", "content": "x"}})
		require.Equal(t, []any{4.0, 5.0, 6.0}, sent.Users)
	})

	t.Run("who is offline and has quit may be invited again, but may not join a private group", func(t *testing.T) {
		s := newChats(t)
		call(t, s, 5, "joinchat", "g", false)
		require.Equal(t, "不是公开会话。", call(t, s, 5, "joinchat", "g", true).Message)
		require.Equal(t, []any{4.0, 5.0}, call(t, s, 4, "addmember", "g", []any{5}, true).object()["members"])
	})

	t.Run("a member listed twice is one member", func(t *testing.T) {
		s := newChats(t)
		require.Equal(t, []any{5.0, 4.0}, call(t, s, 4, "create", "h", "H", "group", []any{5, 4, 5}, 0, false).object()["members"])
	})

	t.Run("members may not be objects", func(t *testing.T) {
		s := newChats(t)
		w := post(s, `{"module":"chat","method":"create","params":["o","O","group",[{"id":4}],0,false],"userID":4,"v":"2.3.0"}`)
		require.Equal(t, http.StatusInternalServerError, w.Code)
	})

	t.Run("marks on the system chat are not stored, categories are cut at 40 characters", func(t *testing.T) {
		s := newChats(t)
		system, err := s.SystemChat(t.Context())
		require.NoError(t, err)
		for _, name := range []string{"star", "hide", "mute"} {
			require.Equal(t, map[string]any{"gid": system, name: true}, call(t, s, 4, name, system, true).object())
			require.Zero(t, getChat(t, s, system)[name])
			call(t, s, 4, name, "g", true)
			require.EqualValues(t, 1, getChat(t, s, "g")[name])
		}
		call(t, s, 4, "category", []any{system, "G"}, strings.Repeat("c", 50))
		require.NotContains(t, getChat(t, s, system), "category")
		require.Equal(t, strings.Repeat("c", 40), getChat(t, s, "g")["category"])
		require.Zero(t, call(t, s, 5, "getlist").rows()[1]["star"], "marks are each user's own")
	})
}

func TestSetAdmin(t *testing.T) {
	s := newBackend(t, Options{Now: atRecording})
	login(t, s, "alice", "dave")
	call(t, s, 4, "create", "g", "G", "group", []any{4, 5}, 0, false)
	system, err := s.SystemChat(t.Context())
	require.NoError(t, err)

	t.Run("only admin super may", func(t *testing.T) {
		for _, user := range []int{4, 7, 999} {
			require.Equal(t, "不是系统管理员。", call(t, s, user, "setadmin", system, []any{4}, true).Message)
		}
	})
	t.Run("only in a system chat", func(t *testing.T) {
		require.Equal(t, "不是系统会话。", call(t, s, 1, "setadmin", "g", []any{4}, true).Message)
		require.Equal(t, "会话不存在。", call(t, s, 1, "setadmin", "nochat", []any{4}, true).Message)
	})
	t.Run("the list begins with a comma and keeps duplicates", func(t *testing.T) {
		call(t, s, 1, "setadmin", system, []any{4, 7}, true)
		set := call(t, s, 1, "setadmin", system, []any{4}, true)
		require.Equal(t, ",4,7,4", set.object()["admins"])
		require.Equal(t, []any{4.0, 7.0}, set.Users)
		require.NotEqual(t, corrupted, set.object()["createdDate"])
		require.Equal(t, ",7,4", call(t, s, 1, "setadmin", system, []any{4}, false).object()["admins"])
	})
}

// getChat returns a chat as alice's list has it.
func getChat(t *testing.T, s *Backend, gid string) map[string]any {
	t.Helper()
	for _, c := range call(t, s, 4, "getlist").rows() {
		if c["gid"] == gid {
			return c
		}
	}
	t.Fatalf("no chat %q in the list", gid)
	return nil
}
