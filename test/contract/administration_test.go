package contract

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/xuangate/xuangate/adapter/legacy"
	"github.com/xuangate/xuangate/gen/model"
)

// ok is post for what answers nothing but that it was done.
func (u *user) ok(path string, body object) {
	u.w.t.Helper()
	require.Equal(u.w.t, body["conversation_id"], get[model.ConversationRef](u, path, body).ConversationId)
}

// can is ok where the server behind has what it takes, and else sees that it is answered 10007, naming the server's version.
func (u *user) can(what, path string, body object) bool {
	u.w.t.Helper()
	if u.w.has(what) {
		u.ok(path, body)
		return true
	}
	require.Contains(u.w.t, u.fails(model.Unsupported, path, body), "version 1.0", path)
	return false
}

// changes are the conversation events among some, each with what changed.
func changes(t *testing.T, list []event, conversation string) (events []model.ConversationEvent) {
	t.Helper()
	for _, e := range only(list, model.EventKindConversation) {
		var c model.ConversationEvent
		require.NoError(t, json.Unmarshal(e.Data, &c))
		if c.ConversationID == conversation {
			events = append(events, c)
		}
	}
	return events
}

// hears waits for a change of a conversation, and returns what was heard until then: once each.
func (u *user) hears(at, conversation string, what model.ConversationEventChanged) model.ConversationEvent {
	u.w.t.Helper()
	var found []model.ConversationEvent
	u.until(at, func(list []event) bool {
		found = slices.DeleteFunc(changes(u.w.t, list, conversation), func(e model.ConversationEvent) bool { return !slices.Contains(e.Changed, what) })
		return len(found) > 0
	})
	return found[0]
}

// quiet says that u hears of a conversation no more than n times, up to a thing that he hears for certain.
func (u *user) quiet(at, conversation string, n int) {
	u.w.t.Helper()
	mark := u.group("mark of " + u.account)
	heard, _ := u.until(at, func(list []event) bool { return len(changes(u.w.t, list, mark)) > 0 })
	require.Len(u.w.t, changes(u.w.t, heard, conversation), n, kinds(heard))
}

// calls are the calls of some methods that reached the legacy server so far.
func (w *world) calls(methods ...string) (n int) {
	all := w.legacy.Calls()
	for _, m := range methods {
		n += all["chat/"+m]
	}
	return n
}

func TestRenaming(t *testing.T) {
	inEachMode(t, func(t *testing.T, w *world) {
		alice, bob, carol, admin := w.signIn("alice"), w.signIn("bob"), w.signIn("carol"), w.signIn("admin")
		team := alice.group("team", bob, admin)
		rename := func(name string) object { return object{"conversation_id": team, "name": name} }
		at, away := bob.here(), carol.here()
		alice.ok("/rename_conversation", rename(" 周报 "))
		e := bob.hears(at, team, model.ChangedRenamed)
		require.Equal(t, "周报", e.Name)
		require.Equal(t, []model.ConversationEventChanged{model.ChangedRenamed}, e.Changed)
		require.Equal(t, "周报", alice.detail(team).Name)
		alice.ok("/rename_conversation", rename("周报"))
		admin.ok("/rename_conversation", rename("月报"))
		require.Equal(t, "月报", bob.detail(team).Name)
		require.Equal(t, 2, w.calls("changename"), "a name that it has already is not asked for")

		bob.fails(model.NotAllowed, "/rename_conversation", rename("mine"))
		carol.fails(model.NotFound, "/rename_conversation", rename("mine"))
		alice.fails(model.InvalidParameter, "/rename_conversation", rename(""))
		alice.fails(model.InvalidParameter, "/rename_conversation", rename("  "))
		alice.fails(model.InvalidParameter, "/rename_conversation", rename(strings.Repeat("名", 61)))
		require.Contains(t, alice.fails(model.Conflict, "/rename_conversation", rename("party 😄")), "😄")
		alice.fails(model.NotFound, "/rename_conversation", object{"conversation_id": strings.ToUpper(team), "name": "x"})
		pair := get[model.ConversationRef](alice, "/create_conversation", object{"conversation_type": 1, "members": []string{bob.session}}).ConversationId
		alice.fails(model.Conflict, "/rename_conversation", object{"conversation_id": pair, "name": "x"})
		require.Equal(t, 2, w.calls("changename"), "all of it refused before the call")
		alice.ok("/rename_conversation", rename(strings.Repeat("名", 60)))
		bob.quiet(at, team, 3)
		carol.quiet(away, team, 0)
	})
}

func TestWhatLegacyForgetsIsShownAsNothing(t *testing.T) {
	for _, mode := range modes {
		for name, now := range map[string]int64{"no date": 1795312600, "another date": 1801152345} {
			t.Run(mode+" "+name, func(t *testing.T) {
				t.Parallel()
				w := start(t, mode, func(s *site) { s.legacy.Now = func() time.Time { return time.Unix(now, 0) } })
				alice := w.signIn("alice")
				team := alice.group("team")
				id := alice.say(team, "hello")
				require.Equal(t, now*1e6, alice.detail(team).CreateTime)
				alice.ok("/rename_conversation", object{"conversation_id": team, "name": "renamed"})
				d := alice.detail(team)
				require.Zero(t, d.CreateTime)
				require.Equal(t, id, d.LastMsgID, "the last message is found all the same")
			})
		}
	}
}

func TestPublishing(t *testing.T) {
	inEachMode(t, func(t *testing.T, w *world) {
		alice, bob, carol := w.signIn("alice"), w.signIn("bob"), w.signIn("carol")
		team := alice.group("team", bob)
		at := bob.here()
		public := func(yes bool) object { return object{"conversation_id": team, "public": yes} }
		list := func(u *user) []model.PublicConversation {
			return get[model.PublicConversations](u, "/get_public_conversations", object{}).Conversations
		}
		require.Empty(t, list(carol))
		bob.fails(model.NotAllowed, "/set_conversation_public", public(true))
		carol.fails(model.NotFound, "/set_conversation_public", public(true))
		alice.ok("/set_conversation_public", public(true))
		require.True(t, bob.hears(at, team, model.ChangedPublic).Public)
		found := list(carol)
		require.Len(t, found, 1)
		require.Equal(t, team, found[0].ConversationID)
		require.Equal(t, 2, found[0].MemberCount)
		require.False(t, found[0].Joined)
		carol.ok("/join_conversation", object{"conversation_id": team})
		require.True(t, list(carol)[0].Joined)
		alice.ok("/set_conversation_public", public(false))
		require.Empty(t, list(carol))
		require.Contains(t, carol.joined(), team, "members stay")
		alice.fails(model.Conflict, "/set_conversation_public", object{"conversation_id": alice.joined()[0], "public": true})
	})
}

func TestAGroupWithoutANameIsNamedOnTheWay(t *testing.T) {
	inEachMode(t, func(t *testing.T, w *world) {
		for _, c := range []struct {
			path string
			body object
		}{
			{"/set_conversation_public", object{"public": true}},
			{"/set_conversation_committers", object{"committers": []string{"4"}}},
			{"/dismiss_conversation", object{}},
		} {
			if c.path == "/dismiss_conversation" && !w.has("dismiss") {
				continue
			}
			alice := w.signIn("alice")
			gid := strings.TrimPrefix(c.path, "/")
			w.desktop(legacy.Chat(4, "create", gid, "", "group", []int{4, 5}, 0, false))
			c.body["conversation_id"] = gid
			alice.ok(c.path, c.body)
			require.Equal(t, "Alice、Bob", alice.detail(gid).Name)
		}
	})
}

func TestCommitters(t *testing.T) {
	inEachMode(t, func(t *testing.T, w *world) {
		alice, bob, carol := w.signIn("alice"), w.signIn("bob"), w.signIn("carol")
		team := alice.group("team", bob)
		at := bob.here()
		committers := func(list ...string) object {
			return object{"conversation_id": team, "committers": append([]string{}, list...)}
		}
		bob.fails(model.NotAllowed, "/set_conversation_committers", committers(bob.session))
		carol.fails(model.NotFound, "/set_conversation_committers", committers(carol.session))
		alice.fails(model.InvalidParameter, "/set_conversation_committers", committers("99"))
		require.Contains(t, alice.fails(model.InvalidParameter, "/set_conversation_committers", committers(carol.session)), "no member")
		alice.ok("/set_conversation_committers", committers(bob.session, bob.session))
		require.Equal(t, []string{bob.session}, bob.hears(at, team, model.ChangedCommitters).Committers)
		require.Equal(t, []string{bob.session}, alice.detail(team).Committers)
		bob.say(team, "I may speak") // in the array form, the one with which legacy knows who speaks
		alice.fails(model.NotAllowed, "/send_msg", object{"conversation_id": team, "content": "x"})
		alice.ok("/set_conversation_committers", committers())
		alice.say(team, "so may I")
		pair := get[model.ConversationRef](alice, "/create_conversation", object{"conversation_type": 1, "members": []string{bob.session}}).ConversationId
		alice.fails(model.Unsupported, "/set_conversation_committers", object{"conversation_id": pair, "committers": []string{alice.session}})
		require.Equal(t, 2, w.calls("setcommitters"))
	})
}

func TestTheSystemConversationsAdmins(t *testing.T) {
	inEachMode(t, func(t *testing.T, w *world) {
		alice, bob, dave, admin := w.signIn("alice"), w.signIn("bob"), w.signIn("dave"), w.signIn("admin")
		system, team := alice.joined()[0], alice.group("team", admin)
		set := func(list ...string) object {
			return object{"conversation_id": system, "admins": append([]string{}, list...)}
		}
		for _, u := range []*user{alice, dave} {
			u.fails(model.NotAllowed, "/set_conversation_admins", set(u.session))
		}
		for _, u := range []*user{alice, admin} {
			u.fails(model.Unsupported, "/set_conversation_admins", object{"conversation_id": team, "admins": []string{}})
		}
		admin.fails(model.NotFound, "/set_conversation_admins", object{"conversation_id": "nosuch", "admins": []string{}})
		admin.fails(model.InvalidParameter, "/set_conversation_admins", set("99"))
		const editing = "editing of the system conversation"
		if w.has(editing) {
			alice.fails(model.NotAllowed, "/rename_conversation", object{"conversation_id": system, "name": "All"})
		}

		at := bob.here()
		admin.ok("/set_conversation_admins", set(alice.session, bob.session))
		require.Equal(t, []string{alice.session, bob.session}, bob.hears(at, system, model.ChangedAdmins).Admins)
		w.desktop(legacy.Chat(1, "setadmin", system, []int{5}, true)) // which legacy then has twice
		admin.ok("/set_conversation_admins", set(alice.session, dave.session))
		require.Equal(t, []string{alice.session, dave.session}, alice.detail(system).Admins)

		dave.say(system, "I may speak")
		alice.can(editing, "/rename_conversation", object{"conversation_id": system, "name": "All"})
		if alice.can(editing, "/set_conversation_committers", object{"conversation_id": system, "committers": []string{dave.session}}) {
			dave.say(system, "I alone")
			bob.fails(model.NotAllowed, "/set_conversation_committers", object{"conversation_id": system, "committers": []string{}})
		}
		bob.fails(model.NotAllowed, "/send_msg", object{"conversation_id": system, "content": "x"})
		if w.has("dismiss") {
			alice.fails(model.Conflict, "/dismiss_conversation", object{"conversation_id": system})
		}
		admin.ok("/set_conversation_admins", set())
		require.Empty(t, alice.detail(system).Admins)
	})
}

func TestDismissing(t *testing.T) {
	inEachModeWith(t, "dismiss", func(t *testing.T, w *world) {
		alice, bob, carol := w.signIn("alice"), w.signIn("bob"), w.signIn("carol")
		team := get[model.ConversationRef](alice, "/create_conversation", object{"conversation_type": 0, "name": "team", "members": []string{"5"}, "public": true}).ConversationId
		at, away := bob.here(), carol.here()
		about := func(more object) object {
			more["conversation_id"] = team
			return more
		}
		alice.say(team, "last words")
		bob.fails(model.NotAllowed, "/dismiss_conversation", about(object{}))
		carol.fails(model.NotFound, "/dismiss_conversation", about(object{}))
		alice.ok("/dismiss_conversation", about(object{}))
		require.True(t, bob.hears(at, team, model.ChangedDismissed).IsDelete)
		require.True(t, alice.detail(team).IsDelete)
		edits := []string{"changename", "changepublic", "setcommitters", "dismiss", "addmember", "joinchat"}
		before := w.calls(edits...)
		for path, body := range map[string]object{
			"/rename_conversation":         {"name": "back"},
			"/set_conversation_public":     {"public": false},
			"/set_conversation_committers": {"committers": []string{}},
			"/dismiss_conversation":        {},
			"/invite_members":              {"sessions": []string{carol.session}},
			"/remove_members":              {"sessions": []string{bob.session}},
			"/send_msg":                    {"content": "x"},
			"/leave_conversation":          {},
		} {
			require.Contains(t, alice.fails(model.Conflict, path, about(body)), "dismissed", path)
			if path != "/send_msg" && path != "/leave_conversation" {
				require.Equal(t, model.Conflict, bob.post(path, about(body)).Code, "%s: that it is dismissed comes before who may", path)
			}
		}
		carol.fails(model.NotFound, "/join_conversation", about(object{}))
		require.Equal(t, before, w.calls(edits...), "nothing that could revive it was asked for")
		require.True(t, alice.detail(team).IsDelete)
		require.Equal(t, []string{"last words"}, contents(bob.last30(team)))
		bob.ok("/hide_conversation", about(object{"hide": true}))
		carol.quiet(away, team, 0)
	})
}
