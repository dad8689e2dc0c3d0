// Package wire is what the wires on which each user is signed in have in common: pushes that wait to be read, and the turn
// that writers take.
package wire

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/xuangate/xuangate/adapter/legacy"
)

// MaxPushes bounds what waits for Next. A reader that falls further behind loses the connection: a gap must be visible, and
// history repairs it.
const MaxPushes = 4096

// Pushes are what a server has said unasked and nobody has read yet. Any goroutine may put some, one at a time reads.
type Pushes struct {
	room *legacy.Room  // for the data of what waits
	news chan struct{} // holds one token when there may be pushes to read
	done chan struct{} // closed when no more come

	mu    sync.Mutex
	list  []legacy.Push // oldest first
	cause error         // why no more come
}

// NewPushes are none yet; their data will take room.
func NewPushes(room *legacy.Room) *Pushes {
	return &Pushes{room: room, news: make(chan struct{}, 1), done: make(chan struct{})}
}

// Put keeps pushes for Next, all or none: an error says that more than MaxPushes would wait, or that there is no room.
func (q *Pushes) Put(list ...legacy.Push) error {
	if len(list) == 0 {
		return nil
	}
	if err := q.keep(list); err != nil {
		return err
	}
	select {
	case q.news <- struct{}{}:
	default: // it lies there already
	}
	return nil
}

func (q *Pushes) keep(list []legacy.Push) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.list)+len(list) > MaxPushes {
		return fmt.Errorf("more than %d pushes wait unread", MaxPushes)
	}
	if err := q.room.Take(sizeOf(list)); err != nil {
		return err
	}
	q.list = append(q.list, list...)
	return nil
}

func sizeOf(list []legacy.Push) (n int) {
	for _, p := range list {
		n += len(p.Data)
	}
	return n
}

// Drop forgets what waits for Next.
func (q *Pushes) Drop() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.room.Give(sizeOf(q.list))
	q.list = nil
}

// End says that no more come, and why. It is called once.
func (q *Pushes) End(cause error) {
	q.mu.Lock()
	q.cause = cause
	q.mu.Unlock()
	close(q.done)
}

// Next returns the next push in the order in which they were put, waiting for one if need be. Once all are read and no more
// come it returns the reason, every time.
func (q *Pushes) Next(ctx context.Context) (legacy.Push, error) {
	for {
		if p, ok := q.get(); ok {
			return p, nil
		}
		select {
		case <-q.news:
			continue
		case <-ctx.Done():
			return legacy.Push{}, ctx.Err()
		case <-q.done:
		}
		if p, ok := q.get(); ok {
			return p, nil
		}
		return legacy.Push{}, q.cause
	}
}

// get takes the oldest push, if there is one.
func (q *Pushes) get() (p legacy.Push, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.list) == 0 {
		return p, false
	}
	p, q.list = q.list[0], q.list[1:]
	q.room.Give(len(p.Data))
	if len(q.list) == 0 {
		q.list = nil // an idle connection holds nothing
	}
	return p, true
}

// A Turn goes from one writer to the next: it holds one token while nobody has it.
type Turn chan struct{}

// NewTurn is a turn that nobody has.
func NewTurn() Turn {
	t := make(Turn, 1)
	t.Give()
	return t
}

// Take waits for the turn. Where ctx ends first, or done is closed because of what cause returns then, the error says so, and
// is a legacy.ErrNotSent.
func (t Turn) Take(ctx context.Context, done <-chan struct{}, cause func() error) error {
	if err := ctx.Err(); err != nil {
		return errors.Join(legacy.ErrNotSent, err)
	}
	select {
	case <-t:
		return nil
	case <-ctx.Done():
		return errors.Join(legacy.ErrNotSent, ctx.Err())
	case <-done:
		return errors.Join(legacy.ErrNotSent, cause())
	}
}

// Give lets the next one have the turn.
func (t Turn) Give() { t <- struct{}{} }
