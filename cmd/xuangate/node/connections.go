package node

import (
	"context"
	"net"
	"sync"
	"sync/atomic"

	"golang.org/x/time/rate"
)

// connections bound the connections that clients have open, and how fast they come. Without the first, clients that open
// connections and send nothing take all file descriptors, those to the chat server too. Without the second, a storm of handshakes
// takes all processors. Who comes too fast waits in the kernel's backlog, and who is one too many is closed at once: waiting, he
// would keep out those who watch over our health.
type connections struct {
	net.Listener
	most    atomic.Int64 // 0: no bound
	open    atomic.Int64
	hit     func(limit string) // told of each that is closed at once
	pace    *rate.Limiter
	closing context.Context // ends when the listener closes
	end     context.CancelFunc
}

func limitConnections(l net.Listener, limits Limits, hit func(limit string)) *connections {
	c := &connections{Listener: l, hit: hit, pace: rate.NewLimiter(limits.accepts())}
	c.closing, c.end = context.WithCancel(context.Background())
	c.most.Store(int64(limits.Connections))
	return c
}

// accepts is how many connections are taken a second, and at once after a quiet time.
func (l Limits) accepts() (rate.Limit, int) {
	if l.AcceptRate <= 0 {
		return rate.Inf, max(l.AcceptBurst, 1)
	}
	return rate.Limit(l.AcceptRate), max(l.AcceptBurst, 1)
}

// Set changes the limits at once; connections that are open stay.
func (c *connections) Set(l Limits) {
	c.most.Store(int64(l.Connections))
	limit, burst := l.accepts()
	c.pace.SetLimit(limit)
	c.pace.SetBurst(burst)
}

// Open is how many connections are open.
func (c *connections) Open() int64 { return c.open.Load() }

// Accept implements net.Listener.
func (c *connections) Accept() (net.Conn, error) {
	for {
		if c.pace.Wait(c.closing) != nil {
			return nil, net.ErrClosed
		}
		conn, err := c.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if most := c.most.Load(); c.open.Add(1) > most && most > 0 {
			c.open.Add(-1)
			c.hit("connections")
			_ = conn.Close() // there is nothing more to do about it
			continue
		}
		return &counted{Conn: conn, leave: sync.OnceFunc(func() { c.open.Add(-1) })}, nil
	}
}

// Close implements net.Listener.
func (c *connections) Close() error {
	c.end()
	return c.Listener.Close()
}

// counted is a connection among the open ones.
type counted struct {
	net.Conn
	leave func()
}

func (c *counted) Close() error {
	defer c.leave()
	return c.Conn.Close()
}
