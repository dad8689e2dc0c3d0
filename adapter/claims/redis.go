package claims

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/xuangate/xuangate/adapter"
)

var (
	//go:embed claim.lua
	luaClaim string
	//go:embed abandoned.lua
	luaAbandoned string

	scriptClaim     = redis.NewScript(luaClaim)
	scriptAbandoned = redis.NewScript(luaAbandoned)
)

// Redis are claims that nodes share, as one of them takes them. Each is one key, so a cluster spreads them; but for those of links,
// which stand under one hash tag with the list of them. A master that fails may take the latest with it: then two hold one, until the
// first renews.
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

// links is the list of the claims of links. The keys of those begin with it.
func (r *Redis) links() string { return "{" + r.prefix + ":claim}:" + adapter.LinkClaim }

// keys are those of a claim.
func (r *Redis) keys(key string) []string {
	if name, ofLink := strings.CutPrefix(key, adapter.LinkClaim); ofLink {
		return []string{r.links() + name, r.links()}
	}
	return []string{r.prefix + ":claim:" + key}
}

// Abandoned implements adapter.Claims.
func (r *Redis) Abandoned(ctx context.Context, most int) (list []adapter.Claim, err error) {
	answer, err := scriptAbandoned.Run(ctx, r.client, []string{r.links()}, most, unasked.Milliseconds()).StringSlice()
	if err != nil {
		return nil, fmt.Errorf("look for abandoned claims: %w", err)
	}
	for ; len(answer) >= 4; answer = answer[4:] {
		fence, err := strconv.ParseInt(answer[2], 10, 64)
		if err != nil {
			return nil, fmt.Errorf("look for abandoned claims: %w", err)
		}
		list = append(list, adapter.Claim{Key: adapter.LinkClaim + answer[0], Holder: answer[1], Fence: fence, Note: answer[3]})
	}
	return list, nil
}

func (r *Redis) run(ctx context.Context, do string, c adapter.Claim, lease time.Duration) (now adapter.Claim, done bool, err error) {
	answer, err := scriptClaim.Run(ctx, r.client, r.keys(c.Key),
		do, r.holder, c.Fence, lease.Milliseconds(), remembered.Milliseconds(), c.Note, strings.TrimPrefix(c.Key, adapter.LinkClaim)).Slice()
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
