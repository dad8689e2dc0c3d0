package xuanxuan

import (
	"net/http"
	"strings"
	"sync"
	"time"
)

// A Fault makes trouble for some calls. The zero value makes none.
type Fault struct {
	Method string        // of the calls it meets, such as "message" in any case; "" is every call
	Times  int           // how many calls it meets; 0 is all until SetFaults is called again
	Delay  time.Duration // before the call is carried out; ends early when the caller goes, who is then served in vain

	Until <-chan struct{} // the call is not carried out before it is closed, or the caller gone; nil: at once

	// What the caller gets instead of an answer. CarryOut carries the call out all the same: the answer alone is lost.
	CarryOut bool
	Drop     bool   // the connection is closed; needs a real server around the Backend
	Status   int    // this status, with Body
	Body     []byte // these bytes as they are, not sealed

	LoseMessages bool          // messages are not stored: success with data [], as for an unknown field
	TwinWindow   time.Duration // waits between looking for a message's gid and storing it: sent twice at once it is stored twice
}

// SetFaults replaces all faults; without arguments the server is well again. The first fault that meets a call counts.
// It may be called while the server works.
func (b *Backend) SetFaults(list ...Fault) { b.faults.set(list) }

// faults are the faults in force.
type faults struct {
	replaced moment

	mu   sync.Mutex
	list []*fault
}

type fault struct {
	Fault
	left int // calls it still meets, if Times is set
}

func (f *faults) set(list []Fault) {
	fresh := make([]*fault, len(list))
	for i, v := range list {
		fresh[i] = &fault{v, v.Times}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.list = fresh
	f.replaced.come()
}

// take returns what meets the request: a healthy Fault where nothing does.
func (f *faults) take(r *request) Fault {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, v := range f.list {
		if v.Method != "" && !strings.EqualFold(v.Method, r.method) || v.Times > 0 && v.left == 0 {
			continue
		}
		v.left--
		return v.Fault
	}
	return Fault{}
}

// trouble is what a method must know of its fault.
type trouble struct {
	lose  bool          // the messages of this call are not stored
	pause time.Duration // before each message is stored
}

func (f Fault) trouble() trouble { return trouble{f.LoseMessages, f.TwinWindow} }

// spoil answers with the fault, or through reply where it leaves the answer alone.
func (f Fault) spoil(w http.ResponseWriter, req *http.Request, reply func(http.ResponseWriter)) {
	if f.Delay > 0 {
		late := time.NewTimer(f.Delay)
		defer late.Stop()
		select {
		case <-late.C:
		case <-req.Context().Done():
		}
	}
	if f.Until != nil {
		select {
		case <-f.Until:
		case <-req.Context().Done():
		}
	}
	if !f.Drop && f.Status == 0 && f.Body == nil {
		reply(w)
		return
	}
	if f.CarryOut {
		reply(nobody{http.Header{}})
	}
	if f.Drop {
		panic(http.ErrAbortHandler)
	}
	if f.Status != 0 {
		w.WriteHeader(f.Status)
	}
	_, _ = w.Write(f.Body)
}

// nobody hears the answer of a call that was carried out in vain.
type nobody struct{ header http.Header }

func (n nobody) Header() http.Header         { return n.header }
func (n nobody) Write(p []byte) (int, error) { return len(p), nil }
func (n nobody) WriteHeader(int)             {}

// A counter counts calls by name.
type counter struct {
	mu sync.Mutex
	n  map[string]int
}

// otherCalls counts what is no method: there is no end to their names.
const otherCalls = "other"

func (c *counter) count(name string, known bool) {
	if !known {
		name = otherCalls
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.n == nil {
		c.n = map[string]int{}
	}
	c.n[name]++
}

// counted is the name that a request is counted by. A gateway before an xxd asks for the history of a chat that there is not
// where it must know which answers have come; tests that count what it asks for must not depend on how busy the machine is.
func (r *request) counted() string {
	if gid, _ := r.param(0, nil).(string); r.name() == "chat/history" && strings.HasPrefix(gid, "xuangate-fence-") {
		return "fence"
	}
	return r.name()
}

// Calls returns how often each method was called so far, by names such as "chat/message" (lower case), spoiled calls
// included. What is no method is counted as "other", and a history that is asked for the order of answers alone as "fence".
func (b *Backend) Calls() map[string]int {
	b.calls.mu.Lock()
	defer b.calls.mu.Unlock()
	n := make(map[string]int, len(b.calls.n))
	for name, v := range b.calls.n {
		n[name] = v
	}
	return n
}
