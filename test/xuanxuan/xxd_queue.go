package xuanxuan

import "sync"

// queueSize is how many frames wait for a slow reader before he is thrown out, the one being written not counted.
const queueSize = 256

// A queue holds the frames that wait to be written to one connection. Any goroutine may push; one takes.
type queue struct {
	wake chan struct{} // holds a signal when there may be something to take

	mu     sync.Mutex
	frames []frame
	closed bool
}

func newQueue() *queue { return &queue{wake: make(chan struct{}, 1)} }

// What became of a frame.
type pushed int

const (
	queued pushed = iota
	queueFull
	queueClosed
)

func (q *queue) push(f frame) pushed {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case q.closed:
		return queueClosed
	case len(q.frames) == queueSize:
		return queueFull
	}
	q.frames = append(q.frames, f)
	q.signal()
	return queued
}

// close lets no more frames in; what is there can still be taken.
func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.signal()
}

func (q *queue) signal() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// take returns the oldest frame. Without any, ended tells whether there will never be one again.
func (q *queue) take() (f frame, ok, ended bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.frames) == 0 {
		q.frames = nil
		return frame{}, false, q.closed
	}
	f = q.frames[0]
	q.frames = q.frames[1:]
	return f, true, false
}
