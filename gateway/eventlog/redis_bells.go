package eventlog

import (
	"context"
	"sync"
	"time"
)

const (
	// wakeCost is about four times what it costs to wake a stream and have it write. After some were woken the next are woken that much
	// later, all that is new by then with them: else each message that comes while a thousand streams write the one before is a
	// thousand writes more, and with a few the machine is busy with writes of one message each.
	wakeCost = 40 * time.Microsecond
	// wakeLatest bounds how much later.
	wakeLatest = 100 * time.Millisecond
)

// bells are those who are to be woken.
type bells struct {
	mu      sync.Mutex
	waiting map[*watch]struct{}
	rung    chan struct{}
}

func newBells() *bells { return &bells{waiting: map[*watch]struct{}{}, rung: make(chan struct{}, 1)} }

// wake has watches woken soon.
func (b *bells) wake(list []*watch) {
	if len(list) == 0 {
		return
	}
	b.mu.Lock()
	for _, w := range list {
		b.waiting[w] = struct{}{}
	}
	b.mu.Unlock()
	select {
	case b.rung <- struct{}{}:
	default:
	}
}

// run wakes who is to be woken until ctx ends.
func (b *bells) run(ctx context.Context) {
	t := time.NewTimer(time.Hour)
	defer t.Stop()
	for {
		select {
		case <-b.rung:
		case <-ctx.Done():
			return
		}
		b.mu.Lock()
		list := b.waiting
		b.waiting = make(map[*watch]struct{}, len(list))
		b.mu.Unlock()
		for w := range list {
			w.wake()
		}
		t.Reset(min(time.Duration(len(list))*wakeCost, wakeLatest))
		select {
		case <-t.C:
		case <-ctx.Done():
			return
		}
	}
}
