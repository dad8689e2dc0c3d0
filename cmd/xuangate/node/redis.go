package node

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	// redisTimeout is how long Redis may take to connect and to answer. Longer than a slow network, shorter than a client waits
	// for us: a node goes on without Redis when it does not answer.
	redisTimeout = time.Second
	// redisReload is how often a cluster is asked which node serves what. go-redis asks once a minute, and not when a node is
	// gone: after a failover it would go on asking the dead one for as long.
	redisReload = time.Second
	// redisVersion is the oldest that has what the scripts use (PEXPIRETIME).
	redisVersion = 7
)

// Redis is what several nodes share. Without an address a node shares nothing and keeps everything in memory.
type Redis struct {
	Addr                 []string      `help:"HOST:PORT of a Redis 7, that several nodes share; of some nodes of a cluster; or of the sentinels, with redis.master_name. Empty: this node stands alone and keeps tokens and events in memory."`
	Cluster              bool          `help:"Whether a single address is that of a cluster; several addresses without redis.master_name are one."`
	MasterName           string        `help:"Name of the master that the sentinels watch over."`
	Username             string        `help:"User of Redis."`
	Password             Secret        `help:"That user's password, or the one of the server."`
	PasswordFile         SecretFile    `help:"File that holds redis.password."`
	SentinelPassword     Secret        `help:"Password of the sentinels."`
	SentinelPasswordFile SecretFile    `help:"File that holds redis.sentinel_password."`
	DB                   int           `help:"Number of the database; a cluster has 0 only."`
	TLS                  bool          `help:"Whether Redis is spoken to over TLS."`
	CAFile               string        `help:"PEM file of the authority that signed the certificate of Redis, for redis.tls. Empty: the system's authorities."`
	Prefix               string        `default:"xuangate" help:"What all keys begin with; another one for each deployment that shares the Redis."`
	TokenGrace           time.Duration `default:"1m" help:"How long a token that was used lately stays valid while Redis cannot be reached, 0s to 1h."`
}

func (r Redis) shared() bool { return len(r.Addr) > 0 }

func (r Redis) clustered() bool { return r.MasterName == "" && (r.Cluster || len(r.Addr) > 1) }

func (r Redis) validate(f *faults) {
	if !r.shared() {
		return
	}
	for _, addr := range r.Addr {
		host, port, err := net.SplitHostPort(addr)
		if n, err2 := strconv.ParseUint(port, 10, 16); err != nil || err2 != nil || host == "" || n == 0 {
			f.add("redis.addr", "%q is no address of a Redis; write HOST:PORT, such as 10.0.0.6:6379", addr)
		}
	}
	switch {
	case r.DB < 0:
		f.add("redis.db", "is %d, want 0 or more", r.DB)
	case r.clustered() && r.DB != 0:
		f.add("redis.db", "is %d; a cluster has database 0 only", r.DB)
	}
	if r.Cluster && r.MasterName != "" {
		f.add("redis.cluster", "is set beside redis.master_name; a Redis is either a cluster or watched over by sentinels")
	}
	if r.SentinelPassword != "" && r.MasterName == "" {
		f.add("redis.sentinel_password", "is set without redis.master_name")
	}
	if r.CAFile != "" && !r.TLS {
		f.add("redis.ca_file", "is set without redis.tls")
	} else if _, err := r.tls(); err != nil {
		f.add("redis.ca_file", "%s", err)
	}
	if r.Prefix == "" || strings.ContainsAny(r.Prefix, "{} ") || len(r.Prefix) > 64 {
		f.add("redis.prefix", "%q is none; write 1 to 64 characters without blanks and braces", r.Prefix)
	}
	f.between("redis.token_grace", r.TokenGrace, 0, time.Hour)
}

func (r Redis) tls() (*tls.Config, error) {
	if !r.TLS {
		return nil, nil
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if r.CAFile == "" {
		return c, nil
	}
	pem, err := os.ReadFile(r.CAFile)
	if err != nil {
		return nil, err
	}
	c.RootCAs = x509.NewCertPool()
	if !c.RootCAs.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s holds no certificate", r.CAFile)
	}
	return c, nil
}

// dialer makes what makes clients.
func (r Redis) dialer() (dial func() redis.UniversalClient, err error) {
	t, err := r.tls()
	if err != nil {
		return nil, fmt.Errorf("redis.ca_file: %w", err)
	}
	return func() redis.UniversalClient {
		o := &redis.UniversalOptions{
			Addrs: r.Addr, MasterName: r.MasterName, DB: r.DB, TLSConfig: t,
			Username: r.Username, Password: string(r.Password), SentinelPassword: string(r.SentinelPassword),
			DialTimeout: redisTimeout, ReadTimeout: redisTimeout, WriteTimeout: redisTimeout,
			ContextTimeoutEnabled: true, DialerRetries: 1,
		}
		if r.clustered() {
			c := o.Cluster()
			c.ClusterStateReloadInterval = redisReload
			return redis.NewClusterClient(c)
		}
		return redis.NewUniversalClient(o)
	}, nil
}

// go-redis' own log is switched off, before there is a client: what it says of each connection, the event log says once.
func init() { redis.SetLogger(silent{}) }

type silent struct{}

func (silent) Printf(context.Context, string, ...any) {}

// check tries Redis: does it answer, is it new enough, would it throw away what we keep.
func (r Redis) check(ctx context.Context) []Finding {
	dial, err := r.dialer()
	if err != nil {
		return []Finding{{true, err.Error()}}
	}
	client := dial()
	defer client.Close()
	ctx, cancel := context.WithTimeout(ctx, 5*redisTimeout)
	defer cancel()
	var found []Finding
	for _, addr := range r.Addr {
		if r.TLS {
			found = append(found, expiring(ctx, "redis.addr: "+addr, addr, redisTimeout)...)
		}
	}
	info, err := client.InfoMap(ctx, "server", "memory").Result()
	if err != nil {
		return append(found, Finding{true, "redis.addr: " + r.unreachable(err).Error()})
	}
	version := info["Server"]["redis_version"]
	major, _, _ := strings.Cut(version, ".")
	if n, err := strconv.Atoi(major); err != nil || n < redisVersion {
		return append(found, Finding{true, fmt.Sprintf("redis.addr: Redis is version %q, want %d or newer", version, redisVersion)})
	}
	found = append(found, Finding{false, "redis.addr: Redis answers, version " + version})
	if policy := info["Memory"]["maxmemory_policy"]; policy != "noeviction" && info["Memory"]["maxmemory"] != "0" {
		found = append(found, Finding{false, "redis.addr: Redis throws keys away when its memory is full (maxmemory-policy " + policy +
			"), so users may be signed out and events lost; set noeviction"})
	}
	if now, err := client.Time(ctx).Result(); err == nil {
		found = append(found, skewed("redis.addr: the clock of Redis", time.Until(now))...)
	}
	return found
}

// unreachable says what a failed request of Redis means for the one who sets the address.
func (r Redis) unreachable(err error) error {
	switch text := err.Error(); {
	case strings.HasPrefix(text, "NOAUTH"), strings.HasPrefix(text, "WRONGPASS"):
		return errors.New("Redis wants another password; set redis.password, and redis.username if it has users")
	case strings.Contains(text, "cluster support disabled"):
		return errors.New("that is no cluster; give one address, or redis.master_name with those of sentinels")
	case strings.HasPrefix(text, "MOVED"):
		return errors.New("that is a node of a cluster; set redis.cluster")
	case errors.Is(err, context.DeadlineExceeded), strings.Contains(text, "i/o timeout"):
		return fmt.Errorf("no answer within %s; is the address right, does a firewall stand between, is redis.tls as Redis has it?", 5*redisTimeout)
	}
	return unreachable(err, redisTimeout)
}
