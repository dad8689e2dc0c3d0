package contract

import (
	"bytes"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/xuangate/xuangate/adapter/legacy"
	"github.com/xuangate/xuangate/gen/model"
	"github.com/xuangate/xuangate/test/xuanxuan"
)

// hostile are answers that no healthy server gives, as JSON or as what is none. sid is that of no session.
func hostile() map[string][]byte {
	const head = `{"module":"chat","method":"getlist","result":"success","users":[4],"data":`
	return map[string][]byte{
		"nothing":              {},
		"a word":               []byte("Fatal error"),
		"null":                 []byte("null"),
		"a list":               []byte("[]"),
		"brackets without end": bytes.Repeat([]byte("["), 1<<16),
		"deep data":            []byte(head + strings.Repeat(`{"a":[`, 5_000) + strings.Repeat("]}", 5_000) + "}"),
		"data of a wrong type": []byte(head + `{"id":[{}],"members":{"x":1}}}`),
		"rows of a wrong type": []byte(head + `[1,null,"x",[],{"id":{},"gid":[],"date":{},"members":"x","content":{}}]}`),
		"numbers beyond all":   []byte(head + `[{"id":1e999,"gid":"g","date":-1e300}]}`),
		"half a JSON":          []byte(head + `[{"id":1,"gid":"`),
		"bytes that are none":  []byte(head + "[{\"gid\":\"\xff\xfe\x00\"}]}"),
		"a wrong result":       []byte(`{"result":{"x":1},"message":[1],"data":null}`),
		"another's answer":     []byte(`{"module":"entry","method":"visit","result":"success","data":"x"}`),
		"much":                 []byte(head + `"` + strings.Repeat("x", 1<<18) + `"}`),
		"many rows":            []byte(head + `[` + strings.Repeat(`{},`, 20_000) + `{}]}`),
	}
}

// meantToFail are the answers for a server that is not well.
var meantToFail = []model.Code{model.OK, model.Unreachable, model.TooSlow, model.NotFound, model.Conflict, model.Unsupported, model.InvalidToken, model.SignedInElsewhere}

// TestAHostileServer lets every answer of the server be one that no healthy one gives. Users get a sentence, and afterwards
// all is as it was; that no goroutine is left is seen when the package ends. What a 1.0 server says wrongly ends its connection:
// see TestA10ServerInTrouble, and FuzzLines of adapter/v1.
func TestAHostileServer(t *testing.T) {
	t.Run("texts", func(t *testing.T) {
		t.Parallel()
		w := start(t, "xxb", func(s *site) { s.node.Legacy.Timeout = 5 * time.Second })
		alice := w.signIn("alice")
		team := alice.group("team")
		alice.say(team, "before")
		key, err := legacy.NewKey(xuanxuan.DefaultKey)
		require.NoError(t, err)
		rules := hostile()
		names := []string{}
		for name := range rules {
			names = append(names, name)
		}
		slices.Sort(names)
		for _, name := range names {
			for path, body := range map[string]object{
				"/get_conversations": {}, "/get_users": {}, "/get_conversation_last_30_msg": {"conversation_id": team},
				"/send_msg": {"conversation_id": team, "content": "x"},
			} {
				w.legacy.SetFaults(xuanxuan.Fault{Body: key.Seal(rules[name]), Status: http.StatusOK})
				a := alice.post(path, body)
				require.Contains(t, meantToFail, a.Code, "%s, %s: %s", name, path, a.Error)
				require.Less(t, len(a.Error), 500, "%s, %s", name, path)
				w.legacy.SetFaults()
				alice.recovers("/get_conversation_last_30_msg", object{"conversation_id": team})
			}
		}
		alice.recovers("/send_msg", object{"conversation_id": team, "content": "after", "client_msg_id": "after"})
		last := alice.last30(team)
		require.Equal(t, "before", last[0].Content)
		require.Equal(t, "after", last[len(last)-1].Content)
	})
	t.Run("sizes that are none of an envelope, and a stream of bytes without end", func(t *testing.T) {
		t.Parallel()
		w := start(t, "xxb", func(s *site) { s.node.Legacy.Timeout = 5 * time.Second })
		alice := w.signIn("alice")
		in := object{"conversation_id": alice.group("team")}
		for _, n := range []int{0, 1, 15, 17, 31, 100, 4096} {
			w.legacy.SetFaults(xuanxuan.Fault{Body: bytes.Repeat([]byte{7}, n), Status: http.StatusOK})
			a := alice.post("/get_conversation_last_30_msg", in)
			require.Contains(t, meantToFail, a.Code, fmt.Sprint(n, " ", a.Error))
			w.legacy.SetFaults()
			alice.recovers("/get_conversation_last_30_msg", in)
		}
		w.legacy.SetFaults(xuanxuan.Fault{Body: make([]byte, 65<<20), Status: http.StatusOK})
		require.Contains(t, []model.Code{model.Unreachable, model.TooSlow}, alice.post("/get_conversation_last_30_msg", in).Code)
		w.legacy.SetFaults()
		alice.recovers("/get_conversation_last_30_msg", in)
	})
}

// recovers asks until it is answered: after several answers that are none the chat server is left alone for five seconds.
func (u *user) recovers(path string, in object) {
	u.w.t.Helper()
	require.Eventually(u.w.t, func() bool { return u.post(path, in).Code == model.OK }, patience, 100*time.Millisecond, path)
}
