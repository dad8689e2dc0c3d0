package adapter

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/xuangate/xuangate/adapter/legacy"
	"github.com/xuangate/xuangate/gen/model"
)

// links are the users' connections to a server that wants one of each. They are a Caller: a call goes over the link of
// the user in whose name it is.
type links struct {
	a        *Adapter
	ups      Upstreams
	vault    *vault
	idle     time.Duration
	reclaim  bool   // take a link back after a sign-in elsewhere
	doors    *lanes // one sign-in at a time for each account
	queue    *queue // of all sign-ins
	operator string // MD5 of the operator's password; "" where /inner has none

	running chan struct{} // closed once run has begun
	ctx     context.Context
	work    sync.WaitGroup

	// elsewhere makes a call over a link at another node. Nil: those cannot be asked.
	elsewhere func(ctx context.Context, holder string, c legacy.Call) (legacy.Response, error)

	mu      sync.Mutex
	closed  bool
	leaving bool              // this node hands its links over
	server  legacy.ServerInfo // as the last sign-in was told
	byUser  map[legacy.UserID]*link
	under   map[legacy.UserID]int // requests and calls under way
}

func newLinks(a *Adapter, c Config, vault *vault) *links {
	return &links{
		a: a, ups: *c.Upstreams, vault: vault, idle: cmp.Or(c.LinkIdle, 10*time.Minute), reclaim: c.Reclaim, operator: c.OperatorPassword,
		doors: newLanes(), queue: newQueue(cmp.Or(c.SignIns, 10)), running: make(chan struct{}), byUser: map[legacy.UserID]*link{},
		under: map[legacy.UserID]int{}, elsewhere: c.Elsewhere,
	}
}

// run lets links live until ctx ends, and waits for the last of them.
func (l *links) run(ctx context.Context) {
	l.ctx = ctx
	close(l.running)
	t := time.NewTicker(lookEvery)
	defer t.Stop()
	renewal := time.NewTicker(claimRenewal)
	defer renewal.Stop()
	adoption := time.NewTicker(adoptEvery)
	defer adoption.Stop()
	for {
		select {
		case <-t.C:
			l.sweep(ctx)
			continue
		case <-renewal.C:
			l.renew(ctx)
			continue
		case <-adoption.C:
			l.adopt(ctx)
			continue
		case <-ctx.Done():
		}
		l.mu.Lock()
		l.closed = true
		l.mu.Unlock()
		l.work.Wait()
		return
	}
}

// sweep ends the links that nobody uses, and forgets the passwords of users who have no token left.
func (l *links) sweep(ctx context.Context) {
	for _, k := range l.all() {
		signedIn := true
		if l.a.signedIn != nil {
			if yes, err := l.a.signedIn(ctx, k.user); err == nil {
				signedIn = yes
			}
		}
		switch {
		case !signedIn && !k.wanted(tokenGrace) && !strings.EqualFold(k.account, l.a.operator):
			l.drop(ctx, k)
		case !k.wanted(l.idle):
			k.cancel(errUnwanted)
		}
	}
}

func (l *links) all() []*link {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Collect(maps.Values(l.byUser))
}

// tokenGrace is how long a link is kept without a token of its user: the first is made after the link.
const tokenGrace = time.Minute

// drop ends a link and forgets it with its password.
func (l *links) drop(ctx context.Context, k *link) {
	if err := l.vault.forget(ctx, k.user); err != nil {
		l.a.log.WarnContext(ctx, "could not forget a user's credentials; will try again", "session", k.user.String(), "error", err)
		return
	}
	l.mu.Lock()
	if l.byUser[k.user] == k {
		delete(l.byUser, k.user)
	}
	l.mu.Unlock()
	k.cancel(errUnwanted)
}

// serverInfo is what the server tells of itself to who signs in; u is linked for it where nobody was yet.
func (l *links) serverInfo(ctx context.Context, u legacy.UserID) (legacy.ServerInfo, error) {
	if _, err := l.find(ctx, u); err != nil {
		return legacy.ServerInfo{}, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.server, nil
}

// find returns the link of u, making it again where it was given up, or lost with an earlier process. Users whose
// password is not kept are not signed in here.
func (l *links) find(ctx context.Context, u legacy.UserID) (*link, error) {
	l.mu.Lock()
	k := l.byUser[u]
	l.mu.Unlock()
	if k != nil && !k.given() {
		if k.hasEnded() {
			return k, l.unheld(ctx, k.account) // the user may have signed in again at another node
		}
		return k, nil
	}
	c, err := l.vault.get(ctx, u)
	switch {
	case err == nil && l.isLeaving():
		err = l.linkedElsewhere(ctx, c.Account)
	case err == nil:
		_, err = l.signIn(ctx, c.Account, c.Password, false)
	case errors.Is(err, errNoCredentials) && l.isOperator(ctx, u):
		err = l.linkOperator(ctx)
	case errors.Is(err, errNoCredentials):
		return nil, errNotHere
	}
	if err != nil {
		return nil, signInError("make the link again", err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if k = l.byUser[u]; k == nil {
		return nil, errNotHere
	}
	return k, nil
}

// errNotHere is for users whose password we never had.
var errNotHere = refuse("find the link", model.Unsupported, "in this mode it works for users who are signed in here: let the user sign in with /login first, or set legacy.mode to xxb")

// Call implements Caller. A call of nobody's, for what everybody may know, goes over whichever link is online. Where another node
// holds the link that one makes the call.
func (l *links) Call(ctx context.Context, c legacy.Call) (legacy.Response, error) {
	r, err := l.callHere(ctx, c)
	if holder := HolderOf(err); holder != "" && l.elsewhere != nil {
		return l.elsewhere(ctx, holder, c)
	}
	return r, err
}

func (l *links) callHere(ctx context.Context, c legacy.Call) (legacy.Response, error) {
	find := l.some
	if c.User != 0 {
		defer l.begin(c.User)()
		find = func(ctx context.Context) (Upstream, error) { return l.upstream(ctx, c.User) }
	}
	up, err := find(ctx)
	if err != nil {
		return legacy.Response{}, err
	}
	return l.a.over(ctx, up, c)
}

// over makes a call on a connection.
func (a *Adapter) over(ctx context.Context, up Upstream, c legacy.Call) (legacy.Response, error) {
	leave, err := a.berths.enter(ctx, "call "+c.String())
	if err != nil {
		return legacy.Response{}, err
	}
	defer leave()
	return up.Call(ctx, c)
}

// upstream is the connection of u, waiting for it if need be, no longer than a call may take: a transfer has no other limit,
// and would wait for as long as the server is gone.
func (l *links) upstream(ctx context.Context, u legacy.UserID) (Upstream, error) {
	ctx, cancel := context.WithTimeout(ctx, l.a.timeout)
	defer cancel()
	for {
		k, err := l.find(ctx, u)
		if err != nil {
			return nil, err
		}
		up, err := k.ready(ctx)
		if errors.Is(err, errUnwanted) && ctx.Err() == nil {
			continue // given up between the two
		}
		return up, err
	}
}

// online is any connection that is up, or nil.
func (l *links) online() Upstream {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, k := range l.byUser {
		k.mu.Lock()
		up := k.up
		k.mu.Unlock()
		if up != nil {
			return up
		}
	}
	return nil
}

// askUsers looks for changed users where the server does not tell of them; without anybody online nobody is signed in for
// it.
func (l *links) askUsers(ctx context.Context) error {
	if !l.ups.AskUsers || l.online() == nil {
		return nil
	}
	return l.a.users.refresh(ctx)
}

// some is any connection that is up, or else the operator's.
func (l *links) some(ctx context.Context) (Upstream, error) {
	if up := l.online(); up != nil {
		return up, nil
	}
	if err := l.linkOperator(ctx); err != nil {
		return nil, err
	}
	k := l.ofAccount(l.a.operator)
	if k == nil {
		return nil, errors.New("the operator's link is not there")
	}
	return k.ready(ctx)
}

// comeOnline holds the link of u for a stream and returns what waited for the first one. While the server is away the stream
// is not kept waiting for longer than a call may take: what was missed is told once the link is back.
func (l *links) comeOnline(ctx context.Context, u legacy.UserID) ([]Event, error) {
	k, err := l.find(ctx, u)
	if err != nil {
		return nil, err
	}
	soon, cancel := context.WithTimeout(ctx, l.a.timeout)
	defer cancel()
	if _, err := k.ready(soon); err != nil && (soon.Err() == nil || ctx.Err() != nil) {
		return nil, err
	}
	return k.attend(), nil
}

func (l *links) goOffline(u legacy.UserID) {
	l.mu.Lock()
	k := l.byUser[u]
	l.mu.Unlock()
	if k != nil {
		k.letGo()
		l.handOver(k)
	}
}

// kicked ends what a user has here after a sign-in elsewhere. No link is dialled again by itself: that would be a war.
func (l *links) kicked(ctx context.Context, k *link) {
	if l.a.onKick == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), l.a.timeout)
	defer cancel()
	if err := l.a.onKick(ctx, k.user); err != nil {
		l.a.log.WarnContext(ctx, "could not tell a user of the sign-in elsewhere", "session", k.user.String(), "error", err)
	}
}

// linked says whether u can be acted for: his link is, or will be, online, or his password is kept to make it again.
func (l *links) linked(ctx context.Context, u legacy.UserID) bool {
	switch l.state(u) {
	case model.UpstreamKicked, model.UpstreamRefused:
		return false
	case model.UpstreamOffline:
		_, err := l.vault.get(ctx, u)
		return err == nil
	}
	return true
}

// state is how the link of u is; offline where there is none.
func (l *links) state(u legacy.UserID) model.UpstreamState {
	l.mu.Lock()
	k := l.byUser[u]
	l.mu.Unlock()
	if k == nil {
		return model.UpstreamOffline
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.state
}
