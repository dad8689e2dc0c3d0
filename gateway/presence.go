package gateway

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/xuangate/xuangate/adapter"
	"github.com/xuangate/xuangate/adapter/legacy"
	"github.com/xuangate/xuangate/gateway/eventlog"
	"github.com/xuangate/xuangate/gen/model"
)

const (
	// linger is how long a user stays online after the last stream closed. Shorter, and every lost connection and every
	// gap between two polls is told to all as a coming and going.
	linger = 30 * time.Second
	// lookEvery is how often presence looks for what has become due.
	lookEvery = time.Second
	// Between tries to set a user online, first and at most. Without it every stream asks a server that is down.
	retryFirst, retryMost = time.Second, time.Minute
	// presenceCalls bounds the calls at once that change presence. Without it a thousand users who leave together are a
	// thousand calls together.
	presenceCalls = 16
)

// presence keeps users online in legacy while they have a stream here. Its methods may be used from any goroutine; run
// makes the calls that no stream waits for.
type presence struct {
	legacy *adapter.Adapter
	events eventlog.Log
	leases *Leases // nil where this is the only node
	nodes  *Nodes  // nil where no other node holds users' links
	log    *slog.Logger

	mu      sync.Mutex
	users   map[legacy.UserID]*attendance
	pending map[legacy.UserID]struct{} // who may become due: without a stream, or not online with one
	stopped bool
	leaving bool // what users have here goes to other nodes as soon as their streams have gone
}

// attendance is one user who has a stream, had one lately, or is online still.
type attendance struct {
	streams int
	online  bool
	busy    chan struct{}     // closed when the call under way, which alone may change online, has ended; nil if none is
	start   eventlog.Position // where what waited for the user begins
	missed  bool              // coming online failed: open streams may have passed by what waited, and must reload
	due     time.Time         // when to go offline, once there is no stream; when to try again to come online, if there is
	backoff time.Duration

	followed time.Time     // when it was last seen to that some node holds the link
	attended time.Time     // when the node that does was last told of the streams here
	showing  chan struct{} // closed when the call that shows a chosen status has ended, for which going offline waits; nil if none is
}

func newPresence(a *adapter.Adapter, events eventlog.Log, leases *Leases, nodes *Nodes, log *slog.Logger) *presence {
	return &presence{legacy: a, events: events, leases: leases, nodes: nodes, log: log, users: map[legacy.UserID]*attendance{}, pending: map[legacy.UserID]struct{}{}}
}

// enter counts a stream of u in and returns where it begins unless it resumes: where what waited for u begins if this
// stream brings u online, or came while another did; otherwise now. The first stream waits for legacy; legacy's refusal
// keeps no stream from opening: presence is then tried again while it is open. Every enter that returned no error is
// followed by one leave.
func (p *presence) enter(ctx context.Context, u legacy.UserID) (eventlog.Position, error) {
	p.mu.Lock()
	a := p.users[u]
	if a == nil {
		a = &attendance{}
		p.users[u] = a
	}
	a.streams++
	waited := false
	for a.busy != nil {
		busy := a.busy
		p.mu.Unlock()
		select {
		case <-busy:
			waited = true
		case <-ctx.Done():
			p.leave(u, time.Time{})
			return eventlog.Position{}, ctx.Err()
		}
		p.mu.Lock()
	}
	switch {
	case a.online && waited:
		defer p.mu.Unlock()
		return a.start, nil
	case a.online || p.stopped || time.Now().Before(a.due):
		p.mu.Unlock()
		end, err := p.events.End(ctx)
		if err != nil {
			p.leave(u, time.Time{})
		}
		return end, err
	}
	a.busy = make(chan struct{})
	p.mu.Unlock()
	return p.comeOnline(ctx, u, a), nil
}

// leave counts a stream of u out. A poll counts until the time it promised, so that the next one finds its user online.
func (p *presence) leave(u legacy.UserID, promised time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	a := p.users[u]
	a.streams--
	now := time.Now()
	if promised.Before(now) {
		promised = now
	}
	if until := promised.Add(linger); a.online && a.due.Before(until) {
		a.due = until
	}
	if a.streams == 0 || !a.online {
		p.pending[u] = struct{}{}
	}
	if a.streams == 0 && p.leaving {
		p.letGo(u)
	}
}

// run makes due calls until ctx ends, and returns when none is under way.
func (p *presence) run(ctx context.Context) {
	var leases sync.WaitGroup
	defer leases.Wait()
	leases.Go(func() { p.keepLeases(ctx) })
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	var calls errgroup.Group
	calls.SetLimit(presenceCalls)
	for {
		select {
		case <-ctx.Done():
			_ = calls.Wait()
			return
		case <-tick.C:
		}
		for _, u := range p.dueUsers() {
			calls.Go(func() error {
				p.settle(ctx, u)
				return nil
			})
		}
		for _, u := range p.unlinked() {
			calls.Go(func() error {
				p.follow(ctx, u)
				return nil
			})
		}
	}
}

func (p *presence) dueUsers() []legacy.UserID {
	p.mu.Lock()
	defer p.mu.Unlock()
	var list []legacy.UserID
	for u := range p.pending {
		a := p.users[u]
		switch {
		case a.busy != nil || a.showing != nil:
		case a.online == (a.streams > 0):
			delete(p.pending, u)
			if !a.online {
				delete(p.users, u)
			}
		case !time.Now().Before(a.due):
			list = append(list, u)
		}
	}
	return list
}

// settle makes the call that is due for u, if it still is.
func (p *presence) settle(ctx context.Context, u legacy.UserID) {
	p.mu.Lock()
	a := p.users[u]
	if a == nil || a.busy != nil || a.showing != nil || a.online == (a.streams > 0) || time.Now().Before(a.due) || ctx.Err() != nil {
		p.mu.Unlock()
		return
	}
	a.busy = make(chan struct{})
	p.mu.Unlock()
	if !a.online {
		p.comeOnline(ctx, u, a)
	} else if err := p.goOffline(ctx, u, a); err != nil {
		p.log.LogAttrs(ctx, slog.LevelWarn, "could not set a user offline; will try again",
			slog.String("session", u.String()), slog.Duration("in", linger), slog.String("err", err.Error()))
	}
}

// comeOnline sets u online and puts what waited for u into the log. It returns where that begins, which is where a stream
// begins that misses nothing. It does not end early: legacy forgets what waited with the asking. The caller has made
// a.busy.
func (p *presence) comeOnline(ctx context.Context, u legacy.UserID, a *attendance) eventlog.Position {
	ctx = context.WithoutCancel(ctx)
	if _, err := p.leases.here(ctx, u); err != nil { // before legacy is told; see setOffline
		p.log.LogAttrs(ctx, slog.LevelWarn, "could not tell the other nodes that a user is here", slog.String("session", u.String()), slog.String("err", err.Error()))
	}
	start, err := p.fetchWaiting(ctx, u)
	if err == nil && a.missed {
		_, err = p.events.Append(ctx, adapter.Event{Kind: model.EventKindReset, To: adapter.Recipients{Users: []legacy.UserID{u}}})
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.idle(a)
	a.online, a.missed, a.start = err == nil, err != nil, start
	switch {
	case err != nil:
		a.backoff = min(max(2*a.backoff, retryFirst), retryMost)
		a.due = time.Now().Add(a.backoff)
		p.pending[u] = struct{}{}
		p.log.LogAttrs(ctx, slog.LevelWarn, "could not set a user online; will try again",
			slog.String("session", u.String()), slog.Duration("in", a.backoff), slog.String("err", err.Error()))
	case a.streams == 0: // all have left while we asked
		a.due, a.backoff = time.Now().Add(linger), 0
		p.pending[u] = struct{}{}
		if p.leaving {
			p.letGo(u)
		}
	default:
		a.due, a.backoff = time.Time{}, 0
	}
	return start
}

// fetchWaiting sets u online in legacy and moves what waited into the log, as much as can be, even beside an error. It
// returns where that begins.
func (p *presence) fetchWaiting(ctx context.Context, u legacy.UserID) (eventlog.Position, error) {
	// What comes from now on stands after this, so nothing falls between what waited and what is told live.
	start, err := p.events.End(ctx)
	if err != nil {
		return start, err
	}
	waiting, err := p.legacy.ComeOnline(ctx, u)
	if holder := adapter.HolderOf(err); holder != "" && p.nodes != nil {
		return p.elsewhere(ctx, u, holder, start)
	}
	return p.tell(ctx, waiting, start, err)
}

// tell puts what waited into the log, and returns where that or start begins, and err with what went wrong.
func (p *presence) tell(ctx context.Context, waiting []adapter.Event, start eventlog.Position, err error) (eventlog.Position, error) {
	for _, e := range waiting {
		at, appendErr := p.events.Append(ctx, e)
		if appendErr != nil {
			err = errors.Join(err, appendErr)
			continue
		}
		if before := at.Before(); before.Compare(start) < 0 {
			start = before
		}
	}
	return start, err
}

func (p *presence) goOffline(ctx context.Context, u legacy.UserID, a *attendance) error {
	err := p.setOffline(ctx, u)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.idle(a)
	if err != nil {
		// Legacy keeps no offline messages for whom it believes online, so this must be tried until it works.
		a.due = time.Now().Add(linger)
		return err
	}
	a.online, a.due = false, time.Time{}
	return nil
}

// idle ends a.busy. p.mu is held.
func (p *presence) idle(a *attendance) {
	close(a.busy)
	a.busy = nil
}

// stop sets everybody offline, whatever streams are open, and nobody online any more. It returns when that is done or
// when ctx ends.
func (p *presence) stop(ctx context.Context) {
	p.mu.Lock()
	p.stopped = true
	users := slices.Collect(maps.Keys(p.users))
	p.mu.Unlock()
	var failed atomic.Int64
	var calls errgroup.Group
	calls.SetLimit(presenceCalls)
	for _, u := range users {
		calls.Go(func() error {
			if p.part(ctx, u) != nil {
				failed.Add(1)
			}
			return nil
		})
	}
	_ = calls.Wait()
	if n := failed.Load(); n > 0 {
		p.log.LogAttrs(ctx, slog.LevelWarn, "could not set users offline; the chat server believes them online", slog.Int64("users", n))
	}
}

// part sets u offline at the end, after the call that is under way for u.
func (p *presence) part(ctx context.Context, u legacy.UserID) error {
	p.mu.Lock()
	a := p.users[u]
	if a == nil {
		p.mu.Unlock()
		return nil
	}
	if err := p.await(ctx, a); err != nil {
		return err
	}
	if !a.online {
		p.mu.Unlock()
		return nil
	}
	a.busy = make(chan struct{})
	p.mu.Unlock()
	return p.goOffline(ctx, u, a)
}
