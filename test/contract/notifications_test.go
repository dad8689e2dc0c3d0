package contract

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/xuangate/xuangate/gen/model"
	"github.com/xuangate/xuangate/test/xuanxuan"
)

func (e event) notification(t *testing.T) model.Notification {
	t.Helper()
	require.Equal(t, model.EventKindNotification, e.Event)
	var n model.Notification
	require.NoError(t, json.Unmarshal(e.Data, &n))
	return n
}

func TestSendingNotices(t *testing.T) {
	inEachModeWith(t, "notices", func(t *testing.T, w *world) {
		alice, bob, carol := w.signIn("alice"), w.signIn("bob"), w.signIn("carol")
		team := alice.group("team", bob)
		at, bobs, carols := alice.here(), bob.here(), carol.here()
		send := func(body object) model.Code { return w.inner("/send_notification", body).Code }

		require.Equal(t, model.OK, send(object{
			"sessions": []string{"4"}, "title": "任务 😄", "subtitle": "周报", "content": "**今天** 😄", "type": 0, "url": "https://example.com/1",
			"actions": []object{{"label": "Open", "url": "https://example.com/1", "type": "primary", "icon": "i"}, {"label": "Close", "url": "https://example.com/2", "type": "odd"}},
			"sender":  object{"id": "todo", "name": "Todo", "avatar": "https://example.com/a.png"},
		}))
		heard, at := alice.until(at, count(model.EventKindNotification, 1))
		n := only(heard, model.EventKindNotification)[0].notification(t)
		n.Id, n.SendTime = "", 0
		require.Equal(t, model.Notification{
			Title: "任务 😄", Subtitle: "周报", Content: "**今天** 😄", Url: "https://example.com/1",
			Actions: []model.NotificationAction{{Label: "Open", Url: "https://example.com/1", Type: "primary", Icon: "i"}, {Label: "Close", Url: "https://example.com/2", Type: "normal"}},
			Sender:  model.NotificationSender{Id: "todo", Name: "Todo", Avatar: "https://example.com/a.png"},
		}, n)

		require.Equal(t, model.OK, send(object{"conversation_id": team, "title": "to the group", "type": 1}))
		alice.until(at, count(model.EventKindNotification, 1))
		heard, _ = bob.until(bobs, count(model.EventKindNotification, 1))
		n = only(heard, model.EventKindNotification)[0].notification(t)
		require.Equal(t, "to the group", n.Title)
		require.Equal(t, model.MsgType(1), n.Type)
		heard, _ = carol.poll(carols, 0)
		require.Empty(t, only(heard, model.EventKindNotification), "nobody else hears of either")

		for want, bodies := range map[model.Code][]object{
			model.InvalidParameter: {
				{"title": "x", "type": 0},
				{"sessions": []string{"4"}, "conversation_id": team, "title": "x", "type": 0},
				{"sessions": []string{}, "title": "x", "type": 0},
				{"sessions": []string{"4"}, "type": 0},
				{"sessions": []string{"4"}, "title": " ", "type": 0},
				{"sessions": []string{"4"}, "title": "x"},
				{"sessions": []string{"4"}, "title": "x", "type": 2},
				{"sessions": []string{"4", "99"}, "title": "x", "type": 0},
				{"sessions": []string{"4"}, "title": "x", "type": 0, "actions": []object{{"label": "x"}}},
				{"sessions": []string{"4"}, "title": "x", "type": 0, "sender": object{"id": "todo"}},
			},
			model.NotFound: {{"conversation_id": "nosuch", "title": "x", "type": 0}},
			model.Conflict: {{"conversation_id": "4&5", "title": "x", "type": 0}, {"sessions": []string{"4"}, "title": "x", "type": 0, "sender": object{"id": "x", "name": "😄", "avatar": "x"}}},
		} {
			get[model.ConversationRef](alice, "/create_conversation", object{"conversation_type": 1, "members": []string{"5"}})
			for _, body := range bodies {
				require.Equal(t, want, send(body), body)
			}
		}
		require.Equal(t, model.NotAllowed, w.post("/inner/send_notification", nil, object{"sessions": []string{"4"}, "title": "x", "type": 0}).Code)
	})
}

func TestGroupsAndUsersForApplications(t *testing.T) {
	inEachModeWith(t, "notices", func(t *testing.T, w *world) {
		groups, err := decoded[model.ChatGroups](w.inner("/get_chat_groups", object{}))
		require.NoError(t, err)
		require.Empty(t, groups.Conversations)
		alice, bob := w.signIn("alice"), w.signIn("bob")
		team := alice.group("team", bob)
		groups, err = decoded[model.ChatGroups](w.inner("/get_chat_groups", object{}))
		require.NoError(t, err)
		require.Equal(t, []model.ChatGroup{{ConversationId: team, Name: "team"}}, groups.Conversations)

		users, err := decoded[model.ChatUsers](w.inner("/get_chat_users", object{"conversation_id": team}))
		require.NoError(t, err)
		require.Equal(t, []model.ChatUser{{Session: "4", Name: "Alice"}, {Session: "5", Name: "Bob"}}, users.Users)
		users, err = decoded[model.ChatUsers](w.inner("/get_chat_users", object{}))
		require.NoError(t, err)
		require.Len(t, users.Users, len(xuanxuan.DemoUsers()))
		require.Equal(t, model.NotFound, w.inner("/get_chat_users", object{"conversation_id": "nosuch"}).Code, "the backend would name everybody")
	})
}

func TestWithoutAnApplication(t *testing.T) {
	inEachModeWith(t, "notices", func(t *testing.T, w *world) {
		for path, body := range map[string]object{
			"/send_notification": {"sessions": []string{"4"}, "title": "x", "type": 0}, "/get_chat_groups": {}, "/get_chat_users": {"conversation_id": "x"},
		} {
			a := w.inner(path, body)
			require.Equal(t, model.Unsupported, a.Code, path)
			require.Contains(t, a.Error, "legacy.api.url")
		}
		require.NotContains(t, get[model.ServerInfo](w.signIn("alice"), "/get_server_info", object{}).Capabilities, model.CapabilityApplicationAPI)
	}, func(s *site) { s.noApp = true })
}

func TestANoticeSurvivesComingOnline(t *testing.T) {
	// Asking for the waiting messages first takes the notices away, as xxd does: so in mode xxd they are lost before us.
	w := start(t, "xxb")
	alice := w.signIn("alice")
	team := get[model.ConversationRef](alice, "/create_conversation", object{"conversation_type": 0, "members": []string{"5"}}).ConversationId
	alice.say(team, "waits")
	require.Equal(t, model.OK, w.inner("/send_notification", object{"sessions": []string{"5"}, "title": "waits too", "type": 0}).Code)
	heard, _ := w.signIn("bob").until("", func(list []event) bool {
		return len(only(list, model.EventKindMessage)) == 1 && len(only(list, model.EventKindNotification)) == 1
	})
	require.Equal(t, "waits too", only(heard, model.EventKindNotification)[0].notification(t).Title)
}
