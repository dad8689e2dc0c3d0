package sdk

import (
	"context"
	"io"
	"net"
	"sync/atomic"
	"time"
)

// A watch cuts a connection that is silent while something is expected of it.
type watch struct {
	timer *time.Timer
	limit time.Duration
	alive bool // there was a first sign
}

// newWatch expects the first sign of life within a limit, each further one within another.
func newWatch(cancel context.CancelCauseFunc, first, further time.Duration) *watch {
	return &watch{timer: time.AfterFunc(first, func() { cancel(errSilent) }), limit: further}
}

func (w *watch) stop() { w.timer.Stop() }

// read is r.Read under watch. The time between two reads is the program's own and does not count.
func (w *watch) read(r io.Reader, p []byte) (int, error) {
	if w.alive {
		w.timer.Reset(w.limit)
	}
	n, err := r.Read(p)
	if n > 0 {
		w.alive = true
		w.timer.Stop()
	}
	return n, err
}

// A watchedBody is a body read under watch.
type watchedBody struct {
	io.ReadCloser
	watch *watch
}

func (b watchedBody) Read(p []byte) (int, error) { return b.watch.read(b.ReadCloser, p) }

// A watchedConn is a connection whose every read must pass something within a limit.
type watchedConn struct {
	net.Conn
	limit atomic.Int64
}

func (c *watchedConn) Read(p []byte) (int, error) {
	if err := c.SetReadDeadline(time.Now().Add(time.Duration(c.limit.Load()))); err != nil {
		return 0, err
	}
	return c.Conn.Read(p)
}
