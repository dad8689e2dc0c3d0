package adapter

import (
	"cmp"
	"context"
	"slices"

	"github.com/xuangate/xuangate/adapter/legacy"
	"github.com/xuangate/xuangate/gen/model"
)

const (
	pageOf30 = 30
	// maxRange bounds one by_range answer. Without it one request could ask for all of a conversation.
	maxRange = 500
)

// LastMessageID returns the id of the conversation's last message, "" when there is none.
func (a *Adapter) LastMessageID(ctx context.Context, u legacy.UserID, id model.ConversationId) (model.MsgId, error) {
	m, err := a.LastMessage(ctx, u, id, false)
	if err != nil || len(m.Msg) == 0 {
		return "", err
	}
	return m.Msg[0].MsgId, nil
}

// LastMessage returns the conversation's last message, or none.
func (a *Adapter) LastMessage(ctx context.Context, u legacy.UserID, id model.ConversationId, desc bool) (model.Messages, error) {
	return a.newest(ctx, u, id, 1, desc)
}

// LastMessages returns the conversation's last 30 messages, oldest first, or newest first with desc.
func (a *Adapter) LastMessages(ctx context.Context, u legacy.UserID, id model.ConversationId, desc bool) (model.Messages, error) {
	return a.newest(ctx, u, id, pageOf30, desc)
}

func (a *Adapter) newest(ctx context.Context, u legacy.UserID, id model.ConversationId, n int, desc bool) (model.Messages, error) {
	h, err := a.newestOf(ctx, u, id, n)
	if err != nil {
		return model.Messages{}, err
	}
	return a.messages(h.chat, h.older(maxMessageID+1, n), desc), nil
}

// newestOf opens a conversation's history for a member, with its last n messages in it.
func (a *Adapter) newestOf(ctx context.Context, u legacy.UserID, id model.ConversationId, n int) (*history, error) {
	const op = "read messages"
	chat, err := a.member(ctx, op, u, id)
	if err != nil {
		return nil, err
	}
	h := a.history(op, u, legacy.ChatGID(chat.GID))
	return h, h.fetch(ctx, 0, n)
}

// MessagesBefore returns the 30 messages before anchor, which itself need not exist.
func (a *Adapter) MessagesBefore(ctx context.Context, u legacy.UserID, id model.ConversationId, anchor model.MsgId, desc bool) (model.Messages, error) {
	h, m, err := a.anchor(ctx, u, id, "msg_id", anchor)
	if err != nil {
		return model.Messages{}, err
	}
	if err := h.around(ctx, m, pageOf30, 0); err != nil {
		return model.Messages{}, err
	}
	return a.messages(h.chat, h.older(m.id, pageOf30), desc), nil
}

// MessagesAfter returns the 30 messages after anchor, which itself need not exist.
func (a *Adapter) MessagesAfter(ctx context.Context, u legacy.UserID, id model.ConversationId, anchor model.MsgId, desc bool) (model.Messages, error) {
	h, m, err := a.anchor(ctx, u, id, "msg_id", anchor)
	if err != nil {
		return model.Messages{}, err
	}
	if err := h.around(ctx, m, 0, pageOf30); err != nil {
		return model.Messages{}, err
	}
	return a.messages(h.chat, h.newer(m.id, pageOf30), desc), nil
}

// MessagesInRange returns the messages from one id to another, both included, in whichever order the two are given: the
// first 500 of them, and whether there are more.
func (a *Adapter) MessagesInRange(ctx context.Context, u legacy.UserID, id model.ConversationId, start, end model.MsgId, desc bool) (model.Messages, error) {
	h, from, err := a.anchor(ctx, u, id, "start_msg_id", start)
	if err != nil {
		return model.Messages{}, err
	}
	to, err := parseMsgID("end_msg_id", end, h.chat)
	if err != nil {
		return model.Messages{}, err
	}
	if from.id > to.id {
		from, to = to, from
	}
	if err := h.between(ctx, from, to, maxRange+1); err != nil {
		return model.Messages{}, err
	}
	rows := h.newer(from.id-1, maxRange+1)
	rows = slices.DeleteFunc(rows, func(r legacy.MessageRow) bool { return legacy.MessageID(r.ID) > to.id })
	more := len(rows) > maxRange
	if more {
		rows = rows[:maxRange]
	}
	m := a.messages(h.chat, rows, desc)
	m.HasMore = more
	return m, nil
}

// MessagesPage returns up to limit messages next to a cursor, or the last ones, and whether there are more on that side.
func (a *Adapter) MessagesPage(ctx context.Context, u legacy.UserID, r model.ConversationMsgsPageRequest) (model.Messages, error) {
	if r.Before != "" && r.After != "" {
		return model.Messages{}, refuse("read messages", model.InvalidParameter, "before: give before or after, not both")
	}
	limit := cmp.Or(r.Limit, pageOf30)
	rows, chat, err := a.page(ctx, u, r, limit+1)
	if err != nil {
		return model.Messages{}, err
	}
	more := len(rows) > limit
	switch {
	case more && r.After != "":
		rows = rows[:limit]
	case more:
		rows = rows[1:]
	}
	m := a.messages(chat, rows, r.Desc)
	m.HasMore = more
	return m, nil
}

// page reads up to n messages next to the cursor of a page, oldest first.
func (a *Adapter) page(ctx context.Context, u legacy.UserID, r model.ConversationMsgsPageRequest, n int) ([]legacy.MessageRow, legacy.ChatGID, error) {
	if r.Before == "" && r.After == "" {
		h, err := a.newestOf(ctx, u, r.ConversationId, n)
		if err != nil {
			return nil, "", err
		}
		return h.older(maxMessageID+1, n), h.chat, nil
	}
	param, before, after := "before", n, 0
	if r.After != "" {
		param, before, after = "after", 0, n
	}
	h, m, err := a.anchor(ctx, u, r.ConversationId, param, cmp.Or(r.Before, r.After))
	if err != nil {
		return nil, "", err
	}
	if err := h.around(ctx, m, before, after); err != nil {
		return nil, "", err
	}
	if after > 0 {
		return h.newer(m.id, n), h.chat, nil
	}
	return h.older(m.id, n), h.chat, nil
}

// anchor opens a conversation's history for a member and reads a MsgId of it.
func (a *Adapter) anchor(ctx context.Context, u legacy.UserID, id model.ConversationId, param string, s model.MsgId) (*history, msgID, error) {
	const op = "read messages"
	chat, err := a.member(ctx, op, u, id)
	if err != nil {
		return nil, msgID{}, err
	}
	m, err := parseMsgID(param, s, legacy.ChatGID(chat.GID))
	if err != nil {
		return nil, msgID{}, err
	}
	return a.history(op, u, legacy.ChatGID(chat.GID)), m, nil
}

// messages translates rows, given oldest first.
func (a *Adapter) messages(chat legacy.ChatGID, rows []legacy.MessageRow, desc bool) model.Messages {
	m := model.Messages{Msg: make([]model.MsgData, len(rows))}
	for i, row := range rows {
		m.Msg[i] = a.message(chat, row)
	}
	if desc {
		slices.Reverse(m.Msg)
	}
	return m
}
