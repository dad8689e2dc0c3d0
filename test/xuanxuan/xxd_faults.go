package xuanxuan

import (
	"context"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/xuangate/xuangate/adapter/legacy"
)

// An XXDFault makes trouble for some frames. The zero value makes none.
type XXDFault struct {
	User   int64  // whose connection's; 0 is everybody's
	Method string // of the frame, such as "message" in any case; "" is every one
	Times  int    // how many frames it meets; 0 is all until SetFaults is called again

	// For frames of clients.
	Delay    time.Duration // before the frame is handled, and so before all behind it; ends early when the connection does
	Cut      bool          // the connection breaks when the frame has arrived, which is not handled
	CarryOut bool          // with Cut: it is handled all the same

	// What a hostile server does instead of handling the frame.
	Instead [][]byte              // it says these, each sealed as a frame of its own
	Raw     func(io.Writer) error // it writes past the websocket's framing until that fails or ends, and the connection breaks

	// Lose is for frames of the server instead: they do not reach the user. Those of his login reach him always.
	Lose bool
}

// SetFaults replaces all faults; without arguments the server is well again. The first fault that meets a frame
// counts. It may be called while the server works.
func (x *XXD) SetFaults(list ...XXDFault) { x.faults.set(list) }

// xxdFaults are the faults in force.
type xxdFaults struct {
	mu   sync.Mutex
	list []*xxdFault
}

type xxdFault struct {
	XXDFault
	left int // frames it still meets, if Times is set
}

func (f *xxdFaults) set(list []XXDFault) {
	fresh := make([]*xxdFault, len(list))
	for i, v := range list {
		fresh[i] = &xxdFault{v, v.Times}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.list = fresh
}

// take returns what meets a frame: a healthy fault where nothing does.
func (f *xxdFaults) take(user int64, method string, lose bool) XXDFault {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, v := range f.list {
		if v.Lose != lose || v.User != 0 && v.User != user ||
			v.Method != "" && !strings.EqualFold(v.Method, method) || v.Times > 0 && v.left == 0 {
			continue
		}
		v.left--
		return v.XXDFault
	}
	return XXDFault{}
}

// loses tells whether a frame does not reach a user.
func (f *xxdFaults) loses(user int64, method string) bool { return f.take(user, method, true).Lose }

// meet makes the trouble for a client's frame, and says whether it is to be handled. With an error the connection is done for.
func (f *xxdFaults) meet(ctx context.Context, c *client, method string, key legacy.Key) (handle bool, err error) {
	fault := f.take(c.user.Load(), method, false)
	if fault.Delay > 0 {
		late := time.NewTimer(fault.Delay)
		defer late.Stop()
		select {
		case <-late.C:
		case <-c.gone:
		case <-ctx.Done():
		}
	}
	for _, plain := range fault.Instead {
		_ = c.say(frame{plain: plain, sealed: key.Seal(plain)}) // whoever does not read is thrown out
	}
	if fault.Raw != nil {
		_ = c.say(frame{raw: fault.Raw})
	}
	if fault.Instead != nil || fault.Raw != nil {
		return false, nil
	}
	if fault.Cut {
		c.drop()
	}
	if !fault.Cut || fault.CarryOut {
		return true, nil
	}
	return false, errHangUp
}

// Drop breaks the connection that a user's frames go to, as a network does. It returns false if there is none.
func (x *XXD) Drop(user int64) bool {
	c := x.hub.connection(user)
	if c != nil {
		c.drop()
	}
	return c != nil
}

// DropAll breaks every connection.
func (x *XXD) DropAll() { x.hub.drop() }

// Stall lets a user's connection hang: xxd neither answers, nor writes, nor pings on it until release is called, as if
// the network held everything back. Without a connection it does nothing. release may be called again.
func (x *XXD) Stall(user int64) (release func()) {
	c := x.hub.connection(user)
	if c == nil {
		return func() {}
	}
	return c.gate.shut()
}

// A gate holds up a connection while it is shut. The zero value is open.
type gate struct {
	mu     sync.Mutex
	closed chan struct{} // closed when the gate opens; nil while it is open
	shuts  int
}

func (g *gate) shut() (open func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.shuts == 0 {
		g.closed = make(chan struct{})
	}
	g.shuts++
	return sync.OnceFunc(func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		if g.shuts--; g.shuts == 0 {
			close(g.closed)
			g.closed = nil
		}
	})
}

// pass waits until the gate is open. It returns false if the connection is gone before.
func (g *gate) pass(gone <-chan struct{}) bool {
	for {
		g.mu.Lock()
		closed := g.closed
		g.mu.Unlock()
		if closed == nil {
			return true
		}
		select {
		case <-closed:
		case <-gone:
			return false
		}
	}
}

// XXDStats counts what an xxd has done since its start.
type XXDStats struct {
	Connections int   // websockets open now
	Online      int   // users signed in now
	Accepted    int64 // websockets so far
	Logins      int64 // that succeeded
	FramesIn    int64 // of clients, handled
	FramesOut   int64 // written to clients
}

type xxdCounters struct{ accepted, logins, in, out atomic.Int64 }

// Stats returns the counts.
func (x *XXD) Stats() XXDStats {
	open, online := x.hub.count()
	return XXDStats{
		Connections: open,
		Online:      online,
		Accepted:    x.stats.accepted.Load(),
		Logins:      x.stats.logins.Load(),
		FramesIn:    x.stats.in.Load(),
		FramesOut:   x.stats.out.Load(),
	}
}
