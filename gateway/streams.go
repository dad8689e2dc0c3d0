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

// A stream is one entry of streams. Who opened it closes it.
type stream struct {
	user   legacy.UserID
	cancel context.CancelCauseFunc
}

func newStreams(limit int) *streams {
	return &streams{limit: limit, users: map[legacy.UserID]int{}, open: map[*stream]struct{}{}, empty: make(chan struct{})}
}

// enter counts a new stream of u in. The stream lives with the returned context, and ends with close, which must be
// called once, after the last use of whatever the stream uses.
func (s *streams) enter(ctx context.Context, u legacy.UserID) (_ context.Context, close func(), err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.draining {
		return nil, nil, refuse(model.Unreachable, "this server is going out of service; connect again")
	}
	if s.users[u] >= s.limit {
		return nil, nil, refuse(model.TooManyRequests, "you have %d streams open; close some", s.limit)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	one := &stream{user: u, cancel: cancel}
	s.open[one] = struct{}{}
	s.users[u]++
	return ctx, func() { s.leave(one) }, nil
}

func (s *streams) leave(one *stream) {
	one.cancel(nil)
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

// drain refuses new streams and ends those that are open. It returns when all have closed, or when ctx ends.
func (s *streams) drain(ctx context.Context) {
	s.mu.Lock()
	if !s.draining {
		s.draining = true
		for one := range s.open {
			one.cancel(errDraining)
		}
		if len(s.open) == 0 {
			close(s.empty)
		}
	}
	s.mu.Unlock()
	select {
	case <-s.empty:
	case <-ctx.Done():
	}
}

func (s *streams) isDraining() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.draining
}
