package metrics

import (
	"maps"
	"sync"
	"sync/atomic"
)

// series are those of one metric, found by what tells them apart and made when that is first seen: finding one among them costs a
// tenth of finding it by its labels. K has few values, for none is ever given up. find may be called from any goroutine.
type series[K comparable, S any] struct {
	made func(K) S

	all    atomic.Pointer[map[K]S] // never changed, only replaced
	adding sync.Mutex
}

func newSeries[K comparable, S any](made func(K) S) *series[K, S] {
	s := &series[K, S]{made: made}
	s.all.Store(&map[K]S{})
	return s
}

func (s *series[K, S]) find(k K) S {
	if one, ok := (*s.all.Load())[k]; ok {
		return one
	}
	s.adding.Lock()
	defer s.adding.Unlock()
	all := *s.all.Load()
	one, ok := all[k]
	if !ok {
		one = s.made(k)
		all = maps.Clone(all)
		all[k] = one
		s.all.Store(&all)
	}
	return one
}
