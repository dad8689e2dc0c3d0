package adapter

import (
	"container/list"
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/xuangate/xuangate/adapter/legacy"
	"github.com/xuangate/xuangate/gen/model"
)

// queuePatience is how long a sign-in may have to wait that somebody waits for. Who would have to wait longer is told so at once, and
// when to come back; proxies give up on him after a minute anyway.
const queuePatience = 30 * time.Second

// A queue lets users sign in to the legacy server one after the other, so many a second. Without it a server that has restarted meets
// all of its users in the same moment, each of them five calls of its backend. People at a sign-in form go before connections
// that come back, for those come back by themselves.
//
// A timer gives out the turns while somebody waits; nothing runs otherwise.
type queue struct {
	every   time.Duration // between two turns
	burst   time.Duration // how far turns may be ahead: as many as a second has at once
	refused atomic.Int64

	mu          sync.Mutex
	next        time.Time  // when the turn after the last one is due
	front, back *list.List // of chan struct{}, closed when its turn comes
	ticking     bool
}

func newQueue(perSecond float64) *queue {
	every := time.Duration(float64(time.Second) / perSecond)
	return &queue{every: every, burst: max(time.Second-every, 0), front: list.New(), back: list.New()}
}

// enter waits for a turn, as long as ctx lives. first goes before who is not; who is patient waits however long it takes.
func (q *queue) enter(ctx context.Context, first, patient bool) error {
	const op = "wait to sign in"
	q.mu.Lock()
	if q.front.Len() == 0 && (first || q.back.Len() == 0) && q.take(time.Now()) {
		q.mu.Unlock()
		return nil
	}
	ahead := q.front.Len()
	line := q.front
	if !first {
		ahead += q.back.Len()
		line = q.back
	}
	if wait := time.Duration(ahead+1) * q.every; !patient && wait > queuePatience {
		q.mu.Unlock()
		q.refused.Add(1)
		return &Error{
			Code: model.Unreachable, Op: op, Err: errors.Join(legacy.ErrNotSent, errQueue), RetryAfter: wait,
			Text: "very many users sign in to the chat server at this moment; try again",
		}
	}
	turn := make(chan struct{})
	place := line.PushBack(turn)
	if !q.ticking {
		q.ticking = true
		time.AfterFunc(time.Until(q.next.Add(-q.burst)), q.tick)
	}
	q.mu.Unlock()
	select {
	case <-turn:
		return nil
	case <-ctx.Done():
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	select {
	case <-turn: // it came at the same moment, and is lost
	default:
		line.Remove(place)
	}
	return errors.Join(legacy.ErrNotSent, ctx.Err())
}

var errQueue = errors.New("the queue of sign-ins is too long")

// take takes a turn if one is due. q.mu is held.
func (q *queue) take(now time.Time) bool {
	if q.next.Before(now) {
		q.next = now
	}
	if q.next.Sub(now) > q.burst {
		return false
	}
	q.next = q.next.Add(q.every)
	return true
}

// tick gives out the turns that are due.
func (q *queue) tick() {
	q.mu.Lock()
	defer q.mu.Unlock()
	for {
		line := q.front
		if line.Len() == 0 {
			line = q.back
		}
		if line.Len() == 0 {
			q.ticking = false
			return
		}
		if !q.take(time.Now()) {
			time.AfterFunc(time.Until(q.next.Add(-q.burst)), q.tick)
			return
		}
		close(line.Remove(line.Front()).(chan struct{}))
	}
}

// perSecond is how many turns a second has, at least one.
func (q *queue) perSecond() int { return max(int(time.Second/q.every), 1) }

// waiting is how many wait for a turn.
func (q *queue) waiting() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.front.Len() + q.back.Len()
}
