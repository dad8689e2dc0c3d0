package stage

import (
	"net"
	"sync"
	"time"
)

// pace is in which pieces bytes are passed on to the client.
type pace struct {
	Bytes   int `json:"bytes"`
	EveryMS int `json:"every_ms"`
}

// A conn is a connection of a client to the proxy, which can be slow, stall and break.
type conn struct {
	net.Conn
	proxy  *proxy
	gone   chan struct{} // closed when it is no use to wait any longer
	once   sync.Once
	listen int  // how many streams and polls it carries; guarded by proxy.mu
	stuck  bool // passes nothing on any more; guarded by proxy.mu
}

func (c *conn) over() {
	c.once.Do(func() {
		close(c.gone)
		c.proxy.forget(c)
	})
}

// Read implements net.Conn.
func (c *conn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if timeout, ok := err.(net.Error); err != nil && (!ok || !timeout.Timeout()) {
		c.over()
	}
	return n, err
}

// Write implements net.Conn.
func (c *conn) Write(p []byte) (sent int, err error) {
	for sent < len(p) {
		how, stuck := c.proxy.manner(c)
		if stuck {
			<-c.gone
			return sent, net.ErrClosed
		}
		piece := p[sent:]
		if how.Bytes > 0 && len(piece) > how.Bytes {
			piece = piece[:how.Bytes]
		}
		n, err := c.Conn.Write(piece)
		sent += n
		if err != nil {
			return sent, err
		}
		if how.EveryMS > 0 {
			select {
			case <-time.After(time.Duration(how.EveryMS) * time.Millisecond):
			case <-c.gone:
				return sent, net.ErrClosed
			}
		}
	}
	return sent, nil
}

// Close implements net.Conn.
func (c *conn) Close() error {
	c.over()
	return c.Conn.Close()
}

// reset breaks the connection without a last word.
func (c *conn) reset() {
	if tcp, ok := c.Conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = c.Close()
}
