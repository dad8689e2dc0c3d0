package adapter

import (
	"context"
	"errors"

	"github.com/xuangate/xuangate/adapter/legacy"
	"github.com/xuangate/xuangate/gen/model"
)

// errHandedOver is why a link ends whose user another node is to link.
var errHandedOver = errors.New("another node is to link the user")

// HandOver gives the links of this node up to the others, for it is about to end: each as soon as no stream and no request of its user
// is left here. From now on nobody is linked here whom another node could link. Where this is the only node nothing happens.
func (a *Adapter) HandOver() {
	if a.links == nil || a.claims == nil {
		return
	}
	a.links.mu.Lock()
	a.links.leaving = true
	a.links.mu.Unlock()
	for _, k := range a.links.all() {
		a.links.handOver(k)
	}
}

// Begin says that a request in the name of u is under way at this node, for which his link is kept until end is called.
func (a *Adapter) Begin(u legacy.UserID) (end func()) {
	if a.links == nil {
		return func() {}
	}
	return a.links.begin(u)
}

func (l *links) begin(u legacy.UserID) (end func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.under[u]++
	return func() {
		l.mu.Lock()
		if l.under[u]--; l.under[u] == 0 {
			delete(l.under, u)
		}
		k := l.byUser[u]
		l.mu.Unlock()
		if k != nil {
			l.handOver(k)
		}
	}
}

// handOver gives a link up, if it is time for that.
func (l *links) handOver(k *link) {
	l.mu.Lock()
	due := l.leaving && l.under[k.user] == 0
	l.mu.Unlock()
	k.mu.Lock()
	due = due && !k.held
	k.mu.Unlock()
	if due {
		k.cancel(errHandedOver)
	}
}

func (l *links) isLeaving() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.leaving
}

// linkedElsewhere is why a user is not linked here any more: HolderOf tells who has done it already.
func (l *links) linkedElsewhere(ctx context.Context, account string) error {
	c, err := l.claim(ctx, account)
	if err != nil {
		return err
	}
	l.abandon(ctx, c)
	return &Error{Code: model.Unreachable, Op: "find the link", RetryAfter: adoptEvery, Text: "this node is going out of service; try again"}
}
