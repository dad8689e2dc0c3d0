package adapter

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/xuangate/xuangate/adapter/legacy"
	"github.com/xuangate/xuangate/gen/model"
)

// apiSays is an answer of api.php, which names no method.
func apiSays(body string) func(legacy.Call) (legacy.Response, error) {
	return func(c legacy.Call) (legacy.Response, error) {
		return legacy.Response{Module: c.Module, Method: c.Method, Result: legacy.Success, Data: []byte(body)}, nil
	}
}

func TestGoldenNotifications(t *testing.T) {
	apiFrame := func(method, data string) string { return strings.ToLower(frame(method, data)) }
	notice := model.SendNotificationRequest{
		Title: "任务 😄", Subtitle: "周报", Content: "**今天**", Url: "https://example.com/1",
		Actions: []model.SendNotificationAction{{Label: "Open", Url: "https://example.com/1", Type: "primary", Icon: "i"}, {Label: "Close", Url: "https://example.com/2", Type: "odd"}},
		Sender:  model.SendNotificationSender{Id: "todo", Name: "Todo", Avatar: "https://example.com/a.png"},
	}
	for name, c := range map[string]struct {
		answers map[string]string
		do      func(context.Context, *Adapter) (any, error)
	}{
		"inner_send_notification_users": {
			map[string]string{"notifyMSG": apiFrame("notifyMSG", "null")},
			func(ctx context.Context, a *Adapter) (any, error) {
				r := notice
				r.Sessions = []string{"4", "5", "4"}
				return nil, a.SendNotification(ctx, r)
			},
		},
		"inner_send_notification_group": {
			map[string]string{"members": frame("members", `{"gid":"team","members":[4,5]}`), "notifyMSG": apiFrame("notifyMSG", "null")},
			func(ctx context.Context, a *Adapter) (any, error) {
				return nil, a.SendNotification(ctx, model.SendNotificationRequest{ConversationId: "team", Title: "T", Type: 1})
			},
		},
		"inner_get_chat_groups": {
			map[string]string{"getChatGroups": apiFrame("getChatGroups", `{"g2":"Two","g1":"One"}`)},
			func(ctx context.Context, a *Adapter) (any, error) { return a.ChatGroups(ctx) },
		},
		"inner_get_chat_users": {
			map[string]string{"members": frame("members", `{"gid":"team","members":[4,5]}`), "getChatUsers": apiFrame("getChatUsers", `{"10":"Zoe","4":"Alice"}`)},
			func(ctx context.Context, a *Adapter) (any, error) { return a.ChatUsers(ctx, "team") },
		},
	} {
		t.Run(name, func(t *testing.T) { pin(t, name, c.answers, c.do) })
	}
}

func TestANoticeTooLargeForItsColumn(t *testing.T) {
	a, s := newScripted(t)
	s.answers["notifyMSG"] = apiSays("")
	r := model.SendNotificationRequest{Title: "T", Sessions: []string{"4"}, Url: strings.Repeat("中", 5000)}
	require.NoError(t, a.SendNotification(t.Context(), r))
	r.Url = strings.Repeat("中", 11000)
	require.Equal(t, model.TooLarge, code(a.SendNotification(t.Context(), r)))
	r = model.SendNotificationRequest{Title: "T", Sessions: []string{"4"}, Content: strings.Repeat("x", 65536)}
	require.Equal(t, model.TooLarge, code(a.SendNotification(t.Context(), r)))
}
