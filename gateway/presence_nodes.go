package gateway

import (
	"context"
	"log/slog"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/xuangate/xuangate/adapter/legacy"
)

// keepLeases renews the leases of this node's users, and sets those offline whose node has died, until ctx ends.
func (p *presence) keepLeases(ctx context.Context) {
	if p.leases == nil {
		return
	}
	tick := time.NewTicker(leaseRenewal)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		missing, err := p.leases.here(ctx, p.online()...)
		if err == nil {
			err = p.takeOver(ctx)
		}
		if err != nil && ctx.Err() == nil {
			p.log.LogAttrs(ctx, slog.LevelWarn, "could not renew the leases of users' presence", slog.String("err", err.Error()))
		}
		var calls errgroup.Group
		calls.SetLimit(presenceCalls)
		for _, u := range missing { // they may have been taken for orphans
			calls.Go(func() error { p.again(ctx, u); return nil })
		}
		_ = calls.Wait()
	}
}

// online are the users whom this node keeps online.
func (p *presence) online() (list []legacy.UserID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for u, a := range p.users {
		if a.online {
			list = append(list, u)
		}
	}
	return list
}

// takeOver sets users offline whose node has died.
func (p *presence) takeOver(ctx context.Context) error {
	users, err := p.leases.orphans(ctx)
	for _, u := range users {
		p.mu.Lock()
		_, ours := p.users[u]
		p.mu.Unlock()
		if ours {
			continue
		}
		if err := p.legacy.GoOffline(ctx, u); err != nil {
			p.log.LogAttrs(ctx, slog.LevelWarn, "could not set a user offline whose node has died",
				slog.String("session", u.String()), slog.String("err", err.Error()))
		}
	}
	return err
}

// again sets a user online once more whom another node may have set offline meanwhile.
func (p *presence) again(ctx context.Context, u legacy.UserID) {
	if _, err := p.fetchWaiting(context.WithoutCancel(ctx), u); err != nil {
		p.log.LogAttrs(ctx, slog.LevelWarn, "could not set a user online again", slog.String("session", u.String()), slog.String("err", err.Error()))
	}
}

// setOffline sets a user offline in legacy unless he has streams at another node. One who opens a stream there at the same time
// says so before he is set online, so that it is seen afterwards at the latest.
func (p *presence) setOffline(ctx context.Context, u legacy.UserID) error {
	elsewhere, err := p.leases.gone(ctx, u)
	switch {
	case err != nil && !p.ending():
		return err // to be tried again
	case elsewhere:
		return nil
	}
	if err := p.legacy.GoOffline(ctx, u); err != nil {
		return err
	}
	if elsewhere, err := p.leases.gone(ctx, u); err == nil && elsewhere {
		p.again(ctx, u)
	}
	return nil
}

func (p *presence) ending() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.stopped
}
