package adapter

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
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

// created is the effect of chat/create.
func created(gid legacy.ChatGID, name, chatType string, members []legacy.UserID, public bool) effect {
	row := legacy.ChatRow{
		GID: legacy.Text(gid), Name: legacy.Text(name), Type: legacy.Text(chatType), Members: members,
		CreatedDate: legacy.UnixDate(time.Now().Unix()),
	}
	if public {
		row.Public = 1
	}
	return effect{what: model.ChangedCreated, row: row, in: members}
}

// effect is what a call is to do to a chat: row is how it should be afterwards, who must be a member then, and who not.
type effect struct {
	what model.ConversationEventChanged
	row  legacy.ChatRow
	in   []legacy.UserID
	out  []legacy.UserID
}

// change sends a call that changes a chat, and tells the members, those whom it removed too. It has the chat's lane to
// itself: of two answers at once the older one might be kept, and a message go to the members of before.
func (a *Adapter) change(ctx context.Context, op string, as legacy.UserID, c legacy.Call, e effect) (legacy.ChatRow, error) {
	leave, err := a.lanes.enter(ctx, string(e.row.GID))
	if err != nil {
		return legacy.ChatRow{}, noAnswer(op, err)
	}
	defer leave()
	return a.changeInLane(ctx, op, as, c, e)
}

func (a *Adapter) changeInLane(ctx context.Context, op string, as legacy.UserID, c legacy.Call, e effect) (legacy.ChatRow, error) {
	ctx = context.WithoutCancel(ctx) // once it is sent it may be done, and then it must be told
	r, err := a.call(ctx, op, c)
	if k := code(err); (r.Unsure || k == model.Unreachable || k == model.TooSlow) && !errors.Is(err, legacy.ErrNotSent) {
		return a.ascertain(ctx, op, as, e, err)
	}
	if err != nil {
		return legacy.ChatRow{}, err
	}
	var row legacy.ChatRow
	if err := spoken(op, r, &row); err != nil {
		return row, err
	}
	if row.GID != e.row.GID {
		return row, refuse(op, model.Conflict, "the chat server answered another conversation; nothing is known of yours")
	}
	return row, a.tell(ctx, as, row, e.what, e.out...)
}

// ascertain asks for the members when the answer to a change does not tell whether it was done: none came, or it may be
// somebody else's. said is what the answer was taken for.
func (a *Adapter) ascertain(ctx context.Context, op string, as legacy.UserID, e effect, said error) (legacy.ChatRow, error) {
	members, err := a.members(ctx, op, as, legacy.ChatGID(e.row.GID))
	if err != nil {
		return legacy.ChatRow{}, cmp.Or(said, err)
	}
	missing := func(u legacy.UserID) bool { return !slices.Contains(members, u) }
	if slices.ContainsFunc(e.in, missing) || len(e.out) > 0 && !slices.ContainsFunc(e.out, missing) {
		if said == nil {
			said = refuse(op, model.Conflict, "the chat server says that it was done, and that it was not")
		}
		return legacy.ChatRow{}, said
	}
	row := e.row
	row.Members = members
	return row, a.tell(ctx, as, row, e.what, e.out...)
}

// members asks who is in a chat. Legacy answers anybody; a chat that does not exist has none.
func (a *Adapter) members(ctx context.Context, op string, as legacy.UserID, gid legacy.ChatGID) ([]legacy.UserID, error) {
	r, err := a.read(ctx, op, legacy.Chat(as, "members", gid))
	if err != nil {
		return nil, err
	}
	var found struct {
		Members legacy.Users `json:"members"`
	}
	return found.Members, spoken(op, r, &found)
}

// tell keeps a chat that was changed and appends an event for its members, for those who no longer are, and for those in
// also. The same change may be heard on several links; each recipient is told once.
func (a *Adapter) tell(ctx context.Context, as legacy.UserID, row legacy.ChatRow, what model.ConversationEventChanged, also ...legacy.UserID) error {
	version, gone := a.chats.put(row)
	e, err := a.describe(ctx, as, row)
	if err != nil {
		// The change is done; its news must not wait for the last message, which the client can ask for.
		a.log.WarnContext(ctx, "conversation event without its last message", "error", err)
	}
	e.Changed = []model.ConversationEventChanged{what}
	return a.sink(ctx, Event{
		Kind: model.EventKindConversation, To: audience(row, append(gone, also...)...), Data: e,
		Once: fmt.Sprintf("%s#%d", row.GID, version),
	})
}

// audience is everybody for the system chat, else the members and those in also.
func audience(row legacy.ChatRow, also ...legacy.UserID) Recipients {
	if row.System() {
		return Recipients{All: true}
	}
	to := slices.Clone([]legacy.UserID(row.Members))
	for _, u := range also {
		if !slices.Contains(to, u) {
			to = append(to, u)
		}
	}
	return Recipients{Users: to}
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
