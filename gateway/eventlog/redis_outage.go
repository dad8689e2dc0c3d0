package eventlog

import (
	"cmp"
	"context"
	"fmt"
)

// leave has the node go on without Redis, and says so.
func (l *Redis) leave(why error) {
	if l.goOnAlone(why) {
		l.log.Warn("Redis cannot be used; this node's users get their events from memory, and will be told to reload when it is back", "error", why)
	}
}

// goOnAlone begins a log of the node's own, whose beginning readers do not notice.
func (l *Redis) goOnAlone(why error) bool {
	l.state.Lock()
	if l.away != nil {
		l.state.Unlock()
		return false
	}
	l.away = why
	l.mu.Lock()
	l.turn()
	l.mu.Unlock()
	l.tellAwaited(true)
	l.open()
	l.state.Unlock()
	l.beginning.Do(func() { close(l.begun) })
	l.hangUp()
	return true
}

// appendAlone appends an entry to the node's own log while Redis is away, and keeps it for Redis.
func (l *Redis) appendAlone(e *Entry) (at Position, watches []*watch, ok bool) {
	l.state.Lock()
	defer l.state.Unlock()
	if l.away == nil {
		return at, nil, false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if had := l.dedupe(e); e.to.none() {
		return l.at(cmp.Or(had, l.end)), nil, true
	}
	l.order(e)
	e.At = l.at(l.end + 1)
	watches = l.add(e, nil)
	if l.overflow = l.overflow || len(l.pending) == maxPending; l.overflow {
		l.pending = nil
	} else {
		l.pending = append(l.pending, e)
	}
	return e.At, watches, true
}

// replay appends to Redis what was appended here while it was away. What Redis has had by then it does not append again.
func (l *Redis) replay(ctx context.Context) error {
	for {
		l.state.Lock()
		if len(l.pending) == 0 {
			l.state.Unlock()
			return nil
		}
		e := l.pending[0]
		l.state.Unlock()
		if _, err := l.put(ctx, e); err != nil {
			return fmt.Errorf("append what came while Redis was away: %w", err)
		}
		l.state.Lock()
		l.pending = l.pending[1:]
		l.state.Unlock()
	}
}

// hold has appends wait, until release.
func (l *Redis) hold() {
	l.state.Lock()
	defer l.state.Unlock()
	if l.away != nil && !l.shut {
		l.gate, l.shut = make(chan struct{}), true
	}
}

// release lets appends go on, to Redis or to the node's own log. Before it is known which, they wait on.
func (l *Redis) release() {
	l.state.Lock()
	defer l.state.Unlock()
	if l.hasBegun() {
		l.open()
	}
}

func (l *Redis) hasBegun() bool {
	select {
	case <-l.begun:
		return true
	default:
		return false
	}
}

// open lets appends pass. l.state is held.
func (l *Redis) open() {
	if l.shut {
		l.shut = false
		close(l.gate)
	}
}
