package contract

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/xuangate/xuangate/gen/model"
	"github.com/xuangate/xuangate/test/xuanxuan"
)

// user is somebody signed in.
type user struct {
	w       *world
	account string
	session string
	token   string
}

type object = map[string]any

func (w *world) signIn(account string) *user {
	w.t.Helper()
	return w.signInOn(account, 1)
}

func (w *world) signInOn(account string, platform int) *user {
	w.t.Helper()
	a := w.post("/login", http.Header{}, object{"account": account, "password": xuanxuan.DemoPassword, "platform": platform})
	require.Equal(w.t, model.OK, a.Code, a.Error)
	var l model.Login
	require.NoError(w.t, json.Unmarshal(a.Data, &l))
	return &user{w: w, account: account, session: l.Session, token: l.Token}
}

func (u *user) post(path string, body any) answer {
	u.w.t.Helper()
	return u.w.post(path, http.Header{"Authorization": {"Bearer " + u.token}}, body)
}

// ask is post for goroutines other than the test's.
func (u *user) ask(path string, body any) (answer, error) {
	return u.w.ask(path, http.Header{"Authorization": {"Bearer " + u.token}}, body)
}

// get is post for what must work; it decodes the data.
func get[T any](u *user, path string, body any) T {
	u.w.t.Helper()
	v, err := decoded[T](u.post(path, body))
	require.NoError(u.w.t, err)
	return v
}

// decoded is the data of an answer, which must not be a refusal.
func decoded[T any](a answer) (v T, err error) {
	if a.Code != model.OK {
		return v, fmt.Errorf("code %d: %s", a.Code, a.Error)
	}
	return v, json.Unmarshal(a.Data, &v)
}

func (u *user) fails(want model.Code, path string, body any) string {
	u.w.t.Helper()
	a := u.post(path, body)
	require.Equal(u.w.t, want, a.Code, "%s %s", path, a.Error)
	return a.Error
}

// group creates a group of u and others.
func (u *user) group(name string, others ...*user) string {
	u.w.t.Helper()
	members := []string{}
	for _, o := range others {
		members = append(members, o.session)
	}
	return get[model.ConversationRef](u, "/create_conversation", object{"conversation_type": 0, "name": name, "members": members}).ConversationId
}

func (u *user) say(conversation, content string) string {
	u.w.t.Helper()
	return get[model.SentMsg](u, "/send_msg", object{"conversation_id": conversation, "content": content}).MsgID
}

func (u *user) last30(conversation string) []model.MsgData {
	u.w.t.Helper()
	return get[model.Messages](u, "/get_conversation_last_30_msg", object{"conversation_id": conversation}).Msg
}

func contents(list []model.MsgData) []string {
	out := []string{}
	for _, m := range list {
		out = append(out, m.Content)
	}
	return out
}

// numbers are the decimal numbers lo…hi-1, which InsertMessages below stores as contents.
func numbers(lo, hi int) []string {
	out := []string{}
	for i := max(lo, 0); i < hi; i++ {
		out = append(out, fmt.Sprint(i))
	}
	return out
}

// fill stores n messages of u straight in the legacy server, numbered from 0.
func (u *user) fill(conversation string, n int, date func(i int) time.Time) {
	u.w.t.Helper()
	err := u.w.legacy.InsertMessages(u.w.t.Context(), conversation, n, func(i int) xuanxuan.Message {
		return xuanxuan.Message{User: 4, Content: fmt.Sprint(i), Date: date(i)}
	})
	require.NoError(u.w.t, err)
}
