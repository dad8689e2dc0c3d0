package contract

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/xuangate/xuangate/gen/model"
)

func TestCallsByName(t *testing.T) {
	for _, mode := range modes {
		t.Run(mode, func(t *testing.T) {
			w := start(t, mode, func(s *site) {
				s.node.Inner.Calls = []string{"chat/getList", "chat/members", "chat/addmember", "chat/userGetList", "chat/userchange"}
			})
			alice, bob := w.signIn("alice"), w.signIn("bob")
			team, at := alice.group("team", bob), bob.here()
			call := func(body object) answer { return w.inner("/call", body) }

			members, err := decoded[struct{ Members []int }](call(object{"call": "chat/members", "params": []any{team}}))
			require.NoError(t, err)
			require.Equal(t, []int{4, 5}, members.Members)
			list, err := decoded[[]object](call(object{"call": "chat/getlist"}))
			require.NoError(t, err)
			require.Len(t, list, 1, "the operator is in the system chat alone")

			require.Equal(t, model.OK, call(object{"call": "chat/addmember", "params": []any{team, []int{5}, false}}).Code)
			bob.fails(model.NotFound, "/send_msg", object{"conversation_id": team, "content": "x"})
			heard, _ := bob.until(at, count(model.EventKindConversation, 1))
			require.Contains(t, kinds(heard), "members", "who was removed by a call hears of it too")
			require.Equal(t, []string{"4"}, alice.detail(team).Members)

			a := call(object{"call": "chat/userchange", "session": "5", "params": []any{object{"qq": "10001"}}})
			if w.has("profile") {
				require.Equal(t, model.OK, a.Code, a.Error)
				require.Equal(t, "10001", get[model.Me](bob, "/get_me", object{}).QQ)
			} else {
				require.Equal(t, model.Unsupported, a.Code)
			}
			if w.linked() {
				a := call(object{"call": "chat/userchange", "session": "6", "params": []any{object{"qq": "10001"}}})
				require.Equal(t, model.Unsupported, a.Code, "carol is not signed in here")
			}
			require.Equal(t, model.NotAllowed, call(object{"call": "chat/dismiss", "params": []any{team}}).Code)
			require.Equal(t, model.NotAllowed, call(object{"call": "chat/nosuch"}).Code)
			require.Equal(t, model.InvalidParameter, call(object{"call": "chat/members", "params": []any{}}).Code)
			require.Equal(t, model.InvalidParameter, call(object{"call": "chat/getlist", "params": []any{1}}).Code)
			require.Equal(t, model.NotAllowed, alice.post("/inner/call", object{"call": "chat/getlist"}).Code, "a token is no inner key")
			alice.say(team, "nobody was kicked out")
		})
	}
}

func TestRevokingTokens(t *testing.T) {
	inEachMode(t, func(t *testing.T, w *world) {
		alice, phone, bob := w.signIn("alice"), w.signInOn("alice", 2), w.signIn("bob")
		revoke := func(body object) int {
			done, err := decoded[model.Revoked](w.inner("/revoke_tokens", body))
			require.NoError(t, err)
			return done.Revoked
		}
		stream := sseStream(t.Context(), alice, "")
		require.Equal(t, 1, revoke(object{"session": alice.session, "platform": 1}))
		for range stream { // it ends
		}
		alice.fails(model.InvalidToken, "/get_me", object{})
		get[model.Me](phone, "/get_me", object{})
		require.Equal(t, 1, revoke(object{"account": "alice"}))
		phone.fails(model.InvalidToken, "/get_me", object{})
		require.Zero(t, revoke(object{"account": "alice"}))
		require.Zero(t, revoke(object{"session": "99"}))
		get[model.Me](bob, "/get_me", object{})
		require.Equal(t, model.NotFound, w.inner("/revoke_tokens", object{"account": "nobody"}).Code)
		for _, bad := range []object{{}, {"session": "4", "account": "alice"}, {"session": "x"}} {
			require.Equal(t, model.InvalidParameter, w.inner("/revoke_tokens", bad).Code)
		}
		bob.fails(model.NotAllowed, "/inner/revoke_tokens", object{"session": "4"})
	})
}
