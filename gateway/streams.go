package gateway

import (
	"cmp"
	"context"
	"errors"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/xuangate/xuangate/adapter/legacy"
	"github.com/xuangate/xuangate/gen/model"
)

var (
	// errDraining is the cause by which streams end when this server goes out of service.
	errDraining = errors.New("this server is going out of service")
	// errSuperseded is the cause by which a user's oldest stream ends when he opens more than he may.
	errSuperseded = errors.New("the user opened more streams than he may have")
)

// drainPace is how far apart streams end when this server goes out of service. Without it all clients come back in the same
// instant, to servers that have to read the log for each of them. Very many are ended faster: drain has a limit.
const drainPace = 10 * time.Millisecond

// StreamLimits bound the open streams and polls of one server.
type StreamLimits struct {
	// Node is how many there may be in all; more are refused with 10002. Without it clients take all memory.
	Node int
	// User is how many one user may have; a further one ends the oldest. Without it one broken client, which opens another
	// whenever it wakes up, takes the node's.
	User int
	// Address is how many one client address may have; more are refused with 10009. Without it one machine takes the node's.
	Address int
}

// orDefault has the defaults in place of zeros.
func (l StreamLimits) orDefault() StreamLimits {
	return StreamLimits{Node: cmp.Or(l.Node, 50_000), User: cmp.Or(l.User, 100), Address: cmp.Or(l.Address, 10_000)}
}

// streams are the open streams and polls of this server.
type streams struct {
	hit func(limit string) // told of each stream refused or ended for one; must not block

	mu        sync.Mutex
	limits    StreamLimits
	users     map[legacy.UserID][]*stream // oldest first, without those that are being ended
	addresses map[netip.Prefix]int
	open      map[*stream]struct{}
	draining  bool
	empty     chan struct{} // closed when draining has come to its end
}

// A stream is one entry of streams. Who opened it closes it, once, after its last use of anything of the server.
type stream struct {
	streams *streams
	user    legacy.UserID
	address netip.Prefix
	cancel  context.CancelCauseFunc
	conn    *wsConn // that it has taken over, if it has
}

func newStreams(limits StreamLimits, hit func(limit string)) *streams {
	return &streams{
		limits: limits, hit: hit, users: map[legacy.UserID][]*stream{}, addresses: map[netip.Prefix]int{}, open: map[*stream]struct{}{},
		empty: make(chan struct{}),
	}
}

// limit has other limits hold for streams that are opened from now on.
func (s *streams) limit(l StreamLimits) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.limits = l
}

// enter counts a new stream of u in, which comes from an address. The stream lives with the returned context.
func (s *streams) enter(ctx context.Context, u legacy.UserID, from netip.Addr) (context.Context, *stream, error) {
	address := network(from)
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.draining:
		return nil, nil, refuse(model.Unreachable, "this server is going out of service; connect again")
	case len(s.open) >= s.limits.Node:
		s.hit("streams_per_node")
		return nil, nil, refuse(model.Unreachable, "this server has as many streams as it takes; try again, or another one")
	case s.addresses[address] >= s.limits.Address:
		s.hit("streams_per_address")
		return nil, nil, refuse(model.TooManyRequests, "your address has %d streams open; close some", s.limits.Address)
	}
	for len(s.users[u]) >= s.limits.User {
		s.hit("streams_per_user")
		s.finish(s.users[u][0], errSuperseded)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	one := &stream{streams: s, user: u, address: address, cancel: cancel}
	s.open[one] = struct{}{}
	s.users[u] = append(s.users[u], one)
	s.addresses[address]++
	return ctx, one, nil
}

// network is what counts as one client address: a machine has a whole /64 of IPv6 to itself.
func network(a netip.Addr) netip.Prefix {
	a = a.Unmap()
	p, _ := a.Prefix(min(a.BitLen(), 64)) // of no address: the zero Prefix
	return p
}

// finish has a stream say its last word. s.mu is held.
func (s *streams) finish(one *stream, why error) {
	one.cancel(why)
	if one.conn != nil {
		one.conn.wake()
	}
	s.forget(one)
}

// forget takes a stream off its user's list. s.mu is held.
func (s *streams) forget(one *stream) {
	list := slices.DeleteFunc(s.users[one.user], func(other *stream) bool { return other == one })
	if s.users[one.user] = list; len(list) == 0 {
		delete(s.users, one.user)
	}
}

// takes says that the stream has taken a connection over, which it waits on instead of its context, and has it begin.
func (one *stream) takes(conn *wsConn) {
	one.streams.mu.Lock()
	defer one.streams.mu.Unlock()
	one.conn = conn
	conn.wake()
}

func (one *stream) close() {
	one.cancel(nil)
	s := one.streams
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, one)
	s.forget(one)
	if s.addresses[one.address]--; s.addresses[one.address] == 0 {
		delete(s.addresses, one.address)
	}
	if s.draining && len(s.open) == 0 {
		close(s.empty)
	}
}

// refuseNew refuses new streams from now on, and returns those that are open, in any order.
func (s *streams) refuseNew() (left []*stream) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for one := range s.open {
		left = append(left, one)
	}
	if !s.draining && len(left) == 0 {
		close(s.empty)
	}
	s.draining = true
	return left
}

// end has a stream say its last word, if it is still open.
func (s *streams) end(one *stream) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, open := s.open[one]; open {
		s.finish(one, errDraining)
	}
}

// endAll refuses new streams and ends those that are open, at once.
func (s *streams) endAll() {
	for _, one := range s.refuseNew() {
		s.end(one)
	}
}

// drain refuses new streams and ends those that are open one after the other, in at most spread. It returns when they have
// closed. Connections taken over that are still there when ctx ends are cut; the others are their HTTP server's to close.
func (s *streams) drain(ctx context.Context, spread time.Duration) {
	left := s.refuseNew()
	rand.Shuffle(len(left), func(i, j int) { left[i], left[j] = left[j], left[i] })
	start := time.Now()
	spread = min(spread, time.Duration(len(left))*drainPace)
	for i, one := range left {
		s.wait(ctx, start.Add(spread*time.Duration(i)/time.Duration(len(left))))
		s.end(one)
	}
	select {
	case <-s.empty:
		return
	case <-ctx.Done():
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for one := range s.open {
		if one.conn != nil {
			_ = one.conn.Close()
		}
	}
}

// wait returns at a time, or when nothing is left to wait for.
func (s *streams) wait(ctx context.Context, until time.Time) {
	t := time.NewTimer(time.Until(until))
	defer t.Stop()
	select {
	case <-t.C:
	case <-s.empty:
	case <-ctx.Done():
	}
}

func (s *streams) isDraining() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.draining
}
