package adapter

import (
	"cmp"
	"context"
	"maps"
	"slices"

	"github.com/xuangate/xuangate/adapter/legacy"
	"github.com/xuangate/xuangate/gen/model"
)

// noticeEvents translates notices for the users in to, by id.
func (a *Adapter) noticeEvents(rows []legacy.NoticeRow, to []legacy.UserID) []Event {
	slices.SortFunc(rows, func(a, b legacy.NoticeRow) int { return int(a.ID - b.ID) })
	events := make([]Event, len(rows))
	for i, row := range rows {
		events[i] = Event{
			Kind: model.EventKindNotification, To: Recipients{Users: to}, Data: a.notification(row), Once: string(row.GID),
		}
	}
	return events
}

func (a *Adapter) notification(row legacy.NoticeRow) model.Notification {
	n := model.Notification{
		Id: string(row.GID), Title: a.emoji.read(0, string(row.Title)), Subtitle: a.emoji.read(0, string(row.Subtitle)),
		Type: typeOf(string(row.ContentType)), SendTime: row.Date.Unix(a.zone) * 1e6, Url: string(row.URL),
		Sender: model.NotificationSender{Id: string(row.Sender.ID), Name: string(row.Sender.Name), Avatar: string(row.Sender.Avatar)},
	}
	n.Content = a.emoji.read(n.Type, string(row.Content))
	for _, act := range row.Actions {
		n.Actions = append(n.Actions, model.NotificationAction{
			Label: string(act.Label), Url: string(act.URL), Type: actionType(string(act.Type)), Icon: string(act.Icon),
		})
	}
	return n
}

// actionTypes are how a button may look (seed 002, and "normal" of its example).
var actionTypes = []string{"normal", "primary", "success", "danger", "warning", "info", "important", "special"}

// actionType is a button's look; one that no client knows is normal.
func actionType(t string) string {
	if slices.Contains(actionTypes, t) {
		return t
	}
	return "normal"
}

// SendNotification leaves a notice for users, or for the members of a group. Legacy gives it to those online with its next
// poll, to the others when they come online.
func (a *Adapter) SendNotification(ctx context.Context, r model.SendNotificationRequest) error {
	const op = "send notification"
	draft, err := a.noticeDraft(op, r)
	if err != nil {
		return err
	}
	if (len(r.Sessions) > 0) == (r.ConversationId != "") {
		return refuse(op, model.InvalidParameter, "sessions: give either sessions or conversation_id")
	}
	if a.apps == nil { // before anything is asked about the receivers
		_, err := a.callApp(ctx, op, legacy.Call{})
		return err
	}
	receivers, err := a.receivers(ctx, op, &draft, r)
	if err != nil {
		return err
	}
	// The server keeps all but the content in one column, the receivers too; what does not fit is cut, and then no notice.
	n, err := legacy.StoredSize(map[string]any{
		"title": draft.Title, "subtitle": draft.Subtitle, "url": draft.URL, "actions": draft.Actions, "sender": draft.Sender, "target": receivers,
	})
	if err != nil || n > legacy.MaxStored {
		return refuse(op, model.TooLarge, "a notice with all but its content takes %d bytes as the chat server stores it, at most %d; use fewer receivers or shorter texts", n, legacy.MaxStored)
	}
	_, err = a.callApp(ctx, op, legacy.Call{Module: "chat", Method: "notifyMSG", Params: draft})
	return err
}

// receivers says in a draft whom it is for, and returns them. A notice for nobody would be given to everybody.
func (a *Adapter) receivers(ctx context.Context, op string, draft *legacy.NoticeDraft, r model.SendNotificationRequest) ([]legacy.UserID, error) {
	if r.ConversationId == "" {
		users, err := parseSessions(r.Sessions)
		if err != nil {
			return nil, err
		}
		_, err = a.known(ctx, op, "sessions", users)
		draft.Receiver, draft.UserList = "users", users
		return users, err
	}
	row, err := a.any(ctx, op, r.ConversationId)
	if err == nil {
		err = mustBeGroup(op, row)
	}
	draft.Receiver, draft.GID = "group", legacy.ChatGID(row.GID)
	return row.Members, err
}

// noticeDraft is a notice as legacy takes it, without its receivers.
func (a *Adapter) noticeDraft(op string, r model.SendNotificationRequest) (legacy.NoticeDraft, error) {
	draft := legacy.NoticeDraft{ContentType: contentTypes[r.Type], URL: r.Url}
	for _, text := range []struct {
		name, from string
		to         *string
	}{{"title", r.Title, &draft.Title}, {"subtitle", r.Subtitle, &draft.Subtitle}, {"content", r.Content, &draft.Content}} {
		fit, err := a.emoji.write(0, text.from)
		if err != nil {
			return draft, refuse(op, model.Conflict, "%s: the chat server cannot store %s", text.name, err)
		}
		*text.to = fit
	}
	draft.SubTitle = draft.Subtitle
	if len(draft.Content) > a.maxContent {
		return draft, refuse(op, model.TooLarge, "content: %d bytes as the chat server stores it, at most %d", len(draft.Content), a.maxContent)
	}
	names := []string{r.Sender.Name}
	for _, act := range r.Actions {
		names = append(names, act.Label)
		draft.Actions = append(draft.Actions, legacy.NoticeAction{
			Label: legacy.Text(act.Label), URL: legacy.Text(act.Url), Type: legacy.Text(actionType(act.Type)), Icon: legacy.Text(act.Icon),
		})
	}
	for _, name := range names {
		if bad := a.emoji.unfit(name); bad != "" {
			return draft, refuse(op, model.Conflict, "the chat server cannot store %q in a label or name", bad)
		}
	}
	if r.Sender.Id != "" {
		draft.Sender = &legacy.NoticeSender{ID: legacy.Text(r.Sender.Id), Name: legacy.Text(r.Sender.Name), Avatar: legacy.Text(r.Sender.Avatar)}
	}
	return draft, nil
}

// ChatGroups lists all groups of the chat server.
func (a *Adapter) ChatGroups(ctx context.Context) (model.ChatGroups, error) {
	const op = "list groups"
	names, err := a.appNames(ctx, op, legacy.Call{Module: "chat", Method: "getChatGroups"})
	list := make([]model.ChatGroup, 0, len(names))
	for _, gid := range slices.Sorted(maps.Keys(names)) {
		list = append(list, model.ChatGroup{ConversationId: gid, Name: string(names[gid])})
	}
	return model.ChatGroups{Conversations: list}, err
}

// ChatUsers lists the members of a group, or everybody where id is empty. What the server answers for a chat that it does not
// know is anybody's guess, so it is looked for first.
func (a *Adapter) ChatUsers(ctx context.Context, id model.ConversationId) (model.ChatUsers, error) {
	const op = "list a group's users"
	if id != "" && a.apps != nil {
		if _, err := a.any(ctx, op, id); err != nil {
			return model.ChatUsers{}, err
		}
	}
	names, err := a.appNames(ctx, op, legacy.Call{Module: "chat", Method: "getChatUsers", Params: map[string]string{"gid": id}})
	list := make([]model.ChatUser, 0, len(names))
	for _, session := range slices.SortedFunc(maps.Keys(names), func(x, y string) int { return cmp.Or(cmp.Compare(len(x), len(y)), cmp.Compare(x, y)) }) {
		if _, err := ParseSession(session); err == nil {
			list = append(list, model.ChatUser{Session: session, Name: string(names[session])})
		}
	}
	return model.ChatUsers{Users: list}, err
}

func (a *Adapter) appNames(ctx context.Context, op string, c legacy.Call) (legacy.Labels, error) {
	r, err := a.callApp(ctx, op, c)
	if err != nil {
		return nil, err
	}
	var names legacy.Labels
	return names, spoken(op, r, &names)
}
