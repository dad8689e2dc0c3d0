package stage

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"
)

// cut breaks all connections.
func (p *proxy) cut() {
	p.mu.Lock()
	open := slices.Collect(maps.Keys(p.conns))
	p.mu.Unlock()
	for _, c := range open {
		c.reset()
	}
}

// setDown has all connections broken, also those to come, or takes that back.
func (p *proxy) setDown(down bool) {
	p.mu.Lock()
	p.down = down
	p.mu.Unlock()
	if down {
		p.cut()
	}
}

// stall has the connections of streams and polls pass nothing on any more.
func (p *proxy) stall() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		c.stuck = c.stuck || c.listen > 0
	}
}

func (p *proxy) setPace(to pace) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.pace = to
}

func (p *proxy) block(transport string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.blocked[transport] = true
}

func (p *proxy) rewind(to string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.after = to
}

func (p *proxy) script(s scripted) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.scripts = append(p.scripts, &s)
}

func (p *proxy) asked(path string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.history(path).asked
}

// comeback waits until a path was asked again after its latest scripted answer, and tells how long that took.
func (p *proxy) comeback(ctx context.Context, path string) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		p.mu.Lock()
		h, changed := *p.history(path), p.changed
		p.mu.Unlock()
		if !h.answered.IsZero() && !h.cameBack.IsZero() {
			return h.cameBack.Sub(h.answered), nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return 0, errors.New("nobody came back to " + path)
		}
	}
}
