package soak

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/time/rate"

	"github.com/xuangate/xuangate/test/xuanxuan"
)

// patience is how long a thing that should happen may take. It is never waited out where all is well, however busy the machine is.
const patience = time.Minute

const (
	visitors = 3  // visits at a time to one gateway
	people   = 24 // accounts of visitors; with few of them each comes back before all that is kept of it is forgotten
)

// A site is a gateway before a chat server, with those who use it.
type site struct {
	t     *testing.T
	mode  string
	slow  bool
	at    addresses
	ttl   time.Duration // of a token
	limit *rate.Limiter // requests of all
	ops   *http.Client

	visits atomic.Int64
	groups sync.Map     // of each pair's host, what they have made
	heard  atomic.Int64 // events

	mu    sync.Mutex
	wrong []string // what should not have happened
}

// newSite starts a chat server whose calls take delay longer than they need to, and a gateway before it.
func newSite(t *testing.T, mode string, delay, ttl time.Duration, perSecond float64) *site {
	dir := t.TempDir()
	behind := launch(t, task{Role: "legacy", Mode: mode, Dir: dir, Delay: delay, People: people})
	s := &site{t: t, mode: mode, slow: delay > 0, ttl: ttl, limit: rate.NewLimiter(rate.Limit(perSecond), 1), ops: &http.Client{Timeout: patience}}
	s.at = launch(t, task{Role: "gateway", Mode: mode, Dir: dir, Legacy: behind, TokenTTL: ttl})
	return s
}

func (s *site) String() string {
	if s.slow {
		return "mode " + s.mode + ", slow chat server"
	}
	return "mode " + s.mode
}

// fault notes that something went wrong.
func (s *site) fault(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.wrong) < 100 { // the first ones tell most
		s.wrong = append(s.wrong, fmt.Sprintf(format, args...))
	}
}

func (s *site) faults() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.wrong)
}

// use has people use the gateway until over is closed, and what they have begun by then is done.
func (s *site) use(ctx context.Context, over <-chan struct{}, pace time.Duration) {
	var all sync.WaitGroup
	all.Go(func() { s.reside(ctx, over, pace) })
	pairs := make(chan [2]string, people/2)
	for i := range people / 2 {
		pairs <- [2]string{account(2 * i), account(2*i + 1)}
	}
	for range visitors {
		all.Go(func() {
			for {
				pair := <-pairs
				n := s.visits.Add(1) - 1
				if err := s.visit(ctx, int(n), pair[0], pair[1]); err != nil {
					s.fault("visit %d: %v", n, err)
				}
				pairs <- pair
				select {
				case <-over:
					return
				default:
				}
			}
		})
	}
	all.Wait()
}

// password is everybody's.
const password = xuanxuan.DemoPassword
