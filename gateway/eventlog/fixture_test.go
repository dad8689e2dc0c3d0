package eventlog

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/xuangate/xuangate/adapter"
	"github.com/xuangate/xuangate/adapter/legacy"
	"github.com/xuangate/xuangate/gen/model"
)

// fixture is a Log with the calls of a test in short.
type fixture struct {
	Log
	t *testing.T
}

func newFixture(t *testing.T, l Log) fixture { return fixture{Log: l, t: t} }

func (f fixture) end() Position {
	at, err := f.End(f.t.Context())
	require.NoError(f.t, err)
	return at
}

// append adds an event for users, or for all when none is named.
func (f fixture) append(data model.Notification, users ...legacy.UserID) Position {
	at, err := f.Append(f.t.Context(), event(data, adapter.Recipients{All: len(users) == 0, Users: users}))
	require.NoError(f.t, err)
	return at
}

func (f fixture) once(once, content string, users ...legacy.UserID) Position {
	e := event(text(content), adapter.Recipients{All: len(users) == 0, Users: users})
	e.Once = once
	at, err := f.Append(f.t.Context(), e)
	require.NoError(f.t, err)
	return at
}

func (f fixture) read(u legacy.UserID, after Position) (list []string) {
	f.t.Helper()
	entries, _, err := f.Read(f.t.Context(), u, after, 1000)
	require.NoError(f.t, err)
	for _, e := range entries {
		list = append(list, content(f.t, e))
	}
	return list
}

func content(t *testing.T, e *Entry) string {
	var data struct{ Content string }
	require.NoError(t, json.Unmarshal(e.Append(nil, false), &data))
	return data.Content
}

func text(content string) model.Notification { return model.Notification{Id: "n", Content: content} }

func event(data model.Notification, to adapter.Recipients) adapter.Event {
	return adapter.Event{Kind: model.EventKindNotification, To: to, Data: data}
}

func message(chat legacy.ChatGID, id legacy.MessageID, content string, users ...legacy.UserID) adapter.Event {
	return adapter.Event{
		Kind: model.EventKindMessage, To: adapter.Recipients{Users: users}, Chat: chat, ID: id,
		Data: model.MsgData{MsgId: fmt.Sprint(id), ConversationID: string(chat), FromSession: "4", SendTime: 1698119710000000, Type: 1, Content: content},
	}
}
