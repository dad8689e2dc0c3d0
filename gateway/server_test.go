package gateway

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/xuangate/xuangate/gateway/login"
	"github.com/xuangate/xuangate/gen/model"
)

func TestOperations(t *testing.T) {
	w := newWorld(t, nil)
	token := w.signIn(alice, 1)

	t.Run("sign in, act, sign out", func(t *testing.T) {
		a := w.post("/login", "", `{"account":"alice","password":"123456","platform":7}`)
		require.Equal(t, http.StatusOK, a.status)
		var in model.Login
		require.NoError(t, json.Unmarshal(a.data, &in))
		require.Equal(t, "4", in.Session)
		require.Equal(t, "alice", in.User.Account)
		require.Greater(t, in.ExpiresAt, time.Now().Add(29*24*time.Hour).UnixMicro())
		require.Equal(t, model.OK, w.post("/get_joined_conversation", login.Token(in.Token), nil).code)
		a = w.post("/logout", login.Token(in.Token), nil)
		require.Equal(t, "{\"code\":0}\n", a.body)
		require.Equal(t, model.InvalidToken, w.post("/get_joined_conversation", login.Token(in.Token), nil).code)
	})

	t.Run("legacy gets the password's MD5, whichever form the client sends", func(t *testing.T) {
		const digest = "e10adc3949ba59abbe56e057f20f883e"
		for _, body := range []string{`{"account":"alice","password":"123456"}`, `{"account":"alice","password_md5":"E10ADC3949BA59ABBE56E057F20F883E"}`} {
			require.Equal(t, model.OK, w.post("/login", "", body).code)
			w.legacy.mu.Lock()
			for _, c := range w.legacy.calls {
				if c.Method == "login" {
					require.Contains(t, fmt.Sprint(c.Params), digest)
				}
			}
			w.legacy.mu.Unlock()
		}
	})

	t.Run("every operation answers", func(t *testing.T) {
		w.say(token, "hello")
		for path, body := range map[string]string{
			"/check_joined_conversation":            `{"conversation_id":"team"}`,
			"/get_joined_conversation":              `{"SessionId":"4"}`,
			"/get_conversation_detail":              `{"conversation_id":"team"}`,
			"/get_lastone_msgid":                    `{"conversation_id":"team"}`,
			"/get_conversation_last_30_msg":         `{"conversation_id":"team","desc":true}`,
			"/get_conversation_lastone_msg":         `{"conversation_id":"team"}`,
			"/get_conversation_msg_by_range":        `{"conversation_id":"team","start_msg_id":"","end_msg_id":""}`,
			"/get_conversation_30msg_before_the_id": `{"conversation_id":"team","msg_id":"x"}`,
			"/get_conversation_30msg_after_the_id":  `{"conversation_id":"team","msg_id":"x"}`,
		} {
			a := w.post(path, token, body)
			if strings.Contains(body, "msg_id") {
				require.Equal(t, model.InvalidParameter, a.code, path)
				continue
			}
			require.Equal(t, model.OK, a.code, "%s: %s", path, a.text)
		}
	})

	t.Run("lists are lists, never null", func(t *testing.T) {
		a := w.post("/get_conversation_last_30_msg", token, `{"conversation_id":"team"}`)
		require.JSONEq(t, `{"Msg":[]}`, string(a.data))
	})

	t.Run("the document is served", func(t *testing.T) {
		resp, err := w.http.Get(w.url + "/openapi.json")
		require.NoError(t, err)
		defer resp.Body.Close()
		var document map[string]any
		require.NoError(t, json.NewDecoder(resp.Body).Decode(&document))
		require.Equal(t, "3.0.3", document["openapi"])
	})

	t.Run("another user's conversations are not listed", func(t *testing.T) {
		a := w.post("/get_joined_conversation", token, `{"SessionId":"5"}`)
		require.Equal(t, model.NotAllowed, a.code)
		require.Equal(t, "SessionId: only your own session, 4, or none", a.text)
	})
}
