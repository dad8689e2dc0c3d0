package contract

import (
	"maps"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/xuangate/xuangate/adapter/legacy"
	"github.com/xuangate/xuangate/gen/model"
	"github.com/xuangate/xuangate/gen/server"
	"github.com/xuangate/xuangate/test/xuanxuan"
)

// TestWhatA10ServerLacks has every operation of the description answer, and lists those that 1.0 cannot do, always or in a case.
func TestWhatA10ServerLacks(t *testing.T) {
	t.Parallel()
	lacking := []string{
		"/dismiss_conversation", "/get_extensions", "/get_todos", "/inner/get_chat_groups", "/inner/get_chat_users",
		"/inner/send_notification", "/mute_conversation", "/save_todo", "/set_conversation_category", "/visit_extension",
	}
	partly := []string{
		"/inner/call", "/inner/join_conversation", "/invite_members", "/join_conversation", "/rename_conversation", "/set_conversation_committers", "/update_me",
	}
	w := start(t, "v1", func(s *site) { s.node.Inner.Calls = []string{"chat/members", "chat/mute"} })
	admin, bob := w.signIn("admin"), w.signIn("bob")
	team := admin.group("team", bob)
	open := get[model.ConversationRef](bob, "/create_conversation", object{"conversation_type": 0, "name": "open", "public": true}).ConversationId
	id := admin.say(team, "x")
	in := func(more object) object {
		more["conversation_id"] = team
		return more
	}
	refused := []string{}
	answered := map[string]bool{"/notify": true, "/livez": true, "/readyz": true, "/openapi.json": true} // the tests of modes use them all
	hear := func(path string, a answer) {
		answered[path] = true
		if a.Code == model.Unsupported {
			require.Contains(t, a.Error, "version 1.0", path)
			refused = append(refused, path)
			return
		}
		require.Equal(t, model.OK, a.Code, "%s: %s", path, a.Error)
	}
	for _, o := range []struct {
		path string
		body object
	}{
		{"/login", object{"account": "admin", "password": xuanxuan.DemoPassword, "platform": 2}},
		{"/get_me", object{}},
		{"/get_users", object{}},
		{"/update_me", object{"realname": "Root"}},
		{"/set_status", object{"status": "busy"}},
		{"/get_settings", object{}},
		{"/save_settings", object{"settings": object{"theme": "dark"}}},
		{"/get_extensions", object{}},
		{"/visit_extension", object{"entry_id": 1}},
		{"/get_todos", object{}},
		{"/save_todo", object{"name": "x", "date": "2026-12-01"}},
		{"/get_server_info", object{}},
		{"/send_msg", in(object{"content": "x"})},
		{"/check_joined_conversation", in(object{})},
		{"/get_joined_conversation", object{}},
		{"/get_conversation_detail", in(object{})},
		{"/get_conversations", object{}},
		{"/get_public_conversations", object{}},
		{"/join_conversation", object{"conversation_id": open}},
		{"/leave_conversation", object{"conversation_id": open}},
		{"/create_conversation", object{"conversation_type": 0}},
		{"/get_conversation_members", in(object{})},
		{"/invite_members", in(object{"sessions": []string{"6"}})},
		{"/remove_members", in(object{"sessions": []string{"6"}})},
		{"/rename_conversation", in(object{"name": "renamed"})},
		{"/set_conversation_public", in(object{"public": true})},
		{"/set_conversation_admins", object{"conversation_id": admin.joined()[0], "admins": []string{"1"}}},
		{"/set_conversation_committers", in(object{"committers": []string{"1"}})},
		{"/dismiss_conversation", in(object{})},
		{"/star_conversation", in(object{"star": true})},
		{"/hide_conversation", in(object{"hide": true})},
		{"/mute_conversation", in(object{"mute": true})},
		{"/set_conversation_category", in(object{"category": "x"})},
		{"/get_lastone_msgid", in(object{})},
		{"/get_conversation_msg_by_range", in(object{"start_msg_id": id, "end_msg_id": id})},
		{"/get_conversation_30msg_before_the_id", in(object{"msg_id": id})},
		{"/get_conversation_30msg_after_the_id", in(object{"msg_id": id})},
		{"/get_conversation_last_30_msg", in(object{})},
		{"/get_conversation_lastone_msg", in(object{})},
		{"/get_conversation_msgs", in(object{})},
		{"/get_conversation_files", in(object{})},
		{"/inner/get_token", object{"session": "1", "platform": 3}},
		{"/inner/create_conversation", object{"conversation_type": 0, "sessions": []string{"5"}}},
		{"/inner/join_conversation", in(object{"sessions": []string{"4"}})},
		{"/inner/kickout_conversation", in(object{"sessions": []string{"4"}})},
		{"/inner/get_conversation_members", in(object{})},
		{"/inner/send_msg", in(object{"content": "x"})},
		{"/inner/set_archive_conversations", object{"conversation_ids": []string{team}, "is_archive": true}},
		{"/inner/call", object{"call": "chat/members", "params": []any{team}}},
		{"/inner/send_notification", object{"sessions": []string{"4"}, "title": "x", "type": 0}},
		{"/inner/get_chat_groups", object{}},
		{"/inner/get_chat_users", in(object{})},
		{"/inner/revoke_tokens", object{"session": "5"}},
	} {
		if path, inner := strings.CutPrefix(o.path, "/inner"); inner {
			hear(o.path, w.inner(path, o.body))
			continue
		}
		hear(o.path, admin.post(o.path, o.body))
	}
	a, err := admin.sends(field("conversation_id", team), attached("a.txt", strings.NewReader("x")))
	require.NoError(t, err)
	hear("/upload_file", a)
	f, err := decoded[model.UploadedFile](a)
	require.NoError(t, err)
	require.Equal(t, "x", admin.gets(f.Id))
	answered["/files/{id}"] = true
	require.ElementsMatch(t, lacking, refused)

	system := admin.joined()[0]
	refused = []string{}
	for _, o := range []struct {
		path string
		body object
	}{
		{"/update_me", object{"mobile": "13800000000"}},
		{"/rename_conversation", object{"conversation_id": system, "name": "x"}},
		{"/set_conversation_committers", object{"conversation_id": system, "committers": []string{"1"}}},
		{"/invite_members", in(object{"sessions": []string{"6"}})},
		{"/join_conversation", object{"conversation_id": open}},
		{"/inner/join_conversation", in(object{"sessions": []string{"4"}})},
		{"/inner/call", object{"call": "chat/mute", "params": []any{team, true}}},
	} {
		ask := admin.post
		path, inner := strings.CutPrefix(o.path, "/inner")
		if inner {
			ask = func(string, any) answer { return w.inner(path, o.body) }
		}
		hear(o.path, ask(o.path, o.body))
	}
	require.ElementsMatch(t, partly, refused)

	hear("/notify_ticket", admin.post("/notify_ticket", object{}))
	hear("/logout", admin.post("/logout", object{}))

	readme, err := os.ReadFile("../../README.md")
	require.NoError(t, err)
	for words, list := range map[string][]string{"These operations answer 10007:": lacking, "These do in the cases named:": partly} {
		_, told, _ := strings.Cut(string(readme), words)
		told, _, _ = strings.Cut(told, ".\n")
		require.ElementsMatch(t, list, regexp.MustCompile("/[a-z_/{}]+").FindAllString(told, -1), "README.md tells the same")
	}
	spec, specErr := server.GetSpec()
	require.NoError(t, specErr)
	require.ElementsMatch(t, slices.Collect(maps.Keys(spec.Paths.Map())), slices.Collect(maps.Keys(answered)), "every operation of openapi.yaml")
}

func TestTheNameIsWhatA10ServerLetsOneChange(t *testing.T) {
	t.Parallel()
	w := start(t, "v1")
	alice, bob := w.signIn("alice"), w.signIn("bob")
	at := bob.here()
	require.Equal(t, "Alicia", get[model.User](alice, "/update_me", object{"realname": "Alicia"}).RealName)
	bob.until(at, seen(t, alice, func(u model.User) bool { return u.RealName == "Alicia" }))
	require.Contains(t, alice.fails(model.Unsupported, "/update_me", object{"realname": "Alice", "mobile": "139"}), "version 1.0")
	require.Equal(t, "Alicia", get[model.Me](alice, "/get_me", object{}).RealName, "then nothing is changed")
}

func TestWhatModeV1CannotDo(t *testing.T) {
	t.Parallel()
	w := start(t, "v1", func(s *site) { s.node.Inner.OperatorPassword = "" })
	w.signIn("bob")
	for names, a := range map[string]answer{
		"/login":                  w.inner("/get_token", object{"session": "4", "platform": 1}),
		"inner.operator_password": w.inner("/create_conversation", object{"conversation_type": 0, "name": "x", "sessions": []string{"5"}}),
	} {
		require.Equal(t, model.Unsupported, a.Code, a.Error)
		require.Equal(t, http.StatusNotImplemented, a.Status)
		require.Contains(t, a.Error, names)
	}
	t.Run("a desktop client shows a message of type 1 as the text it is", func(t *testing.T) {
		alice := w.signIn("alice")
		team := alice.group("team")
		get[model.SentMsg](alice, "/send_msg", object{"conversation_id": team, "type": 1, "content": "# x"})
		require.Equal(t, model.MsgType(1), alice.last30(team)[0].Type)
		r := w.oldDesktop(legacy.Chat(aliceID, "history", team, 1, 1, 0, false))
		require.Contains(t, string(r.Data), `"content":"# x\u2063","contentType":"text"`)
	})
}

func TestWhoeverCannotComeBackKeepsNobodyElseOut(t *testing.T) {
	t.Parallel()
	w := start(t, "v1")
	alice, carol := w.signIn("alice"), w.signIn("carol")
	team := alice.group("team", carol)
	carol.ok("/leave_conversation", object{"conversation_id": team})
	at := alice.here()
	require.Contains(t, alice.fails(model.Unsupported, "/invite_members", with(team, carol.session, "7")), "version 1.0")
	require.Equal(t, []string{"4", "7"}, alice.hears(at, team, model.ChangedMembers).Members, "dave is in, and that is told")
	require.Equal(t, []string{"4", "7"}, alice.detail(team).Members)
	require.Equal(t, model.Unsupported, w.inner("/join_conversation", with(team, carol.session, "2")).Code)
	require.ElementsMatch(t, []string{"2", "4", "7"}, alice.members(team))
	alice.quiet(at, team, 2)
}
