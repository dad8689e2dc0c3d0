package xuanxuan

import (
	"context"
	"errors"
	"sync"
)

// errClosed is why a closed server ended.
var errClosed = errors.New("the server was closed")

// A life is that of a chat server: it ends once, closed or of a fault that the real one dies of.
type life struct {
	stop context.CancelCauseFunc // ends everything, with the reason
	done chan struct{}           // closed when nothing is left of it

	mu     sync.Mutex
	closed bool
	crash  error
}

// fall ends the server as the real one dies. It returns at once.
func (l *life) fall(reason error) {
	l.mu.Lock()
	if l.crash == nil && !l.closed {
		l.crash = reason
	}
	l.mu.Unlock()
	l.stop(reason)
}

// Err returns why the server died, nil while it did not.
func (l *life) Err() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.crash
}

// Done is closed when nothing of the server runs any more, closed or dead.
func (l *life) Done() <-chan struct{} { return l.done }

func (l *life) end() error {
	l.stop(errClosed)
	<-l.done
	return l.Err()
}
