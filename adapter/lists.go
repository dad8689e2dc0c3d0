package adapter

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/xuangate/xuangate/adapter/legacy"
	"github.com/xuangate/xuangate/gen/model"
)

// list asks legacy for u's chats: the system chat, and those he is in, dismissed ones too.
func (a *Adapter) list(ctx context.Context, op string, u legacy.UserID) ([]legacy.ChatRow, error) {
	// Callers that come while the question is out share its answer, unless a chat has changed since it was asked. It must
	// not end with the first one's request.
	at := a.chats.moment()
	v, err, _ := a.chats.loads.Do(fmt.Sprint(u, "@", at), func() (any, error) {
		rows, err := a.listNow(context.WithoutCancel(ctx), op, u)
		if err == nil {
			a.chats.store(at, rows)
		}
		return rows, err
	})
	if err != nil {
		return nil, err
	}
	return v.([]legacy.ChatRow), nil
}

// listNow is list by a question of its own: nobody's that is out already, which may not know of what has just happened.
func (a *Adapter) listNow(ctx context.Context, op string, u legacy.UserID) (rows []legacy.ChatRow, err error) {
	r, err := a.read(ctx, op, legacy.Chat(u, "getlist"))
	if err != nil {
		return nil, err
	}
	err = spoken(op, r, &rows)
	return named(rows), err
}

// named are the rows that say which chat they are. What does not, no real server answers, and nobody could ask for it.
func named(rows []legacy.ChatRow) []legacy.ChatRow {
	return slices.DeleteFunc(rows, func(row legacy.ChatRow) bool { return row.GID == "" })
}

// member returns the chat that id names, if u is a member of it and id is legacy's own spelling; else NotFound, which
// looks the same from outside for a chat that does not exist.
func (a *Adapter) member(ctx context.Context, op string, u legacy.UserID, id string) (legacy.ChatRow, error) {
	gid, err := parseChatGID(op, id)
	if err != nil {
		return legacy.ChatRow{}, err
	}
	if row, ok := a.chats.get(gid); ok && row.Has(u) {
		return row, nil
	}
	return a.own(ctx, op, u, gid)
}

// own is member by asking legacy, with u's own marks in the row.
func (a *Adapter) own(ctx context.Context, op string, u legacy.UserID, gid legacy.ChatGID) (legacy.ChatRow, error) {
	rows, err := a.list(ctx, op, u)
	if err != nil {
		return legacy.ChatRow{}, err
	}
	if row, ok := among(rows, u, gid); ok {
		return row, nil
	}
	return legacy.ChatRow{}, notMember(op)
}

// ownNow is own by a question of its own; see listNow.
func (a *Adapter) ownNow(ctx context.Context, op string, u legacy.UserID, gid legacy.ChatGID) (legacy.ChatRow, error) {
	rows, err := a.listNow(ctx, op, u)
	if err != nil {
		return legacy.ChatRow{}, err
	}
	if row, ok := among(rows, u, gid); ok {
		return row, nil
	}
	return legacy.ChatRow{}, notMember(op)
}

// among finds a chat that u may read among rows.
func among(rows []legacy.ChatRow, u legacy.UserID, gid legacy.ChatGID) (legacy.ChatRow, bool) {
	for _, row := range rows {
		if legacy.ChatGID(row.GID) == gid && row.Has(u) {
			return row, true
		}
	}
	return legacy.ChatRow{}, false
}

// spelling returns legacy's own spelling of a chat of u that a desktop may have written in another: its SQL ignores case
// and trailing blanks. A chat that u has left keeps the spelling given.
func (a *Adapter) spelling(ctx context.Context, u legacy.UserID, gid legacy.ChatGID) legacy.ChatGID {
	if _, ok := a.chats.get(gid); ok {
		return gid
	}
	rows, err := a.list(ctx, "list conversations", u)
	if err != nil {
		return gid
	}
	return spelt(rows, gid)
}

// spelt finds gid among rows as legacy compares it, or gives it back as it is.
func spelt(rows []legacy.ChatRow, gid legacy.ChatGID) legacy.ChatGID {
	for _, row := range rows {
		if strings.EqualFold(string(row.GID), strings.TrimRight(string(gid), " ")) {
			return legacy.ChatGID(row.GID)
		}
	}
	return gid
}

// any returns a chat whoever asks, for /inner. Legacy answers a chat's row to its members only, so it is asked in the name
// of one: in mode xxd of one who is signed in here. A chat without members cannot be found.
func (a *Adapter) any(ctx context.Context, op string, id string) (legacy.ChatRow, error) {
	gid, err := parseChatGID(op, id)
	if err != nil {
		return legacy.ChatRow{}, err
	}
	if row, ok := a.chats.get(gid); ok {
		return row, nil
	}
	operator, err := a.operatorID(ctx)
	if err != nil {
		return legacy.ChatRow{}, err
	}
	members, err := a.members(ctx, op, operator, gid)
	if err != nil {
		return legacy.ChatRow{}, err
	}
	if len(members) == 0 {
		return legacy.ChatRow{}, refuse(op, model.NotFound, "no such conversation, or nobody is in it")
	}
	return a.own(ctx, op, a.spokesman(ctx, members), gid)
}

// spokesman is one of users in whose name legacy can be asked, if there is one, else the first.
func (a *Adapter) spokesman(ctx context.Context, users []legacy.UserID) legacy.UserID {
	if a.links == nil {
		return users[0]
	}
	for _, u := range users {
		if a.links.linked(ctx, u) {
			return u
		}
	}
	return users[0]
}
