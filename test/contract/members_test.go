package contract

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/xuangate/xuangate/gen/model"
)

func (u *user) members(conversation string) []string {
	u.w.t.Helper()
	return get[model.ConversationMembers](u, "/get_conversation_members", object{"conversation_id": conversation}).Members
}

func with(conversation string, sessions ...string) object {
	return object{"conversation_id": conversation, "sessions": sessions}
}

func TestInvitingAndRemoving(t *testing.T) {
	inEachMode(t, func(t *testing.T, w *world) {
		alice, bob, carol, dave := w.signIn("alice"), w.signIn("bob"), w.signIn("carol"), w.signIn("dave")
		team := alice.group("team", bob)
		atAlice, atCarol, atDave := alice.here(), carol.here(), dave.here()
		carol.fails(model.NotFound, "/invite_members", with(team, carol.session))
		carol.fails(model.NotFound, "/get_conversation_members", object{"conversation_id": team})
		bob.fails(model.InvalidParameter, "/invite_members", with(team, carol.session, "99"))
		bob.fails(model.InvalidParameter, "/invite_members", with(team))
		require.Equal(t, []string{"4", "5"}, bob.members(team), "nobody where one is unknown")

		bob.ok("/invite_members", with(team, carol.session, bob.session, carol.session))
		bob.ok("/invite_members", with(team, carol.session))
		require.Equal(t, []string{"4", "5", "6"}, carol.members(team))
		require.Equal(t, []string{"4", "5", "6"}, carol.hears(atCarol, team, model.ChangedMembers).Members)
		carol.say(team, "here I am")

		bob.fails(model.NotAllowed, "/remove_members", with(team, carol.session))
		dave.fails(model.NotFound, "/remove_members", with(team, carol.session))
		at := carol.here()
		alice.ok("/remove_members", with(team, carol.session, dave.session))
		require.Equal(t, []string{"4", "5"}, carol.hears(at, team, model.ChangedMembers).Members, "she is told, although legacy does not tell her")
		carol.fails(model.NotFound, "/send_msg", object{"conversation_id": team, "content": "x"})
		carol.fails(model.NotFound, "/get_conversation_members", object{"conversation_id": team})
		at = carol.here()
		alice.ok("/remove_members", with(team, carol.session))
		alice.say(team, "without her")
		carol.quiet(at, team, 0)
		alice.quiet(atAlice, team, 2)
		dave.quiet(atDave, team, 0)

		if bob.can("coming back", "/invite_members", with(team, carol.session)) {
			require.Equal(t, []string{"4", "5", "6"}, carol.members(team))
		}
		pair := get[model.ConversationRef](alice, "/create_conversation", object{"conversation_type": 1, "members": []string{bob.session}}).ConversationId
		alice.fails(model.Conflict, "/invite_members", with(pair, carol.session))
		alice.fails(model.Conflict, "/remove_members", with(pair, bob.session))
		alice.fails(model.Conflict, "/invite_members", with(alice.joined()[0], carol.session))
		require.Len(t, alice.members(alice.joined()[0]), 7, "everybody")
	})
}

func TestTheLastMemberGoes(t *testing.T) {
	for name, gone := range map[string]func(alice *user, group string){
		"removed by himself": func(alice *user, group string) { alice.ok("/remove_members", with(group, alice.session)) },
		"leaving":            func(alice *user, group string) { alice.ok("/leave_conversation", object{"conversation_id": group}) },
		"removed by the operator": func(alice *user, group string) {
			require.Equal(alice.w.t, model.OK, alice.w.inner("/kickout_conversation", with(group, alice.session)).Code)
		},
	} {
		t.Run(name, func(t *testing.T) {
			inEachMode(t, func(t *testing.T, w *world) {
				alice, carol := w.signIn("alice"), w.signIn("carol")
				secret := alice.group("secret")
				at, away := alice.here(), carol.here()
				gone(alice, secret)
				require.Empty(t, alice.hears(at, secret, model.ChangedMembers).Members)
				alice.fails(model.NotFound, "/get_conversation_detail", object{"conversation_id": secret})
				carol.quiet(away, secret, 0) // mode xxd: legacy tells everybody
				alice.quiet(at, secret, 1)
			})
		})
	}
}

func TestMembersForInternalSystems(t *testing.T) {
	inEachMode(t, func(t *testing.T, w *world) {
		alice := w.signIn("alice")
		team := alice.group("team")
		list := func(id string) answer { return w.inner("/get_conversation_members", object{"conversation_id": id}) }
		var m model.ConversationMembers
		require.NoError(t, json.Unmarshal(list(team).Data, &m))
		require.Equal(t, model.ConversationMembers{ConversationId: team, Members: []string{"4"}}, m)
		require.Equal(t, model.NotFound, list("nosuch").Code)
	})
}
