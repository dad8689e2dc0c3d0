package adapter

import (
	"context"
	"sync"
)

// lanes let one through at a time: one send into each chat, from the call to the log, so that the log has legacy's order,
// for legacy stores a gid twice that is sent twice at once; and one sign-in of each account.
type lanes struct {
	mu   sync.Mutex
	busy map[string]*lane
}

type lane struct {
	turn  chan struct{} // holds one token while the lane is free
	users int           // those who have or want the lane; guarded by lanes.mu
}

func newLanes() *lanes { return &lanes{busy: map[string]*lane{}} }

// enter waits for the key's lane. The caller must call leave once, unless an error came.
func (l *lanes) enter(ctx context.Context, key string) (leave func(), err error) {
	l.mu.Lock()
	ln := l.busy[key]
	if ln == nil {
		ln = &lane{turn: make(chan struct{}, 1)}
		ln.turn <- struct{}{}
		l.busy[key] = ln
	}
	ln.users++
	l.mu.Unlock()

	select {
	case <-ln.turn:
		return func() { ln.turn <- struct{}{}; l.drop(key, ln) }, nil
	case <-ctx.Done():
		l.drop(key, ln)
		return nil, ctx.Err()
	}
}

func (l *lanes) drop(key string, ln *lane) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if ln.users--; ln.users == 0 {
		delete(l.busy, key)
	}
}
