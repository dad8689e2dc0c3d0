package login

import (
	"container/list"
	"sync"
	"time"
)

// maxSeen bounds the logins a node remembers to have found. With fewer, some users are refused while Redis is away, and each
// of their calls asks twice while it is not.
const maxSeen = 100_000

// seen are the logins found lately, the latest first.
type seen struct {
	grace time.Duration

	mu     sync.Mutex
	byHash map[hash]*list.Element
	order  *list.List // of sighting
}

type sighting struct {
	hash  hash
	login Login
	at    time.Time
}

func newSeen(grace time.Duration) *seen {
	return &seen{grace: grace, byHash: map[hash]*list.Element{}, order: list.New()}
}

func (s *seen) add(h hash, l Login) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e := s.byHash[h]; e != nil {
		e.Value = sighting{h, l, time.Now()}
		s.order.MoveToFront(e)
		return
	}
	s.byHash[h] = s.order.PushFront(sighting{h, l, time.Now()})
	if s.order.Len() > maxSeen {
		oldest := s.order.Remove(s.order.Back()).(sighting)
		delete(s.byHash, oldest.hash)
	}
}

func (s *seen) forget(h hash) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e := s.byHash[h]; e != nil {
		s.order.Remove(e)
		delete(s.byHash, h)
	}
}

// login is a login as it was found last, however long ago.
func (s *seen) login(h hash) (Login, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.byHash[h]
	if e == nil {
		return Login{}, false
	}
	return e.Value.(sighting).login, true
}

// lately is a login that was alive not longer ago than grace, and has not expired since.
func (s *seen) lately(h hash) (Login, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.byHash[h]
	if e == nil {
		return Login{}, false
	}
	one, now := e.Value.(sighting), time.Now()
	return one.login, now.Sub(one.at) < s.grace && now.Before(one.login.Expires)
}
