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
	c, err := l.a.claims.Take(ctx, LinkClaim+strings.ToLower(account), claimLease)
	switch {
	case errors.Is(err, ErrHeld):
		return c, &Error{
			Code: model.Unreachable, Op: "claim the link", Err: err, RetryAfter: claimRenewal, Holder: c.Holder,
			Text: "another node holds this user's connection to the chat server; try there, or again when it has let go",
		}
	case err != nil:
		return c, &Error{Code: model.Unreachable, Op: "claim the link", Err: err, RetryAfter: retryAfter, Text: "what the gateway's nodes share cannot be reached; try again"}
	}
	return c, nil
}

// unheld is nil unless another node holds an account's link.
func (l *links) unheld(ctx context.Context, account string) error {
	c, err := l.claim(ctx, account)
	if err == nil {
		l.handBack(ctx, c)
	}
	return err
}

// Link has u linked at this node, unless he is, where no other node holds his link: that one is named by HolderOf the error. Where
// each call names its user, and for users whose password is not kept, there is nothing to do.
func (a *Adapter) Link(ctx context.Context, u legacy.UserID) error {
	if a.links == nil {
		return nil
	}
	if _, err := a.links.find(ctx, u); !errors.Is(err, errNotHere) {
		return err
	}
	return nil
}

// CallHere makes a call over the link of c.User, or over any for nobody's, for another node: it goes no further. The errors are those
// of a Caller.
func (a *Adapter) CallHere(ctx context.Context, c legacy.Call) (legacy.Response, error) {
	const op = "call for another node"
	if a.links == nil {
		return legacy.Response{}, refuse(op, model.Unsupported, "this node holds nobody's connection to the chat server")
	}
	ctx, cancel := context.WithTimeout(ctx, a.timeout)
	defer cancel()
	r, err := a.links.callHere(ctx, c)
	if err != nil {
		return r, noAnswer(op, err)
	}
	return r, nil
}

// LinkStands says whether this node looks after the link of u, however that is at present.
func (a *Adapter) LinkStands(u legacy.UserID) bool {
	if a.links == nil {
		return true
	}
	a.links.mu.Lock()
	k := a.links.byUser[u]
	a.links.mu.Unlock()
	return k != nil && !k.given() && !k.hasEnded()
}

// Attend is for a stream of u at another node: it keeps the link that this node holds, as a call does, and returns what waited for
// the user's first stream, which the log has already. It makes no link.
func (a *Adapter) Attend(ctx context.Context, u legacy.UserID) ([]Event, error) {
	if a.links == nil || !a.LinkStands(u) {
		return nil, &Error{Code: model.Unreachable, Op: "attend a link", RetryAfter: claimRenewal, Text: "this node does not hold the user's connection to the chat server"}
	}
	k, err := a.links.find(ctx, u)
	if err != nil {
		return nil, err
	}
	if _, err := k.ready(ctx); err != nil {
		return nil, noAnswer("attend a link", err)
	}
	return k.takeWaiting(), nil
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

// abandon has another node link the account, whether the user asks for it or not.
func (l *links) abandon(ctx context.Context, c Claim) {
	if c == (Claim{}) {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), laneTimeout)
	defer cancel()
	_ = l.a.claims.Renew(ctx, c, 0) // else it runs out
}

// sign writes into a claim whom it is for, once the server has told. A sign-in may have taken longer than the lease: then the user
// is another node's by now.
func (l *links) sign(ctx context.Context, c *Claim, u legacy.UserID) error {
	if *c == (Claim{}) {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, laneTimeout)
	defer cancel()
	c.Note = u.String()
	err := l.a.claims.Renew(ctx, *c, claimLease)
	if !errors.Is(err, ErrLost) {
		return nil // or not known, and then nobody else gets it
	}
	return &Error{Code: model.Unreachable, Op: "claim the link", Err: err, RetryAfter: claimRenewal, Text: "the chat server took so long that another node signs this user in; try again"}
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
				k.lose()
			}
			return nil
		})
	}
	_ = all.Wait()
}

// holds renews the link's claim. It is held until it is known that it is not: while claims cannot be asked nobody else gets it.
func (k *link) holds(ctx context.Context) bool { return !errors.Is(k.renew(ctx), ErrLost) }

func (k *link) renew(ctx context.Context) error {
	if k.claim == (Claim{}) {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, laneTimeout)
	defer cancel()
	return k.links.a.claims.Renew(ctx, k.claim, claimLease)
}

// ours says of the end of a connection whether it was another node of ours that took the user over: such a kick is none. It ends the
// user's tokens if it is one, so it waits until that is known.
func (k *link) ours(ctx context.Context, err error) error {
	if !errors.Is(err, legacy.ErrKicked) {
		return err
	}
	for {
		switch held := k.renew(ctx); {
		case held == nil || ctx.Err() != nil:
			return err
		case errors.Is(held, ErrLost):
			return errClaimLost
		}
		k.turn(model.UpstreamBackoff, nil)
		if !pause(ctx, laneTimeout) {
			return err
		}
	}
}
