package adapter

import (
	"context"
	"errors"
	"sync/atomic"

	"github.com/xuangate/xuangate/adapter/legacy"
	"github.com/xuangate/xuangate/gen/model"
)

// berths bound the calls under way at a legacy server: PHP has so many workers and no more, and who waits for one there times out
// without having been heard.
type berths struct {
	free    chan struct{} // holds one token for each call under way
	refused atomic.Int64
}

func newBerths(n int) *berths { return &berths{free: make(chan struct{}, n)} }

// enter waits for a berth, no longer than ctx lives. The caller leaves it once, unless an error came.
func (b *berths) enter(ctx context.Context, op string) (leave func(), err error) {
	select {
	case b.free <- struct{}{}:
		return func() { <-b.free }, nil
	default:
	}
	select {
	case b.free <- struct{}{}:
		return func() { <-b.free }, nil
	case <-ctx.Done():
		if errors.Is(ctx.Err(), context.Canceled) {
			return nil, errors.Join(legacy.ErrNotSent, ctx.Err())
		}
		b.refused.Add(1)
		return nil, &Error{
			Code: model.Unreachable, Op: op, Err: errors.Join(legacy.ErrNotSent, errFull), RetryAfter: retryAfter,
			Text: "the chat server has as many calls under way as it may; nothing was sent to it, try again",
		}
	}
}

var errFull = errors.New("all calls that may be under way are")
