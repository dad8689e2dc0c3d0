package gateway

import (
	"context"

	"github.com/xuangate/xuangate/adapter/legacy"
	"github.com/xuangate/xuangate/gen/model"
)

// choose has u seen as status from now on: at once where u is online, else from when he comes online. Shown after he has gone,
// he would be online for good in legacy, so going waits for it.
func (p *presence) choose(ctx context.Context, u legacy.UserID, status model.SetStatusRequestStatus) (model.User, error) {
	p.legacy.ChooseStatus(ctx, u, status)
	if p.legacy.OnlineByLink() {
		return p.legacy.ShowStatus(ctx, u)
	}
	p.mu.Lock()
	a := p.users[u]
	if a != nil {
		if err := p.await(ctx, a); err != nil {
			return model.User{}, err
		}
	}
	if a == nil || !a.online || p.stopped {
		p.mu.Unlock()
		return p.legacy.User(ctx, u)
	}
	a.showing = make(chan struct{})
	p.mu.Unlock()
	defer func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		close(a.showing)
		a.showing = nil
	}()
	return p.legacy.ShowStatus(ctx, u)
}

// await waits until no call about the user is under way. p.mu is held, but let go meanwhile, and not held after an error.
func (p *presence) await(ctx context.Context, a *attendance) error {
	for a.busy != nil || a.showing != nil {
		under := a.busy
		if under == nil {
			under = a.showing
		}
		p.mu.Unlock()
		select {
		case <-under:
		case <-ctx.Done():
			return ctx.Err()
		}
		p.mu.Lock()
	}
	return nil
}
