// Package transfer is what the wires have in common that move files over HTTP beside their connections.
package transfer

import (
	"context"
	"fmt"
	"io"
	"time"
)

// A Watch gives a transfer up that stands still. It is started before what may take long and stopped after it.
type Watch struct {
	limit time.Duration
	timer *time.Timer
}

var errStalled = fmt.Errorf("the server of files does not go on: %w", context.DeadlineExceeded)

// NewWatch returns a watch that is stopped. Once it has run for limit it cancels, with the reason.
func NewWatch(limit time.Duration, cancel context.CancelCauseFunc) *Watch {
	w := &Watch{limit: limit, timer: time.AfterFunc(limit, func() { cancel(errStalled) })}
	w.Stop()
	return w
}

// Start lets the watch run, from now on.
func (w *Watch) Start() { w.timer.Reset(w.limit) }

// Stop stops it.
func (w *Watch) Stop() { w.timer.Stop() }

// Watched reads what is sent to a server, and starts the watch anew each time: the server has read on.
type Watched struct {
	io.Reader
	Watch *Watch
}

// Read implements io.Reader.
func (w Watched) Read(p []byte) (int, error) {
	w.Watch.Start()
	return w.Reader.Read(p)
}
