package inline

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"slices"
	"sync"
	"time"
)

const (
	// window is how many frames may be under way. xxd queues 256 for a connection, and throws out one that has more.
	window = 128
	// maxWaiting is how many frames wait for the bot to be in; waitingFor how long. Beyond either the oldest go, and history
	// is the repair.
	maxWaiting, waitingFor = 4096, 10 * time.Second
	// mergeBytes and mergeRows are how much goes into one frame of several messages of a conversation. Without them one frame
	// could hold a whole backlog, and stall the connection of a slow reader.
	mergeBytes, mergeRows = 64 << 10, 32
	// nonceFor is how long a frame can be asked for after it was sent: xxd asks up to three times.
	nonceFor = 30 * time.Second
)

// An outbox holds the frames that a bot has to relay: those that wait, those under way, and those that xxd may ask for again.
// It may be used from any goroutine.
type outbox struct {
	wake chan struct{} // holds one token when frames wait

	mu      sync.Mutex
	waiting []parcel
	sent    []parcel // under way, oldest first
	named   map[string]parcel
	names   []string      // of named, oldest first
	idle    chan struct{} // closed when nothing waits or is under way; nil if nobody wants to know
}

// A parcel is one frame, or several messages of a conversation in one.
type parcel struct {
	frame object
	users []int64 // nil: everybody
	at    time.Time
	name  string // the nonce under which xxd gets it
	mark  int64  // with which it was sent
}

func (o *outbox) put(frame object, users []int64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	now := time.Now()
	old := 0
	for old < len(o.waiting) && (now.Sub(o.waiting[old].at) > waitingFor || len(o.waiting)-old >= maxWaiting) {
		old++
	}
	o.waiting = append(slices.Delete(o.waiting, 0, old), parcel{frame: frame, users: users, at: now})
	select {
	case o.wake <- struct{}{}:
	default: // it lies there already
	}
}

// take gives names to the next frames that may go under way, before a mark. Messages of one conversation for the same users
// that wait behind each other go as one.
func (o *outbox) take(mark int64) (names []string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	now := time.Now()
	if o.named == nil {
		o.named = map[string]parcel{}
	}
	for len(o.waiting) > 0 && len(o.sent) < window {
		p := o.waiting[0]
		o.waiting = o.waiting[1:]
		if now.Sub(p.at) > waitingFor {
			continue
		}
		for len(o.waiting) > 0 {
			both, ok := merged(p, o.waiting[0])
			if !ok {
				break
			}
			p, o.waiting = both, o.waiting[1:]
		}
		p.name, p.mark = rand.Text(), mark
		o.sent, o.named[p.name], o.names = append(o.sent, p), p, append(o.names, p.name)
		names = append(names, p.name)
	}
	return names
}

// done notes that all frames up to a mark were handed out.
func (o *outbox) done(mark int64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.sent = slices.DeleteFunc(o.sent, func(p parcel) bool { return p.mark <= mark })
	old := 0
	for old < len(o.names) && time.Since(o.named[o.names[old]].at) > waitingFor+nonceFor {
		delete(o.named, o.names[old])
		old++
	}
	o.names = o.names[old:]
	if o.idle != nil && len(o.waiting)+len(o.sent) == 0 {
		close(o.idle)
		o.idle = nil
	}
}

// empty waits until nothing waits or is under way, or ctx ends. One call at a time.
func (o *outbox) empty(ctx context.Context) {
	o.mu.Lock()
	if len(o.waiting)+len(o.sent) == 0 {
		o.mu.Unlock()
		return
	}
	idle := make(chan struct{})
	o.idle = idle
	o.mu.Unlock()
	select {
	case <-idle:
	case <-ctx.Done():
	}
}

// oldest is since when a frame waits or is under way, the zero time if none does.
func (o *outbox) oldest() time.Time {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case len(o.sent) > 0:
		return o.sent[0].at
	case len(o.waiting) > 0:
		return o.waiting[0].at
	}
	return time.Time{}
}

// clear forgets what waits and what is under way: another node has handed it out since.
func (o *outbox) clear() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.waiting, o.sent = nil, nil
}

// again puts back what was under way when a connection ended: whether it was handed out is not known, and twice is harmless.
func (o *outbox) again() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.waiting = append(o.sent, o.waiting...)
	o.sent = nil
	if len(o.waiting) > 0 {
		select {
		case o.wake <- struct{}{}:
		default: // it lies there already
		}
	}
}

// frame is what xxd is answered that asks for a name; nil for an unknown one.
func (o *outbox) frame(name string) []byte {
	o.mu.Lock()
	p, ok := o.named[name]
	o.mu.Unlock()
	switch {
	case !ok:
		return nil
	case p.users == nil:
		return p.frame.with("users", []int64{}).bytes()
	}
	return p.frame.with("users", p.users).bytes()
}

// merged is two frames of messages as one, if both are of the same conversation and for the same users.
func merged(x, y parcel) (parcel, bool) {
	if !x.frame.is("message") || !y.frame.is("message") || !slices.Equal(x.users, y.users) {
		return x, false
	}
	xs, ys := rowsOf(x.frame), rowsOf(y.frame)
	size := len(x.frame.get("data")) + len(y.frame.get("data"))
	if len(xs) == 0 || len(ys) == 0 || len(xs)+len(ys) > mergeRows || size > mergeBytes || !bytes.Equal(conversationOf(xs[0]), conversationOf(ys[0])) {
		return x, false
	}
	x.frame = x.frame.with("data", append(xs, ys...))
	return x, true
}

func conversationOf(row json.RawMessage) []byte {
	o, err := parseObject(row)
	if err != nil {
		return row
	}
	return o.get("cgid")
}
