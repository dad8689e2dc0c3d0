package adapter

import (
	"context"
	"slices"
	"strings"

	"github.com/xuangate/xuangate/adapter/legacy"
	"github.com/xuangate/xuangate/gen/model"
)

// maxUserList is how many characters of ids and commas legacy keeps of admins and of committers; it cuts longer lists, in
// the middle of an id.
const maxUserList = 255

// RenameConversation gives a group, or the system conversation, another name.
func (a *Adapter) RenameConversation(ctx context.Context, u legacy.UserID, id model.ConversationId, name string) error {
	const op = "rename conversation"
	name, err := a.fitName(op, "name", name)
	if err != nil {
		return err
	}
	if name == "" {
		return refuse(op, model.InvalidParameter, "name: must not be blank")
	}
	return a.managed(ctx, op, u, id, a.mustBeShared, func(row legacy.ChatRow) error {
		_, err := a.rename(ctx, op, u, row, name)
		return err
	})
}

// rename does nothing where the name is that already: legacy would lose the date of creation for it.
func (a *Adapter) rename(ctx context.Context, op string, u legacy.UserID, row legacy.ChatRow, name string) (legacy.ChatRow, error) {
	is := func(now legacy.ChatRow) bool { return string(now.Name) == name }
	if is(row) {
		return row, nil
	}
	return a.changeInLane(ctx, op, u, legacy.Chat(u, "changeName", row.GID, name), effect{what: model.ChangedRenamed, row: row, is: is})
}

// SetPublic lets anybody join a group, or nobody.
func (a *Adapter) SetPublic(ctx context.Context, u legacy.UserID, id model.ConversationId, public bool) error {
	const op = "set conversation public"
	return a.managed(ctx, op, u, id, mustBeGroup, func(row legacy.ChatRow) error {
		return a.edit(ctx, op, u, row, legacy.Chat(u, "changePublic", row.GID, public), effect{
			what: model.ChangedPublic, is: func(now legacy.ChatRow) bool { return (now.Public != 0) == public },
		})
	})
}

// SetCommitters says who may send into a conversation: the members in list, or everybody where it is empty.
func (a *Adapter) SetCommitters(ctx context.Context, u legacy.UserID, id model.ConversationId, list []model.Session) error {
	const op = "set committers"
	users, err := parseSessions(list)
	if err != nil {
		return err
	}
	committers := strings.Join(sessions(users), ",")
	if len(committers) > maxUserList {
		return refuse(op, model.Conflict, "committers: more than the chat server keeps, %d characters of ids and commas", maxUserList)
	}
	if _, err := a.known(ctx, op, "committers", users); err != nil {
		return err
	}
	return a.managed(ctx, op, u, id, a.mustTakeCommitters, func(row legacy.ChatRow) error {
		if i := slices.IndexFunc(users, func(u legacy.UserID) bool { return !row.Has(u) }); i >= 0 {
			return refuse(op, model.InvalidParameter, "committers: %s is no member", users[i])
		}
		return a.edit(ctx, op, u, row, legacy.Chat(u, "setCommitters", row.GID, committers), effect{
			what: model.ChangedCommitters, is: func(now legacy.ChatRow) bool { return strings.Trim(string(now.Committers), ", ") == committers },
		})
	})
}

// DismissConversation ends a group for good.
func (a *Adapter) DismissConversation(ctx context.Context, u legacy.UserID, id model.ConversationId) error {
	const op = "dismiss conversation"
	if err := a.has(op, model.CapabilityDismiss); err != nil {
		return err
	}
	return a.managed(ctx, op, u, id, mustBeGroup, func(row legacy.ChatRow) error {
		return a.edit(ctx, op, u, row, legacy.Chat(u, "dismiss", row.GID), effect{what: model.ChangedDismissed, is: dismissed})
	})
}

// edit carries a change of a chat out, unless it is so already. A chat that has no name is named first: legacy refuses
// every other change of it.
func (a *Adapter) edit(ctx context.Context, op string, u legacy.UserID, row legacy.ChatRow, c legacy.Call, e effect) error {
	if e.is(row) {
		return nil
	}
	if strings.TrimSpace(string(row.Name)) == "" {
		name, err := a.nameAfter(ctx, row.Members)
		if err != nil {
			return err
		}
		if row, err = a.rename(ctx, op, u, row, name); err != nil {
			return err
		}
	}
	e.row = row
	_, err := a.changeInLane(ctx, op, u, c, e)
	return err
}

// SetAdmins says who the admins of the system conversation are. Legacy takes some off or adds some, so it may take two
// calls; and it takes off one of a user's entries each time he is named.
func (a *Adapter) SetAdmins(ctx context.Context, u legacy.UserID, id model.ConversationId, list []model.Session) error {
	const op = "set admins"
	users, err := parseSessions(list)
	if err != nil {
		return err
	}
	if len(strings.Join(sessions(users), ",")) >= maxUserList {
		return refuse(op, model.Conflict, "admins: more than the chat server keeps, %d characters of ids and commas", maxUserList)
	}
	if _, err := a.known(ctx, op, "admins", users); err != nil {
		return err
	}
	return a.settled(ctx, op, u, id, a.mustBeSuper(ctx, u), func(row legacy.ChatRow) (err error) {
		extra := slices.DeleteFunc(row.AdminList(), func(u legacy.UserID) bool { return slices.Contains(users, u) })
		if len(extra) > 0 {
			none := func(now legacy.ChatRow) bool {
				return !slices.ContainsFunc(now.AdminList(), func(u legacy.UserID) bool { return slices.Contains(extra, u) })
			}
			row, err = a.changeInLane(ctx, op, u, legacy.Chat(u, "setAdmin", row.GID, extra, false), effect{what: model.ChangedAdmins, row: row, is: none})
			if err != nil {
				return err
			}
		}
		all := func(now legacy.ChatRow) bool {
			return !slices.ContainsFunc(users, func(u legacy.UserID) bool { return !slices.Contains(now.AdminList(), u) })
		}
		if all(row) {
			return nil
		}
		missing := slices.DeleteFunc(slices.Clone(users), func(u legacy.UserID) bool { return slices.Contains(row.AdminList(), u) })
		_, err = a.changeInLane(ctx, op, u, legacy.Chat(u, "setAdmin", row.GID, missing, true), effect{what: model.ChangedAdmins, row: row, is: all})
		return err
	})
}

// A fit says whether a chat is one that something can be done to: not dismissed, and of the right type.
type fit func(op string, row legacy.ChatRow) error

// settled runs change on a chat of u as legacy has it now, with the chat's lane to itself: legacy would revive a dismissed
// chat that it is asked to rename or publish (LEGACY: the date corruption), so nobody
// may dismiss it in between.
func (a *Adapter) settled(ctx context.Context, op string, u legacy.UserID, id model.ConversationId, fit fit, change func(legacy.ChatRow) error) error {
	gid, err := parseChatGID(op, id)
	if err != nil {
		return err
	}
	leave, err := a.lanes.enter(ctx, string(gid))
	if err != nil {
		return noAnswer(op, err)
	}
	defer leave()
	row, err := a.ownNow(ctx, op, u, gid)
	if err != nil {
		return err
	}
	if err := fit(op, row); err != nil {
		return err
	}
	return change(row)
}

// managed is settled for one who manages the chat.
func (a *Adapter) managed(ctx context.Context, op string, u legacy.UserID, id model.ConversationId, fit fit, change func(legacy.ChatRow) error) error {
	return a.settled(ctx, op, u, id, fit, func(row legacy.ChatRow) error {
		me, _, err := a.users.get(ctx, u)
		if err != nil {
			return err
		}
		creator := !row.System() && me.Account != "" && row.CreatedBy == me.Account
		if !creator && !slices.Contains(row.AdminList(), u) && !super(me) {
			return refuse(op, model.NotAllowed, "only the conversation's creator, one of its admins or a super admin may do this")
		}
		return change(row)
	})
}

func super(row legacy.UserRow) bool { return row.Admin == "super" }

// mustBeShared refuses what legacy does to groups and, if its version lets anybody edit that, the system chat only.
func (a *Adapter) mustBeShared(op string, row legacy.ChatRow) error {
	if row.System() {
		return a.has(op, model.CapabilityEditSystem)
	}
	return mustBeGroup(op, row)
}

func (a *Adapter) mustTakeCommitters(op string, row legacy.ChatRow) error {
	if string(row.Type) == legacy.TypeOne2One {
		return refuse(op, model.Unsupported, "the chat server keeps no committers of one-to-one conversations")
	}
	return a.mustBeShared(op, row)
}

// mustBeSuper refuses whom legacy lets set no admins, and where.
func (a *Adapter) mustBeSuper(ctx context.Context, u legacy.UserID) fit {
	return func(op string, row legacy.ChatRow) error {
		if !row.System() {
			return refuse(op, model.Unsupported, "the chat server knows admins of the system conversation only")
		}
		me, _, err := a.users.get(ctx, u)
		if err == nil && !super(me) {
			err = refuse(op, model.NotAllowed, "only a super admin may do this")
		}
		return err
	}
}
