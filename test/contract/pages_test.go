package contract

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/xuangate/xuangate/gen/model"
)

func TestReadingPageByPage(t *testing.T) {
	inEachMode(t, func(t *testing.T, w *world) {
		alice, bob := w.signIn("alice"), w.signIn("bob")
		team, other := alice.group("team"), alice.group("other")
		const n = 350
		alice.fill(team, n, func(i int) time.Time { return time.Unix(1795300000+int64(i/7), 0) })
		page := func(more object) model.Messages {
			more["conversation_id"] = team
			before := w.calls("history")
			m := get[model.Messages](alice, "/get_conversation_msgs", more)
			require.LessOrEqual(t, w.calls("history")-before, 3+w.countsDates(n), "%v", more)
			return m
		}

		t.Run("backwards", func(t *testing.T) {
			m := page(object{"limit": 100, "desc": true})
			read := contents(m.Msg)
			for m.HasMore {
				require.Len(t, m.Msg, 100)
				m = page(object{"limit": 100, "desc": true, "before": m.Msg[len(m.Msg)-1].MsgId})
				read = append(read, contents(m.Msg)...)
			}
			slices.Reverse(read)
			require.Equal(t, numbers(0, n), read)
		})
		t.Run("forwards", func(t *testing.T) {
			first := page(object{"limit": 100, "before": page(object{"limit": 1}).Msg[0].MsgId})
			for first.HasMore {
				first = page(object{"limit": 100, "before": first.Msg[0].MsgId})
			}
			m := page(object{"limit": 100, "after": first.Msg[0].MsgId})
			read := contents(m.Msg)
			for m.HasMore {
				m = page(object{"limit": 100, "after": m.Msg[len(m.Msg)-1].MsgId})
				read = append(read, contents(m.Msg)...)
			}
			require.Equal(t, numbers(1, n), read)
			require.Empty(t, page(object{"after": m.Msg[len(m.Msg)-1].MsgId}).Msg)
		})
		t.Run("30 unless told otherwise, and no more are there where HasMore says so", func(t *testing.T) {
			m := page(object{})
			require.Equal(t, numbers(n-30, n), contents(m.Msg))
			require.True(t, m.HasMore)
			eleventh := page(object{"limit": 11}).Msg[0].MsgId
			m = page(object{"after": eleventh, "limit": 10})
			require.Equal(t, numbers(n-10, n), contents(m.Msg))
			require.False(t, m.HasMore)
			require.True(t, page(object{"after": eleventh, "limit": 9}).HasMore)
		})
		t.Run("what is no page", func(t *testing.T) {
			id := page(object{"limit": 1}).Msg[0].MsgId
			elsewhere := alice.say(other, "x")
			for _, more := range []object{
				{"limit": 0}, {"limit": 101}, {"before": id, "after": id}, {"before": "garbage"}, {"before": ""}, {"after": elsewhere},
			} {
				more["conversation_id"] = team
				alice.fails(model.InvalidParameter, "/get_conversation_msgs", more)
			}
			bob.fails(model.NotFound, "/get_conversation_msgs", object{"conversation_id": team})
			require.Empty(t, get[model.Messages](alice, "/get_conversation_msgs", object{"conversation_id": alice.group("silent")}).Msg)
		})
	})
}

func TestSendingForInternalSystems(t *testing.T) {
	inEachMode(t, func(t *testing.T, w *world) {
		alice, bob := w.signIn("alice"), w.signIn("bob")
		team := alice.group("team")
		at, away := alice.here(), bob.here()
		say := func(more object) answer {
			more["conversation_id"] = team
			return w.inner("/send_msg", more)
		}
		id := func(a answer) string {
			var sent model.SentMsg
			require.Equal(t, model.OK, a.Code, a.Error)
			require.NoError(t, json.Unmarshal(a.Data, &sent))
			return sent.MsgID
		}
		first := id(say(object{"content": "from the operator", "client_msg_id": "a"}))
		require.Equal(t, first, id(say(object{"content": "from the operator", "client_msg_id": "a"})))
		second := id(say(object{"content": "as alice", "session": alice.session}))
		heard, _ := alice.until(at, count(model.EventKindMessage, 2))
		told := only(heard, model.EventKindMessage)
		require.Len(t, told, 2)
		require.Equal(t, []string{"1", first, alice.session, second}, []string{told[0].message(t).FromSession, told[0].message(t).MsgId, told[1].message(t).FromSession, told[1].message(t).MsgId})

		require.Equal(t, model.NotFound, say(object{"content": "x", "session": bob.session}).Code, "a user must be a member")
		require.Equal(t, model.InvalidParameter, say(object{"content": "x", "session": "99"}).Code)
		require.Equal(t, model.NotFound, w.inner("/send_msg", object{"conversation_id": "nosuch", "content": "x"}).Code)
		dave := say(object{"content": "x", "session": "7"})
		if w.linked() {
			require.Equal(t, model.Unsupported, dave.Code, "dave is not signed in here")
			require.Contains(t, dave.Error, "legacy.mode")
		} else {
			require.Equal(t, model.NotFound, dave.Code)
		}

		alice.ok("/set_conversation_committers", object{"conversation_id": team, "committers": []string{alice.session}})
		require.Equal(t, model.NotAllowed, say(object{"content": "x"}).Code)
		id(say(object{"content": "I may", "session": alice.session}))
		if w.has("dismiss") {
			alice.ok("/dismiss_conversation", object{"conversation_id": team})
			require.Equal(t, model.Conflict, say(object{"content": "x"}).Code)
		}
		require.Equal(t, []string{"from the operator", "as alice", "I may"}, contents(alice.last30(team)))
		heard, _ = bob.poll(away, 0)
		require.Empty(t, only(heard, model.EventKindMessage))
	})
}

func TestAConversationMadeForItsOwner(t *testing.T) {
	inEachMode(t, func(t *testing.T, w *world) {
		alice := w.signIn("alice")
		create := func(more object) (string, answer) {
			a := w.inner("/create_conversation", more)
			var ref model.ConversationRef
			if a.Code == model.OK {
				require.NoError(t, json.Unmarshal(a.Data, &ref))
			}
			return ref.ConversationId, a
		}
		id, a := create(object{"conversation_type": 0, "sessions": []string{"5"}, "name": "值班", "owner": alice.session})
		require.Equal(t, model.OK, a.Code, a.Error)
		d := alice.detail(id)
		require.Equal(t, "alice", d.Creator)
		require.Equal(t, []string{"4", "5"}, d.Members)
		alice.ok("/rename_conversation", object{"conversation_id": id, "name": "hers to rename"})

		_, a = create(object{"conversation_type": 0, "sessions": []string{"5"}, "owner": "99"})
		require.Equal(t, model.InvalidParameter, a.Code)
		_, a = create(object{"conversation_type": 1, "sessions": []string{"5", "6"}, "owner": alice.session})
		require.Equal(t, model.InvalidParameter, a.Code)
		id, _ = create(object{"conversation_type": 1, "sessions": []string{"5"}, "owner": alice.session})
		require.Equal(t, "4&5", id)
		_, a = create(object{"conversation_type": 0, "sessions": []string{"5"}, "owner": "7"})
		if w.linked() {
			require.Equal(t, model.Unsupported, a.Code)
			require.Contains(t, a.Error, "legacy.mode")
		} else {
			require.Equal(t, model.OK, a.Code, a.Error)
		}
		id, a = create(object{"conversation_type": 0, "sessions": []string{"4"}, "name": "the operator's"})
		require.Equal(t, model.OK, a.Code)
		alice.fails(model.NotAllowed, "/rename_conversation", object{"conversation_id": id, "name": "x"})
	})
}
