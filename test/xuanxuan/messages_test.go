package xuanxuan

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// textMessage is a plain message as a client sends it.
func textMessage(gid, content string) map[string]any {
	return map[string]any{"gid": gid, "cgid": "g", "type": "normal", "contentType": "text", "content": content, "date": "", "user": 4, "order": 1}
}

// with returns a message with one field changed.
func with(m map[string]any, field string, v any) map[string]any {
	m[field] = v
	return m
}

// sendObject is the form of params that names no sender.
func sendObject(t *testing.T, s *Backend, user int, messages ...any) reply {
	t.Helper()
	return ask(t, s, map[string]any{"module": "chat", "method": "message", "params": map[string]any{"messages": messages}, "userID": user, "v": "2.3.0", "lang": "zh-cn"})
}

func newGroup(t *testing.T, o Options) *Backend {
	s := newBackend(t, o)
	login(t, s, "alice", "bob", "carol")
	call(t, s, 4, "create", "g", "G", "group", []any{4, 5, 7}, 0, false)
	return s
}

func TestMessageText(t *testing.T) {
	for _, c := range []struct{ name, sent, stored string }{
		{"65,535 bytes fit", strings.Repeat("x", 65535), strings.Repeat("x", 65535)},
		{"a byte more is cut off", strings.Repeat("x", 65536), strings.Repeat("x", 65535)},
		{"bytes count, not characters", strings.Repeat("中", 21846), strings.Repeat("中", 21845)},
		{"a character is not cut in two", "x" + strings.Repeat("中", 21845), "x" + strings.Repeat("中", 21844)},
		{"an emoji takes four question marks", "a😀b", "a????b"},
		{"question marks count", strings.Repeat("x", 65533) + "😀", strings.Repeat("x", 65533) + "??"},
		{"nothing is fine", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newGroup(t, Options{})
			sent := call(t, s, 4, "message", []any{textMessage("m", c.sent)})
			require.Equal(t, "success", sent.Result)
			require.Equal(t, []any{c.stored}, sent.column("content"))
			require.Equal(t, []any{c.stored}, call(t, s, 4, "history", "g", 1, 1, 0, false, 0).column("content"))
		})
	}

	t.Run("utf8mb4 tables keep emoji", func(t *testing.T) {
		s := newGroup(t, Options{UTF8MB4: true})
		require.Equal(t, []any{"a😀b"}, call(t, s, 4, "message", []any{textMessage("m", "a😀b")}).column("content"))
	})
}

func TestMessageKinds(t *testing.T) {
	s := newGroup(t, Options{})
	for sent, stored := range map[any]string{"emoticon": "", "emotion": "emotion", "OBJECT": "object", "plain": "plain", "5": "file", "7": "", "": ""} {
		m := with(textMessage(fmt.Sprint("kind ", sent), "x"), "contentType", sent)
		require.Equal(t, []any{stored}, call(t, s, 4, "message", []any{m}).column("contentType"), "contentType %v", sent)
	}
}

func TestMessageWithKnownGID(t *testing.T) {
	t.Run("another chat's image is replaced and answered", func(t *testing.T) {
		s := newGroup(t, Options{})
		call(t, s, 6, "create", "private", "P", "group", []any{6, 7}, 0, false)
		image := map[string]any{"gid": "image", "cgid": "private", "type": "normal", "contentType": "image", "content": "secret", "user": 6}
		call(t, s, 6, "message", []any{image})
		sent := call(t, s, 4, "message", []any{textMessage("image", "overwritten")})
		require.Equal(t, []any{"private"}, sent.column("cgid"))
		require.Equal(t, []any{6.0}, sent.column("user"))
		require.Equal(t, []any{"overwritten"}, call(t, s, 6, "history", "private", 1, 1, 0, false, 0).column("content"))
	})

	t.Run("another chat's text is answered as it is", func(t *testing.T) {
		s := newGroup(t, Options{})
		call(t, s, 6, "create", "private", "P", "group", []any{6, 7}, 0, false)
		call(t, s, 6, "message", []any{with(textMessage("text", "secret"), "cgid", "private")})
		require.Equal(t, []any{"secret"}, call(t, s, 4, "message", []any{textMessage("text", "mine")}).column("content"))
		require.Empty(t, call(t, s, 4, "history", "g", 1, 1, 0, false, 0).rows())
	})

	t.Run("who is offline gets it once more", func(t *testing.T) {
		s := newGroup(t, Options{})
		call(t, s, 4, "message", []any{textMessage("m", "x")})
		require.Len(t, call(t, s, 7, "getOfflineMessages").rows(), 1)
		require.Empty(t, call(t, s, 7, "getOfflineMessages").rows())
		call(t, s, 4, "message", []any{textMessage("m", "x")})
		require.Len(t, call(t, s, 7, "getOfflineMessages").rows(), 1)
	})

	t.Run("sent ten times at once it is stored more than once", func(t *testing.T) {
		s := newGroup(t, Options{})
		s.SetFaults(Fault{Method: "message", TwinWindow: 50 * time.Millisecond})
		var wg sync.WaitGroup
		for range 10 {
			wg.Go(func() { call(t, s, 4, "message", []any{textMessage("twin", "x")}) })
		}
		wg.Wait()
		stored := len(call(t, s, 4, "history", "g", 100, 1, 0, false, 0).rows())
		require.Greater(t, stored, 1)
		s.SetFaults()
		require.Equal(t, []any{1.0}, call(t, s, 4, "message", []any{textMessage("twin", "x")}).column("id"), "the first twin is the one found")
		require.Len(t, call(t, s, 4, "history", "g", 100, 1, 0, false, 0).rows(), stored)
	})
}

func TestLostMessages(t *testing.T) {
	s := newGroup(t, Options{})
	call(t, s, 4, "message", []any{textMessage("first", "x")})
	for name, m := range map[string]map[string]any{
		"unknown field":          with(textMessage("a", "x"), "foo", "bar"),
		"a field in two cases":   with(textMessage("b", "x"), "Content", "y"),
		"an id that is taken":    with(textMessage("c", "x"), "id", 1),
		"deleted is of 2.4 only": with(textMessage("d", "x"), "deleted", "0"),
	} {
		t.Run(name, func(t *testing.T) {
			sent := call(t, s, 4, "message", []any{m})
			require.Equal(t, "success", sent.Result)
			require.Equal(t, []any{}, sent.Data)
			require.Len(t, call(t, s, 4, "history", "g", 9, 1, 0, false, 0).rows(), 1)
		})
	}

	t.Run("the others of the call are stored", func(t *testing.T) {
		sent := call(t, s, 4, "message", []any{with(textMessage("lost", "x"), "foo", "bar"), textMessage("kept", "x")})
		require.Equal(t, []any{"kept"}, sent.column("gid"))
	})
	t.Run("a client may choose the id", func(t *testing.T) {
		require.Equal(t, []any{500.0}, call(t, s, 4, "message", []any{with(textMessage("chosen", "x"), "id", 500)}).column("id"))
		require.Equal(t, []any{501.0}, call(t, s, 4, "message", []any{textMessage("next", "x")}).column("id"))
	})
	t.Run("content may not be an object", func(t *testing.T) {
		w := post(s, `{"module":"chat","method":"message","params":[[{"gid":"o","cgid":"g","content":{"a":1}}]],"userID":4,"v":"2.3.0"}`)
		require.Equal(t, 500, w.Code)
	})
}

func TestWhoMaySend(t *testing.T) {
	send := func(t *testing.T, s *Backend, user int, form string) string {
		m := textMessage(fmt.Sprint(user, form), "x")
		if form == "object" {
			return sendObject(t, s, user, m).Result
		}
		return call(t, s, user, "message", []any{m}).Result
	}
	for _, c := range []struct {
		committers string
		user       int
		form, want string
	}{
		{"", 6, "list", "success"},
		{"", 6, "object", "success"},
		{"4,5", 4, "list", "success"},
		{"4,5", 6, "list", "fail"},
		{"4,5", 4, "object", "fail"},
		{"$ADMINS", 4, "object", "success"},
		{"$ADMINS", 6, "object", "success"},
		{"$ADMINS", 1, "list", "fail"},
	} {
		t.Run(fmt.Sprintf("committers %q, user %d, %s form: %s", c.committers, c.user, c.form, c.want), func(t *testing.T) {
			s := newGroup(t, Options{Now: atRecording})
			call(t, s, 4, "setcommitters", "g", c.committers)
			require.Equal(t, c.want, send(t, s, c.user, c.form))
		})
	}

	t.Run("the refusal names the chat", func(t *testing.T) {
		s := newGroup(t, Options{Now: atRecording})
		call(t, s, 4, "setcommitters", "g", "5")
		refused := call(t, s, 4, "message", []any{textMessage("m", "x")})
		require.Equal(t, []map[string]any{{"gid": "g", "messages": "没有发言权限。"}}, refused.rows())
		require.Nil(t, refused.Users)
	})
	t.Run("committers may send to a dismissed chat", func(t *testing.T) {
		s := newGroup(t, Options{Now: atRecording})
		call(t, s, 4, "setcommitters", "g", "4")
		call(t, s, 4, "dismiss", "g")
		require.Equal(t, "success", send(t, s, 4, "list"))
	})
}

func TestWhoHears(t *testing.T) {
	t.Run("the sender stands first, once, the others by id", func(t *testing.T) {
		s := newGroup(t, Options{})
		require.Equal(t, []any{5.0, 4.0}, call(t, s, 5, "message", []any{textMessage("m", "x")}).Users)
	})
	t.Run("an outsider hears his own message in the list form only", func(t *testing.T) {
		s := newGroup(t, Options{})
		require.Equal(t, []any{6.0, 4.0, 5.0}, call(t, s, 6, "message", []any{textMessage("m", "x")}).Users)
		require.Equal(t, []any{0.0, 4.0, 5.0}, sendObject(t, s, 6, textMessage("n", "x")).Users)
	})
	t.Run("with nobody online the object form reaches nobody", func(t *testing.T) {
		s := newGroup(t, Options{})
		for _, user := range []int{4, 5, 6} {
			call(t, s, user, "logout")
		}
		require.Equal(t, []any{0.0}, sendObject(t, s, 4, textMessage("m", "x")).Users)
		require.Len(t, call(t, s, 4, "getOfflineMessages").rows(), 1, "it waits for the sender as well")
	})
	t.Run("who has set himself offline gets messages as offline ones", func(t *testing.T) {
		s := newGroup(t, Options{})
		require.Equal(t, []any{4.0, 6.0}, call(t, s, 5, "userchange", map[string]any{"status": "offline"}).Users)
		require.Equal(t, []any{4.0}, call(t, s, 4, "message", []any{textMessage("m", "x")}).Users)
		require.Len(t, call(t, s, 5, "getOfflineMessages").rows(), 1)
	})
}

func TestOfflineMessages(t *testing.T) {
	newYork, err := time.LoadLocation("America/New_York")
	require.NoError(t, err)
	s := newGroup(t, Options{Timezone: newYork, Now: atRecording})
	call(t, s, 4, "message", []any{with(textMessage("a", "1"), "order", 7)})
	call(t, s, 4, "message", []any{with(textMessage("b", "2"), "order", 9)})
	call(t, s, 4, "message", []any{with(textMessage("c", "3"), "order", 7)})

	got := call(t, s, 7, "getOfflineMessages")
	require.Equal(t, "message", got.Method)
	require.Equal(t, []any{7.0}, got.Users)
	require.Equal(t, []any{"b", "c", "a"}, got.column("gid"), "by order, then id, highest first")
	require.Equal(t, map[string]any{
		"id": "2", "gid": "b", "cgid": "g", "user": "4", "date": "2026-11-21 20:46:40", "order": "9",
		"type": "normal", "content": "2", "contentType": "text", "data": "",
	}, got.rows()[0])
	require.Empty(t, call(t, s, 7, "getOfflineMessages").rows(), "they are told once")
}

func TestNotices(t *testing.T) {
	ctx := t.Context()
	notice := Notice{Users: []int64{5, 7}, Title: "T", Content: "text"}

	t.Run("a poll hands a notice to those online, once", func(t *testing.T) {
		s := newGroup(t, Options{})
		require.NoError(t, s.AddNotice(ctx, notice))
		first := ask(t, s, map[string]any{"module": "chat", "method": "notify", "params": map[string]any{"offline": nil, "sendfail": map[string]any{}}})
		require.Nil(t, first.Users)
		require.Contains(t, first.object(), "5")
		require.NotContains(t, first.object(), "7")
		require.NotContains(t, first.object(), "4")
		require.Equal(t, []any{}, call(t, s, 0, "notify", nil, nil).Data)
		later := call(t, s, 7, "getOfflineNotify")
		require.Equal(t, "notify", later.Method)
		require.Equal(t, []any{"T"}, later.column("title"))
		require.Empty(t, call(t, s, 7, "getOfflineNotify").rows())
	})

	t.Run("asking for messages first loses the notices, unless no message waits", func(t *testing.T) {
		s := newGroup(t, Options{})
		require.NoError(t, s.AddNotice(ctx, notice))
		require.Empty(t, call(t, s, 7, "getOfflineMessages").rows())
		call(t, s, 4, "message", []any{textMessage("m", "x")})
		require.Len(t, call(t, s, 7, "getOfflineMessages").rows(), 1)
		require.Empty(t, call(t, s, 7, "getOfflineNotify").rows())
	})

	t.Run("asking for notices first keeps both", func(t *testing.T) {
		s := newGroup(t, Options{})
		require.NoError(t, s.AddNotice(ctx, notice))
		call(t, s, 4, "message", []any{textMessage("m", "x")})
		require.Len(t, call(t, s, 7, "getOfflineNotify").rows(), 1)
		require.Len(t, call(t, s, 7, "getOfflineMessages").rows(), 1)
	})

	t.Run("a message of type notify is handed to everybody", func(t *testing.T) {
		s := newGroup(t, Options{})
		call(t, s, 4, "message", []any{with(textMessage("n", "for the group"), "type", "notify")})
		call(t, s, 7, "userchange", map[string]any{"status": "online"})
		handed := call(t, s, 0, "notify", nil, nil).object()
		for _, user := range []string{"4", "5", "6", "7"} {
			require.Contains(t, handed, user)
		}
		require.Nil(t, handed["6"].([]any)[0].(map[string]any)["title"])
	})

	t.Run("a poll sets offline whom xxd has lost, and redelivers nothing", func(t *testing.T) {
		s := newGroup(t, Options{})
		call(t, s, 4, "message", []any{textMessage("m", "x")})
		call(t, s, 0, "notify", []any{5, 6}, map[string]any{"4": []any{"m"}})
		require.Equal(t, []any{4.0}, call(t, s, 4, "userchange", map[string]any{"status": "busy"}).Users)
		require.Empty(t, call(t, s, 4, "getOfflineMessages").rows())
	})
}
