package login

import (
	"cmp"
	"context"
	_ "embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
)

//go:embed redis_standing.lua
var luaStanding string

var scriptStanding = redis.NewScript(luaStanding)

// RedisStandings are Standings that several nodes share. They stand under one hash tag: there must be one place that says which
// were used longest ago, and one script touches both.
type RedisStandings struct {
	client             redis.UniversalClient
	all, tried, proven string
}

// NewRedisStandings makes Standings; it asks Redis nothing. prefix begins the names of all keys, "" is "xuangate". The client is
// the caller's to close.
func NewRedisStandings(client redis.UniversalClient, prefix string) *RedisStandings {
	key := "{" + cmp.Or(prefix, "xuangate") + ":standings}"
	return &RedisStandings{client: client, all: key, tried: key + ":tried", proven: key + ":proven"}
}

// maxRaces bounds how often an update begins again because another was faster. Each time one of those under way gets through, so it
// takes as many at once to use it up.
const maxRaces = 200

var errRaces = errors.New("too many try the account at the same moment")

// Update implements Standings.
func (r *RedisStandings) Update(ctx context.Context, account AccountKey, change func(Standing) Standing) (Standing, error) {
	const op = "update the standing of an account"
	field := hex.EncodeToString(account[:])
	for range maxRaces {
		was, err := r.client.HGet(ctx, r.all, field).Result()
		if err != nil && !errors.Is(err, redis.Nil) {
			return Standing{}, failed(op, err)
		}
		var before Standing
		if was != "" {
			if err := json.Unmarshal([]byte(was), &before); err != nil {
				return Standing{}, fmt.Errorf("%s: it is written in a way we do not know: %w", op, err)
			}
		}
		after := change(before)
		is, kind, most := "", "tried", maxTried
		if after.Proof != nil {
			kind, most = "proven", maxProven
		}
		if !after.blank() {
			text, err := json.Marshal(after)
			if err != nil {
				return Standing{}, err
			}
			is = string(text)
		}
		if is == was {
			return after, nil
		}
		done, err := scriptStanding.Run(ctx, r.client, []string{r.all, r.tried, r.proven}, field, was, is, time.Now().UnixMilli(), kind, most).Int()
		if err != nil {
			return Standing{}, failed(op, err)
		}
		if done == 1 {
			return after, nil
		}
	}
	return Standing{}, failed(op, errRaces)
}
