package eventlog

import (
	"cmp"
	"context"
	"strconv"
	"sync"
	"time"

	"github.com/xuangate/xuangate/adapter"
)

// echoTimeout is how long an append waits to hear its entry from the stream before it makes sure that it is still there.
const echoTimeout = time.Second

// Append implements Log. It returns when this node has heard the entry, so who reads here afterwards finds it. One append of
// a Once is under way at a time on a node: what is heard on the links of a thousand users is one write to Redis. It is seen
// through whether or not ctx ends.
func (l *Redis) Append(ctx context.Context, event adapter.Event) (Position, error) {
	e, err := newEntry(event)
	if err != nil {
		return Position{}, err
	}
	if e.once == "" { // it may have to be repeated all the same
		e.name = l.name + strconv.FormatUint(l.named.Add(1), 36)
	}
	leave, err := l.appends.enter(ctx, cmp.Or(e.once, e.name))
	if err != nil {
		return Position{}, err
	}
	defer leave()
	for {
		if err := l.pass(ctx); err != nil {
			return Position{}, err
		}
		if at, watches, ok := l.appendAlone(e); ok {
			wake(watches)
			return at, nil
		}
		if at, had := l.had(e); had {
			return at, nil
		}
		at, err := l.write(context.WithoutCancel(ctx), e)
		if err == nil {
			return at, nil
		}
		l.leave(err)
	}
}

// pass waits while the node is about to go on with Redis.
func (l *Redis) pass(ctx context.Context) error {
	l.state.Lock()
	gate, shut := l.gate, l.shut
	l.state.Unlock()
	if !shut {
		return nil
	}
	select {
	case <-gate:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// had takes from e's recipients those who have had its Once as far as this node knows, and says whether none is left.
func (l *Redis) had(e *Entry) (Position, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	had := l.dedupe(e)
	return l.at(cmp.Or(had, l.end)), e.to.none()
}

// write has Redis append e and waits to hear of it. An entry that is not heard may have been lost with a master.
func (l *Redis) write(ctx context.Context, e *Entry) (at Position, err error) {
	for range 3 {
		if at, err = l.put(ctx, e); err != nil || l.hear(at) {
			break
		}
	}
	return at, err
}

// hear waits until the ring has come to a place.
func (l *Redis) hear(at Position) bool {
	come := make(chan struct{})
	l.state.Lock()
	if l.heard(at) {
		l.state.Unlock()
		return true
	}
	l.awaited[at.offset] = append(l.awaited[at.offset], come)
	l.state.Unlock()
	t := time.NewTimer(echoTimeout)
	defer t.Stop()
	select {
	case <-come:
		return l.heard(at)
	case <-t.C:
		return false
	}
}

func (l *Redis) heard(at Position) bool {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.epoch == at.epoch && l.end >= at.offset
}

// tellAwaited frees those who wait for what the ring has come to, or all. l.state is held.
func (l *Redis) tellAwaited(all bool) {
	if len(l.awaited) == 0 {
		return
	}
	l.mu.RLock()
	end := l.end
	l.mu.RUnlock()
	for offset, list := range l.awaited {
		if all || offset <= end {
			for _, come := range list {
				close(come)
			}
			delete(l.awaited, offset)
		}
	}
}

// turns let one through at a time for each key.
type turns struct {
	mu   sync.Mutex
	busy map[string]chan struct{} // closed when the one who is through leaves
}

// enter waits for the key's turn. The caller must call leave once, unless an error came.
func (t *turns) enter(ctx context.Context, key string) (leave func(), err error) {
	for {
		t.mu.Lock()
		busy := t.busy[key]
		if busy == nil {
			if t.busy == nil {
				t.busy = map[string]chan struct{}{}
			}
			mine := make(chan struct{})
			t.busy[key] = mine
			t.mu.Unlock()
			return func() {
				t.mu.Lock()
				defer t.mu.Unlock()
				delete(t.busy, key)
				close(mine)
			}, nil
		}
		t.mu.Unlock()
		select {
		case <-busy:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}
