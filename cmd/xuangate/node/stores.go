package node

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/xuangate/xuangate/adapter"
	"github.com/xuangate/xuangate/adapter/claims"
	"github.com/xuangate/xuangate/adapter/inline"
	"github.com/xuangate/xuangate/gateway"
	"github.com/xuangate/xuangate/gateway/eventlog"
	"github.com/xuangate/xuangate/gateway/login"
	"github.com/xuangate/xuangate/gateway/metrics"
)

// stores are what nodes share where there is a Redis, and this node's memory where there is none.
type stores struct {
	events eventlog.Log
	logins login.Store
	guard  *login.Guard
	claims adapter.Claims // nil where nothing is shared
	name   string         // this process among those that share; empty where nothing is shared
	nodes  *gateway.Nodes // the others, where users' links are one node's each; nil elsewhere
	away   func() error   // why what is shared cannot be reached; nil where nothing is shared

	leases *gateway.Leases
	active adapter.Claims  // to be the chat servers' backend in mode inline; nil elsewhere
	repair *inline.Shared  // what the next one is to know there
	log    *eventlog.Redis // events, where it is shared
	client redis.UniversalClient
}

func (c Config) stores(log *slog.Logger) (*stores, error) {
	if !c.Redis.shared() {
		return &stores{
			events: eventlog.NewMemory(eventlog.MemoryOptions{Size: c.EventLog.Size, Bytes: c.EventLog.Bytes}),
			logins: login.NewMemory(),
			guard:  login.NewGuard(login.NewMemoryStandings()),
		}, nil
	}
	dial, err := c.Redis.dialer()
	if err != nil {
		return nil, err
	}
	client := dial()
	events := eventlog.NewRedis(eventlog.RedisOptions{
		Dial: dial, Prefix: c.Redis.Prefix, Size: c.EventLog.Size, Bytes: c.EventLog.Bytes, Age: c.EventLog.Age, Log: log,
	})
	logins := login.NewRedis(login.RedisOptions{Client: client, Prefix: c.Redis.Prefix, Grace: c.Redis.TokenGrace})
	name := rand.Text()
	holder := gateway.NodeName(name, c.Node.AdvertiseURL)
	shared := claims.NewRedis(client, c.Redis.Prefix, holder)
	leases := gateway.NewLeases(client, c.Redis.Prefix, name)
	var nodes *gateway.Nodes
	var active adapter.Claims
	var repair *inline.Shared
	switch c.Legacy.Mode {
	case "xxb":
	case "inline":
		active = claims.NewRedis(client, c.Redis.Prefix, gateway.NodeName(name, c.Legacy.Inline.advertised()))
		repair = inline.NewShared(client, c.Redis.Prefix)
	default:
		leases = nil // a user is at the node that holds the link
		if nodes, err = gateway.NewNodes(holder, string(c.SecretKey)); err != nil {
			return nil, errors.Join(err, client.Close())
		}
	}
	guard := login.NewGuard(login.NewRedisStandings(client, c.Redis.Prefix))
	return &stores{guard: guard, claims: shared, nodes: nodes, leases: leases, active: active, repair: repair, name: name + ".", events: events, logins: logins, away: events.Away, log: events, client: client}, nil
}

// watch adds what is to be known of Redis to a State, where there is one.
func (s *stores) watch(to *metrics.State) {
	if s.log == nil {
		return
	}
	to.Away, to.Lag = s.log.Away, s.log.Lag
	to.Ping = func(ctx context.Context) error { return s.client.Ping(ctx).Err() }
}

// first says whether this node may set everybody offline when it starts: others that share the Redis may have users online, or
// start at the same moment.
func (s *stores) first(ctx context.Context) bool {
	if s.leases == nil {
		return true
	}
	ctx, cancel := context.WithTimeout(ctx, 2*redisTimeout)
	defer cancel()
	if anybody, err := s.leases.Anybody(ctx); err != nil || anybody {
		return false
	}
	_, err := s.claims.Take(ctx, "serverStart", time.Minute)
	return err == nil
}

// heard tells the guard of sign-ins that it did not see.
func (s *stores) heard(log *slog.Logger) func(ctx context.Context, account string, good bool) {
	return func(ctx context.Context, account string, good bool) {
		ctx, cancel := context.WithTimeout(ctx, redisTimeout)
		defer cancel()
		tell := s.guard.Heard
		if !good {
			tell = s.guard.Missed
		}
		if err := tell(ctx, account); err != nil {
			log.WarnContext(ctx, "could not note a sign-in to the chat server", "error", err)
		}
	}
}

// open begins to follow what is shared, and returns what ends that: all that uses the stores must have ended before.
func (s *stores) open(ctx context.Context) (shut func() error) {
	if s.log == nil {
		return func() error { return nil }
	}
	ctx, end := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan error, 1)
	go func() { ended <- s.log.Run(ctx) }()
	return func() error {
		end()
		s.nodes.Close()
		return errors.Join(<-ended, s.client.Close())
	}
}
