package claims

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/xuangate/xuangate/adapter"
)

//go:embed claim.lua
var luaClaim string

var scriptClaim = redis.NewScript(luaClaim)

// Redis are claims that nodes share, as one of them takes them. Each is one key, so a cluster spreads them. A master that fails
// may take the latest with it: then two hold one, until the first renews.
type Redis struct {
	client redis.UniversalClient
	prefix string
	holder string
}

// NewRedis makes the claims of a holder, whose name no other node has. Prefix begins the names of all keys; the client is the
// caller's to close.
func NewRedis(client redis.UniversalClient, prefix, holder string) *Redis {
	return &Redis{client: client, prefix: prefix, holder: holder}
}

// Take implements adapter.Claims.
func (r *Redis) Take(ctx context.Context, key string, lease time.Duration) (adapter.Claim, error) {
	c, done, err := r.run(ctx, "take", adapter.Claim{Key: key}, lease)
	if err == nil && !done {
		err = adapter.ErrHeld
	}
	return c, err
}

// Renew implements adapter.Claims.
func (r *Redis) Renew(ctx context.Context, c adapter.Claim, lease time.Duration) error {
	_, done, err := r.run(ctx, "renew", c, lease)
	if err == nil && !done {
		err = adapter.ErrLost
	}
	return err
}

// Release implements adapter.Claims.
func (r *Redis) Release(ctx context.Context, c adapter.Claim) error {
	_, _, err := r.run(ctx, "release", c, 0)
	return err
}

func (r *Redis) run(ctx context.Context, do string, c adapter.Claim, lease time.Duration) (now adapter.Claim, done bool, err error) {
	answer, err := scriptClaim.Run(ctx, r.client, []string{r.prefix + ":claim:" + c.Key},
		do, r.holder, c.Fence, lease.Milliseconds(), remembered.Milliseconds()).Slice()
	if err != nil {
		return c, false, fmt.Errorf("%s a claim: %w", do, err)
	}
	var texts [3]string
	if len(answer) != 4 {
		return c, false, fmt.Errorf("%s a claim: Redis answered %d values", do, len(answer))
	}
	did, ok := answer[0].(int64)
	for i := range texts {
		text, isText := answer[i+1].(string)
		texts[i], ok = text, ok && isText
	}
	fence, err := strconv.ParseInt(texts[1], 10, 64)
	if !ok || err != nil {
		return c, false, errors.Join(fmt.Errorf("%s a claim: Redis answered %v", do, answer), err)
	}
	return adapter.Claim{Key: c.Key, Holder: texts[0], Fence: fence, Former: texts[2]}, did == 1, nil
}
