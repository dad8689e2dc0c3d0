package adapter

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/xuangate/xuangate/adapter/legacy"
	"github.com/xuangate/xuangate/gen/model"
)

// The facade's conversation types; legacy's are strings, and any string may be stored.
const (
	kindGroup   = 0
	kindOne2One = 1
	kindSystem  = 2
	kindOther   = 15
)

const maxName = 60 // characters; legacy cuts longer names

var chatTypes = []string{legacy.TypeGroup, legacy.TypeOne2One, legacy.TypeSystem, "project", "product", "robot"}

func conversationType(t string) (n model.ConversationType, name string) {
	if i := slices.Index(chatTypes, t); i >= 0 {
		return model.ConversationType(i), ""
	}
	return kindOther, t
}

// CheckJoined says whether u is a member of the conversation; a conversation that does not exist has no members.
func (a *Adapter) CheckJoined(ctx context.Context, u legacy.UserID, id model.ConversationId) (bool, error) {
	_, err := a.member(ctx, "check membership", u, id)
	if code(err) == model.NotFound {
		return false, nil
	}
	return err == nil, err
}

// JoinedConversations lists the conversations of u: the system one first, dismissed ones included.
func (a *Adapter) JoinedConversations(ctx context.Context, u legacy.UserID) ([]model.ConversationId, error) {
	rows, err := a.list(ctx, "list conversations", u)
	if err != nil {
		return nil, err
	}
	ids := make([]model.ConversationId, len(rows))
	for i, row := range rows {
		ids[i] = model.ConversationId(row.GID)
	}
	return ids, nil
}

// Conversation returns one conversation as u sees it.
func (a *Adapter) Conversation(ctx context.Context, u legacy.UserID, id model.ConversationId) (model.Conversation, error) {
	const op = "get conversation"
	gid, err := parseChatGID(op, id)
	if err != nil {
		return model.Conversation{}, err
	}
	row, err := a.own(ctx, op, u, gid)
	if err != nil {
		return model.Conversation{}, err
	}
	e, err := a.describe(ctx, u, row)
	return model.Conversation{
		ConversationID: e.ConversationID, ConversationType: e.ConversationType, ConversationTypeName: e.ConversationTypeName,
		CreateTime: e.CreateTime, Creator: e.Creator, IsArchive: row.Hide != 0, IsDelete: e.IsDelete,
		LastMsgID: e.LastMsgID, LastSendSession: e.LastSendSession, LastSendTime: e.LastSendTime,
		Members: e.Members, Name: e.Name, Public: e.Public,
	}, err
}

// describe translates a chat, asking legacy as u for its last message unless that is known.
func (a *Adapter) describe(ctx context.Context, u legacy.UserID, row legacy.ChatRow) (model.ConversationEvent, error) {
	gid := legacy.ChatGID(row.GID)
	c := model.ConversationEvent{
		ConversationID: model.ConversationId(gid), IsDelete: dismissed(row),
		Name: string(row.Name), Public: row.Public != 0, Creator: string(row.CreatedBy),
		CreateTime: row.CreatedDate.Unix(a.zone) * 1e6, Members: sessions(row.Members),
	}
	c.ConversationType, c.ConversationTypeName = conversationType(string(row.Type))
	last, ok, err := a.lastMessage(ctx, u, row)
	if err == nil && ok {
		m := a.message(gid, last)
		c.LastMsgID, c.LastSendTime, c.LastSendSession = m.MsgId, m.SendTime, m.FromSession
	}
	return c, err
}

func dismissed(row legacy.ChatRow) bool { return row.DismissDate != legacy.Date{} }

// CreateConversation creates a group of u and the members, or opens the one-to-one conversation of u and another.
func (a *Adapter) CreateConversation(ctx context.Context, u legacy.UserID, r model.CreateConversationRequest) (model.ConversationId, error) {
	const op = "create conversation"
	members, err := parseSessions(r.Members)
	if err != nil {
		return "", err
	}
	switch r.ConversationType {
	case kindGroup:
		if !slices.Contains(members, u) {
			members = append([]legacy.UserID{u}, members...)
		}
		return a.createChat(ctx, op, u, legacy.TypeGroup, r.Name, members, r.Public)
	case kindOne2One:
		members = slices.DeleteFunc(members, func(m legacy.UserID) bool { return m == u })
		if len(members) != 1 || r.Name != "" || r.Public {
			return "", refuse(op, model.InvalidParameter, "a one-to-one conversation takes exactly one other member in members, no name and no public")
		}
		return a.openOne2One(ctx, op, u, u, members[0])
	}
	return "", refuse(op, model.NotAllowed, "conversation_type: 0 (group) or 1 (one-to-one); the others are made through /inner or not at all")
}

// createChat makes a new chat, of any type but system and one2one, and tells its members.
func (a *Adapter) createChat(ctx context.Context, op string, as legacy.UserID, chatType, name string, members []legacy.UserID, public bool) (model.ConversationId, error) {
	rows, err := a.known(ctx, op, "members", members)
	if err != nil {
		return "", err
	}
	if bad := a.emoji.unfit(name); bad != "" {
		return "", refuse(op, model.Conflict, "name: the chat server cannot store %q in a name", bad)
	}
	// Legacy can never rename, dismiss or publish a chat without a name.
	if name = strings.TrimSpace(name); name == "" {
		name = nameOf(rows)
	}
	gid := newChatGID()
	row, err := a.change(ctx, op, as, legacy.Chat(as, "create", gid, name, chatType, members, 0, public),
		created(gid, name, chatType, members, public))
	if err != nil {
		return "", err
	}
	if string(row.Name) != name {
		return model.ConversationId(gid), refuse(op, model.Conflict, "the chat server changed the name to %q; the conversation %s exists under it", row.Name, gid)
	}
	return model.ConversationId(gid), nil
}

// openOne2One opens the conversation of x and y, or finds it: its id follows from theirs.
func (a *Adapter) openOne2One(ctx context.Context, op string, as, x, y legacy.UserID) (model.ConversationId, error) {
	if _, err := a.known(ctx, op, "members", []legacy.UserID{x, y}); err != nil {
		return "", err
	}
	gid := one2oneGID(x, y)
	leave, err := a.lanes.enter(ctx, string(gid))
	if err != nil {
		return "", noAnswer(op, err)
	}
	defer leave()
	if _, err := a.member(ctx, op, x, string(gid)); code(err) != model.NotFound {
		return model.ConversationId(gid), err
	}
	members := []legacy.UserID{x, y}
	_, err = a.changeInLane(ctx, op, as, legacy.Chat(as, "create", gid, "", legacy.TypeOne2One, members, 0, false),
		created(gid, "", legacy.TypeOne2One, members, false))
	return model.ConversationId(gid), err
}

// nameOf names a group after its members.
func nameOf(rows []legacy.UserRow) string {
	names := make([]string, 0, len(rows))
	for _, row := range rows {
		names = append(names, cmp.Or(string(row.Realname), string(row.Account)))
	}
	name := []rune(strings.Join(names, "、"))
	return string(name[:min(len(name), maxName)])
}

// JoinConversation makes u a member of a public group. Joining twice is fine.
func (a *Adapter) JoinConversation(ctx context.Context, u legacy.UserID, id model.ConversationId) error {
	const op = "join conversation"
	row, err := a.member(ctx, op, u, id)
	if code(err) != model.NotFound {
		if err == nil && dismissed(row) {
			return refuse(op, model.Conflict, "the conversation has been dismissed")
		}
		return err
	}
	gid, err := parseChatGID(op, id)
	if err != nil {
		return err
	}
	r, err := a.read(ctx, op, legacy.Chat(u, "getpubliclist"))
	if err != nil {
		return err
	}
	var public []legacy.ChatRow
	if err := spoken(op, r, &public); err != nil {
		return err
	}
	for _, row := range public {
		if legacy.ChatGID(row.GID) != gid {
			continue
		}
		if err := mustBeGroup(op, row); err != nil {
			return err
		}
		_, err := a.change(ctx, op, u, legacy.Chat(u, "joinchat", gid, true), effect{what: model.ChangedMembers, row: row, in: []legacy.UserID{u}})
		return err
	}
	return refuse(op, model.NotFound, "no such public conversation")
}

// LeaveConversation ends u's membership of a group.
func (a *Adapter) LeaveConversation(ctx context.Context, u legacy.UserID, id model.ConversationId) error {
	const op = "leave conversation"
	row, err := a.member(ctx, op, u, id)
	if err != nil {
		return err
	}
	if err := mustBeGroup(op, row); err != nil {
		return err
	}
	gid := legacy.ChatGID(row.GID)
	_, err = a.change(ctx, op, u, legacy.Chat(u, "joinchat", gid, false), effect{what: model.ChangedMembers, row: row, out: []legacy.UserID{u}})
	return err
}

// mustBeGroup refuses what legacy does to living groups only.
func mustBeGroup(op string, row legacy.ChatRow) error {
	if dismissed(row) {
		return refuse(op, model.Conflict, "the conversation has been dismissed")
	}
	if string(row.Type) != legacy.TypeGroup {
		return refuse(op, model.Conflict, "only groups have members that come and go; this conversation is of type %q", row.Type)
	}
	return nil
}
