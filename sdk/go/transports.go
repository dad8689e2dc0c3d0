package sdk

import (
	"errors"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/xuangate/xuangate/gen/model"
)

// A Transport is what events come over.
type Transport string

const (
	// Auto takes the first of the others that gets through, in their order, and begins with that one the next time.
	Auto      Transport = ""
	SSE                 = Transport(model.ProtocolSse)
	WebSocket           = Transport(model.ProtocolWs)
	Poll                = Transport(model.ProtocolPoll)
)

var all = []Transport{SSE, WebSocket, Poll}

func (t Transport) known() bool { return t == Auto || slices.Contains(all, t) }

// beat is how often the server shows at the latest that a connection is alive.
func (t Transport) beat() time.Duration {
	switch t {
	case SSE:
		return 15 * time.Second
	case WebSocket:
		return 25 * time.Second
	}
	return pollTimeout
}

const (
	// choiceTTL is how long a transport that was fallen back to is kept to. Without an end a program that once met a bad proxy, or
	// a server just starting, polls for ever.
	choiceTTL = 10 * time.Minute
	// maxMute is how many connections in a row may open and then pass nothing until another transport is tried.
	maxMute = 3
)

// choice is the transport that worked last, for all events of a client.
type choice struct {
	mu    sync.Mutex
	good  Transport
	since time.Time
}

// worked notes that a transport did.
func (c *choice) worked(t Transport) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.good != t || time.Since(c.since) > choiceTTL {
		c.good, c.since = t, time.Now()
	}
}

// order is in which order to try the transports now.
func (c *choice) order() []Transport {
	c.mu.Lock()
	defer c.mu.Unlock()
	order := slices.Clone(all)
	if i := slices.Index(order, c.good); i > 0 && time.Since(c.since) < choiceTTL {
		order = slices.Insert(slices.Delete(order, i, i+1), 0, c.good)
	}
	return order
}

// stale says that a better transport than t deserves another try.
func (c *choice) stale(t Transport) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return t != all[0] && c.good == t && time.Since(c.since) >= choiceTTL
}

// blamesTransport says that a connection failed in a way that another transport may not: something in between does not let this
// one through. A server that cannot be reached, or answers, is the same for all.
func blamesTransport(err error) bool {
	var e *Error
	if errors.As(err, &e) {
		return e.Code == 0 && e.Ended == ""
	}
	var op *net.OpError
	return !errors.As(err, &op) || op.Op != "dial"
}
