package inline

import (
	"context"
	"time"
)

// record is how a person is kept there.
type record struct {
	Web     bool      `json:"web,omitzero"`
	Status  string    `json:"status,omitzero"`
	OnDesk  bool      `json:"desk,omitzero"`
	Site    string    `json:"site,omitzero"`
	Client  string    `json:"client,omitzero"`
	Begun   time.Time `json:"begun,omitzero"`
	Entered time.Time `json:"entered,omitzero"`
	Since   time.Time `json:"since,omitzero"`
}

// recall replaces all by what another node knew.
func (p *people) recall(users map[int64]record, known time.Time, siteOf func(name string) *site) {
	earlier := func(t time.Time) time.Time {
		if t.IsZero() {
			return t
		}
		return t.Add(-skew)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.users, p.conns, p.known = map[int64]*person{}, map[connection]*attached{}, known
	clear(p.changed)
	for user, r := range users {
		x := &person{web: r.Web, status: r.Status, begun: earlier(r.Begun), entered: r.Entered, since: earlier(r.Since)}
		if at := siteOf(r.Site); r.OnDesk && at != nil {
			x.desk = connection{at, r.Client}
			p.conns[x.desk] = &attached{user, time.Now()}
		}
		p.users[user] = x
	}
}

// take returns those who have changed since it was asked last.
func (p *people) take() map[int64]record {
	p.mu.Lock()
	defer p.mu.Unlock()
	list := map[int64]record{}
	for user := range p.changed {
		x := p.users[user]
		r := record{Web: x.web, Status: x.status, OnDesk: x.onDesk(), Client: x.desk.client, Begun: x.begun, Entered: x.entered, Since: x.since}
		if r.OnDesk {
			r.Site = x.desk.at.name
		}
		list[user] = r
	}
	clear(p.changed)
	return list
}

// notTaken has them be taken again.
func (p *people) notTaken(list map[int64]record) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for user := range list {
		p.changed[user] = struct{}{}
	}
}

func (p *people) change(user int64) {
	if p.changed != nil {
		p.changed[user] = struct{}{}
	}
}

// saved keeps the changes to who is where for the next active node. What fails is kept with the next ones.
func (s *Server) saved(ctx context.Context) {
	if s.shared == nil || s.lead.apart() {
		return
	}
	select {
	case <-s.saving: // one after the other, or the older could be what stays
	case <-ctx.Done():
		return
	}
	defer func() { s.saving <- struct{}{} }()
	list := s.people.take()
	if len(list) == 0 {
		return
	}
	if err := s.shared.save(ctx, list); err != nil {
		s.people.notTaken(list)
		s.log.WarnContext(ctx, "who is where is not kept for the next gateway", "error", err)
	}
}

// persist saves what could not be at once, until ctx ends.
func (s *Server) persist(ctx context.Context) {
	if s.shared == nil {
		return
	}
	again := time.NewTicker(sharedTimeout)
	defer again.Stop()
	for {
		select {
		case <-again.C:
			s.saved(ctx)
		case <-ctx.Done():
			return
		}
	}
}
