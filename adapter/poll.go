package adapter

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/xuangate/xuangate/adapter/legacy"
	"github.com/xuangate/xuangate/gen/model"
)

// Run keeps users' links and does what legacy does not tell by itself: it asks for notices and changed users every Poll, and settles messages
// whose fate is unknown. It returns when ctx ends; one call at a time, by whoever owns the Adapter.
func (a *Adapter) Run(ctx context.Context) error {
	if a.links != nil {
		var links sync.WaitGroup
		defer links.Wait()
		links.Go(func() { a.links.run(ctx) })
	}
	if a.ownPresence {
		if _, err := a.call(ctx, "reset presence", legacy.Chat(0, "serverStart")); err != nil {
			a.log.WarnContext(ctx, "could not mark everybody offline at start", "error", err)
		}
	}
	t := time.NewTicker(a.poll)
	defer t.Stop()
	defer a.resign(ctx)
	silent := false // what fails every few seconds is logged once, and once when it is over
	for {
		err := a.ask(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if failed := err != nil; failed != silent {
			silent = failed
			if failed {
				a.log.WarnContext(ctx, "polling the chat server fails", "error", err)
			} else {
				a.log.InfoContext(ctx, "polling the chat server works again")
			}
		}
		select {
		case <-t.C:
		case <-ctx.Done():
			return nil
		}
	}
}

func (a *Adapter) ask(ctx context.Context) error {
	if a.links != nil { // the server tells notices and changed users by itself
		return errors.Join(a.links.askUsers(ctx), a.settleDoubts(ctx))
	}
	if !a.leads(ctx) {
		return a.settleDoubts(ctx)
	}
	return errors.Join(a.pollNotices(ctx), a.pollUsers(ctx), a.settleDoubts(ctx))
}

// leads says whether this node is the one that polls: asking takes notices away, and tells each change once to each who asks.
// When it cannot be known every node does, for nobody may have to.
func (a *Adapter) leads(ctx context.Context) bool {
	if a.claims == nil {
		return true
	}
	ctx, cancel := context.WithTimeout(ctx, laneTimeout)
	defer cancel()
	c, err := a.claims.Take(ctx, pollClaim, 2*a.poll+laneTimeout)
	if err == nil {
		a.leading = c
	}
	return !errors.Is(err, ErrHeld)
}

// resign lets another node poll at once.
func (a *Adapter) resign(ctx context.Context) {
	if a.leading == (Claim{}) {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), laneTimeout)
	defer cancel()
	if err := a.claims.Release(ctx, a.leading); err != nil {
		a.log.WarnContext(ctx, "could not hand the polling over; another node takes it when the lease ends", "error", err)
	}
}

const pollClaim = "poll"

// pollNotices asks for the notices that wait for users online. It is the server's own call, with params as an object and
// no user (recorded: 17_notify_and_60s_ticks); asking takes them away, so it is not repeated.
func (a *Adapter) pollNotices(ctx context.Context) error {
	const op = "poll notices"
	r, err := a.call(ctx, op, legacy.Call{
		Module: "chat", Method: "notify",
		Params: map[string]any{"offline": nil, "sendfail": map[string]any{}},
	})
	if err != nil {
		return err
	}
	var byUser map[string]json.RawMessage // "4": [notices]; one row for each of its users
	if err := spoken(op, r, &byUser); err != nil {
		return err
	}
	rows := map[legacy.Text]legacy.NoticeRow{}
	to := map[legacy.Text][]legacy.UserID{}
	var errs []error
	for key, data := range byUser {
		var list legacy.List[legacy.NoticeRow]
		u, err := strconv.ParseInt(key, 10, 64)
		if err == nil {
			err = json.Unmarshal(data, &list)
		}
		if err != nil {
			errs = append(errs, &Error{Code: model.Unreachable, Op: op, Text: "notices of a form we do not know", Err: err})
			continue
		}
		for _, row := range list {
			rows[row.GID] = row
			to[row.GID] = append(to[row.GID], legacy.UserID(u))
		}
	}
	for _, gid := range slices.SortedFunc(maps.Keys(rows), func(x, y legacy.Text) int { return int(rows[x].ID - rows[y].ID) }) {
		slices.Sort(to[gid])
		for _, e := range a.noticeEvents([]legacy.NoticeRow{rows[gid]}, to[gid]) {
			errs = append(errs, a.sink(ctx, e))
		}
	}
	return errors.Join(errs...)
}

// pollUsers tells of users that the back office has made or changed. Legacy says only that there are some in the last
// minute, so the list is compared with the one we know.
func (a *Adapter) pollUsers(ctx context.Context) error {
	const op = "poll user changes"
	r, err := a.read(ctx, op, legacy.Chat(0, "checkUserChange", ""))
	if err != nil {
		return err
	}
	var changed string
	if err := spoken(op, r, &changed); err != nil || changed != "yes" {
		return err
	}
	return a.users.refresh(ctx)
}
