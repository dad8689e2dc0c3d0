package gateway

import (
	"container/list"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/xuangate/xuangate/gateway/login"
	"github.com/xuangate/xuangate/gen/model"
)

// A Rate is so many requests a second, and so many at once after a quiet time. Without a rate there is no limit.
type Rate struct {
	PerSecond float64
	Burst     int
}

// LimitsConfig bounds requests by who makes them. The zero value bounds none. A limit is this node's own: n nodes let n
// times as much through.
type LimitsConfig struct {
	Token   Rate // of one token
	Address Rate // from one client address, or one /64 of IPv6
	SignIn  Rate // at /login, from one such address
	Account Rate // at /login, to one account from one such address; a user elsewhere must not suffer from it
}

// Limits are token buckets: for each token, client address and account its own. All methods may be used from any goroutine.
type Limits struct {
	tokens    *buckets[string]
	addresses *buckets[netip.Prefix]
	signIns   *buckets[netip.Prefix]
	accounts  *buckets[accountAt]
}

// NewLimits makes full buckets. hit is told of each request that is refused, by the setting that limits it.
func NewLimits(c LimitsConfig, hit func(limit string)) *Limits {
	l := &Limits{
		tokens: newBuckets[string]("token_rate", hit), addresses: newBuckets[netip.Prefix]("address_rate", hit),
		signIns: newBuckets[netip.Prefix]("sign_in_rate", hit), accounts: newBuckets[accountAt]("account_rate", hit),
	}
	l.Set(c)
	return l
}

// Set changes the limits at once. Those that differ begin with full buckets.
func (l *Limits) Set(c LimitsConfig) {
	l.tokens.set(c.Token)
	l.addresses.set(c.Address)
	l.signIns.set(c.SignIn)
	l.accounts.set(c.Account)
}

// address lets a request of a client address pass.
func (l *Limits) address(from netip.Addr) error {
	return l.addresses.take(network(from), "your address makes too many requests; slow down")
}

// token lets a request of a login pass.
func (l *Limits) token(id string) error {
	return l.tokens.take(id, "this token makes too many requests; slow down")
}

// signIn lets a try to sign in to an account pass.
func (l *Limits) signIn(from netip.Addr, account string) error {
	if err := l.signIns.take(network(from), "your address signs in too often; try again later"); err != nil {
		return err
	}
	return l.accounts.take(accountAt{login.KeyOf(account), network(from)}, "your address signs in to this account too often; keep the token you have")
}

// accountAt is an account, tried from one address.
type accountAt struct {
	account login.AccountKey
	from    netip.Prefix
}

// maxBuckets bounds each kind of bucket: those that were used longest ago go first, full or not. Without it whoever has many
// addresses fills the memory; with it, 100,000 of them are needed for a bucket to be forgotten before it is full.
const maxBuckets = 100_000

// buckets are the token buckets of one kind, the one used last first.
type buckets[K comparable] struct {
	name string
	hit  func(limit string)

	mu    sync.Mutex
	rate  Rate
	byKey map[K]*list.Element
	order *list.List // of bucket[K]
}

type bucket[K comparable] struct {
	key     K
	limiter *rate.Limiter
}

func newBuckets[K comparable](name string, hit func(limit string)) *buckets[K] {
	return &buckets[K]{name: name, hit: hit, byKey: map[K]*list.Element{}, order: list.New()}
}

func (b *buckets[K]) set(r Rate) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.rate == r {
		return
	}
	b.rate = r
	b.order.Init()
	clear(b.byKey)
}

// take takes one from the key's bucket, or says when there will be one.
func (b *buckets[K]) take(key K, why string) error {
	limiter := b.of(key)
	if limiter == nil {
		return nil
	}
	now := time.Now()
	one := limiter.ReserveN(now, 1)
	wait := one.DelayFrom(now)
	if wait == 0 {
		return nil
	}
	one.CancelAt(now)
	b.hit(b.name)
	err := refuse(model.TooManyRequests, "%s", why)
	err.RetryAfter = wait
	return err
}

// of is the key's bucket, or nil where nothing is limited.
func (b *buckets[K]) of(key K) *rate.Limiter {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.rate.PerSecond <= 0 {
		return nil
	}
	if e := b.byKey[key]; e != nil {
		b.order.MoveToFront(e)
		return e.Value.(bucket[K]).limiter
	}
	limiter := rate.NewLimiter(rate.Limit(b.rate.PerSecond), max(b.rate.Burst, 1))
	b.byKey[key] = b.order.PushFront(bucket[K]{key, limiter})
	if b.order.Len() > maxBuckets {
		delete(b.byKey, b.order.Remove(b.order.Back()).(bucket[K]).key)
	}
	return limiter
}
