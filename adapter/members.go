package adapter

import (
	"context"
	"slices"

	"github.com/xuangate/xuangate/adapter/legacy"
	"github.com/xuangate/xuangate/gen/model"
)

// Members lists who is in a conversation of u.
func (a *Adapter) Members(ctx context.Context, u legacy.UserID, id model.ConversationId) (model.ConversationMembers, error) {
	const op = "list members"
	row, err := a.member(ctx, op, u, id)
	if err != nil {
		return model.ConversationMembers{}, err
	}
	if row.Members, err = a.members(ctx, op, u, legacy.ChatGID(row.GID)); err == nil && !row.Has(u) {
		err = notMember(op) // no longer
	}
	if err != nil {
		return model.ConversationMembers{}, err
	}
	return model.ConversationMembers{ConversationId: id, Members: sessions(row.Members)}, nil
}

// InviteMembers takes users into a group that u is in. Those who are in already are passed over.
func (a *Adapter) InviteMembers(ctx context.Context, u legacy.UserID, id model.ConversationId, list []model.Session) error {
	const op = "invite members"
	users, err := parseSessions(list)
	if err != nil {
		return err
	}
	if _, err := a.known(ctx, op, "sessions", users); err != nil {
		return err
	}
	return a.settled(ctx, op, u, id, mustBeGroup, func(row legacy.ChatRow) error {
		users := slices.DeleteFunc(users, row.Has)
		if len(users) == 0 {
			return nil
		}
		_, err := a.changeInLane(ctx, op, u, legacy.Chat(u, "addmember", row.GID, users, true), effect{what: model.ChangedMembers, row: row, in: users})
		return err
	})
}

// RemoveMembers ends users' membership of a group that u manages, and tells them, which legacy does not. Those who are no
// members are passed over.
func (a *Adapter) RemoveMembers(ctx context.Context, u legacy.UserID, id model.ConversationId, list []model.Session) error {
	const op = "remove members"
	users, err := parseSessions(list)
	if err != nil {
		return err
	}
	return a.managed(ctx, op, u, id, mustBeGroup, func(row legacy.ChatRow) error {
		users := slices.DeleteFunc(users, func(u legacy.UserID) bool { return !row.Has(u) })
		if len(users) == 0 {
			return nil
		}
		_, err := a.changeInLane(ctx, op, u, legacy.Chat(u, "addmember", row.GID, users, false), effect{what: model.ChangedMembers, row: row, out: users})
		return err
	})
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
	public, err := a.publicList(ctx, op, u)
	if err != nil {
		return err
	}
	for _, row := range public {
		if legacy.ChatGID(row.GID) != gid {
			continue
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
		return refuse(op, model.Conflict, "this can be done to groups only; the conversation is of type %q", row.Type)
	}
	return nil
}
