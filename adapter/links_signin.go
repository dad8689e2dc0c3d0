package adapter

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/xuangate/xuangate/adapter/legacy"
	"github.com/xuangate/xuangate/gen/model"
)

// signIn checks a password and has the user linked. An account that is linked already keeps its link: signing in to the
// server once more would only kick it out.
// first is for a user who waits for it at /login, and for no longer than a call may take.
func (l *links) signIn(ctx context.Context, account, passwordMD5 string, first bool) (legacy.UserRow, error) {
	account = strings.TrimRight(account, " ")
	// One sign-in of an account at a time: two dials at once would kick each other out.
	leave, err := l.doors.enter(ctx, strings.ToLower(account))
	if err != nil {
		return legacy.UserRow{}, err
	}
	defer leave()
	if err := l.queue.enter(ctx, first, false); err != nil {
		return legacy.UserRow{}, err
	}
	if k := l.ofAccount(account); k != nil {
		if err := l.verify(ctx, account, passwordMD5); err != nil {
			return legacy.UserRow{}, err
		}
		if err := l.vault.keep(ctx, k.user, credentials{account, passwordMD5}); err != nil {
			return legacy.UserRow{}, err
		}
		k.use()
		row, _, err := l.a.users.get(ctx, k.user)
		return row, err
	}
	return l.connect(ctx, account, passwordMD5)
}

// ofAccount is the account's link if it is, or will be, online.
func (l *links) ofAccount(account string) *link {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, k := range l.byUser {
		if strings.EqualFold(k.account, account) && k.alive() {
			return k
		}
	}
	return nil
}

func (k *link) alive() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.state == model.UpstreamOnline || k.state == model.UpstreamConnecting || k.state == model.UpstreamBackoff
}

// connect dials and starts the link that keeps the connection.
func (l *links) connect(ctx context.Context, account, passwordMD5 string) (legacy.UserRow, error) {
	select {
	case <-l.running:
	case <-ctx.Done():
		return legacy.UserRow{}, ctx.Err()
	}
	claim, err := l.claim(ctx, account)
	if err != nil {
		return legacy.UserRow{}, err
	}
	up, welcome, err := l.dial(ctx, account, passwordMD5)
	if err != nil {
		l.handBack(ctx, claim)
		return legacy.UserRow{}, err
	}
	l.note(welcome.Server)
	row := welcome.User
	u := legacy.UserID(row.ID)
	if err := l.sign(ctx, &claim, u); err != nil {
		return legacy.UserRow{}, errors.Join(err, up.Close())
	}
	if err := l.vault.keep(ctx, u, credentials{account, passwordMD5}); err != nil {
		l.handBack(ctx, claim)
		return legacy.UserRow{}, errors.Join(err, up.Close())
	}
	own, cancel := context.WithCancelCause(l.ctx)
	k := &link{
		links: l, user: u, account: account, cancel: cancel, claim: claim,
		state: model.UpstreamConnecting, turned: make(chan struct{}), used: time.Now(),
	}
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		cancel(nil)
		l.handBack(ctx, claim)
		return legacy.UserRow{}, errors.Join(context.Canceled, up.Close())
	}
	if old := l.byUser[u]; old != nil { // kicked, refused or given up: its streams go on with the new one
		old.mu.Lock()
		k.held, k.seen, k.began = old.held, old.seen, old.began
		old.mu.Unlock()
		old.cancel(errUnwanted)
	}
	k.handed = claim.Former != "" && claim.Former != claim.Holder
	l.byUser[u] = k
	l.work.Go(func() {
		defer cancel(nil)
		k.run(own, up, &welcome)
		if k.hasEnded() || errors.Is(context.Cause(own), errUnwanted) {
			l.handBack(own, claim)
		} else {
			l.abandon(own, claim)
		}
	})
	l.mu.Unlock()
	_, err = k.ready(ctx)
	l.handOver(k)
	return row, err
}

// dial signs a user in. It is observed as the call that it is; whose is known only once it is answered.
func (l *links) dial(ctx context.Context, account, passwordMD5 string) (Upstream, legacy.Welcome, error) {
	start := time.Now()
	up, welcome, err := l.ups.Dial(ctx, account, passwordMD5)
	l.observed(ctx, legacy.UserID(welcome.User.ID), start, err)
	return up, welcome, err
}

// verify asks whether a user would be let in, and is observed in the same way.
func (l *links) verify(ctx context.Context, account, passwordMD5 string) error {
	start := time.Now()
	err := l.ups.Verify(ctx, account, passwordMD5)
	l.observed(ctx, 0, start, err)
	return err
}

// observed tells the Observer of a sign-in that began at start: who is not let in has an answer.
func (l *links) observed(ctx context.Context, u legacy.UserID, start time.Time, err error) {
	answer := legacy.Response{Result: legacy.Success}
	for _, refusal := range []error{legacy.ErrPassword, legacy.ErrLocked, legacy.ErrDisabled, legacy.ErrFull} {
		if errors.Is(err, refusal) {
			answer.Result, err = legacy.Fail, nil
		}
	}
	l.a.observed(ctx, legacy.Chat(u, "login"), answer, start, err)
}

// note keeps what the server told of itself.
func (l *links) note(info legacy.ServerInfo) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.server = info
}

func (l *links) isOperator(ctx context.Context, u legacy.UserID) bool {
	row, ok, err := l.a.users.get(ctx, u)
	return err == nil && ok && strings.EqualFold(string(row.Account), l.a.operator)
}

// linkOperator signs in the account that /inner acts as, unless it is.
func (l *links) linkOperator(ctx context.Context) error {
	if l.ofAccount(l.a.operator) != nil {
		return nil
	}
	if l.operator == "" {
		return refuse("link the operator", model.Unsupported, "in this mode /inner acts over the operator's own sign-in: set inner.operator_password")
	}
	_, err := l.signIn(ctx, l.a.operator, l.operator, false)
	return err
}
