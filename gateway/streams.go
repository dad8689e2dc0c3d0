package gateway

import (
	"context"
	"errors"
	"sync"

	"github.com/xuangate/xuangate/adapter/legacy"
	"github.com/xuangate/xuangate/gen/model"
)

// errDraining is the cause by which streams end when this server goes out of service.
var errDraining = errors.New("this server is going out of service")

// streams are the open streams and polls of this server: how many a user has, and how to end them all.
type streams struct {
	limit int // per user

	mu       sync.Mutex
	users    map[legacy.UserID]int
	open     map[*stream]struct{}
	draining bool
	empty    chan struct{} // closed when draining has come to its end
}

// A stream is one entry of streams. Who opened it closes it, once, after its last use of anything of the server.
type stream struct {
	streams *streams
	user    legacy.UserID
	cancel  context.CancelCauseFunc
	conn    *wsConn // that it has taken over, if it has
}

func newStreams(limit int) *streams {
	return &streams{limit: limit, users: map[legacy.UserID]int{}, open: map[*stream]struct{}{}, empty: make(chan struct{})}
}

// enter counts a new stream of u in. The stream lives with the returned context.
func (s *streams) enter(ctx context.Context, u legacy.UserID) (context.Context, *stream, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.draining {
		return nil, nil, refuse(model.Unreachable, "this server is going out of service; connect again")
	}
	if s.users[u] >= s.limit {
		return nil, nil, refuse(model.TooManyRequests, "you have %d streams open; close some", s.limit)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	one := &stream{streams: s, user: u, cancel: cancel}
	s.open[one] = struct{}{}
	s.users[u]++
	return ctx, one, nil
}

// takes says that the stream has taken a connection over, which it waits on instead of its context, and has it begin.
func (one *stream) takes(conn *wsConn) {
	one.streams.mu.Lock()
	defer one.streams.mu.Unlock()
	one.conn = conn
	conn.wake()
}

func (one *stream) close() {
	one.cancel(nil)
	s := one.streams
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, one)
	if s.users[one.user]--; s.users[one.user] == 0 {
		delete(s.users, one.user)
	}
	if s.draining && len(s.open) == 0 {
		close(s.empty)
	}
}

// end refuses new streams and has those that are open say their last word.
func (s *streams) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.draining {
		return
	}
	s.draining = true
	for one := range s.open {
		one.cancel(errDraining)
		if one.conn != nil {
			one.conn.wake()
		}
	}
	if len(s.open) == 0 {
		close(s.empty)
	}
}

// drain ends all streams and returns when they have closed. Connections taken over that are still there when ctx ends are
// cut; the others are their HTTP server's to close.
func (s *streams) drain(ctx context.Context) {
	s.end()
	select {
	case <-s.empty:
		return
	case <-ctx.Done():
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for one := range s.open {
		if one.conn != nil {
			_ = one.conn.Close()
		}
	}
}

func (s *streams) isDraining() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.draining
}
