package gateway

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/xuangate/xuangate/gateway/eventlog"
	"github.com/xuangate/xuangate/gateway/login"
	"github.com/xuangate/xuangate/gen/model"
)

const (
	// maxBatch bounds what is written in one go. Without it an old position makes one write of the whole log.
	maxBatch = 100
	// writeTimeout is how long a client may take to accept a batch. A stalled one costs nobody else anything, but its
	// connection and goroutine would stay for ever.
	writeTimeout = 10 * time.Second
	// A stream that was written to less than busy ago waits gather before the next write, for what else comes. Writes are
	// most of what a delivery costs, and where fifty messages a second go to a thousand streams, those who send would wait
	// behind the writing. At fewer messages nobody waits.
	busy, gather = 20 * time.Millisecond, 5 * time.Millisecond
	// Between these two a client is told to reconnect when this server goes out of service. Without the spread all come
	// back in the same instant.
	reconnectFirst, reconnectLast = 500 * time.Millisecond, 5 * time.Second
)

// A transport writes to one client what deliver hands it; it alone knows the encoding. One goroutine calls it. An error
// ends the stream.
type transport interface {
	// send writes entries in their order. at is where to go on from, and may be beyond the last of them.
	send(entries []*eventlog.Entry, at eventlog.Position) error
	// beat tells where to go on from after interval without anything else.
	beat(at eventlog.Position) error
	// interval is the longest time between two beats.
	interval() time.Duration
	// reset tells that something was missed for good, and where to go on from.
	reset(at eventlog.Position) error
	// end is the last word to a login that has ended: why is kickoff, revoked or expired.
	end(why model.EventKind, at eventlog.Position) error
	// restart is the last word of a server that goes out of service: come back after a while, and go on from at.
	restart(at eventlog.Position, after time.Duration) error
}

// A subscription is what one client hears of the log, and how far it has come.
type subscription struct {
	login login.Login
	token login.Token
	all   bool // every kind of event, not messages only
	after eventlog.Position
	lost  bool // after is the log's end because the client's own position was lost
}

// deliver is the one loop behind all transports: it reads what is new for the client, hands it over, and waits for more.
// The client is a cursor and nothing is queued for it, so a slow one falls behind and costs nobody. deliver returns nil
// when the stream has ended as it should, and otherwise why it broke.
func (s *Server) deliver(ctx context.Context, sub *subscription, out transport) error {
	if sub.lost {
		if err := out.reset(sub.after); err != nil {
			return err
		}
	}
	round, cancel := sub.round(ctx, out)
	defer func() { cancel() }()
	var sent time.Time
	for beating := false; ; {
		entries, at, err := s.events.Read(ctx, sub.login.User, sub.after, maxBatch)
		if errors.Is(err, eventlog.ErrPositionLost) {
			if ended, err := s.reset(ctx, sub, out); ended || err != nil {
				return err
			}
			continue
		}
		if err != nil {
			return err
		}
		sub.after = at
		mine, control := sub.own(entries)
		if control != nil {
			sub.after = control.At
		}
		if len(mine) > 0 {
			if err := out.send(mine, sub.after); err != nil {
				return err
			}
			sent = time.Now()
		}
		switch {
		case control == nil:
		case control.Kind == model.EventKindReset:
			if err := out.reset(control.At); err != nil {
				return err
			}
		default:
			return out.end(control.Kind, control.At)
		}
		if beating {
			if err := out.beat(sub.after); err != nil {
				return err
			}
			beating = false
		}

		err = s.events.Wait(round, sub.login.User, sub.after)
		switch {
		case context.Cause(ctx) == errDraining:
			return out.restart(sub.after, reconnectFirst+rand.N(reconnectLast-reconnectFirst))
		case ctx.Err() != nil:
			return gone(context.Cause(ctx))
		case !time.Now().Before(sub.login.Expires):
			return out.end(model.EventKindExpired, sub.after)
		case round.Err() != nil:
			cancel()
			round, cancel = sub.round(ctx, out)
			beating = true
		case err != nil:
			return err
		case time.Since(sent) < busy:
			time.Sleep(gather)
		}
	}
}

// gone is why a client left, or nil when it simply went.
func gone(cause error) error {
	if errors.Is(cause, context.Canceled) {
		return nil
	}
	return cause
}

// round is the time until the next beat, or until the login expires.
func (sub *subscription) round(ctx context.Context, out transport) (context.Context, context.CancelFunc) {
	next := time.Now().Add(out.interval())
	if sub.login.Expires.Before(next) {
		next = sub.login.Expires
	}
	return context.WithDeadline(ctx, next)
}

// own is what of a user's entries this stream tells, up to the first that is about the stream itself.
func (sub *subscription) own(entries []*eventlog.Entry) (mine []*eventlog.Entry, control *eventlog.Entry) {
	mine = entries[:0]
	for _, e := range entries {
		switch {
		case e.Login != "" && e.Login != sub.login.ID:
		case e.Kind == model.EventKindKickoff, e.Kind == model.EventKindRevoked, e.Kind == model.EventKindExpired, e.Kind == model.EventKindReset:
			return mine, e
		case sub.all, e.Kind == model.EventKindMessage:
			mine = append(mine, e)
		}
	}
	return mine, nil
}

// reset goes on from the log's end. What ended the login may be among what was missed, so the store is asked again.
func (s *Server) reset(ctx context.Context, sub *subscription, out transport) (ended bool, err error) {
	if sub.after, err = s.events.End(ctx); err != nil {
		return false, err
	}
	switch _, err := s.logins.Find(ctx, sub.token); {
	case errors.Is(err, login.ErrReplaced):
		return true, out.end(model.EventKindKickoff, sub.after)
	case errors.Is(err, login.ErrUnknown):
		return true, out.end(model.EventKindRevoked, sub.after)
	case err != nil:
		return false, err
	}
	return false, out.reset(sub.after)
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
