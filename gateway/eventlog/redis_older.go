package eventlog

import (
	"context"
	"fmt"

	"github.com/xuangate/xuangate/adapter/legacy"
)

// pageSize is how many entries of the stream are read at once.
const pageSize = 1000

// readOlder reads from the stream what the ring no longer holds, up to where the ring goes on.
func (l *Redis) readOlder(ctx context.Context, u legacy.UserID, after Position, max int) ([]*Entry, Position, error) {
	select {
	case l.olds <- struct{}{}:
		defer func() { <-l.olds }()
	case <-ctx.Done():
		return nil, Position{}, ctx.Err()
	}
	var list []*Entry
	for at := after; ; {
		page, err := l.client.XRangeN(ctx, l.keys[keyStream], "("+streamID(at.offset), "+", pageSize).Result()
		if err != nil {
			return nil, Position{}, fmt.Errorf("%w: %w", ErrAway, err)
		}
		for _, m := range page {
			e, before, err := decode(m, after.epoch)
			if err != nil {
				return nil, Position{}, err
			}
			if at = e.At; before == 0 || !e.to.includes(u) {
				continue
			}
			if list = append(list, e); len(list) == max {
				return list, at, l.lost(ctx, u, after)
			}
		}
		rest, end, s := l.read(u, at, max-len(list))
		switch {
		case s == within:
			return append(list, rest...), end, l.lost(ctx, u, after)
		case s == foreign:
			return nil, Position{}, ErrPositionLost
		case len(page) < pageSize:
			return list, at, l.lost(ctx, u, after)
		}
	}
}

// lost says, after the stream was read, whether something of u's that came after a position had been dropped from it.
func (l *Redis) lost(ctx context.Context, u legacy.UserID, after Position) error {
	pipe := l.client.Pipeline()
	epoch := pipe.HGet(ctx, l.keys[keyMeta], "epoch")
	dropped := pipe.HMGet(ctx, l.keys[keyLost], u.String(), "*")
	if _, err := pipe.Exec(ctx); err != nil {
		return fmt.Errorf("%w: %w", ErrAway, err)
	}
	if epoch.Val() != hexEpoch(after.epoch) {
		return ErrPositionLost
	}
	for _, id := range dropped.Val() {
		if id == nil {
			continue
		}
		offset, err := parseStreamID(id.(string))
		if err != nil {
			return err
		}
		if after.offset < offset {
			return ErrPositionLost
		}
	}
	return nil
}

// readBeyond answers a position that is newer than all this node has heard: there is nothing yet for who is there, unless the
// position was never given.
func (l *Redis) readBeyond(ctx context.Context, after Position) ([]*Entry, Position, error) {
	v, err := l.look(ctx, after.offset)
	if err != nil {
		return nil, Position{}, fmt.Errorf("%w: %w", ErrAway, err)
	}
	if v.epoch != after.epoch || after.offset > v.last {
		return nil, Position{}, ErrPositionLost
	}
	return nil, after, nil
}
