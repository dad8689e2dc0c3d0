package xuanxuan

import (
	"context"
	"io"
	"strings"
	"sync"
	"time"
)

// A V1Fault makes trouble for some requests. The zero value makes none. Faults of the tables behind it, such as a database
// that is away, are made by the Backend's own Fault.
type V1Fault struct {
	User   int64  // whose connection's; 0 is everybody's
	Method string // of the request, such as "message" in any case; "" is every one
	Times  int    // how many requests it meets; 0 is all until SetFaults is called again

	Delay    time.Duration // before the request is carried out, for everybody; ends early with SetFaults
	Cut      bool          // the connection breaks when the request has arrived, which is not carried out
	CarryOut bool          // with Cut: it is carried out all the same
	Garbage  []byte        // this line instead of the answer; the request is carried out
	Half     bool          // half of the answer, and the connection breaks

	// Raw writes instead of the answer, as a hostile server would, until that fails or ends; the connection breaks behind it, and
	// all other requests wait meanwhile. The request is carried out.
	Raw func(io.Writer) error
}

// SetFaults replaces all faults; without arguments the server is well again, and requests that are held up go on. The first
// fault that meets a request counts. It may be called while the server works.
func (d *V1) SetFaults(list ...V1Fault) { d.faults.set(list) }

// v1Faults are the faults in force.
type v1Faults struct {
	mu       sync.Mutex
	list     []V1Fault
	met      []int
	replaced moment
}

func (f *v1Faults) set(list []V1Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.list, f.met = list, make([]int, len(list))
	f.replaced.come()
}

// take returns what meets a request: a healthy fault where nothing does.
func (f *v1Faults) take(user int64, method string) V1Fault {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i, v := range f.list {
		if v.User != 0 && v.User != user || v.Method != "" && !strings.EqualFold(v.Method, method) || v.Times > 0 && f.met[i] == v.Times {
			continue
		}
		f.met[i]++
		return v
	}
	return V1Fault{}
}

// A moment comes again and again, and can be waited for.
type moment struct {
	mu   sync.Mutex
	next chan struct{} // closed when it comes; nil while nobody waits
}

func (m *moment) come() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.next != nil {
		close(m.next)
		m.next = nil
	}
}

// wait waits for a time, or until the moment comes. It returns false if ctx ends before.
func (m *moment) wait(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return true
	}
	m.mu.Lock()
	if m.next == nil {
		m.next = make(chan struct{})
	}
	next := m.next
	m.mu.Unlock()
	late := time.NewTimer(d)
	defer late.Stop()
	select {
	case <-late.C:
	case <-next:
	case <-ctx.Done():
		return false
	}
	return true
}
