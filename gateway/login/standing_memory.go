package login

import (
	"container/list"
	"context"
	"sync"
)

// MemoryStandings are Standings for a single node. A restart forgets them: then an account has all its tries again, which the chat
// server may have counted already.
type MemoryStandings struct {
	mu            sync.Mutex
	byKey         map[AccountKey]*list.Element
	tried, proven *list.List // of standingOf, the latest first: those without a proof, and those with one
}

type standingOf struct {
	key AccountKey
	Standing
}

// NewMemoryStandings makes empty Standings.
func NewMemoryStandings() *MemoryStandings {
	return &MemoryStandings{byKey: map[AccountKey]*list.Element{}, tried: list.New(), proven: list.New()}
}

// Update implements Standings.
func (m *MemoryStandings) Update(_ context.Context, account AccountKey, change func(Standing) Standing) (Standing, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var before Standing
	if e := m.byKey[account]; e != nil {
		one := e.Value.(standingOf)
		before = one.Standing
		m.listOf(before).Remove(e)
		delete(m.byKey, account)
	}
	after := change(before)
	if after.blank() {
		return after, nil
	}
	to, most := m.listOf(after), maxTried
	if to == m.proven {
		most = maxProven
	}
	m.byKey[account] = to.PushFront(standingOf{account, after})
	if to.Len() > most {
		delete(m.byKey, to.Remove(to.Back()).(standingOf).key)
	}
	return after, nil
}

func (m *MemoryStandings) listOf(s Standing) *list.List {
	if s.Proof != nil {
		return m.proven
	}
	return m.tried
}

// blank says that there is nothing to remember.
func (s Standing) blank() bool {
	return s.Wrong == 0 && s.Open == 0 && s.Proof == nil
}
