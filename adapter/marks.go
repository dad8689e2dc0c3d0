package adapter

import (
	"context"
	"errors"
	"fmt"

	"github.com/xuangate/xuangate/adapter/legacy"
	"github.com/xuangate/xuangate/gen/model"
)

// marks are what a member keeps of a chat for himself.
type marks struct {
	star, hide, mute bool
	category         string
}

func marksOf(row legacy.ChatRow) marks {
	return marks{star: row.Star != 0, hide: row.Hide != 0, mute: row.Mute != 0, category: string(row.Category)}
}

// ownMarks are the methods that set a mark, by their lower-cased names, and what they change.
var ownMarks = map[string]model.ConversationEventChanged{
	"star": model.ChangedStarred, "hide": model.ChangedArchived, "mute": model.ChangedMuted, "category": model.ChangedCategorized,
}

// StarConversation puts u's star on a conversation, or takes it away.
func (a *Adapter) StarConversation(ctx context.Context, u legacy.UserID, id model.ConversationId, star bool) error {
	return a.mark(ctx, "star conversation", u, id, func(gid legacy.ChatGID) legacy.Call { return legacy.Chat(u, "star", gid, star) },
		func(m *marks) { m.star = star })
}

// HideConversation archives a conversation for u, or brings it back.
func (a *Adapter) HideConversation(ctx context.Context, u legacy.UserID, id model.ConversationId, hide bool) error {
	return a.mark(ctx, "hide conversation", u, id, func(gid legacy.ChatGID) legacy.Call { return legacy.Chat(u, "hide", gid, hide) },
		func(m *marks) { m.hide = hide })
}

// MuteConversation mutes a conversation for u, or lets it ring again.
func (a *Adapter) MuteConversation(ctx context.Context, u legacy.UserID, id model.ConversationId, mute bool) error {
	const op = "mute conversation"
	if err := a.has(op, model.CapabilityMute); err != nil {
		return err
	}
	return a.mark(ctx, op, u, id, func(gid legacy.ChatGID) legacy.Call { return legacy.Chat(u, "mute", gid, mute) },
		func(m *marks) { m.mute = mute })
}

// SetCategory puts a conversation into a category of u's own; "" takes it out.
func (a *Adapter) SetCategory(ctx context.Context, u legacy.UserID, id model.ConversationId, category string) error {
	const op = "set category"
	if err := a.has(op, model.CapabilityCategory); err != nil {
		return err
	}
	category, err := a.fitName(op, "category", category)
	if err != nil {
		return err
	}
	return a.mark(ctx, op, u, id, func(gid legacy.ChatGID) legacy.Call {
		return legacy.Chat(u, "category", []legacy.ChatGID{gid}, category)
	}, func(m *marks) { m.category = category })
}

// mark sets one of u's marks on a chat, dismissed or not, and tells u's streams. Marks of one user and chat are set one after
// the other, for what is told has them all.
func (a *Adapter) mark(ctx context.Context, op string, u legacy.UserID, id model.ConversationId, call func(legacy.ChatGID) legacy.Call, set func(*marks)) error {
	gid, err := parseChatGID(op, id)
	if err != nil {
		return err
	}
	leave, err := a.lanes.enter(ctx, fmt.Sprintf("marks of %s on %s", u, gid))
	if err != nil {
		return noAnswer(op, err)
	}
	defer leave()
	row, err := a.ownNow(ctx, op, u, gid)
	if err != nil {
		return err
	}
	if row.System() {
		return refuse(op, model.Conflict, "the chat server keeps no marks on the system conversation")
	}
	want := marksOf(row)
	if set(&want); want == marksOf(row) {
		return nil
	}
	ctx = context.WithoutCancel(ctx) // once it is sent it may be done, and then it must be told
	c := call(gid)
	if err := a.setMark(ctx, op, c, gid, set); err != nil {
		return err
	}
	return a.tellMarks(ctx, u, row, want, ownMarks[c.Method])
}

// setMark has legacy set a mark, and asks what is so where the answer does not tell.
func (a *Adapter) setMark(ctx context.Context, op string, c legacy.Call, gid legacy.ChatGID, set func(*marks)) error {
	r, err := a.call(ctx, op, c)
	a.chats.pass() // lists asked for before do not know of it
	if k := code(err); !r.Unsure && k != model.Unreachable && k != model.TooSlow || errors.Is(err, legacy.ErrNotSent) {
		return err
	}
	row, lookErr := a.ownNow(ctx, op, c.User, gid)
	if lookErr != nil {
		return errors.Join(err, lookErr)
	}
	want := marksOf(row)
	if set(&want); want == marksOf(row) {
		return nil
	}
	if err == nil {
		err = refuse(op, model.Conflict, "the chat server says that it was done, and that it was not")
	}
	return err
}

// tellMarks tells u's own streams how he has marked a chat.
func (a *Adapter) tellMarks(ctx context.Context, u legacy.UserID, row legacy.ChatRow, m marks, what model.ConversationEventChanged) error {
	e, err := a.describe(ctx, u, row)
	if err != nil {
		a.log.WarnContext(ctx, "conversation event without its last message", "error", err)
	}
	e.Changed = []model.ConversationEventChanged{what}
	e.IsStar, e.IsArchive, e.IsMute, e.Category = &m.star, &m.hide, &m.mute, &m.category
	return a.sink(ctx, Event{Kind: model.EventKindConversation, To: Recipients{Users: []legacy.UserID{u}}, Data: e})
}

// hearMark tells of a mark that the user set on another device, where the server lets him have several.
func (a *Adapter) hearMark(ctx context.Context, u legacy.UserID, p legacy.Push, what model.ConversationEventChanged) error {
	var set struct {
		GID  legacy.ChatGID              `json:"gid"`
		GIDs legacy.List[legacy.ChatGID] `json:"gids"`
	}
	if !a.decode(ctx, p, &set) {
		return nil
	}
	a.chats.pass()
	rows, err := a.listNow(ctx, "ask how a conversation is marked now", u)
	if err != nil {
		return err
	}
	for _, gid := range append(set.GIDs, set.GID) {
		row, ok := among(rows, u, spelt(rows, gid))
		if !ok || row.System() {
			continue
		}
		if err := a.tellMarks(ctx, u, row, marksOf(row), what); err != nil {
			return err
		}
	}
	return nil
}
