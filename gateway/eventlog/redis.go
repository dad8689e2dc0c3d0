package eventlog

import (
	"cmp"
	"context"
	"log/slog"
	"math/rand/v2"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/xuangate/xuangate/adapter/legacy"
)

// RedisOptions say where a Redis is and bound it. Dial is required; the rest works as zero value.
type RedisOptions struct {
	// Dial makes a client. The log closes those that it made. They should give up within a second or two on a server that
	// does not answer.
	Dial func() redis.UniversalClient
	// Prefix begins the names of all keys. Default "xuangate".
	Prefix string
	// Size is the most entries that Redis, and each node's memory, keep. Default 65,536.
	Size int
	// Bytes is about the most memory that entries may take in a node. Default 64 MiB.
	Bytes int
	// Age is how long Redis keeps an entry. Default 24 h.
	Age time.Duration
	// Log hears when Redis cannot be used, and when it can again. Default: nobody does.
	Log *slog.Logger

	patience time.Duration // other than patience
}

// patience is how long Redis may fail before a node goes on without it. Longer, and senders wait for their answers as long;
// shorter, and a pause of the network makes every client of the node reload.
const patience = 2 * time.Second

// Redis is a Log that several nodes share: one stream in Redis, which each node follows into a ring of its own. Readers read
// that memory; Redis is asked only for positions older than what it holds. Run must be running while it is used.
//
// Appending is one script, which does on Redis what Memory does under its lock. A position is the log's epoch, a key written
// with the stream's first entry, and the entry's id in the stream; it means the same on every node.
//
// Every entry names the one before it. So a node that follows knows that it has missed nothing, and that nothing it has told
// was lost: Redis replicates later than it answers, and a master that takes over may lack the latest entries. A node that
// finds this begins another log, and everybody's position is lost: readers are told to reload instead of missing something. What it
// appended itself and has not yet seen in the stream it appends again.
//
// While Redis cannot be reached a node goes on with a log of its own, in memory, that readers of the node do not notice the
// beginning of. When Redis is back, what was appended meanwhile is appended there, and positions of the meantime are lost.
type Redis struct {
	ring

	dial        func() redis.UniversalClient
	client      redis.UniversalClient // for all but following
	keys        []string
	keep, slack int
	age         time.Duration
	patience    time.Duration
	name        string // begins the names of this node's entries
	named       atomic.Uint64
	log         *slog.Logger
	appends     turns
	bells       *bells
	olds        chan struct{} // holds a token for each read of Redis under way
	lag         atomic.Int64
	begun       chan struct{} // closed once it is known whether Redis is there
	beginning   sync.Once

	state    sync.Mutex // taken before ring.mu
	away     error      // why Redis cannot be used; nil while it can
	gate     chan struct{}
	shut     bool // gate is open: appends wait for it to be closed
	pending  []*Entry
	overflow bool // there were more
	tail     redis.UniversalClient
	awaited  map[uint64][]chan struct{} // who waits for the ring to come to an offset
}

const (
	// maxPending bounds what a node keeps to append when Redis is back. With more, readers of the other nodes are told to
	// reload instead.
	maxPending = 10_000
	// maxOlds bounds the reads of Redis at once for positions that are older than the ring. Without it a thousand old clients
	// that come together have it read its whole stream a thousand times at once.
	maxOlds = 4
)

// NewRedis makes a log; it asks Redis nothing until Run does.
func NewRedis(o RedisOptions) *Redis {
	size := cmp.Or(o.Size, defaultSize)
	slack := min(size/64, 64) // one drop for that many appends; each entry of a drop costs Redis what its append did
	return &Redis{
		ring: newRing(newEpoch(), size+slack, cmp.Or(o.Bytes, defaultBytes)),
		dial: o.Dial, client: o.Dial(), keys: logKeys(cmp.Or(o.Prefix, "xuangate")),
		keep: size, slack: slack, age: cmp.Or(o.Age, 24*time.Hour), patience: cmp.Or(o.patience, patience),
		name:  strconv.FormatUint(rand.Uint64(), 36) + ".",
		log:   cmp.Or(o.Log, slog.New(slog.DiscardHandler)),
		olds:  make(chan struct{}, maxOlds),
		bells: newBells(), begun: make(chan struct{}), gate: make(chan struct{}), shut: true,
		awaited: map[uint64][]chan struct{}{},
	}
}

// Away says why Redis cannot be used at present; nil while it can.
func (l *Redis) Away() error {
	l.state.Lock()
	defer l.state.Unlock()
	return l.away
}

// Lag is how far this node was behind the stream when it last looked, which it does every second. While Redis is away it is
// what it was.
func (l *Redis) Lag() time.Duration { return time.Duration(l.lag.Load()) }

// Read implements Log. It asks Redis only about positions that the ring does not hold: older ones, and those of a node that
// is ahead of this one.
func (l *Redis) Read(ctx context.Context, u legacy.UserID, after Position, max int) ([]*Entry, Position, error) {
	if err := l.ready(ctx); err != nil {
		return nil, Position{}, err
	}
	list, at, s := l.read(u, after, max)
	switch {
	case s == within:
		return list, at, nil
	case s == foreign, l.Away() != nil:
		return nil, Position{}, ErrPositionLost
	case s == beyond:
		return l.readBeyond(ctx, after)
	}
	return l.readOlder(ctx, u, after, max)
}

// End implements Log: the end of what this node has heard.
func (l *Redis) End(ctx context.Context) (Position, error) {
	if err := l.ready(ctx); err != nil {
		return Position{}, err
	}
	return l.endAt(), nil
}

// ready waits until it is known whether Redis is there.
func (l *Redis) ready(ctx context.Context) error {
	select {
	case <-l.begun:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// known is the last entry heard of Redis.
func (l *Redis) known() Position {
	l.mu.RLock()
	defer l.mu.RUnlock()
	if l.earlier != (Position{}) {
		return l.earlier
	}
	return l.at(l.end)
}
