package login

import (
	"container/heap"
	"context"
	"slices"
	"sync"
	"time"

	"github.com/xuangate/xuangate/adapter/legacy"
)

// Memory is a Store for a single node; a restart signs everybody out. What has expired is dropped when the next login is
// created, so a Memory grows with the users who sign in and not with time.
type Memory struct {
	mu      sync.Mutex
	byHash  map[hash]*entry
	tickets map[hash]ticket
	byUser  map[legacy.UserID][]*entry // oldest first
	sealed  map[legacy.UserID][]byte
	expiry  expiryHeap
}

// An entry is a login, live or replaced, that has not expired.
type entry struct {
	Login
	replaced bool
	tickets  []hash // unused, oldest first
	place    int    // in the heap
}

// A ticket opens a login's entry until it expires.
type ticket struct {
	entry   *entry
	expires time.Time
}

// NewMemory makes an empty store.
func NewMemory() *Memory {
	return &Memory{byHash: map[hash]*entry{}, tickets: map[hash]ticket{}, byUser: map[legacy.UserID][]*entry{}, sealed: map[legacy.UserID][]byte{}}
}

// Create implements Store.
func (m *Memory) Create(_ context.Context, u legacy.UserID, platform int, expires time.Time) (Issued, error) {
	token := newToken()
	h, _ := token.hash()
	e := &entry{Login: Login{ID: h.loginID(), User: u, Platform: platform, Expires: expires, hash: h}}

	m.mu.Lock()
	defer m.mu.Unlock()
	m.sweep(time.Now())
	ended := m.replace(u, func(e *entry) bool { return e.Platform == platform }, MaxPerUser-1)
	m.byHash[h] = e
	m.byUser[u] = append(m.byUser[u], e)
	heap.Push(&m.expiry, e)
	return Issued{Token: token, Login: e.Login, Ended: ended}, nil
}

// replace ends those logins of u that ends names, and the oldest beyond room; and forgets the oldest of those that ended so
// before.
func (m *Memory) replace(u legacy.UserID, ends func(*entry) bool, room int) (ended []Login) {
	live, replaced := 0, 0
	for _, e := range m.byUser[u] {
		if e.replaced {
			replaced++
		} else {
			live++
		}
	}
	for _, e := range m.byUser[u] {
		if !e.replaced && (ends(e) || live > room) {
			e.replaced = true
			m.void(e)
			ended = append(ended, e.Login)
			live--
			replaced++
		}
	}
	for i := 0; replaced > MaxPerUser; {
		if e := m.byUser[u][i]; e.replaced {
			m.drop(e)
			replaced--
		} else {
			i++
		}
	}
	return ended
}

// Find implements Store.
func (m *Memory) Find(_ context.Context, t Token) (Login, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	e, err := m.find(t)
	if err != nil {
		return Login{}, err
	}
	return e.Login, nil
}

// Check implements Store.
func (m *Memory) Check(_ context.Context, l Login) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	_, err := m.findHash(l.hash)
	return err
}

// Ticket implements Store.
func (m *Memory) Ticket(_ context.Context, t Token, expires time.Time) (Ticket, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	e, err := m.find(t)
	if err != nil {
		return "", err
	}
	if len(e.tickets) == MaxTickets {
		m.use(e.tickets[0])
	}
	k := newTicket()
	h, _ := k.hash()
	m.tickets[h] = ticket{entry: e, expires: expires}
	e.tickets = append(e.tickets, h)
	return k, nil
}

// Redeem implements Store.
func (m *Memory) Redeem(_ context.Context, k Ticket) (Login, error) {
	h, ok := k.hash()
	if !ok {
		return Login{}, ErrUnknown
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	one, ok := m.use(h)
	if now := time.Now(); !ok || !now.Before(one.expires) || !now.Before(one.entry.Expires) {
		return Login{}, ErrUnknown
	}
	return one.entry.Login, nil
}

// use takes a ticket away, if there is such a one.
func (m *Memory) use(h hash) (ticket, bool) {
	one, ok := m.tickets[h]
	if ok {
		delete(m.tickets, h)
		one.entry.tickets = slices.DeleteFunc(one.entry.tickets, func(other hash) bool { return other == h })
	}
	return one, ok
}

// void takes all tickets of a login away.
func (m *Memory) void(e *entry) {
	for _, h := range e.tickets {
		delete(m.tickets, h)
	}
	e.tickets = nil
}

// Revoke implements Store.
func (m *Memory) Revoke(_ context.Context, t Token) (Login, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	e, err := m.find(t)
	if err != nil {
		return Login{}, err
	}
	m.drop(e)
	return e.Login, nil
}

// Replace implements Store.
func (m *Memory) Replace(_ context.Context, u legacy.UserID) ([]Login, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.sweep(time.Now())
	return m.replace(u, func(*entry) bool { return true }, MaxPerUser), nil
}

// Dismiss implements Store.
func (m *Memory) Dismiss(_ context.Context, u legacy.UserID, platforms ...int) (ended []Login, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.sweep(time.Now())
	for _, e := range slices.Clone(m.byUser[u]) {
		if e.replaced || len(platforms) > 0 && !slices.Contains(platforms, e.Platform) {
			continue
		}
		m.drop(e)
		ended = append(ended, e.Login)
	}
	return ended, nil
}

// Live implements Store.
func (m *Memory) Live(_ context.Context, u legacy.UserID) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	return slices.ContainsFunc(m.byUser[u], func(e *entry) bool { return !e.replaced && now.Before(e.Expires) }), nil
}

// Keep implements Store.
func (m *Memory) Keep(_ context.Context, u legacy.UserID, sealed []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.sealed[u] = slices.Clone(sealed)
	return nil
}

// Kept implements Store.
func (m *Memory) Kept(_ context.Context, u legacy.UserID) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.sealed[u]), nil
}

// Forget implements Store.
func (m *Memory) Forget(_ context.Context, u legacy.UserID) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.sealed, u)
	return nil
}

func (m *Memory) find(t Token) (*entry, error) {
	h, ok := t.hash()
	if !ok {
		return nil, ErrUnknown
	}
	return m.findHash(h)
}

func (m *Memory) findHash(h hash) (*entry, error) {
	e := m.byHash[h]
	switch {
	case e == nil || !time.Now().Before(e.Expires):
		return nil, ErrUnknown
	case e.replaced:
		return nil, ErrReplaced
	}
	return e, nil
}

func (m *Memory) sweep(now time.Time) {
	for len(m.expiry) > 0 && !now.Before(m.expiry[0].Expires) {
		m.drop(m.expiry[0])
	}
}

func (m *Memory) drop(e *entry) {
	m.void(e)
	heap.Remove(&m.expiry, e.place)
	delete(m.byHash, e.hash)
	rest := slices.DeleteFunc(m.byUser[e.User], func(other *entry) bool { return other == e })
	if len(rest) == 0 {
		delete(m.byUser, e.User)
		return
	}
	m.byUser[e.User] = rest
}

// expiryHeap has the entry that expires first at its top.
type expiryHeap []*entry

func (h expiryHeap) Len() int           { return len(h) }
func (h expiryHeap) Less(i, j int) bool { return h[i].Expires.Before(h[j].Expires) }
func (h expiryHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].place, h[j].place = i, j
}

func (h *expiryHeap) Push(x any) {
	e := x.(*entry)
	e.place = len(*h)
	*h = append(*h, e)
}

func (h *expiryHeap) Pop() any {
	last := len(*h) - 1
	e := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	return e
}
