package gateway

import (
	"context"
	"errors"
	"math/rand/v2"
	"runtime"
	"sync"
	"time"

	"github.com/xuangate/xuangate/gateway/eventlog"
	"github.com/xuangate/xuangate/gateway/login"
	"github.com/xuangate/xuangate/gateway/metrics"
	"github.com/xuangate/xuangate/gen/model"
)

const (
	// maxBatch bounds what is written in one go. Without it an old position makes one write of the whole log.
	maxBatch = 100
	// writeTimeout is how long a client may take to accept a batch. A stalled one costs nobody else anything, but its
	// connection and goroutine would stay for ever.
	writeTimeout = 10 * time.Second
	// Between these two a client is told to reconnect when this server goes out of service. Without the spread all come
	// back in the same instant.
	reconnectFirst, reconnectLast = 500 * time.Millisecond, 5 * time.Second
)

// A transport writes to one client what a delivery hands it; it alone knows the encoding. One goroutine calls it. An
// error ends the stream.
type transport interface {
	// send writes entries in their order. at is where to go on from, and may be beyond the last of them.
	send(entries []*eventlog.Entry, at eventlog.Position) error
	// tick shows every interval that the stream is alive, and tells where to go on from.
	tick(at eventlog.Position) error
	interval() time.Duration
	// reset tells that something was missed for good, and where to go on from.
	reset(at eventlog.Position) error
	// end is the last word of a stream that is not to come back: its login has ended, why is kickoff, revoked or expired, or
	// the user has too many, superseded.
	end(why model.EventKind, at eventlog.Position) error
	// restart is the last word of a server that goes out of service: come back after a while, and go on from at.
	restart(at eventlog.Position, after time.Duration) error
}

// A subscription is what one client hears of the log, and how far it has come.
type subscription struct {
	login login.Login
	all   bool // every kind of event, not messages only
	after eventlog.Position
	lost  bool // after means nothing to the log any more
}

// A delivery is one stream on its way through the log: a cursor, for nothing is queued for a client, and a slow one falls
// behind and costs nobody. One goroutine uses it.
type delivery struct {
	*Server
	subscription
	out  transport
	beat time.Time // when the next is due
}

// errEnded says that a stream has had its last word.
var errEnded = errors.New("the stream has ended")

func (s *Server) newDelivery(sub subscription, out transport) *delivery {
	return &delivery{Server: s, subscription: sub, out: out, beat: time.Now().Add(out.interval())}
}

// advance is the one step behind all transports: it hands over what is new for the client, beats if that is due, and says
// its last word if it is time for that. Without error nothing is to be done until the time it returns, unless the log
// wakes the stream or ctx ends. An error ends the stream: errEnded as it should, any other because it broke.
func (d *delivery) advance(ctx context.Context) (time.Time, error) {
	for more := true; more; {
		if context.Cause(ctx) == errDraining {
			return time.Time{}, last(d.out.restart(d.after, reconnectFirst+rand.N(reconnectLast-reconnectFirst)))
		}
		if context.Cause(ctx) == errSuperseded {
			return time.Time{}, last(d.out.end(model.EventKindSuperseded, d.after))
		}
		if ctx.Err() != nil {
			return time.Time{}, errEnded // the client has gone
		}
		var err error
		if more, err = d.handOver(ctx); err != nil {
			return time.Time{}, err
		}
	}
	now := time.Now()
	if !now.Before(d.login.Expires) {
		return time.Time{}, last(d.out.end(model.EventKindExpired, d.after))
	}
	if !now.Before(d.beat) {
		d.beat = now.Add(d.out.interval())
		if err := d.out.tick(d.after); err != nil {
			return time.Time{}, err
		}
	}
	if d.login.Expires.Before(d.beat) {
		return d.login.Expires, nil
	}
	return d.beat, nil
}

// last is the error of a stream that has had its last word.
func last(err error) error {
	if err != nil {
		return err
	}
	return errEnded
}

// handOver reads one batch and hands it over. There may be more.
func (d *delivery) handOver(ctx context.Context) (more bool, err error) {
	if d.lost {
		return true, d.startOver(ctx)
	}
	entries, at, err := d.events.Read(ctx, d.login.User, d.after, maxBatch)
	if errors.Is(err, eventlog.ErrPositionLost) {
		d.lost = true
		return true, nil
	}
	if err != nil {
		return false, err
	}
	more = len(entries) == maxBatch
	mine, control := d.own(entries)
	d.after = at
	if control != nil {
		d.after, more = control.At, true
	}
	if len(mine) > 0 {
		if err := d.out.send(mine, d.after); err != nil {
			return false, err
		}
	}
	switch {
	case control == nil:
		return more, nil
	case control.Kind == model.EventKindReset:
		return more, d.out.reset(control.At)
	}
	return false, last(d.out.end(control.Kind, control.At))
}

// startOver goes on from the log's end, after telling that something was missed. What ended the login may be among that,
// so the store is asked again.
func (d *delivery) startOver(ctx context.Context) (err error) {
	if d.after, err = d.events.End(ctx); err != nil {
		return err
	}
	d.lost = false
	d.metrics.Resume(metrics.Reset)
	switch err := d.logins.Check(ctx, d.login); {
	case errors.Is(err, login.ErrReplaced):
		return last(d.out.end(model.EventKindKickoff, d.after))
	case errors.Is(err, login.ErrUnknown):
		return last(d.out.end(model.EventKindRevoked, d.after))
	case err != nil:
		return err
	}
	return d.out.reset(d.after)
}

// deliver advances a stream until it ends, and returns nil when it ended as it should. A WebSocket has a loop of its own,
// for it waits for its client at the same time.
func (s *Server) deliver(ctx context.Context, sub subscription, out transport) error {
	woken := make(chan struct{}, 1)
	stop := s.events.Watch(sub.login.User, sub.all, func() {
		select {
		case woken <- struct{}{}:
		default: // it is awake already
		}
	})
	defer stop()
	d := s.newDelivery(sub, out)
	var due time.Time
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		until, err := d.advance(ctx)
		if errors.Is(err, errEnded) {
			return nil
		}
		if err != nil {
			return err
		}
		if until != due {
			due = until
			timer.Reset(time.Until(until))
		}
		select {
		case <-woken:
			gather()
		case <-timer.C:
		case <-ctx.Done():
		}
	}
}

// gather is called when a stream was woken, before it advances: whoever is about to append goes first, and what is there by
// then goes out in the same write. Under load writes are most of what a delivery costs, and otherwise this costs nothing.
func gather() { runtime.Gosched() }

// own is what of a user's entries this stream tells, up to the first that is about the stream itself.
func (sub *subscription) own(entries []*eventlog.Entry) (mine []*eventlog.Entry, control *eventlog.Entry) {
	mine = entries[:0]
	for _, e := range entries {
		switch {
		case e.Login != "" && e.Login != sub.login.ID:
		case e.Kind == model.EventKindKickoff, e.Kind == model.EventKindRevoked, e.Kind == model.EventKindExpired, e.Kind == model.EventKindReset:
			return mine, e
		case sub.all, e.ForAllStreams():
			mine = append(mine, e)
		}
	}
	return mine, nil
}

// buffers are what transports encode into. An idle stream holds none.
var buffers = sync.Pool{New: func() any { return new(make([]byte, 0, 4<<10)) }}

// keepBuffer is the largest buffer that goes back to the pool, and about the most that is gathered before writing.
const keepBuffer = 64 << 10

func recycle(b *[]byte) {
	if cap(*b) <= keepBuffer {
		*b = (*b)[:0]
		buffers.Put(b)
	}
}
