package sdk

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"net/url"
	"time"

	"github.com/xuangate/xuangate/gen/model"
)

const (
	// openLimit is how long a connection may take to be online. Without it a proxy that holds a stream back holds us for ever.
	openLimit = 10 * time.Second
	// margin is how much later than expected a sign of life may come.
	margin = 10 * time.Second
	// maxEvent bounds one event: the longest message, 65,535 bytes, is six times as long in JSON at worst, and conversations have
	// many members. Without it whoever stands in for the gateway takes all memory.
	maxEvent = 4 << 20
	// steady is how long a connection must have held for its end not to count as one more failure in a row. Without it a server
	// that takes connections and drops them is asked again and again without delay.
	steady = 10 * time.Second
)

var (
	errLeft   = errors.New("the program left the loop")
	errSilent = errors.New("xuangate: the connection passes nothing on")
	errBetter = errors.New("xuangate: time to try a better transport")
)

// Events are what happens to the user the token stands for, from after a position on: the Position of the last event that the
// program is done with. Empty means from now on, or from the oldest message that waited while the user was nowhere signed in.
//
// The sequence is endless and keeps its place by itself. Its last pair alone has an error: what ended it for good, or why ctx
// ended. Nothing is read ahead: a program that takes its time delays nothing but itself, and one that leaves the loop leaves
// nothing behind. Each iteration is a stream of its own; a user may have many.
func (c *Client) Events(ctx context.Context, after string) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		s := &stream{Client: c, after: after, yield: yield}
		err := s.run(ctx)
		if errors.Is(err, errLeft) {
			s.tell(State{Phase: Ended})
			return
		}
		s.tell(State{Phase: Ended, Err: err})
		yield(Event{}, err)
	}
}

// A stream is one iteration over events. The iterating goroutine alone uses it.
type stream struct {
	*Client
	yield     func(Event, error) bool
	transport Transport   // of the connection under way
	round     []Transport // still to be tried, the current one first; empty before the first try
	after     string
	sent      string // the token of the connection under way
	seen      seen
	hint      time.Duration // how long the server asks to wait before the next connection
	failures  int           // in a row
	mute      int           // connections in a row that opened and passed nothing

	began            time.Time
	opened, received bool // the connection under way
}

// run makes connection after connection until something ends the events for good.
func (s *stream) run(ctx context.Context) error {
	for {
		s.begin()
		err := s.connect(ctx)
		switch {
		case errors.Is(err, errLeft):
			return err
		case ctx.Err() != nil:
			return context.Cause(ctx)
		}
		err = s.renewed(ctx, err)
		if terminal(err) {
			return err
		}
		if err != nil && s.next(err) {
			continue
		}
		wait := s.wait(err)
		s.tell(State{Phase: Waiting, Transport: s.transport, Err: err, Retry: wait})
		if err := sleep(ctx, wait); err != nil {
			return err
		}
	}
}

// begin chooses the transport of the next connection.
func (s *stream) begin() {
	if s.options.Transport != Auto {
		s.round = []Transport{s.options.Transport}
	} else if len(s.round) == 0 {
		s.round = s.choice.order()
	}
	s.transport, s.began, s.opened, s.received = s.round[0], time.Now(), false, false
	s.tell(State{Phase: Connecting, Transport: s.transport})
}

// connect makes one connection, and returns why it is no more.
func (s *stream) connect(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var err error
	switch s.transport {
	case SSE:
		err = s.sse(ctx, cancel)
	case WebSocket:
		err = s.ws(ctx, cancel)
	default:
		err = s.poll(ctx)
	}
	if context.Cause(ctx) == errSilent && !errors.Is(err, errLeft) && !terminal(err) {
		return errSilent // whatever became of the connection when it was cut for that
	}
	return err
}

// online notes that the connection is open.
func (s *stream) online() {
	if s.opened {
		return
	}
	s.opened = true
	s.choice.worked(s.transport)
	s.round = nil
	s.tell(State{Phase: Online, Transport: s.transport})
}

// next says whether another connection is to be made at once, over another transport.
func (s *stream) next(err error) bool {
	switch {
	case s.options.Transport != Auto:
		return false
	case errors.Is(err, errBetter):
		return true
	case s.received || s.hint > 0:
		s.mute = 0
		return false
	case s.opened:
		if s.mute++; s.mute < maxMute {
			return false
		}
		s.mute = 0
		s.round = append([]Transport{s.transport}, s.others()...)
	case !blamesTransport(err):
		return false
	}
	s.round = s.round[1:]
	return len(s.round) > 0
}

func (s *stream) others() (list []Transport) {
	for _, t := range all {
		if t != s.transport {
			list = append(list, t)
		}
	}
	return list
}

// wait is how long to wait before the next connection.
func (s *stream) wait(err error) time.Duration {
	if s.opened && time.Since(s.began) >= steady {
		s.failures = 0
	}
	own := s.jitter(s.failures)
	s.failures++
	asked := s.hint
	s.hint = 0
	var e *Error
	if errors.As(err, &e) && e.RetryAfter > 0 {
		asked = e.RetryAfter
	}
	return later(own, asked)
}

// terminal says that no other connection will do better.
func terminal(err error) bool {
	var e *Error
	if !errors.As(err, &e) {
		return false
	}
	switch e.Code {
	case 0:
		return e.Ended != ""
	case model.Unreachable, model.TooSlow, model.TooManyRequests, model.Internal, model.PositionLost:
		return false
	}
	return true
}

// frame is an event as all transports carry it.
type frame struct {
	Event    EventKind
	Position string
	Data     json.RawMessage
}

// takeText takes a frame in JSON.
func (s *stream) takeText(text []byte) error {
	var f frame
	if err := json.Unmarshal(text, &f); err != nil || f.Event == "" {
		return errors.New("xuangate: what came is no event") // and so is the connection it came over
	}
	return s.take(f)
}

// take hands an event to the program, or does what it says about the stream itself.
func (s *stream) take(f frame) error {
	s.received = true
	switch f.Event {
	case model.EventKindPosition:
		s.after = f.Position
		return nil
	case model.EventKindKickoff, model.EventKindRevoked, model.EventKindExpired, model.EventKindSuperseded:
		return ended(f.Event)
	case model.EventKindReset:
	default:
		if !s.seen.add(f.Position) {
			return nil
		}
	}
	e := Event{Kind: f.Event, Position: f.Position, Data: f.Data}
	e.decode()
	if !s.yield(e, nil) {
		return errLeft
	}
	s.after = f.Position
	return nil
}

func (s *stream) tell(state State) {
	if s.options.OnState != nil {
		s.options.OnState(state)
	}
}

// silence is how long the connection may pass nothing.
func (s *stream) silence() time.Duration {
	if s.options.Silence > 0 {
		return s.options.Silence
	}
	return s.transport.beat() + margin
}

// openLimit is how long the connection may take to be online.
func (s *stream) openLimit() time.Duration { return min(openLimit, s.silence()) }

// address is that of /notify; nothing in it is secret.
func (s *stream) address(scheme string, query url.Values) string {
	u := s.base.JoinPath("notify")
	u.Scheme = scheme
	query.Set("protoc", string(s.transport))
	query.Set("events", string(model.All))
	u.RawQuery = query.Encode()
	return u.String()
}

// broken is the error of a connection that ended without a word.
func broken(err error) error {
	if err == nil {
		return errors.New("xuangate: the connection was closed")
	}
	return fmt.Errorf("xuangate: %w", err)
}
