package gateway

import (
	"sync"

	"github.com/xuangate/xuangate/adapter/legacy"
	"github.com/xuangate/xuangate/gen/model"
)

const (
	// Without a bound on what one user has under way, he takes all the connections that the chat server's files go over; without
	// one on all, many users do.
	uploadsPerUser, uploadsPerNode     = 4, 64
	downloadsPerUser, downloadsPerNode = 32, 1024
)

// transfers counts the uploads or downloads under way.
type transfers struct {
	what             string
	hit              func(limit string) // told of each refusal
	perUser, perNode int

	mu    sync.Mutex
	all   int
	users map[legacy.UserID]int
}

func newTransfers(what string, perUser, perNode int, hit func(limit string)) *transfers {
	return &transfers{what: what, hit: hit, perUser: perUser, perNode: perNode, users: map[legacy.UserID]int{}}
}

// enter counts one of u in; leave is called once, at its end.
func (t *transfers) enter(u legacy.UserID) (leave func(), err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.users[u] >= t.perUser:
		t.hit(t.what + "_per_user")
		return nil, refuse(model.TooManyRequests, "you have %d %s under way; wait for one to end", t.perUser, t.what)
	case t.all >= t.perNode:
		t.hit(t.what + "_per_node")
		return nil, refuse(model.TooManyRequests, "this server has as many %s under way as it takes; try again", t.what)
	}
	t.all++
	t.users[u]++
	return func() { t.leave(u) }, nil
}

func (t *transfers) leave(u legacy.UserID) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.all--
	if t.users[u]--; t.users[u] == 0 {
		delete(t.users, u)
	}
}
