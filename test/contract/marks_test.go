package contract

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/xuangate/xuangate/gen/model"
)

func TestOwnMarks(t *testing.T) {
	inEachMode(t, func(t *testing.T, w *world) {
		alice, phone, bob := w.signIn("alice"), w.signInOn("alice", 2), w.signIn("bob")
		team, system := alice.group("team", bob), alice.joined()[0]
		for _, c := range []struct {
			path, field string
			value, none any
			what        model.ConversationEventChanged
			told        func(model.ConversationEvent) any
			kept        func(model.Conversation) any
		}{
			{"/star_conversation", "star", true, false, model.ChangedStarred, func(e model.ConversationEvent) any { return *e.IsStar }, func(c model.Conversation) any { return c.IsStar }},
			{"/hide_conversation", "hide", true, false, model.ChangedArchived, func(e model.ConversationEvent) any { return *e.IsArchive }, func(c model.Conversation) any { return c.IsArchive }},
			{"/mute_conversation", "mute", true, false, model.ChangedMuted, func(e model.ConversationEvent) any { return *e.IsMute }, func(c model.Conversation) any { return c.IsMute }},
			{"/set_conversation_category", "category", "项目", "", model.ChangedCategorized, func(e model.ConversationEvent) any { return *e.Category }, func(c model.Conversation) any { return c.Category }},
		} {
			if !w.has(c.field) {
				continue
			}
			at, atPhone, atBob := alice.here(), phone.here(), bob.here()
			set := func(id string, v any) object { return object{"conversation_id": id, c.field: v} }
			alice.ok(c.path, set(team, c.value))
			alice.ok(c.path, set(team, c.value))
			for _, heard := range []model.ConversationEvent{phone.hears(atPhone, team, c.what), alice.hears(at, team, c.what)} {
				require.Equal(t, c.value, c.told(heard), c.path)
				require.Equal(t, []model.ConversationEventChanged{c.what}, heard.Changed)
			}
			require.Equal(t, c.value, c.kept(phone.detail(team)), c.path)
			require.Equal(t, c.none, c.kept(bob.detail(team)), "%s: each member's own", c.path)
			bob.quiet(atBob, team, 0)
			phone.quiet(atPhone, team, 1)
			phone.ok(c.path, set(team, c.none))
			require.Equal(t, c.none, c.kept(alice.detail(team)), c.path)

			before := w.calls(c.field)
			alice.fails(model.Conflict, c.path, set(system, c.value))
			w.signIn("carol").fails(model.NotFound, c.path, set(team, c.value))
			alice.fails(model.NotFound, c.path, set("nosuch", c.value))
			alice.fails(model.InvalidParameter, c.path, object{"conversation_id": team})
			require.Equal(t, before, w.calls(c.field), "legacy would say success and store nothing")
		}
		if !w.has("category") {
			return
		}
		alice.fails(model.InvalidParameter, "/set_conversation_category", object{"conversation_id": team, "category": strings.Repeat("类", 41)})
		alice.fails(model.Conflict, "/set_conversation_category", object{"conversation_id": team, "category": "😄"})
		alice.ok("/set_conversation_category", object{"conversation_id": team, "category": strings.Repeat("类", 40)})
		require.Equal(t, strings.Repeat("类", 40), alice.detail(team).Category)
	})
}

func TestTheWholeList(t *testing.T) {
	inEachMode(t, func(t *testing.T, w *world) {
		alice, bob := w.signIn("alice"), w.signIn("bob")
		subject := get[model.ConversationRef](alice, "/create_conversation", object{"conversation_type": 0, "name": "产品", "subject": 7}).ConversationId
		team, silent := alice.group("team", bob), alice.group("silent", bob)
		bob.say(team, "one")
		bob.say(team, "two")
		alice.ok("/star_conversation", object{"conversation_id": team, "star": true})
		if w.has("category") {
			alice.ok("/set_conversation_category", object{"conversation_id": silent, "category": "later"})
		}
		if w.has("dismiss") {
			alice.ok("/dismiss_conversation", object{"conversation_id": silent})
		}

		list := get[model.Conversations](alice, "/get_conversations", object{})
		require.False(t, list.Partial)
		ids := []string{}
		for _, c := range list.Conversations {
			require.Equal(t, alice.detail(c.ConversationID), c, "as its details are")
			ids = append(ids, c.ConversationID)
		}
		require.Equal(t, alice.joined(), ids)
		at := func(id string) model.Conversation {
			return list.Conversations[slices.Index(ids, id)]
		}
		require.Equal(t, "two", at(team).LastMsg.Content)
		require.Equal(t, at(team).LastMsg.MsgId, at(team).LastMsgID)
		require.True(t, at(team).IsStar)
		require.Equal(t, w.has("category"), at(silent).Category == "later")
		require.Equal(t, w.has("dismiss"), at(silent).IsDelete)
		require.EqualValues(t, 7, at(subject).Subject)

		before := w.calls("history")
		get[model.Conversations](alice, "/get_conversations", object{})
		require.Equal(t, before, w.calls("history"), "last messages are known")
	})
}
