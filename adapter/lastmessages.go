package adapter

import (
	"cmp"
	"context"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/xuangate/xuangate/adapter/legacy"
)

const (
	// lookups is how many last messages one request looks up at a time, and allLookups all of them together. A node that
	// has just started knows none: without these bounds everybody who comes back is a burst on the PHP behind.
	lookups, allLookups = 4, 16
	// lookupTime bounds what one request looks up. Without it the first list of a user with a thousand chats takes as many
	// calls; the next request goes on where this one stopped.
	lookupTime = time.Second
)

// lastMessage returns a chat's newest message; its id is 0 when there is none. It asks legacy only when the chat has been
// active since the message we know.
func (a *Adapter) lastMessage(ctx context.Context, u legacy.UserID, chat legacy.ChatRow) (row legacy.MessageRow, err error) {
	if row, known := a.knownLast(chat); known {
		return row, nil
	}
	gid, as := legacy.ChatGID(chat.GID), a.stamp(chat)
	h := a.history("read last message", u, gid)
	if err := h.fetch(ctx, 0, 1); err != nil {
		return row, err
	}
	if rows := h.older(maxMessageID+1, 1); len(rows) > 0 {
		row = rows[0]
	}
	a.chats.putLast(gid, row, as) // that there is none, too
	return row, nil
}

// knownLast is lastMessage without asking.
func (a *Adapter) knownLast(chat legacy.ChatRow) (row legacy.MessageRow, known bool) {
	if chat.Silent() {
		return row, true
	}
	return a.chats.getLast(legacy.ChatGID(chat.GID), a.stamp(chat))
}

func (a *Adapter) stamp(chat legacy.ChatRow) stamp {
	if active := chat.LastActiveTime.Unix(a.zone); active != 0 {
		return stamp{active: active}
	}
	return stamp{edited: chat.EditedDate.Unix(a.zone)}
}

// lastOfEach returns the newest message of each chat, in their order; partial says that some were not to be had in time.
// Those of the chats that were active last are looked up first.
func (a *Adapter) lastOfEach(ctx context.Context, u legacy.UserID, chats []legacy.ChatRow) (last []legacy.MessageRow, partial bool) {
	last = make([]legacy.MessageRow, len(chats))
	var misses []int
	for i, chat := range chats {
		if row, known := a.knownLast(chat); known {
			last[i] = row
		} else {
			misses = append(misses, i)
		}
	}
	active := func(i int) int64 { return chats[i].LastActiveTime.Unix(a.zone) }
	slices.SortStableFunc(misses, func(i, j int) int { return cmp.Compare(active(j), active(i)) })

	ctx, cancel := context.WithTimeout(ctx, lookupTime)
	defer cancel()
	var failed atomic.Bool
	var g errgroup.Group
	g.SetLimit(lookups)
	for _, i := range misses {
		g.Go(func() error {
			row, err := a.lookUp(ctx, u, chats[i])
			if last[i] = row; err != nil {
				failed.Store(true) // one list is not worth failing for one message
			}
			return nil
		})
	}
	_ = g.Wait()
	return last, failed.Load()
}

// lookUp is lastMessage when it is this lookup's turn.
func (a *Adapter) lookUp(ctx context.Context, u legacy.UserID, chat legacy.ChatRow) (legacy.MessageRow, error) {
	if ctx.Err() != nil {
		return legacy.MessageRow{}, ctx.Err()
	}
	select {
	case a.lookups <- struct{}{}:
		defer func() { <-a.lookups }()
		return a.lastMessage(ctx, u, chat)
	case <-ctx.Done():
		return legacy.MessageRow{}, ctx.Err()
	}
}
