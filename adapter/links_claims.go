package adapter

import (
	"context"
	"errors"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/xuangate/xuangate/adapter/legacy"
	"github.com/xuangate/xuangate/gen/model"
)

const (
	// claimLease is how long a node that has died keeps its users from being linked by another.
	claimLease = 15 * time.Second
	// claimRenewal leaves two renewals to fail before a claim runs out.
	claimRenewal = claimLease / 3
	// renewalsAtOnce bounds how many claims are renewed at the same time.
	renewalsAtOnce = 16
)

// errClaimLost is why a link ends that another node has a claim to. It is no sign-in elsewhere: nobody is told.
var errClaimLost = errors.New("another node holds the user's link")

// claim takes the right to link an account, before it is dialled: the server ends the connection of whoever was linked.
func (l *links) claim(ctx context.Context, account string) (Claim, error) {
	if l.a.claims == nil {
		return Claim{}, nil
	}
	c, err := l.a.claims.Take(ctx, "link:"+strings.ToLower(account), claimLease)
	switch {
	case errors.Is(err, ErrHeld):
		return c, &Error{
			Code: model.Unreachable, Op: "claim the link", Err: err, RetryAfter: claimRenewal,
			Text: "another node holds this user's connection to the chat server; try there, or again when it has let go",
		}
	case err != nil:
		return c, &Error{Code: model.Unreachable, Op: "claim the link", Err: err, RetryAfter: retryAfter, Text: "what the gateway's nodes share cannot be reached; try again"}
	}
	return c, nil
}

// handBack lets another node link the account at once.
func (l *links) handBack(ctx context.Context, c Claim) {
	if c == (Claim{}) {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), laneTimeout)
	defer cancel()
	_ = l.a.claims.Release(ctx, c) // else it runs out
}

// renew keeps the claims of all links, and ends the links whose claim is another's by now.
func (l *links) renew(ctx context.Context) {
	if l.a.claims == nil {
		return
	}
	var all errgroup.Group
	all.SetLimit(renewalsAtOnce)
	for _, k := range l.all() {
		if !k.alive() {
			continue // it has ended, and its claim with it
		}
		all.Go(func() error {
			if !k.holds(ctx) {
				l.a.log.WarnContext(ctx, "another node holds a user's link; this one ends", "session", k.user.String())
				k.cancel(errClaimLost)
			}
			return nil
		})
	}
	_ = all.Wait()
}

// holds renews the link's claim. It is held until it is known that it is not: while claims cannot be asked nobody else gets it.
func (k *link) holds(ctx context.Context) bool {
	if k.claim == (Claim{}) {
		return true
	}
	ctx, cancel := context.WithTimeout(ctx, laneTimeout)
	defer cancel()
	return !errors.Is(k.links.a.claims.Renew(ctx, k.claim, claimLease), ErrLost)
}

// ours says of the end of a connection whether it was another node of ours that took the user over: such a kick is none.
func (k *link) ours(ctx context.Context, err error) error {
	if errors.Is(err, legacy.ErrKicked) && ctx.Err() == nil && !k.holds(ctx) {
		return errClaimLost
	}
	return err
}
