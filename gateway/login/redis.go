package login

import (
	"cmp"
	"context"
	"crypto/rand"
	_ "embed"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/xuangate/xuangate/adapter/legacy"
)

var (
	//go:embed redis_logins.lua
	luaLogins string
	//go:embed redis_create.lua
	luaCreate string
	//go:embed redis_replace.lua
	luaReplace string
	//go:embed redis_revoke.lua
	luaRevoke string
	//go:embed redis_dismiss.lua
	luaDismiss string

	scriptCreate  = redis.NewScript(luaLogins + luaCreate)
	scriptReplace = redis.NewScript(luaLogins + luaReplace)
	scriptRevoke  = redis.NewScript(luaLogins + luaRevoke)
	scriptDismiss = redis.NewScript(luaLogins + luaDismiss)
)

// Redis is a Store that several nodes share. It needs Redis 7.
//
// All that is known of a user's logins stands under one key, so whatever must happen in one step is one script, on a cluster
// too. Beside it each token's hash has a key that tells its user, on whatever node of a cluster. It is written before the
// login and never changes; one without a login opens nothing. So a node need not ask for it twice.
type Redis struct {
	client redis.UniversalClient
	prefix string
	seen   *seen
}

// RedisOptions are for NewRedis. Client is required, and the caller's to close; the rest works as zero value.
type RedisOptions struct {
	Client redis.UniversalClient
	// Prefix begins the names of all keys. Default "xuangate".
	Prefix string
	// Grace is how long a token that was found stays valid while Redis cannot be asked. Default 1 min.
	Grace time.Duration
}

// NewRedis makes a store; it asks Redis nothing.
func NewRedis(o RedisOptions) *Redis {
	return &Redis{client: o.Client, prefix: cmp.Or(o.Prefix, "xuangate"), seen: newSeen(cmp.Or(o.Grace, time.Minute))}
}

// userKey and secretKey have one hash tag, for a script may touch both.
func (r *Redis) userKey(u legacy.UserID) string   { return "{" + r.prefix + ":user:" + u.String() + "}" }
func (r *Redis) secretKey(u legacy.UserID) string { return r.userKey(u) + ":secret" }
func (r *Redis) tokenKey(h hash) string           { return r.prefix + ":token:" + h.String() }

// failed is an error of Redis as that of a store that cannot be asked.
func failed(op string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w: %w", op, ErrAway, err)
}

// Create implements Store.
func (r *Redis) Create(ctx context.Context, u legacy.UserID, platform int, expires time.Time) (Issued, error) {
	const op = "create a login"
	token := newToken()
	h, _ := token.hash()
	expires = time.UnixMicro(expires.UnixMicro()) // as it will be found
	l := Login{ID: h.loginID(), User: u, Platform: platform, Expires: expires, hash: h}
	ttl := max(time.Until(expires), time.Millisecond)
	if err := r.client.Set(ctx, r.tokenKey(h), u.String(), ttl).Err(); err != nil {
		return Issued{}, failed(op, err)
	}
	answer, err := scriptCreate.Run(ctx, r.client, []string{r.userKey(u), r.secretKey(u)},
		time.Now().UnixMicro(), expires.UnixMicro(), h.String(), platform, MaxPerUser).StringSlice()
	if err != nil {
		return Issued{}, failed(op, err)
	}
	ended, err := r.ended(u, answer)
	return Issued{Token: token, Login: l, Ended: ended}, err
}

// ended reads the logins that a script ended.
func (r *Redis) ended(u legacy.UserID, answer []string) (list []Login, err error) {
	for ; len(answer) >= 3; answer = answer[3:] {
		h, err := parseHash(answer[0])
		if err != nil {
			return nil, err
		}
		l, _, err := parseLogin(u, h, "0 "+answer[1]+" "+answer[2]+" -")
		if err != nil {
			return nil, err
		}
		r.seen.forget(h)
		list = append(list, l)
	}
	return list, nil
}

// Find implements Store. While Redis cannot be asked, a token that was found lately is taken to be valid still.
func (r *Redis) Find(ctx context.Context, t Token) (Login, error) {
	h, ok := t.hash()
	if !ok {
		return Login{}, ErrUnknown
	}
	u, err := r.userOf(ctx, r.tokenKey(h), h)
	if err != nil {
		return Login{}, err
	}
	return r.find(ctx, u, h)
}

// Check implements Store, as Find does.
func (r *Redis) Check(ctx context.Context, l Login) error {
	_, err := r.find(ctx, l.User, l.hash)
	return err
}

func (r *Redis) find(ctx context.Context, u legacy.UserID, h hash) (Login, error) {
	text, err := r.client.HGet(ctx, r.userKey(u), h.String()).Result()
	if err != nil && !errors.Is(err, redis.Nil) {
		if l, ok := r.seen.lately(h); ok {
			return l, nil
		}
		return Login{}, failed("find a login", err)
	}
	l, err := liveLogin(u, h, text)
	if err != nil {
		r.seen.forget(h)
		return Login{}, err
	}
	r.seen.add(h, l)
	return l, nil
}

// userOf tells whose a token or a ticket is, or was; key is where that stands.
func (r *Redis) userOf(ctx context.Context, key string, h hash) (legacy.UserID, error) {
	if l, ok := r.seen.login(h); ok {
		return l.User, nil
	}
	n, err := r.client.Get(ctx, key).Int64()
	if errors.Is(err, redis.Nil) {
		return 0, ErrUnknown
	}
	return legacy.UserID(n), failed("find whose a token is", err)
}

// Revoke implements Store.
func (r *Redis) Revoke(ctx context.Context, t Token) (Login, error) {
	const op = "revoke a login"
	h, ok := t.hash()
	if !ok {
		return Login{}, ErrUnknown
	}
	u, err := r.userOf(ctx, r.tokenKey(h), h)
	if err != nil {
		return Login{}, err
	}
	text, err := scriptRevoke.Run(ctx, r.client, []string{r.userKey(u)}, h.String(), rand.Text()).Text()
	if err != nil {
		return Login{}, failed(op, err)
	}
	r.seen.forget(h)
	return liveLogin(u, h, text)
}

// Replace implements Store.
func (r *Redis) Replace(ctx context.Context, u legacy.UserID) ([]Login, error) {
	answer, err := scriptReplace.Run(ctx, r.client, []string{r.userKey(u)}, time.Now().UnixMicro(), rand.Text(), MaxPerUser).StringSlice()
	if err != nil {
		return nil, failed("end a user's logins", err)
	}
	return r.ended(u, answer)
}

// Dismiss implements Store.
func (r *Redis) Dismiss(ctx context.Context, u legacy.UserID, platforms ...int) ([]Login, error) {
	args := []any{time.Now().UnixMicro(), rand.Text()}
	for _, p := range platforms {
		args = append(args, p)
	}
	answer, err := scriptDismiss.Run(ctx, r.client, []string{r.userKey(u)}, args...).StringSlice()
	if err != nil {
		return nil, failed("dismiss a user's logins", err)
	}
	return r.ended(u, answer)
}

// Live implements Store.
func (r *Redis) Live(ctx context.Context, u legacy.UserID) (bool, error) {
	all, err := r.client.HGetAll(ctx, r.userKey(u)).Result()
	if err != nil {
		return false, failed("look for a user's logins", err)
	}
	for field, text := range all {
		if h, err := parseHash(field); err == nil {
			if _, err := liveLogin(u, h, text); err == nil {
				return true, nil
			}
		}
	}
	return false, nil
}

// Keep implements Store. What is kept ends with the user's last login at the latest.
func (r *Redis) Keep(ctx context.Context, u legacy.UserID, sealed []byte) error {
	return failed("keep a secret", r.client.Set(ctx, r.secretKey(u), sealed, redis.KeepTTL).Err())
}

// Kept implements Store.
func (r *Redis) Kept(ctx context.Context, u legacy.UserID) ([]byte, error) {
	sealed, err := r.client.Get(ctx, r.secretKey(u)).Bytes()
	if errors.Is(err, redis.Nil) {
		return nil, nil
	}
	return sealed, failed("read a secret", err)
}

// Forget implements Store.
func (r *Redis) Forget(ctx context.Context, u legacy.UserID) error {
	return failed("forget a secret", r.client.Del(ctx, r.secretKey(u)).Err())
}
