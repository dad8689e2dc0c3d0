package eventlog

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	// lookEvery is how often a node compares what it has heard with how the log stands.
	lookEvery = time.Second
	// blockFor is how long one blocking read waits. It only bounds how long a connection may be dead before its own timeout
	// tells; lookEvery is what notices.
	blockFor = 5 * time.Second
	// rejoinAfter is how long a node waits before it tries Redis again.
	rejoinAfter = 200 * time.Millisecond
)

// errEnded is why a log whose Run has returned no longer uses Redis.
var errEnded = errors.New("the event log is no longer followed")

// Run follows the stream until ctx ends, and goes on alone while Redis is away. It closes the log's clients. What is appended
// afterwards is lost.
func (l *Redis) Run(ctx context.Context) error {
	stop := context.AfterFunc(ctx, l.hangUp)
	defer stop()
	var looking sync.WaitGroup
	looking.Go(func() { l.watchTail(ctx) })
	looking.Go(func() { l.bells.run(ctx) })
	failing := time.Now() // since when
	for ctx.Err() == nil {
		err := l.join(ctx)
		if err == nil {
			err = l.follow(ctx)
			failing = time.Now()
		}
		switch {
		case errors.Is(err, errBroken):
			l.log.WarnContext(ctx, "the event log has to be read again", "why", err)
		case time.Since(failing) >= l.patience:
			l.leave(err)
		}
		select {
		case <-time.After(rejoinAfter):
		case <-ctx.Done():
		}
	}
	looking.Wait()
	l.goOnAlone(errEnded)
	return l.client.Close()
}

// join makes the ring what the stream is: it goes on from what was heard if nothing is missing, and else begins anew.
func (l *Redis) join(ctx context.Context) error {
	from, err := l.agree(ctx)
	if err != nil {
		return err
	}
	l.hold()
	defer l.release()
	if err := l.replay(ctx); err != nil {
		return err
	}
	list, base, err := l.catchUp(ctx, from)
	if err != nil {
		return err
	}
	if from.offset == 0 {
		from.offset = base
		l.enterLog(from, true, list)
	} else {
		l.enterLog(from, false, list)
	}
	return nil
}

// agree says where to read on: after the last entry heard, or, with an offset of 0, from the beginning of what the stream
// holds. If something was lost that this node has heard, or that others should have heard from it, it begins another log.
func (l *Redis) agree(ctx context.Context) (Position, error) {
	known := l.known()
	v, err := l.look(ctx, known.offset)
	if err != nil {
		return known, err
	}
	l.state.Lock()
	overflow := l.overflow
	l.state.Unlock()
	switch {
	case v.epoch == 0, overflow, v.epoch == known.epoch && v.how == "lost":
		if v.epoch != 0 {
			l.log.WarnContext(ctx, "events were lost in Redis, or are too many to be told late; clients will be told to reload")
		}
		if v, err = l.begin(ctx, v.epoch, known.offset); err != nil {
			return known, err
		}
		l.state.Lock()
		l.overflow = false
		l.state.Unlock()
		return Position{epoch: v.epoch}, nil
	case v.epoch == known.epoch && v.how == "holds":
		return known, nil
	}
	return Position{epoch: v.epoch}, nil
}

// catchUp reads the stream to its end. base is the place after which it holds everything.
func (l *Redis) catchUp(ctx context.Context, from Position) (list []chained, base uint64, err error) {
	first := "-"
	if base = from.offset; base != 0 {
		first = "(" + streamID(base)
	}
	for {
		page, err := l.page(ctx, first)
		if err != nil {
			return nil, 0, err
		}
		full := len(page) == pageSize
		if from.offset == 0 && len(page) > 0 && page[0].Values["e"] != nil { // the beginning of the log
			if page[0].Values["e"] != hexEpoch(from.epoch) {
				return nil, 0, errBroken
			}
			if from.offset, err = parseStreamID(page[0].ID); err != nil {
				return nil, 0, err
			}
			base, page = from.offset, page[1:]
		}
		more, err := chain(page, from)
		if err != nil {
			return nil, 0, err
		}
		if list = append(list, more...); len(list) > 0 {
			from.offset = list[len(list)-1].At.offset
			first = "(" + streamID(from.offset)
		}
		if full {
			continue
		}
		switch {
		case base == 0 && len(list) > 0:
			base = list[0].before
		case base == 0: // everything has been dropped
			v, err := l.look(ctx, 0)
			if err != nil || v.epoch != from.epoch {
				return nil, 0, errors.Join(err, errBroken)
			}
			base = v.last
		}
		return list, base, nil
	}
}

func (l *Redis) page(ctx context.Context, first string) ([]redis.XMessage, error) {
	ctx, cancel := context.WithTimeout(ctx, l.patience)
	defer cancel()
	page, err := l.client.XRangeN(ctx, l.keys[keyStream], first, "+", pageSize).Result()
	if err != nil {
		return nil, fmt.Errorf("read the event log: %w", err)
	}
	return page, nil
}

// enterLog puts entries read from the stream into the ring, which from here on is Redis' log again if it was not.
func (l *Redis) enterLog(at Position, anew bool, list []chained) {
	l.state.Lock()
	l.mu.Lock()
	var watches []*watch
	switch {
	case anew:
		l.restart(at)
		if l.hasBegun() { // before that nobody has read
			watches = l.watchers()
		}
	case l.earlier != Position{}:
		l.turnBack()
		watches = l.watchers()
	}
	for _, e := range list {
		watches = l.add(e.Entry, watches)
	}
	l.mu.Unlock()
	if l.away != nil {
		l.log.Info("Redis is back; the event log goes on there")
	}
	l.away = nil
	l.tellAwaited(true)
	l.state.Unlock()
	l.beginning.Do(func() { close(l.begun) })
	wake(watches)
}

// follow reads the stream into the ring until that fails.
func (l *Redis) follow(ctx context.Context) error {
	tail := l.dial()
	defer tail.Close()
	l.state.Lock()
	l.tail = tail
	l.state.Unlock()
	for ctx.Err() == nil {
		l.mu.RLock()
		last := l.at(l.end)
		alone := l.earlier != Position{}
		l.mu.RUnlock()
		if alone {
			return l.Away()
		}
		read, err := tail.XRead(ctx, &redis.XReadArgs{
			Streams: []string{l.keys[keyStream]}, ID: streamID(last.offset), Count: pageSize, Block: blockFor,
		}).Result()
		if errors.Is(err, redis.Nil) {
			continue
		}
		if err != nil {
			return fmt.Errorf("follow the event log: %w", err)
		}
		list, err := chain(read[0].Messages, last)
		if err != nil {
			return err
		}
		l.take(list, last)
	}
	return ctx.Err()
}

// take puts entries that follow last into the ring, unless it has turned away from Redis meanwhile.
func (l *Redis) take(list []chained, last Position) {
	l.mu.Lock()
	if l.at(l.end) != last {
		l.mu.Unlock()
		return
	}
	var watches []*watch
	for _, e := range list {
		watches = l.add(e.Entry, watches)
	}
	l.mu.Unlock()
	l.bells.wake(watches)
	l.state.Lock()
	defer l.state.Unlock()
	l.tellAwaited(false)
}

// hangUp ends the read under way.
func (l *Redis) hangUp() {
	l.state.Lock()
	tail := l.tail
	l.tail = nil
	l.state.Unlock()
	if tail != nil {
		_ = tail.Close()
	}
}

// watchTail looks every while whether what is heard is what there is, until ctx ends. A tail that hears nothing though the
// stream has grown is hung up, so that another takes its place.
func (l *Redis) watchTail(ctx context.Context) {
	t := time.NewTicker(lookEvery)
	defer t.Stop()
	var before Position
	for failing := time.Now(); ; {
		select {
		case <-t.C:
		case <-ctx.Done():
			return
		}
		if l.Away() != nil {
			failing = time.Now()
			continue
		}
		known := l.known()
		v, err := l.look(ctx, known.offset)
		if err != nil {
			if time.Since(failing) >= l.patience {
				l.leave(err)
			}
			continue
		}
		failing = time.Now()
		behind := v.epoch != known.epoch || v.last != known.offset
		if v.epoch == known.epoch && v.last > known.offset {
			l.lag.Store(int64(time.Duration(v.last>>sequenceBits-known.offset>>sequenceBits) * time.Millisecond))
		} else {
			l.lag.Store(0)
		}
		if lost := v.epoch == known.epoch && v.how == "lost"; lost || behind && known == before {
			l.log.WarnContext(ctx, "the event log does not go on as it stands in Redis; reading it over another connection", "lag", l.Lag(), "lost", lost)
			l.hangUp()
		}
		before = known
	}
}
