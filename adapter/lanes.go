package adapter

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"
)

const (
	// laneLease is for how long a node has a lane after it last said so. A node that dies in it keeps the others out for as long; one
	// that stands still for longer may be overtaken, and its message is told as late.
	laneLease = 5 * time.Second
	// laneRenewal leaves two renewals to fail. Without any a message to a slow server, whose sender tries again at another node, is
	// sent twice at once, and legacy stores it twice.
	laneRenewal = laneLease / 3
	// Between these two a node asks again for a lane that another has.
	laneAgainFirst, laneAgainLast = 2 * time.Millisecond, 20 * time.Millisecond
	// laneTimeout is how long the claims may take to answer. Without it a store that hangs holds up every send.
	laneTimeout = time.Second
	// lanesAlone is how long lanes do without claims after those failed: sends go on, each of them a second late otherwise.
	lanesAlone = time.Second
)

// lanes let one through at a time: one send into each chat, from the call to the log, so that the log has legacy's order,
// for legacy stores a gid twice that is sent twice at once; and one sign-in of each account.
//
// With claims one through at a time among all nodes. While claims cannot be had it is one on each node: messages may then be told
// out of order, and are marked late.
type lanes struct {
	claims Claims // nil: this is the only node
	// passed is told of a lane that another node may have had since it was last entered here. Nil: nobody is.
	passed func(key string)

	mu    sync.Mutex
	busy  map[string]*lane
	alone time.Time // until when to do without claims
}

type lane struct {
	turn  chan struct{} // holds one token while the lane is free
	users int           // those who have or want the lane; guarded by lanes.mu
}

func newLanes() *lanes { return &lanes{busy: map[string]*lane{}} }

// enter waits for the key's lane. The caller must call leave once, unless an error came.
func (l *lanes) enter(ctx context.Context, key string) (leave func(), err error) {
	l.mu.Lock()
	ln := l.busy[key]
	if ln == nil {
		ln = &lane{turn: make(chan struct{}, 1)}
		ln.turn <- struct{}{}
		l.busy[key] = ln
	}
	ln.users++
	l.mu.Unlock()

	select {
	case <-ln.turn:
	case <-ctx.Done():
		l.drop(key, ln)
		return nil, ctx.Err()
	}
	release, err := l.claim(ctx, key)
	leave = func() { release(); ln.turn <- struct{}{}; l.drop(key, ln) }
	if err != nil {
		leave()
		return nil, err
	}
	return leave, nil
}

func (l *lanes) drop(key string, ln *lane) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if ln.users--; ln.users == 0 {
		delete(l.busy, key)
	}
}

// claim keeps other nodes out of a lane until release.
func (l *lanes) claim(ctx context.Context, key string) (release func(), err error) {
	release = func() {}
	if l.claims == nil {
		return release, nil
	}
	for {
		c, err := l.take(ctx, "lane:"+key)
		switch {
		case err == nil:
			if c.Former != c.Holder && l.passed != nil {
				l.passed(key)
			}
			renewed := l.renew(ctx, c)
			return func() { renewed(); l.release(ctx, c) }, nil
		case ctx.Err() != nil:
			return release, ctx.Err()
		case !errors.Is(err, ErrHeld):
			if l.passed != nil {
				l.passed(key)
			}
			return release, nil
		case !pause(ctx, laneAgainFirst+rand.N(laneAgainLast-laneAgainFirst)):
			return release, ctx.Err()
		}
	}
}

// renew keeps a claim until stop is called.
func (l *lanes) renew(ctx context.Context, c Claim) (stop func()) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan struct{})
	first := time.AfterFunc(laneRenewal, func() { // most lanes are left before
		defer close(ended)
		for more := true; more; more = pause(ctx, laneRenewal) {
			limit, cancel := context.WithTimeout(ctx, laneTimeout)
			_ = l.claims.Renew(limit, c, laneLease) // the next one may work
			cancel()
		}
	})
	return func() {
		cancel()
		if !first.Stop() {
			<-ended
		}
	}
}

// errAlone is why a lane is not claimed that need not be tried.
var errAlone = errors.New("claims failed a moment ago")

func (l *lanes) take(ctx context.Context, key string) (Claim, error) {
	l.mu.Lock()
	alone := time.Now().Before(l.alone)
	l.mu.Unlock()
	if alone {
		return Claim{}, errAlone
	}
	limit, cancel := context.WithTimeout(ctx, laneTimeout)
	defer cancel()
	c, err := l.claims.Take(limit, key, laneLease)
	if err != nil && !errors.Is(err, ErrHeld) && ctx.Err() == nil {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.alone = time.Now().Add(lanesAlone)
	}
	return c, err
}

func (l *lanes) release(ctx context.Context, c Claim) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), laneTimeout)
	defer cancel()
	_ = l.claims.Release(ctx, c) // else it ends by itself
}
