package gateway

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/xuangate/xuangate/adapter/legacy"
)

//go:embed leases.lua
var luaLeases string

var scriptLeases = redis.NewScript(luaLeases)

const (
	// presenceLease is for how long a user counts as here after a node last said so. As long again after it the others set the
	// users of a node offline that has died.
	presenceLease = time.Minute
	// leaseRenewal leaves two renewals to fail before a lease ends.
	leaseRenewal = presenceLease / 3
	// leaseTimeout is how long one step may take. A user's first stream waits for it.
	leaseTimeout = time.Second
	// leasesAtOnce is how many are renewed in one step. Redis does nothing else meanwhile.
	leasesAtOnce = 200
)

// Leases tell, among nodes that share a Redis, where users have streams: the last node that a user leaves is the one to set him
// offline in the legacy server. A nil Leases is that of the only node. All methods may be used from any goroutine.
type Leases struct {
	client redis.UniversalClient
	key    string
	node   string
}

// NewLeases makes the leases of a node, whose name no other has. Prefix begins the names of all keys; the client is the
// caller's to close.
func NewLeases(client redis.UniversalClient, prefix, node string) *Leases {
	return &Leases{client: client, key: "{" + prefix + ":here}", node: node}
}

// Anybody says whether somebody has a stream at some node.
func (l *Leases) Anybody(ctx context.Context) (bool, error) {
	users, err := l.run(ctx, "anybody")
	return len(users) > 0, err
}

// here says that users have streams at this node, and answers those of whom nothing was known.
func (l *Leases) here(ctx context.Context, users ...legacy.UserID) (missing []legacy.UserID, err error) {
	if l == nil {
		return nil, nil
	}
	for some := range slices.Chunk(users, leasesAtOnce) {
		more, err := l.run(ctx, "here", some...)
		if err != nil {
			return missing, err
		}
		missing = append(missing, more...)
	}
	return missing, nil
}

// gone says that a user has no stream at this node any more, and answers whether he has one elsewhere.
func (l *Leases) gone(ctx context.Context, u legacy.UserID) (elsewhere bool, err error) {
	if l == nil {
		return false, nil
	}
	users, err := l.run(ctx, "gone", u)
	return len(users) > 0, err
}

// orphans are users whose nodes have died; each is answered to one node once.
func (l *Leases) orphans(ctx context.Context) ([]legacy.UserID, error) {
	if l == nil {
		return nil, nil
	}
	return l.run(ctx, "orphans")
}

func (l *Leases) run(ctx context.Context, do string, users ...legacy.UserID) ([]legacy.UserID, error) {
	keys, args := []string{l.key}, []any{do, l.node, presenceLease.Milliseconds()}
	for _, u := range users {
		keys, args = append(keys, l.key+":"+u.String()), append(args, u.String())
	}
	ctx, cancel := context.WithTimeout(ctx, leaseTimeout)
	defer cancel()
	answer, err := scriptLeases.Run(ctx, l.client, keys, args...).StringSlice()
	if err != nil {
		return nil, fmt.Errorf("leases of presence: %w", err)
	}
	list := make([]legacy.UserID, len(answer))
	for i, text := range answer {
		n, parseErr := strconv.ParseInt(text, 10, 64)
		list[i], err = legacy.UserID(n), errors.Join(err, parseErr)
	}
	return list, err
}
