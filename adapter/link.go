package adapter

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/xuangate/xuangate/adapter/legacy"
	"github.com/xuangate/xuangate/gen/model"
)

const (
	// Between these two a link waits before it dials again, longer each time, at random: a restarted server must not meet
	// everybody in the same instant.
	redialFirst, redialMost = 500 * time.Millisecond, 20 * time.Second
	// lookEvery is how often a link looks whether it is still wanted.
	lookEvery = 15 * time.Second
	// Where a kicked link is to be taken back: after this, and no more often than that. Without the second the desktop client
	// and we would kick each other out for ever.
	reclaimAfter, reclaimEvery = time.Minute, 10 * time.Minute
	// maxWaiting bounds what a link keeps for a user's first stream. The log holds the same; this only tells where it begins.
	maxWaiting = 1000
)

// A link keeps one user's connection to the legacy server alive, for all of the user's tokens and platforms. Its run owns
// the connection: it alone dials and closes it. Everything else may be used from any goroutine.
type link struct {
	links   *links
	user    legacy.UserID
	account string
	cancel  context.CancelCauseFunc
	claim   Claim          // zero where this is the only node
	owed    legacy.Welcome // messages and notices of sign-ins whose gap could not be filled: the server gives them once. Run owns it
	handed  bool           // another node, or an earlier process, held the link not long ago, and what it heard last is not known here

	mu       sync.Mutex
	state    model.UpstreamState
	up       Upstream      // while online
	turned   chan struct{} // closed at the next change of state
	held     bool          // by open streams
	used     time.Time
	lost     bool      // another node has the claim, and tells how the link is
	ended    bool      // for good: the server will not have it, or the user signed in elsewhere
	attended bool      // a stream has had what waited
	waiting  []Event   // since then
	taken    time.Time // when it was taken back from a sign-in elsewhere
	seen     int64     // the date of the newest message heard, in the server's Unix seconds
	began    int64     // that of the newest one anywhere when the user first signed in: what is older was never missed here
}

// errUnwanted is why a link ends that nobody uses any more.
var errUnwanted = errors.New("nobody uses the link")

// run keeps the link until ctx ends or the server will not have it: welcome is what the first connection, up, began with, and
// is emptied: its lists of everybody must not stay for as long as the link.
func (k *link) run(ctx context.Context, up Upstream, welcome *legacy.Welcome) {
	for tries := 0; ; {
		err := k.connected(ctx, up, welcome)
		for up = nil; up == nil; {
			wait := backoff(tries)
			err = k.ours(ctx, err)
			switch {
			case errors.Is(err, legacy.ErrKicked) && k.mayReclaim():
				k.turn(model.UpstreamKicked, nil)
				wait = reclaimAfter
			case k.over(ctx, err):
				return
			default:
				k.turn(model.UpstreamBackoff, nil)
			}
			if !pause(ctx, wait) {
				k.turn(model.UpstreamOffline, nil)
				return
			}
			tries++
			k.turn(model.UpstreamConnecting, nil)
			up, *welcome, err = k.dial(ctx)
		}
		tries = 0
	}
}

func (k *link) dial(ctx context.Context) (Upstream, legacy.Welcome, error) {
	var up Upstream
	var welcome legacy.Welcome
	c, err := k.links.vault.get(ctx, k.user)
	if errors.Is(err, errNoCredentials) {
		err = legacy.ErrPassword // none that works: the user must give it again
	}
	if err == nil {
		err = k.links.queue.enter(ctx, false, true)
	}
	if err == nil && errors.Is(k.renew(ctx), ErrLost) {
		err = errClaimLost // this node stood still meanwhile, and would kick the user out where he is now
	}
	if err == nil {
		up, welcome, err = k.links.dial(ctx, c.Account, c.Password)
		if errors.Is(err, legacy.ErrPassword) {
			k.links.a.signedInBy(ctx, c.Account, false)
		}
	}
	if err == nil {
		k.links.note(welcome.Server)
	} else {
		k.links.a.log.WarnContext(ctx, "could not sign a user in at the chat server", "session", k.user.String(), "error", err)
	}
	return up, welcome, err
}

// backoff is how long to wait before the next dial: full jitter over a span that doubles.
func backoff(tries int) time.Duration {
	span := min(redialFirst<<min(tries, 10), redialMost)
	return redialFirst/10 + rand.N(span)
}

func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// mayReclaim says whether a kicked link is to be taken back, and notes that it is.
func (k *link) mayReclaim() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.links.reclaim || time.Since(k.taken) < reclaimEvery {
		return false
	}
	k.taken = time.Now()
	return true
}

// over says whether err ends the link for good, and tells so.
func (k *link) over(ctx context.Context, err error) bool {
	switch {
	case errors.Is(err, errClaimLost):
		k.lose()
		k.turn(model.UpstreamOffline, nil)
	case ctx.Err() != nil:
		k.turn(model.UpstreamOffline, nil)
	case errors.Is(err, legacy.ErrKicked):
		k.links.a.log.InfoContext(ctx, "a user signed in elsewhere", "session", k.user.String())
		k.turn(model.UpstreamKicked, nil)
		k.end()
		k.links.kicked(ctx, k)
	case errors.Is(err, legacy.ErrPassword), errors.Is(err, legacy.ErrLocked), errors.Is(err, legacy.ErrDisabled):
		k.turn(model.UpstreamRefused, nil)
		k.end()
	default:
		return false
	}
	return true
}

// end notes that only a sign-in makes the link again, at whatever node.
func (k *link) end() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.ended = true
}

// lose ends the link, which is another node's by now.
func (k *link) lose() {
	k.mu.Lock()
	k.lost = true
	k.mu.Unlock()
	k.cancel(errClaimLost)
}

func (k *link) hasEnded() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.ended
}

// connected tells what was missed, then what happens, until the connection or ctx ends.
func (k *link) connected(ctx context.Context, up Upstream, welcome *legacy.Welcome) error {
	stop := context.AfterFunc(ctx, func() { _ = up.Close() })
	defer func() {
		stop()
		_ = up.Close()
	}()
	a := k.links.a
	a.users.fill(welcome.Users, welcome.Directory)
	err := k.fill(ctx, up, *welcome)
	*welcome = legacy.Welcome{}
	if err != nil {
		return fmt.Errorf("fill the gap: %w", err)
	}
	k.show(ctx, up)
	k.turn(model.UpstreamOnline, up)
	a.log.InfoContext(ctx, "signed in at the chat server", "session", k.user.String())
	for {
		p, err := up.Next(ctx)
		if err != nil {
			return err
		}
		if err := k.hear(ctx, p); err != nil {
			// What cannot be put into the log would be lost; a new connection asks for it again.
			return fmt.Errorf("hear %s: %w", p, err)
		}
	}
}

// ask makes a call of the link's own on a connection that nobody else has yet: it waits for no room among those of clients.
func (k *link) ask(ctx context.Context, up Upstream, c legacy.Call) (legacy.Response, error) {
	start := time.Now()
	r, err := up.Call(ctx, c)
	k.links.a.observed(ctx, c, r, start, err)
	return r, err
}

// show has the user seen as he chose: signing in has set him online.
func (k *link) show(ctx context.Context, up Upstream) {
	a := k.links.a
	ctx, cancel := context.WithTimeout(ctx, a.timeout)
	defer cancel()
	status := a.looks.of(ctx, k.user)
	if status == model.StatusOnline {
		return
	}
	if _, err := k.ask(ctx, up, legacy.Chat(k.user, "userchange", map[string]string{"status": string(status)})); err != nil {
		a.log.WarnContext(ctx, "could not show a user as he chose", "session", k.user.String(), "error", err)
	}
}

// turn changes the state and tells the user's streams.
func (k *link) turn(to model.UpstreamState, up Upstream) {
	k.mu.Lock()
	tell := k.state != to && !k.lost
	k.state, k.up = to, up
	close(k.turned)
	k.turned = make(chan struct{})
	k.mu.Unlock()
	if !tell {
		return
	}
	a := k.links.a
	ctx, cancel := context.WithTimeout(context.Background(), a.timeout)
	defer cancel()
	err := a.sink(ctx, Event{Kind: model.EventKindUpstream, To: Recipients{Users: []legacy.UserID{k.user}}, Data: model.Upstream{Upstream: to}})
	if err != nil {
		a.log.Warn("could not tell the state of a user's link", "session", k.user.String(), "state", to, "error", err)
	}
}

// ready waits for the connection.
func (k *link) ready(ctx context.Context) (Upstream, error) {
	for {
		k.mu.Lock()
		k.used = time.Now()
		up, state, turned := k.up, k.state, k.turned
		k.mu.Unlock()
		switch state {
		case model.UpstreamOnline:
			return up, nil
		case model.UpstreamKicked:
			return nil, refuse("use the link", model.SignedInElsewhere, "you signed in to the chat server elsewhere, with the desktop client; sign in again to continue here")
		case model.UpstreamRefused:
			return nil, refuse("use the link", model.InvalidToken, "the chat server no longer accepts your password; sign in again")
		case model.UpstreamOffline:
			return nil, errUnwanted
		}
		select {
		case <-turned:
		case <-ctx.Done():
			return nil, fmt.Errorf("the link is %s: %w", state, ctx.Err())
		}
	}
}

func (k *link) use() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.used = time.Now()
}

// given says whether the link was given up for want of use.
func (k *link) given() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.state == model.UpstreamOffline
}

// wanted says whether somebody still uses the link: a stream is open, or a call was made lately.
func (k *link) wanted(idle time.Duration) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.held || time.Since(k.used) < idle
}

// keep notes a message for the user's first stream.
func (k *link) keep(e Event) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.attended || len(k.waiting) >= maxWaiting {
		return
	}
	k.waiting = append(k.waiting, e)
}

// attend holds the link for streams and takes what waited for the first of them; later ones find nothing until letGo.
func (k *link) attend() []Event {
	k.mu.Lock()
	k.held, k.attended, k.used = true, true, time.Now()
	k.mu.Unlock()
	return k.takeWaiting()
}

// takeWaiting takes what waited for the first stream.
func (k *link) takeWaiting() []Event {
	k.mu.Lock()
	defer k.mu.Unlock()
	list := k.waiting
	k.waiting = nil
	return list
}

// letGo ends attend, once no stream is left.
func (k *link) letGo() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.held, k.attended, k.used = false, false, time.Now()
}
