package inline

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/xuangate/xuangate/adapter"
)

const (
	// activeLease is how long a node that has died keeps the others from its place. xxd makes a call again after 0.2 and 0.4 s,
	// and gives it up after 0.6 s.
	activeLease = 250 * time.Millisecond
	// activeRenewal leaves three renewals to be late before the lease ends.
	activeRenewal = activeLease / 4
	// activeAgain is how often the other nodes ask for the lease, and how long a call waits before it looks again for who has it.
	activeAgain = 20 * time.Millisecond
	// aloneAfter is for how long nothing must be known of the lease before a node acts without it. Shorter, and one slow answer
	// of what is shared has two nodes act.
	aloneAfter = time.Second
)

// activeClaim is one for all chat servers, for who is where is to be known across them.
const activeClaim = "inline"

// A lead tells which of several nodes is the active one: it is in the chat servers, answers them, and knows who is where. The
// others hand on to it what they are asked. A nil lead is that of the only node. run alone changes it; the other methods may be
// used from any goroutine.
//
// While what is shared is away, the active node stays that, and no other takes its place: unless one is asked and cannot reach
// it. Then that one acts, and the former, should it live, hears in the chat server that it is not alone, and gives way.
type lead struct {
	claims adapter.Claims
	log    *slog.Logger
	need   chan struct{} // holds one token when this node is to act without the lease
	yield  chan struct{} // holds one token when another node was seen to act

	mu     sync.Mutex
	active bool
	proven time.Time     // until when the lease is this node's for sure
	away   time.Time     // since when nothing is known of the lease; the zero time if something is
	gave   bool          // gave way to another while nothing was known
	over   bool          // run has ended
	holder string        // where the active node is reached; "" if that is not known
	inside int           // what is being answered here
	idle   chan struct{} // closed when nothing is, if somebody waits for that
	term   context.Context
	end    context.CancelFunc // of term, when who is active changes

	claim adapter.Claim // run alone uses it, and alone
	alone bool          // acts without the lease
}

func newLead(claims adapter.Claims, log *slog.Logger) *lead {
	if claims == nil {
		return nil
	}
	l := &lead{claims: claims, log: log, need: make(chan struct{}, 1), yield: make(chan struct{}, 1)}
	l.term, l.end = context.WithCancel(context.Background())
	return l
}

// where says whether this node is the active one, else where that is reached, "" where it is not known, and for how long that
// is so.
func (l *lead) where() (here bool, at string, term context.Context) {
	if l == nil {
		return true, "", nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.active {
		now := time.Now()
		return now.Before(l.proven) || l.lostSight(now), "", l.term
	}
	return false, l.holder, l.term
}

// enter begins to answer something, if this node is the active one; leave ends that.
func (l *lead) enter() (leave func(), here bool) {
	if l == nil {
		return func() {}, true
	}
	if here, _, _ := l.where(); !here {
		return nil, false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.active {
		return nil, false
	}
	l.inside++
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.inside--; l.inside == 0 && l.idle != nil {
			close(l.idle)
			l.idle = nil
		}
	}, true
}

// finish waits until what was begun here is answered, and so kept for the next node, who is kept out meanwhile; not longer than
// nodeGrace. run alone calls it.
func (l *lead) finish(ctx context.Context) {
	l.mu.Lock()
	if l.inside == 0 {
		l.mu.Unlock()
		return
	}
	idle := make(chan struct{})
	l.idle = idle
	l.mu.Unlock()
	limit, cancel := context.WithTimeout(context.WithoutCancel(ctx), nodeGrace)
	defer cancel()
	again := time.NewTicker(activeRenewal)
	defer again.Stop()
	for {
		select {
		case <-idle:
			return
		case <-limit.Done():
			return
		case <-again.C:
			if l.claim != (adapter.Claim{}) {
				_ = l.claims.Renew(limit, l.claim, activeLease) // else the next one does not wait
			}
		}
	}
}

// lostSight says that nothing was known of the lease for so long that it no longer counts. l.mu is held.
func (l *lead) lostSight(now time.Time) bool {
	return !l.away.IsZero() && now.Sub(l.away) >= aloneAfter
}

// ended says that this node will not act again.
func (l *lead) ended() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.over
}

// wanted is told that the active node does not answer a call. It has this node act if nothing else is known of the other.
func (l *lead) wanted() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.active && !l.gave && l.lostSight(time.Now()) {
		signal(l.need)
	}
}

// rivalled is told that another node has signed in to a chat server in this one's place.
func (l *lead) rivalled() {
	if l != nil {
		signal(l.yield)
	}
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default: // it lies there already
	}
}

// run takes part until ctx ends: whenever this node is the active one act runs, which calls ready once it can answer.
func (l *lead) run(ctx context.Context, act func(ctx context.Context, ready func())) {
	var acting sync.WaitGroup
	stop := func() {}
	begin := func() {
		mine, cancel := context.WithCancel(ctx)
		acting.Go(func() { act(mine, func() { l.turn(mine, true) }) })
		stop = cancel
	}
	giveUp := func() {
		l.turn(ctx, false)
		l.finish(ctx)
		stop()
		acting.Wait()
		l.turn(ctx, false) // it may have become ready meanwhile
		stop = func() {}
	}
	has := false // act runs
	wait := time.NewTimer(0)
	defer wait.Stop()
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
			continue
		case <-l.need:
			if !has {
				l.alone = true
			}
		case <-l.yield:
			if has && !l.sure() {
				l.log.WarnContext(ctx, "another gateway is in the chat server while Redis cannot be asked: this one waits until it can")
				l.gives()
				giveUp()
				has = false
			}
		case <-wait.C:
		}
		holds := l.holds(ctx, has)
		switch {
		case holds && !has:
			begin()
		case !holds && has:
			giveUp()
		}
		has = holds
		wait.Reset(map[bool]time.Duration{true: activeRenewal, false: activeAgain}[has])
	}
	giveUp()
	l.mu.Lock()
	l.over = true
	l.end()
	l.mu.Unlock()
	limit, cancel := context.WithTimeout(context.WithoutCancel(ctx), aloneAfter)
	defer cancel()
	if l.claim != (adapter.Claim{}) && l.claims.Release(limit, l.claim) != nil {
		l.log.WarnContext(ctx, "could not hand the chat servers over; another node takes them when the lease ends")
	}
}

// holds asks for the lease, or has it last, and returns whether this node is to be the active one. has says that it is.
func (l *lead) holds(ctx context.Context, has bool) bool {
	began := time.Now()
	limit, cancel := context.WithTimeout(ctx, activeLease)
	defer cancel()
	err := adapter.ErrLost
	if has && l.claim != (adapter.Claim{}) {
		err = l.claims.Renew(limit, l.claim, activeLease)
	}
	c := l.claim
	if errors.Is(err, adapter.ErrLost) { // or never had
		if c, err = l.claims.Take(limit, activeClaim, activeLease); err == nil && has && !l.alone && c.Former != "" && c.Former != c.Holder {
			l.claim = c
			l.note(began, c, nil)
			return false // another was active meanwhile; what it knows is to be learned first
		}
	}
	switch {
	case err == nil:
		l.claim, l.alone = c, false
	case errors.Is(err, adapter.ErrHeld):
		l.claim, l.alone = adapter.Claim{}, false
	case ctx.Err() != nil:
		return has
	}
	l.note(began, c, err)
	return err == nil || !errors.Is(err, adapter.ErrHeld) && (has || l.alone)
}

// note keeps what asking for the lease came to.
func (l *lead) note(asked time.Time, c adapter.Claim, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case err == nil:
		l.proven, l.away, l.gave = asked.Add(activeLease), time.Time{}, false
	case errors.Is(err, adapter.ErrHeld):
		_, at, _ := strings.Cut(c.Holder, " ")
		if at != l.holder {
			l.changes()
		}
		l.holder, l.away, l.gave = at, time.Time{}, false
	case l.away.IsZero():
		l.away = asked
		l.log.Warn("cannot ask which gateway is the chat servers' backend; it stays as it is", "error", err)
	}
}

// turn notes that this node becomes the active one, or no longer is.
func (l *lead) turn(ctx context.Context, active bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.active == active || active && ctx.Err() != nil {
		return
	}
	l.active, l.holder = active, ""
	l.changes()
	l.log.Info("the chat servers' backend", "active", active)
}

// changes ends the term of who was active. l.mu is held.
func (l *lead) changes() {
	l.end()
	l.term, l.end = context.WithCancel(context.Background())
}

// sure says that the lease is known to be this node's.
func (l *lead) sure() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.away.IsZero()
}

func (l *lead) gives() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.gave, l.alone = true, false
	l.claim = adapter.Claim{}
}

// apart says that what is shared cannot be had at the moment.
func (l *lead) apart() bool { return l != nil && !l.sure() }
