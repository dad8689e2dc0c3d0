package adapter

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

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

// Conversations lists the conversations of u, whole.
func (a *Adapter) Conversations(ctx context.Context, u legacy.UserID) (model.Conversations, error) {
	rows, err := a.list(ctx, "list conversations", u)
	if err != nil {
		return model.Conversations{}, err
	}
	last, partial := a.lastOfEach(ctx, u, rows)
	list := make([]model.Conversation, len(rows))
	for i, row := range rows {
		list[i] = a.conversation(row, last[i])
	}
	return model.Conversations{Conversations: list, Partial: partial}, ctx.Err()
}

// PublicConversations lists the groups that anybody may join.
func (a *Adapter) PublicConversations(ctx context.Context, u legacy.UserID) (model.PublicConversations, error) {
	rows, err := a.publicList(ctx, "list public conversations", u)
	list := make([]model.PublicConversation, 0, len(rows))
	for _, row := range rows {
		list = append(list, model.PublicConversation{
			ConversationID: model.ConversationId(row.GID), Name: string(row.Name), Creator: string(row.CreatedBy),
			CreateTime: a.createdAt(row) * 1e6, Subject: int64(row.Subject),
			MemberCount: len(row.Members), Joined: row.Has(u),
		})
	}
	return model.PublicConversations{Conversations: list}, err
}

// publicList asks legacy for the groups that anybody may join: other types can be public, and not be joined.
func (a *Adapter) publicList(ctx context.Context, op string, u legacy.UserID) (rows []legacy.ChatRow, err error) {
	r, err := a.read(ctx, op, legacy.Chat(u, "getpubliclist"))
	if err != nil {
		return nil, err
	}
	err = spoken(op, r, &rows)
	return slices.DeleteFunc(named(rows), func(row legacy.ChatRow) bool { return string(row.Type) != legacy.TypeGroup || dismissed(row) }), err
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
	last, err := a.lastMessage(ctx, u, row)
	return a.conversation(row, last), err
}

// conversation translates a chat with its last message, and the marks of him who asked for it. A message whose id is 0 is
// none, or not known.
func (a *Adapter) conversation(row legacy.ChatRow, last legacy.MessageRow) model.Conversation {
	gid, own := legacy.ChatGID(row.GID), marksOf(row)
	c := model.Conversation{
		ConversationID: model.ConversationId(gid), IsDelete: dismissed(row), Subject: int64(row.Subject),
		Name: string(row.Name), Public: row.Public != 0, Creator: string(row.CreatedBy),
		CreateTime: a.createdAt(row) * 1e6, LastSendTime: row.LastActiveTime.Unix(a.zone) * 1e6,
		Members: sessions(row.Members), Admins: sessions(row.AdminList()), Committers: sessions(row.CommitterList()),
		IsStar: own.star, IsArchive: own.hide, IsMute: own.mute, Category: own.category,
	}
	c.ConversationType, c.ConversationTypeName = conversationType(string(row.Type))
	if last.ID != 0 {
		c.LastMsg = a.message(gid, last)
		c.LastMsgID, c.LastSendTime, c.LastSendSession = c.LastMsg.MsgId, c.LastMsg.SendTime, c.LastMsg.FromSession
	}
	return c
}

// firstChats is when there could be chats: before Xuanxuan's first release, in Unix seconds.
const firstChats = 1_400_000_000

// createdAt is when a chat was made, in Unix seconds; 0 where legacy has forgotten it. An edit writes the date back as Unix
// seconds into a column that reads ten digits as YYMMDDhhmm (LEGACY: the date corruption). Mostly that is no date; but
// 1801152345, a day of January 2027, is one in January 2018. So a date of an edited chat that is such a reading of a time
// before the edit is none.
func (a *Adapter) createdAt(row legacy.ChatRow) int64 {
	at := row.CreatedDate.Unix(a.zone)
	if row.EditedBy == "" || at%60 != 0 {
		return at
	}
	read, err := strconv.ParseInt(time.Unix(at, 0).In(a.zone).Format("0601021504"), 10, 64)
	if err == nil && read > firstChats && read <= row.EditedDate.Unix(a.zone) {
		return 0
	}
	return at
}

// describe is what a chat's members are told of it, asking legacy as u for its last message unless that is known.
func (a *Adapter) describe(ctx context.Context, u legacy.UserID, row legacy.ChatRow) (model.ConversationEvent, error) {
	last, err := a.lastMessage(ctx, u, row)
	c := a.conversation(row, last)
	return model.ConversationEvent{
		ConversationID: c.ConversationID, ConversationType: c.ConversationType, ConversationTypeName: c.ConversationTypeName,
		CreateTime: c.CreateTime, Creator: c.Creator, IsDelete: c.IsDelete, Name: c.Name, Public: c.Public, Subject: c.Subject,
		LastMsgID: c.LastMsgID, LastSendSession: c.LastSendSession, LastSendTime: c.LastSendTime,
		Members: c.Members, Admins: c.Admins, Committers: c.Committers,
	}, err
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
		return a.createChat(ctx, op, u, newChat{kind: legacy.TypeGroup, name: r.Name, members: members, public: r.Public, subject: r.Subject})
	case kindOne2One:
		members = slices.DeleteFunc(members, func(m legacy.UserID) bool { return m == u })
		if len(members) != 1 || r.Name != "" || r.Public || r.Subject != 0 {
			return "", refuse(op, model.InvalidParameter, "a one-to-one conversation takes exactly one other member in members, no name, no public and no subject")
		}
		return a.openOne2One(ctx, op, u, u, members[0])
	}
	return "", refuse(op, model.NotAllowed, "conversation_type: 0 (group) or 1 (one-to-one); the others are made through /inner or not at all")
}

// newChat is a chat that is to be made, of any type but system and one2one.
type newChat struct {
	kind, name string
	members    []legacy.UserID
	public     bool
	subject    int64
}

// createChat makes a chat and tells its members.
func (a *Adapter) createChat(ctx context.Context, op string, as legacy.UserID, n newChat) (model.ConversationId, error) {
	rows, err := a.known(ctx, op, "members", n.members)
	if err != nil {
		return "", err
	}
	name, err := a.fitName(op, "name", n.name)
	if err != nil {
		return "", err
	}
	if name == "" {
		name = nameOf(rows) // legacy can never dismiss or publish a chat without a name
	}
	gid := newChatGID()
	row, err := a.change(ctx, op, as, legacy.Chat(as, "create", gid, name, n.kind, n.members, n.subject, n.public),
		created(gid, name, n.kind, n.members, n.public, n.subject))
	if err != nil {
		return "", err
	}
	if string(row.Name) != name {
		return model.ConversationId(gid), refuse(op, model.Conflict, "the chat server changed the name to %q; the conversation %s exists under it", row.Name, gid)
	}
	return model.ConversationId(gid), nil
}

// fitName is a name as legacy can keep it; "" is none.
func (a *Adapter) fitName(op, param, name string) (string, error) {
	if bad := a.emoji.unfit(name); bad != "" {
		return "", refuse(op, model.Conflict, "%s: the chat server cannot store %q in a name", param, bad)
	}
	return strings.TrimSpace(name), nil
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
		created(gid, "", legacy.TypeOne2One, members, false, 0))
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

// nameAfter is nameOf for members of whom some may be users no longer.
func (a *Adapter) nameAfter(ctx context.Context, members []legacy.UserID) (string, error) {
	var rows []legacy.UserRow
	for _, u := range members {
		row, ok, err := a.users.get(ctx, u)
		if err != nil {
			return "", err
		}
		if ok {
			rows = append(rows, row)
		}
	}
	return nameOf(rows), nil
}
