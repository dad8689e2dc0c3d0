package adapter

import (
	"context"
	"sync"

	"github.com/xuangate/xuangate/adapter/legacy"
)

// lanes lets one send at a time into each chat, from the call to the log, so that the log has legacy's order; and legacy
// stores a gid twice that is sent twice at once.
type lanes struct {
	mu   sync.Mutex
	busy map[legacy.ChatGID]*lane
}

type lane struct {
	turn  chan struct{} // holds one token while the lane is free
	users int           // those who have or want the lane; guarded by lanes.mu
}

func newLanes() *lanes { return &lanes{busy: map[legacy.ChatGID]*lane{}} }

// enter waits for the chat's lane. The caller must call leave once, unless an error came.
func (l *lanes) enter(ctx context.Context, chat legacy.ChatGID) (leave func(), err error) {
	l.mu.Lock()
	ln := l.busy[chat]
	if ln == nil {
		ln = &lane{turn: make(chan struct{}, 1)}
		ln.turn <- struct{}{}
		l.busy[chat] = ln
	}
	ln.users++
	l.mu.Unlock()

	select {
	case <-ln.turn:
		return func() { ln.turn <- struct{}{}; l.drop(chat, ln) }, nil
	case <-ctx.Done():
		l.drop(chat, ln)
		return nil, ctx.Err()
	}
}

func (l *lanes) drop(chat legacy.ChatGID, ln *lane) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if ln.users--; ln.users == 0 {
		delete(l.busy, chat)
	}
}
