package gateway

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/xuangate/xuangate/adapter"
	"github.com/xuangate/xuangate/adapter/legacy"
	"github.com/xuangate/xuangate/gateway/eventlog"
)

const (
	// followEvery is how often it is seen to that the link of a user who listens here is held at some node: a node that dies is
	// followed this much after its lease.
	followEvery = 3 * time.Second
	// attendEvery is how often the node that holds the link hears of the streams here: shorter than the shortest link_idle, 1 min.
	attendEvery = 20 * time.Second
)

// elsewhere is coming online for a user whose link another node holds: that one keeps the link, and says where what waited begins.
func (p *presence) elsewhere(ctx context.Context, u legacy.UserID, holder string, start eventlog.Position) (eventlog.Position, error) {
	ctx, cancel := context.WithTimeout(ctx, nodeDialTimeout+leaseTimeout)
	defer cancel()
	at, err := p.nodes.attend(ctx, holder, u)
	if err == nil && at != (eventlog.Position{}) && at.Compare(start) < 0 {
		start = at
	}
	return start, err
}

// attend answers another node that has streams of a user whose link is here: where what waited for him begins.
func (s *Server) attend(c echo.Context) error {
	ctx := c.Request().Context()
	u, err := adapter.ParseSession(c.Param("session"))
	if err != nil {
		return err
	}
	defer s.legacy.Begin(u)()
	waiting, err := s.legacy.Attend(ctx, u)
	if err != nil {
		return err
	}
	begins := ""
	if len(waiting) > 0 {
		start, err := s.events.End(ctx)
		if err == nil {
			start, err = s.presence.tell(context.WithoutCancel(ctx), waiting, start, nil)
		}
		if err != nil {
			return err
		}
		begins = start.String()
	}
	return c.JSON(http.StatusOK, map[string]any{"code": 0, "data": begins})
}

// handOver gives the links of users to other nodes, each when his last stream here has gone.
func (p *presence) handOver() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.leaving = true
	for u, a := range p.users {
		if a.streams == 0 {
			p.letGo(u)
		}
	}
	p.legacy.HandOver()
}

// letGo lets the link of a user go who has no stream here any more, without waiting for another. p.mu is held.
func (p *presence) letGo(u legacy.UserID) {
	if p.legacy.OnlineByLink() {
		_ = p.legacy.GoOffline(context.Background(), u) // asks nobody, and so cannot fail
	}
}

// unlinked are users who listen here while their link is not, and for whom it is time to see to it.
func (p *presence) unlinked() (list []legacy.UserID) {
	if p.nodes == nil {
		return nil
	}
	now := time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.leaving {
		return nil
	}
	for u, a := range p.users {
		if a.online && a.busy == nil && a.showing == nil && now.Sub(a.followed) >= followEvery && !p.legacy.LinkStands(u) {
			a.followed = now
			list = append(list, u)
		}
	}
	return list
}

// follow links a user who listens here where no node does any more, which fills the gap, and otherwise has the node that holds
// the link keep it.
func (p *presence) follow(ctx context.Context, u legacy.UserID) {
	err := p.legacy.Link(ctx, u)
	held := adapter.HolderOf(err) != ""
	if err == nil && !p.legacy.LinkStands(u) {
		return // it has ended for good, and the user's streams with it
	}
	p.mu.Lock()
	a := p.users[u]
	if a == nil || a.busy != nil || !a.online || held && time.Since(a.attended) < attendEvery || ctx.Err() != nil {
		p.mu.Unlock()
		return
	}
	a.busy = make(chan struct{})
	p.mu.Unlock()
	start, err := p.fetchWaiting(context.WithoutCancel(ctx), u)
	p.mu.Lock()
	p.idle(a)
	if err == nil {
		a.start, a.attended = start, time.Now()
	}
	p.mu.Unlock()
	if err != nil {
		p.log.LogAttrs(ctx, slog.LevelWarn, "could not see to the link of a user who listens here; will try again",
			slog.String("session", u.String()), slog.Duration("in", followEvery), slog.String("err", err.Error()))
	}
}
