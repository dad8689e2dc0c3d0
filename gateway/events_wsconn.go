package gateway

import (
	"errors"
	"net"
	"os"
	"sync/atomic"
	"time"
)

// A wsConn is the socket under a WebSocket, for one goroutine that waits for its client and for the log at the same time:
// it waits in Read, which others interrupt by setting a deadline that has passed. A second goroutine to write would cost
// every idle connection its stack, as much as all the rest of it. But for wake and Close only that goroutine uses it.
type wsConn struct {
	net.Conn
	// advance is called by Read, whenever it is interrupted or due. It says when it is due again.
	advance func() (due time.Time, err error)
	ended   bool        // advance has said the last word; all that is left is the client's
	woken   atomic.Bool // there may be something to advance for
	held    *[]byte     // what is written together
}

// past is a deadline that interrupts a Read.
var past = time.Unix(1, 0)

// wake has Read call advance. It may be called from any goroutine, at any time.
func (c *wsConn) wake() {
	if !c.woken.Swap(true) {
		_ = c.SetReadDeadline(past)
	}
}

// Read implements net.Conn.
func (c *wsConn) Read(p []byte) (int, error) {
	for {
		n, err := c.Conn.Read(p)
		if n > 0 || c.ended || !errors.Is(err, os.ErrDeadlineExceeded) {
			return n, err
		}
		if err := c.advanced(); err != nil {
			return 0, err
		}
	}
}

// advanced advances until nothing is left to do, and sets the deadline by which there will be again.
func (c *wsConn) advanced() error {
	for {
		c.woken.Store(false)
		due, err := c.advance()
		if errors.Is(err, errEnded) {
			c.ended = true
			return c.SetReadDeadline(time.Now().Add(closeTimeout))
		}
		if err != nil {
			return err
		}
		if err := c.SetReadDeadline(due); err != nil {
			return err
		}
		if !c.woken.Load() { // else we may just have taken back the waker's deadline
			return nil
		}
	}
}

// hold gathers what is written from now on, until release.
func (c *wsConn) hold() { c.held = buffers.Get().(*[]byte) }

func (c *wsConn) release() error {
	b := c.held
	if b == nil {
		return nil // a write has failed
	}
	c.held = nil
	defer recycle(b)
	_, err := c.Conn.Write(*b)
	return err
}

// Write implements net.Conn.
func (c *wsConn) Write(p []byte) (int, error) {
	if c.held == nil {
		return c.Conn.Write(p)
	}
	if len(*c.held) > keepBuffer {
		if err := c.release(); err != nil {
			return 0, err
		}
		c.hold()
	}
	*c.held = append(*c.held, p...)
	return len(p), nil
}
