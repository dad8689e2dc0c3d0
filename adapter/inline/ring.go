package inline

import (
	"slices"
	"sync"
	"time"
)

const (
	// tail is how long before a connection's end frames for it may be lost: xxd notices a dead one after 20 s.
	tail = 25 * time.Second
	// ringAge is how long frames are kept for repairs: a login window must fit beside a tail.
	ringAge = 60 * time.Second
	// ringBytes bounds the memory of the frames. Beyond it the oldest go first, and history is the repair.
	ringBytes = 64 << 20
)

// A ring keeps the frames of the last minute with those whom they named. It may be used from any goroutine.
type ring struct {
	mu    sync.Mutex
	kept  []keptFrame
	bytes int
}

type keptFrame struct {
	at    time.Time
	frame object
	size  int
	users []int64
}

func (r *ring) add(at time.Time, o object, users []int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	size := 0
	for _, m := range o {
		size += len(m.name) + len(m.value)
	}
	r.kept = append(r.kept, keptFrame{at, o, size, users})
	r.bytes += size
	gone := 0
	for gone < len(r.kept) && (at.Sub(r.kept[gone].at) > ringAge || r.bytes > ringBytes) {
		r.bytes -= r.kept[gone].size
		gone++
	}
	r.kept = slices.Delete(r.kept, 0, gone)
}

// since returns the frames that named a user from a time on, oldest first.
func (r *ring) since(from time.Time, user int64) (found []object) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, k := range r.kept {
		if !k.at.Before(from) && slices.Contains(k.users, user) {
			found = append(found, k.frame)
		}
	}
	return found
}
