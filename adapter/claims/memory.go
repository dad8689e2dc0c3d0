// Package claims has the two kinds of adapter.Claims: in the memory of a process, for one node or for several in one process,
// and in Redis. It stands beside adapter, as the wires do, for adapter knows no Redis.
package claims

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/xuangate/xuangate/adapter"
)

// remembered is how long it is known who held a claim last, and with which number. Longer than adapter believes what it knows
// of a conversation, so that who takes a lane after a while knows whether another node had it.
const remembered = 5 * time.Minute

// unasked is how long who was named an abandoned claim has to take it, before it is named again. Longer than the waiting for a sign-in
// to the chat server is, and short enough for a claim that was named to a node which then died, too.
const unasked = 15 * time.Second

// Memory is where the holders of one process keep their claims.
type Memory struct {
	mu    sync.Mutex
	byKey map[string]lease
}

// A lease is a claim and when it ends.
type lease struct {
	adapter.Claim
	until    time.Time
	released bool
	named    time.Time // when Abandoned named it
}

// NewMemory makes a place without claims.
func NewMemory() *Memory { return &Memory{byKey: map[string]lease{}} }

// As are the claims as a holder takes them.
func (m *Memory) As(holder string) adapter.Claims { return &held{m, holder} }

type held struct {
	*Memory
	holder string
}

// Take implements adapter.Claims.
func (m *held) Take(_ context.Context, key string, d time.Duration) (adapter.Claim, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	l := m.byKey[key]
	if l.Holder != m.holder && now.Before(l.until) {
		return l.Claim, adapter.ErrHeld
	}
	c := adapter.Claim{Key: key, Holder: m.holder, Fence: max(l.Fence+1, now.UnixMicro())}
	if now.Sub(l.until) < remembered {
		c.Former = l.Holder
	}
	m.byKey[key] = lease{Claim: c, until: now.Add(d)}
	return c, nil
}

// Renew implements adapter.Claims.
func (m *held) Renew(_ context.Context, c adapter.Claim, d time.Duration) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	l, now := m.byKey[c.Key], time.Now()
	if l.Holder != m.holder || l.Fence != c.Fence || !now.Before(l.until) {
		return adapter.ErrLost
	}
	l.until, l.Note = now.Add(d), c.Note
	m.byKey[c.Key] = l
	return nil
}

// Release implements adapter.Claims.
func (m *held) Release(_ context.Context, c adapter.Claim) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	l, now := m.byKey[c.Key], time.Now()
	if l.Holder == m.holder && l.Fence == c.Fence && now.Before(l.until) {
		l.until, l.released = now, true
		m.byKey[c.Key] = l
	}
	if len(m.byKey) > 10_000 { // what nobody remembers any more
		for key, l := range m.byKey {
			if now.Sub(l.until) >= remembered {
				delete(m.byKey, key)
			}
		}
	}
	return nil
}

// Abandoned implements adapter.Claims.
func (m *held) Abandoned(_ context.Context, most int) ([]adapter.Claim, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	var list []lease
	for key, l := range m.byKey {
		over := now.Sub(l.until)
		if strings.HasPrefix(key, adapter.LinkClaim) && !l.released && over >= 0 && over < remembered && now.Sub(l.named) >= unasked {
			list = append(list, l)
		}
	}
	slices.SortFunc(list, func(x, y lease) int { return x.until.Compare(y.until) })
	claims := make([]adapter.Claim, min(len(list), most))
	for i := range claims {
		claims[i] = list[i].Claim
		list[i].named = now
		m.byKey[claims[i].Key] = list[i]
	}
	return claims, nil
}
