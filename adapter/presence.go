package adapter

import (
	"context"
	"errors"
	"slices"

	"github.com/xuangate/xuangate/adapter/legacy"
)

// ComeOnline sets u online in legacy, or what he chose to be seen as, and returns what waited for him there, addressed to him alone: notices, then
// messages by id. Legacy forgets them with the asking, so the caller must keep what is returned, even beside an error. Over
// Upstreams the user's link is held, and what came since it was made counts as waiting too.
func (a *Adapter) ComeOnline(ctx context.Context, u legacy.UserID) ([]Event, error) {
	const op = "come online"
	if a.links != nil {
		return a.links.comeOnline(ctx, u)
	}
	ctx = context.WithoutCancel(ctx) // half of it done would lose what waited
	r, err := a.call(ctx, op, legacy.Chat(u, "userchange", map[string]string{"status": string(a.looks.of(ctx, u))}))
	if err != nil {
		return nil, err
	}
	if err := a.presence(ctx, op, r); err != nil {
		return nil, err
	}
	// Notices first: getOfflineMessages marks them as sent too.
	notices, err := a.waitingNotices(ctx, u)
	messages, err2 := a.waitingMessages(ctx, u)
	return append(notices, messages...), errors.Join(err, err2)
}

// GoOffline logs u out in legacy, which keeps messages for him from now on; over Upstreams the link is let go, and given up
// after a while.
func (a *Adapter) GoOffline(ctx context.Context, u legacy.UserID) error {
	const op = "go offline"
	if a.links != nil {
		a.links.goOffline(u)
		return nil
	}
	r, err := a.call(ctx, op, legacy.Chat(u, "logout"))
	if err != nil {
		return err
	}
	return a.presence(ctx, op, r)
}

// presence tells everybody of the user that legacy answered.
func (a *Adapter) presence(ctx context.Context, op string, r legacy.Response) error {
	var row legacy.UserRow
	if err := spoken(op, r, &row); err != nil {
		return err
	}
	if row.ID <= 0 {
		return nil // a logout of nobody
	}
	return a.userMayHaveChanged(ctx, row)
}

func (a *Adapter) waitingNotices(ctx context.Context, u legacy.UserID) ([]Event, error) {
	const op = "fetch waiting notices"
	// Not repeated when no answer comes: the first asking may have emptied the list.
	r, err := a.call(ctx, op, legacy.Chat(u, "getOfflineNotify"))
	if err != nil {
		return nil, err
	}
	var rows legacy.List[legacy.NoticeRow]
	if err := spoken(op, r, &rows); err != nil {
		return nil, err
	}
	return a.noticeEvents(rows, []legacy.UserID{u}), nil
}

func (a *Adapter) waitingMessages(ctx context.Context, u legacy.UserID) ([]Event, error) {
	const op = "fetch waiting messages"
	r, err := a.call(ctx, op, legacy.Chat(u, "getOfflineMessages"))
	if err != nil {
		return nil, err
	}
	var rows legacy.List[legacy.MessageRow]
	if err := spoken(op, r, &rows); err != nil {
		return nil, err
	}
	slices.SortFunc(rows, func(a, b legacy.MessageRow) int { return int(a.ID - b.ID) })
	events := make([]Event, len(rows))
	for i, row := range rows {
		gid := a.spelling(ctx, u, legacy.ChatGID(row.CGID))
		a.compareZone(gid, row)
		events[i] = messageEvent(a.message(gid, row), gid, row, Recipients{Users: []legacy.UserID{u}})
	}
	return events, nil
}
