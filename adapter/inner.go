package adapter

import (
	"context"
	"errors"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/xuangate/xuangate/adapter/legacy"
	"github.com/xuangate/xuangate/gen/model"
)

// archiveCalls is how many hide calls run at a time; more would make one request a burst on the PHP behind.
const archiveCalls = 4

// InnerCreateConversation creates a conversation as the operator, who is a member only when named, or as its owner, who is
// always one.
func (a *Adapter) InnerCreateConversation(ctx context.Context, r model.InnerCreateConversationRequest) (model.ConversationId, error) {
	const op = "create conversation"
	members, err := parseSessions(r.Sessions)
	if err != nil {
		return "", err
	}
	as, err := a.actor(ctx, op, "owner", r.Owner)
	if err != nil {
		return "", err
	}
	if r.Owner != "" && !slices.Contains(members, as) {
		members = append([]legacy.UserID{as}, members...)
	}
	chatType := r.ConversationTypeName
	if (r.ConversationType == kindOther) != (chatType != "") || slices.Contains(chatTypes, chatType) {
		return "", refuse(op, model.InvalidParameter, "conversation_type_name: goes with conversation_type 15, and names none of the other types")
	}
	switch {
	case r.ConversationType == kindSystem:
		return "", refuse(op, model.NotAllowed, "conversation_type: a second system conversation would hold everybody; it cannot be made")
	case r.ConversationType == kindOne2One:
		if len(members) != 2 || r.Name != "" {
			return "", refuse(op, model.InvalidParameter, "a one-to-one conversation takes exactly two sessions, the owner among them, and no name")
		}
		return a.openOne2One(ctx, op, as, members[0], members[1])
	case r.ConversationType >= 0 && int(r.ConversationType) < len(chatTypes):
		chatType = chatTypes[r.ConversationType]
	case r.ConversationType != kindOther:
		return "", refuse(op, model.InvalidParameter, "conversation_type: 0, 1, 3, 4, 5 or 15")
	}
	return a.createChat(ctx, op, as, newChat{kind: chatType, name: r.Name, members: members})
}

// actor is the user that /inner acts as: the one that param names, or the operator. In mode xxd he must be signed in here.
func (a *Adapter) actor(ctx context.Context, op, param string, s model.Session) (legacy.UserID, error) {
	if s == "" {
		return a.operatorID(ctx)
	}
	u, err := ParseSession(s)
	if err != nil {
		return 0, err
	}
	if _, err := a.known(ctx, op, param, []legacy.UserID{u}); err != nil {
		return 0, err
	}
	return u, a.Vouch(ctx, u)
}

// InnerMembers lists who is in a conversation.
func (a *Adapter) InnerMembers(ctx context.Context, id model.ConversationId) (model.ConversationMembers, error) {
	const op = "list members"
	row, err := a.any(ctx, op, id)
	if err != nil {
		return model.ConversationMembers{}, err
	}
	operator, err := a.operatorID(ctx)
	if err != nil {
		return model.ConversationMembers{}, err
	}
	members, err := a.members(ctx, op, operator, legacy.ChatGID(row.GID))
	return model.ConversationMembers{ConversationId: id, Members: sessions(members)}, err
}

// InnerSendMessage is SendMessage as the operator, into whatever conversation, or as a member.
func (a *Adapter) InnerSendMessage(ctx context.Context, r model.InnerSendMsgRequest) (model.MsgId, error) {
	draft := model.SendMsgRequest{ConversationId: r.ConversationId, Type: r.Type, Status: r.Status, Content: r.Content, ClientMsgId: r.ClientMsgId}
	const op = "send message"
	as, err := a.actor(ctx, op, "session", r.Session)
	if err == nil {
		err = a.Link(ctx, as) // where his link is, for only there the same message sent twice at once is seen to be one
	}
	if err != nil {
		return "", err
	}
	if r.Session != "" {
		return a.SendMessage(ctx, as, draft)
	}
	chat, err := a.any(ctx, op, r.ConversationId)
	if err != nil {
		return "", err
	}
	return a.send(ctx, op, as, chat, draft)
}

// InnerKickout removes members from a group and tells them, which legacy does not. Those who are no members are passed over.
func (a *Adapter) InnerKickout(ctx context.Context, id model.ConversationId, list []model.Session) error {
	const op = "remove members"
	row, users, operator, err := a.innerGroup(ctx, op, id, list)
	if err != nil {
		return err
	}
	users = slices.DeleteFunc(users, func(u legacy.UserID) bool { return !row.Has(u) })
	if len(users) == 0 {
		return nil
	}
	gid := legacy.ChatGID(row.GID)
	_, err = a.change(ctx, op, operator, legacy.Chat(operator, "addmember", gid, users, false), effect{what: model.ChangedMembers, row: row, out: users})
	return err
}

// InnerJoin makes users members of a group, public or not. Those who are members already are passed over.
func (a *Adapter) InnerJoin(ctx context.Context, id model.ConversationId, list []model.Session) error {
	const op = "add members"
	row, users, operator, err := a.innerGroup(ctx, op, id, list)
	if err != nil {
		return err
	}
	if _, err := a.known(ctx, op, "sessions", users); err != nil {
		return err
	}
	users = slices.DeleteFunc(users, row.Has)
	if len(users) == 0 {
		return nil
	}
	gid := legacy.ChatGID(row.GID)
	_, err = a.change(ctx, op, operator, legacy.Chat(operator, "addmember", gid, users, true), effect{what: model.ChangedMembers, row: row, in: users})
	return err
}

func (a *Adapter) innerGroup(ctx context.Context, op string, id model.ConversationId, list []model.Session) (row legacy.ChatRow, users []legacy.UserID, operator legacy.UserID, err error) {
	if users, err = parseSessions(list); err != nil {
		return
	}
	if operator, err = a.operatorID(ctx); err != nil {
		return
	}
	if row, err = a.any(ctx, op, id); err != nil {
		return
	}
	err = mustBeGroup(op, row)
	return
}

// InnerSetArchive archives conversations for each of their members, or brings them back, and reports what it could not
// do. The error is for what stops all of it.
func (a *Adapter) InnerSetArchive(ctx context.Context, ids []model.ConversationId, archive bool) (model.ArchiveResult, error) {
	const op = "archive conversation"
	result := model.ArchiveResult{Failed: []model.ArchiveFailure{}}
	for _, id := range ids {
		row, err := a.any(ctx, op, id)
		if err == nil && row.System() {
			err = refuse(op, model.Conflict, "the chat server keeps no such mark for the system conversation")
		}
		if err != nil {
			result.Failed = append(result.Failed, failure(id, nil, err))
			continue
		}
		result.Failed = append(result.Failed, a.archive(ctx, op, row, archive)...)
	}
	return result, ctx.Err()
}

// archive sets the mark for each member of one chat. Legacy keeps it per user, so each call goes out in a member's name.
func (a *Adapter) archive(ctx context.Context, op string, row legacy.ChatRow, archive bool) []model.ArchiveFailure {
	gid := legacy.ChatGID(row.GID)
	var mu sync.Mutex
	var done []legacy.UserID
	failed := map[string]*model.ArchiveFailure{}
	g := errgroup.Group{}
	g.SetLimit(archiveCalls)
	for _, u := range row.Members {
		g.Go(func() error {
			err := a.setMark(ctx, op, legacy.Chat(u, "hide", gid, archive), gid, func(m *marks) { m.hide = archive })
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				done = append(done, u)
				return nil
			}
			f := failure(model.ConversationId(gid), nil, err)
			if failed[f.Error] == nil {
				failed[f.Error] = &f
			}
			failed[f.Error].Sessions = append(failed[f.Error].Sessions, u.String())
			return nil
		})
	}
	_ = g.Wait() // each goroutine keeps its own error
	var list []model.ArchiveFailure
	for _, f := range failed {
		list = append(list, *f)
	}
	if len(done) == 0 {
		return list
	}
	e, err := a.describe(context.WithoutCancel(ctx), done[0], row)
	if err != nil {
		a.log.WarnContext(ctx, "conversation event without its last message", "error", err)
	}
	e.Changed, e.IsArchive = []model.ConversationEventChanged{model.ChangedArchived}, &archive
	if err := a.sink(context.WithoutCancel(ctx), Event{Kind: model.EventKindConversation, To: Recipients{Users: done}, Data: e}); err != nil {
		list = append(list, failure(model.ConversationId(gid), sessions(done), err))
	}
	return list
}

func failure(id model.ConversationId, list []model.Session, err error) model.ArchiveFailure {
	f := model.ArchiveFailure{ConversationId: id, Sessions: list, Code: code(err), Error: "internal error"}
	if e, ok := errors.AsType[*Error](err); ok {
		f.Error = e.Text
	}
	return f
}
