package adapter

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/xuangate/xuangate/adapter/legacy"
)

// maxDoubts bounds the messages whose fate is unknown. They come from sends that were told "unknown", so dropping the
// oldest loses news of one only if legacy stored it after all.
const maxDoubts = 1000

// doubtful is how long a draft that is not found may still be stored by a server that was slow.
const doubtful = time.Minute

// doubts are drafts that legacy may have stored without answering. Whoever sent them was told so; if they are there, the
// members must hear of them.
type doubts struct {
	mu   sync.Mutex
	list []doubt
}

type doubt struct {
	draft legacy.DraftRow
	since time.Time
}

func (d *doubts) add(one doubt) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.list = append(d.list, one)
	if len(d.list) > maxDoubts {
		d.list = d.list[1:]
	}
}

func (d *doubts) take() []doubt {
	d.mu.Lock()
	defer d.mu.Unlock()
	list := d.list
	d.list = nil
	return list
}

// settleDoubts looks for each doubtful draft, tells those that are there, and keeps those it cannot ask about.
func (a *Adapter) settleDoubts(ctx context.Context) error {
	const op = "look for a message whose fate is unknown"
	var errs []error
	for _, d := range a.doubts.take() {
		row, found, err := a.look(ctx, op, d.draft)
		if err == nil && found {
			err = a.tellDoubt(ctx, op, d.draft, row)
		}
		if err != nil || (!found && time.Since(d.since) < doubtful) {
			a.doubts.add(d)
		}
		if err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

func (a *Adapter) tellDoubt(ctx context.Context, op string, d legacy.DraftRow, row legacy.MessageRow) error {
	leave, err := a.lanes.enter(ctx, string(d.CGID))
	if err != nil {
		return err
	}
	defer leave()
	chat, err := a.own(ctx, op, d.User, d.CGID)
	if err != nil {
		return err
	}
	a.tellDesktops(ctx, op, d)
	_, err = a.stored(ctx, chat, row)
	return err
}
