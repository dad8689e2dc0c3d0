package adapter

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sony/gobreaker/v2"

	"github.com/xuangate/xuangate/adapter/legacy"
	"github.com/xuangate/xuangate/gen/model"
)

const (
	// tripAfter is how many calls in a row must get no answer before the legacy server counts as down.
	tripAfter = 5
	// openFor is how long it is then left alone, until one call tries whether it is back. Without it every request waits for a
	// timeout, and a server that comes back meets all of them at once.
	openFor = 5 * time.Second
)

// A breaker answers for a legacy server that is down, so that nobody waits for it. It opens when calls in a row got no answer;
// refusals are answers. One slow method is no outage, nor is one user whose connection hangs: so timeouts count only when calls of
// more than one method, and where each user has a connection of his own of more than one user, had them.
//
// It is only asked about calls. Links dial as they do, and what they find out closes it by the next call.
type breaker struct {
	perUser bool
	gate    *gobreaker.TwoStepCircuitBreaker[struct{}]
	refused atomic.Int64
	opened  atomic.Int64

	mu      sync.Mutex
	down    bool // a call of this row found nobody there
	methods map[string]bool
	users   map[legacy.UserID]bool
	until   time.Time // while open
}

func newBreaker(perUser bool) *breaker {
	b := &breaker{perUser: perUser, methods: map[string]bool{}, users: map[legacy.UserID]bool{}}
	b.gate = gobreaker.NewTwoStepCircuitBreaker[struct{}](gobreaker.Settings{
		Timeout:     openFor,
		IsExcluded:  func(err error) bool { return err != nil && !unanswered(err) },
		ReadyToTrip: func(c gobreaker.Counts) bool { return c.ConsecutiveFailures >= tripAfter && b.convinced() },
		OnStateChange: func(_ string, _, to gobreaker.State) {
			b.mu.Lock()
			defer b.mu.Unlock()
			switch to {
			case gobreaker.StateOpen:
				b.opened.Add(1)
				b.until = time.Now().Add(openFor)
			case gobreaker.StateClosed:
				b.forget()
			}
		},
	})
	return b
}

// unanswered says that legacy had a call and did not answer it. A caller who went away, a link that is not there and a call that
// waited for its turn say nothing about it.
func unanswered(err error) bool {
	var known *Error
	if errors.As(err, &known) || errors.Is(err, legacy.ErrNotSent) || errors.Is(err, legacy.ErrKicked) || errors.Is(err, context.Canceled) {
		return false
	}
	var large *legacy.TooLargeError
	var lacks *legacy.UnsupportedError
	return !errors.As(err, &large) && !errors.As(err, &lacks)
}

// enter lets a call through, or says at once that legacy is down. The caller calls done once, with the error of the call.
func (b *breaker) enter(op string, c legacy.Call) (done func(error), err error) {
	report, err := b.gate.Allow()
	if err != nil {
		b.refused.Add(1)
		return nil, b.err(op)
	}
	return func(err error) {
		b.note(c, err)
		report(err)
	}, nil
}

func (b *breaker) err(op string) *Error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return &Error{
		Code: model.Unreachable, Op: op, Err: errOpen, RetryAfter: max(time.Until(b.until), time.Second),
		Text: "the chat server does not answer; try again",
	}
}

// errOpen is why a call was not made.
var errOpen = errors.New("the chat server did not answer the last calls, so it is left alone for a moment")

func (b *breaker) note(c legacy.Call, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case err == nil:
		b.forget()
	case unanswered(err):
		b.down = b.down || !errors.Is(err, context.DeadlineExceeded)
		b.methods[c.Module+"/"+c.Method] = true
		if len(b.users) < tripAfter {
			b.users[c.User] = true
		}
	}
}

// convinced says whether the calls of this row were different enough to speak for all.
func (b *breaker) convinced() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.perUser && len(b.users) < 2 {
		return false
	}
	return b.down || len(b.methods) > 1
}

// forget begins another row. b.mu is held.
func (b *breaker) forget() {
	b.down = false
	clear(b.methods)
	clear(b.users)
}
