package contract

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/xuangate/xuangate/adapter/legacy"
	"github.com/xuangate/xuangate/gen/model"
	"github.com/xuangate/xuangate/test/xuanxuan"
)

func (u *user) detail(conversation string) model.Conversation {
	u.w.t.Helper()
	return get[model.Conversation](u, "/get_conversation_detail", object{"conversation_id": conversation})
}

func (u *user) joined() []string {
	u.w.t.Helper()
	return get[model.JoinedConversations](u, "/get_joined_conversation", object{}).Conversations
}

func TestCreatingAGroup(t *testing.T) {
	inEachMode(t, func(t *testing.T, w *world) {
		alice, bob, carol := w.signIn("alice"), w.signIn("bob"), w.signIn("carol")
		at, away := bob.here(), carol.here()
		team := alice.group("周报", bob)
		d := alice.detail(team)
		require.Equal(t, "周报", d.Name)
		require.Equal(t, []string{alice.session, bob.session}, d.Members, "the creator is a member")
		require.False(t, d.Public || d.IsDelete || d.IsArchive)
		require.Equal(t, "alice", d.Creator)
		require.Empty(t, d.LastMsgID)
		require.Contains(t, bob.joined(), team)

		heard, _ := bob.until(at, count(model.EventKindConversation, 1))
		var e model.ConversationEvent
		require.NoError(t, json.Unmarshal(only(heard, model.EventKindConversation)[0].Data, &e))
		require.Equal(t, team, e.ConversationID)
		require.Equal(t, []model.ConversationEventChanged{model.ChangedCreated}, e.Changed)

		id := alice.say(team, "hello")
		d = bob.detail(team)
		require.Equal(t, id, d.LastMsgID)
		require.Equal(t, alice.session, d.LastSendSession)
		require.NotZero(t, d.LastSendTime)

		require.NotContains(t, carol.joined(), team)
		heard, _ = carol.poll(away, 0)
		require.Empty(t, only(heard, model.EventKindConversation), "a private group is its members' business")
		require.Empty(t, only(heard, model.EventKindMessage))
	})
}

func TestAGroupWithoutANameGetsOne(t *testing.T) {
	inEachMode(t, func(t *testing.T, w *world) {
		alice, bob := w.signIn("alice"), w.signIn("bob")
		require.Equal(t, "Alice、Bob", alice.detail(alice.group("", bob)).Name)
		require.Equal(t, "Alice、Bob", alice.detail(alice.group("   ", bob)).Name)
		require.Equal(t, strings.Repeat("名", 60), alice.detail(alice.group(strings.Repeat("名", 60))).Name)
		alice.fails(model.InvalidParameter, "/create_conversation", object{"conversation_type": 0, "name": strings.Repeat("名", 61)})
	})
}

func TestAPrivateGroupMadeWhileNobodyIsOnline(t *testing.T) {
	inEachMode(t, func(t *testing.T, w *world) {
		carol := w.signIn("carol")
		at := carol.here()
		a := w.inner("/create_conversation", object{"conversation_type": 0, "sessions": []string{"4", "5"}, "name": "secret"})
		require.Equal(t, model.OK, a.Code, a.Error)
		w.inner("/create_conversation", object{"conversation_type": 0, "sessions": []string{"99"}})
		pub := carol.group("mine")
		heard, _ := carol.until(at, count(model.EventKindConversation, 1))
		require.Len(t, only(heard, model.EventKindConversation), 1)
		require.Contains(t, kinds(heard), pub)
	})
}

func TestOne2OneIsOne(t *testing.T) {
	inEachMode(t, func(t *testing.T, w *world) {
		alice, bob := w.signIn("alice"), w.signIn("bob")
		open := func(u *user, other *user) string {
			return get[model.ConversationRef](u, "/create_conversation", object{"conversation_type": 1, "members": []string{other.session}}).ConversationId
		}
		id := open(alice, bob)
		require.Equal(t, "4&5", id)
		require.Equal(t, id, open(alice, bob))
		require.Equal(t, id, open(bob, alice))
		alice.say(id, "hi")
		require.Equal(t, []string{"hi"}, contents(bob.last30(id)))
		require.Equal(t, model.ConversationType(1), bob.detail(id).ConversationType)
		alice.fails(model.InvalidParameter, "/create_conversation", object{"conversation_type": 1, "members": []string{"99"}})
		alice.fails(model.Conflict, "/leave_conversation", object{"conversation_id": id})
	})
}

func TestJoiningAndLeaving(t *testing.T) {
	inEachMode(t, func(t *testing.T, w *world) {
		alice, bob := w.signIn("alice"), w.signIn("bob")
		open := get[model.ConversationRef](alice, "/create_conversation", object{"conversation_type": 0, "name": "open", "public": true}).ConversationId
		private := alice.group("private")
		at := alice.here()
		require.Equal(t, open, get[model.ConversationRef](bob, "/join_conversation", object{"conversation_id": open}).ConversationId)
		get[model.ConversationRef](bob, "/join_conversation", object{"conversation_id": open})
		require.Equal(t, []string{"4", "5"}, alice.detail(open).Members)
		bob.say(open, "here I am")
		bob.fails(model.NotFound, "/join_conversation", object{"conversation_id": private})
		get[model.ConversationRef](bob, "/leave_conversation", object{"conversation_id": open})
		bob.fails(model.NotFound, "/send_msg", object{"conversation_id": open, "content": "x"})
		bob.fails(model.NotFound, "/leave_conversation", object{"conversation_id": open})
		heard, _ := alice.until(at, count(model.EventKindConversation, 2))
		require.Len(t, only(heard, model.EventKindConversation), 2, "joined once, left once: %s", kinds(heard))

		system := alice.joined()[0]
		require.Equal(t, model.ConversationType(2), alice.detail(system).ConversationType)
		alice.fails(model.Conflict, "/leave_conversation", object{"conversation_id": system})
		bob.say(system, "to everybody")
	})
}

func TestInnerOperations(t *testing.T) {
	inEachMode(t, func(t *testing.T, w *world) {
		ref := func(a answer) string {
			require.Equal(t, model.OK, a.Code, a.Error)
			var r model.ConversationRef
			require.NoError(t, json.Unmarshal(a.Data, &r))
			return r.ConversationId
		}
		var token string
		if w.linked() { // which cannot act as somebody whose password it never had
			w.signIn("dave")
			a := w.inner("/get_token", object{"session": "5", "platform": 3})
			require.Equal(t, model.Unsupported, a.Code)
			require.Contains(t, a.Error, "/login")
			w.signIn("bob")
		}
		a := w.inner("/get_token", object{"session": "5", "platform": 3})
		require.Equal(t, model.OK, a.Code, a.Error)
		require.NoError(t, json.Unmarshal(a.Data, &token))
		bob := &user{w: w, account: "bob", session: "5", token: token}
		alice := w.signIn("alice")
		require.Equal(t, model.NotFound, w.inner("/get_token", object{"session": "99"}).Code)
		require.Equal(t, model.NotFound, w.inner("/get_token", object{"account": "nobody"}).Code)
		require.Equal(t, model.InvalidParameter, w.inner("/get_token", object{}).Code)

		id := ref(w.inner("/create_conversation", object{"conversation_type": 0, "sessions": []string{"4", "5"}, "name": "值班"}))
		require.Equal(t, []string{"4", "5"}, alice.detail(id).Members, "the operator is no member")
		at := bob.here()

		ref(w.inner("/join_conversation", object{"conversation_id": id, "sessions": []string{"6", "5"}}))
		require.Equal(t, []string{"4", "5", "6"}, alice.detail(id).Members)
		require.Equal(t, model.InvalidParameter, w.inner("/join_conversation", object{"conversation_id": id, "sessions": []string{"99"}}).Code)
		require.Equal(t, model.NotFound, w.inner("/join_conversation", object{"conversation_id": "nosuch", "sessions": []string{"5"}}).Code)

		ref(w.inner("/kickout_conversation", object{"conversation_id": id, "sessions": []string{"5", "7"}}))
		bob.fails(model.NotFound, "/send_msg", object{"conversation_id": id, "content": "x"})
		heard, _ := bob.until(at, count(model.EventKindConversation, 2))
		require.Len(t, only(heard, model.EventKindConversation), 2, "a removed member is told")

		a = w.inner("/set_archive_conversations", object{"conversation_ids": []string{id, "nosuch", alice.joined()[0]}, "is_archive": true})
		require.Equal(t, model.OK, a.Code, a.Error)
		var r model.ArchiveResult
		require.NoError(t, json.Unmarshal(a.Data, &r))
		failed := map[string]model.Code{}
		for _, f := range r.Failed {
			failed[f.ConversationId] = f.Code
		}
		want := map[string]model.Code{"nosuch": model.NotFound, alice.joined()[0]: model.Conflict}
		if w.linked() {
			want[id] = model.Unsupported // for carol, who is not signed in here
		}
		require.Equal(t, want, failed)
		require.True(t, alice.detail(id).IsArchive)
		w.inner("/set_archive_conversations", object{"conversation_ids": []string{id}, "is_archive": false})
		require.False(t, alice.detail(id).IsArchive)

		story := ref(w.inner("/create_conversation", object{"conversation_type": 15, "conversation_type_name": "story", "sessions": []string{"4"}, "name": "s"}))
		require.Equal(t, "story", alice.detail(story).ConversationTypeName)
	})
}

func TestDismissedConversationsAreReadOnly(t *testing.T) {
	inEachModeWith(t, "dismiss", func(t *testing.T, w *world) {
		alice := w.signIn("alice")
		team := alice.group("team")
		alice.say(team, "last words")
		w.desktop(legacy.Chat(4, "dismiss", team))
		require.True(t, alice.detail(team).IsDelete)
		require.Contains(t, alice.fails(model.Conflict, "/send_msg", object{"conversation_id": team, "content": "x"}), "dismissed")
		alice.fails(model.Conflict, "/leave_conversation", object{"conversation_id": team})
		require.Equal(t, model.Conflict, w.inner("/join_conversation", object{"conversation_id": team, "sessions": []string{"5"}}).Code)
		require.Equal(t, []string{"last words"}, contents(alice.last30(team)))
		require.Contains(t, alice.joined(), team)
	})
}

func TestGroupsOfOthersStayTheirs(t *testing.T) {
	inEachMode(t, func(t *testing.T, w *world) {
		alice, bob := w.signIn("alice"), w.signIn("bob")
		alice.fails(model.NotAllowed, "/get_joined_conversation", object{"SessionId": bob.session})
		require.Equal(t, alice.joined(), get[model.JoinedConversations](alice, "/get_joined_conversation", object{"SessionId": alice.session}).Conversations)
		for _, typ := range []int{2, 3, 4, 5, 15, 77} {
			alice.fails(model.NotAllowed, "/create_conversation", object{"conversation_type": typ})
		}
	})
}

func TestSigningIn(t *testing.T) {
	inEachMode(t, func(t *testing.T, w *world) {
		signIn := func(body object) model.Code { return w.post("/login", nil, body).Code }
		require.Equal(t, model.OK, signIn(object{"account": "alice", "password_md5": "E10ADC3949BA59ABBE56E057F20F883E"}))
		require.Equal(t, model.InvalidParameter, signIn(object{"account": "alice"}))
		require.Equal(t, model.InvalidParameter, signIn(object{"account": "", "password": "x"}))
		require.Equal(t, model.WrongPassword, signIn(object{"account": "nobody", "password": "x"}))
		require.Equal(t, model.WrongPassword, signIn(object{"account": "bob", "password": "wrong"}))
		require.Equal(t, model.OK, signIn(object{"account": "bob", "password": xuanxuan.DemoPassword}), "one wrong try does not lock")
		for range 2 {
			require.Equal(t, model.WrongPassword, signIn(object{"account": "dave", "password": "wrong"}))
		}
		require.Equal(t, model.TooManyRequests, signIn(object{"account": "dave", "password": "wrong"}), "the third would lock it")
		for range 3 {
			require.False(t, w.letsIn("carol", "wrong"), "somebody locks it, past the gateway")
		}
		locked := model.AccountLocked
		if w.linked() {
			locked = model.WrongPassword // which the server does not tell apart, and our sentence says so
		}
		require.Equal(t, locked, signIn(object{"account": "carol", "password": xuanxuan.DemoPassword}))

		alice := w.signIn("alice")
		again := w.signIn("alice")
		alice.fails(model.SignedInElsewhere, "/get_joined_conversation", object{})
		require.NotEmpty(t, again.joined())
		require.Equal(t, model.OK, again.post("/logout", object{}).Code)
		again.fails(model.InvalidToken, "/get_joined_conversation", object{})
		require.Equal(t, model.InvalidToken, w.post("/send_msg", nil, object{"conversation_id": "x", "content": "x"}).Code)
	})
}
