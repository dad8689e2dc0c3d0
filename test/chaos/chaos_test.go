package chaos

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/xuangate/xuangate/gen/model"
	"github.com/xuangate/xuangate/test/redisd"
	"github.com/xuangate/xuangate/test/xuanxuan"
)

var (
	firstSeed = flag.Uint64("seed", 0, "of the first round; 0: one that nobody knows before")
	rounds    = flag.Int("rounds", 3, "how many rounds")
)

const (
	conversations = 3
	people        = 4  // demo users who talk, each from one place, and listen on three
	each          = 25 // messages that each says, besides the last one
	pace          = 150 * time.Millisecond
	settled       = 90 * time.Second // for all that is said to arrive, once nothing is harmed any more
)

// A round is one installation, what happens on it, and what came of it.
type round struct {
	t    *testing.T
	rand *rand.Rand
	kind kind

	redis    *redisd.Server
	cluster  *redisd.Cluster
	xxb, xxd *process
	backend  string // URL of xxb
	behind   string // URL of what nodes ask: xxb or xxd
	nodes    []*process
	site     *site
	rooms    []string
	writers  []*writer
	readers  []*reader
	happened map[string]int
	ts       *typescript // nil where nobody speaks through it
}

// A kind is how an installation is made.
type kind struct {
	mode  string
	nodes int
	redis string // none, single or cluster
}

func (k kind) String() string {
	return fmt.Sprintf("mode %s, %d nodes, redis %s", k.mode, k.nodes, k.redis)
}

var kinds = []kind{{"xxb", 2, "single"}, {"xxd", 1, "none"}, {"xxb", 3, "cluster"}, {"xxd", 1, "single"}, {"xxb", 1, "none"}, {"xxd", 2, "single"}, {"xxd", 3, "cluster"}}

func TestChaos(t *testing.T) {
	seed := *firstSeed
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	var all verdict
	happened := map[string]int{}
	for i := range *rounds {
		seed := seed + uint64(i)
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			r := newRound(t, seed)
			v := r.play()
			all.add(v)
			for name, n := range r.happened {
				happened[name] += n
			}
			t.Logf("seed %d: %s: %d stored, %d delivered, %d resets, %v", seed, r.kind, v.stored, v.delivered, v.resets, r.happened)
			require.Empty(t, v.faults(), "seed %d", seed)
		})
	}
	t.Logf("%d rounds: %d messages stored, %d delivered, %d resets; lost %d, doubled %d, out of order %d, stored twice %d; %v",
		*rounds, all.stored, all.delivered, all.resets, len(all.lost), len(all.doubled), len(all.inverted), len(all.twice), happened)
}

// newRound builds the installation that a seed names.
func newRound(t *testing.T, seed uint64) *round {
	in := &round{t: t, rand: rand.New(rand.NewPCG(seed, 0)), happened: map[string]int{}}
	in.build(kinds[seed%uint64(len(kinds))])
	return in
}

// build starts the servers of an installation.
func (in *round) build(k kind) {
	t := in.t
	in.kind = k
	xxb := freeAddr(t)
	data := instructions{Role: "xxb", Addr: xxb, Data: filepath.Join(t.TempDir(), "xxb.db")}
	if in.kind.mode == "v1" {
		data.Role, data.ChatAddr = "v1", freeAddr(t)
	}
	in.xxb = launch(t, data.Role, data)
	in.backend = "http://" + xxb + xuanxuan.Path
	in.site = &site{http: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}}
	t.Cleanup(in.site.http.CloseIdleConnections)
	in.behind = cmp.Or(data.ChatAddr, in.backend)
	if in.kind.mode == "xxd" {
		addr := freeAddr(t)
		in.xxd = launch(t, "xxd", instructions{Role: "xxd", Addr: addr, ChatAddr: freeAddr(t), Backend: in.backend})
		in.behind = "http://" + addr
	}
	var shared []string
	switch in.kind.redis {
	case "single":
		// What it keeps on disk outlives it; without that, all is lost when it is killed.
		in.redis = redisd.Start(t, "--appendonly", []string{"yes", "no"}[in.rand.IntN(2)])
		shared = []string{in.redis.Addr}
	case "cluster":
		in.cluster = redisd.StartCluster(t)
		for _, s := range in.cluster.Nodes {
			shared = append(shared, s.Addr)
		}
	}
	for i := range in.kind.nodes {
		addr := freeAddr(t)
		in.nodes = append(in.nodes, launch(t, fmt.Sprint("node ", i), instructions{Role: "node", Addr: addr, Mode: in.kind.mode, Legacy: in.behind, Redis: shared}))
		in.site.nodes = append(in.site.nodes, "http://"+addr)
	}
}

// play has people talk and listen while things go wrong, mends all, waits until everything has arrived, and judges.
func (in *round) play() verdict {
	ctx, cancel := context.WithTimeout(in.t.Context(), 5*time.Minute)
	defer cancel()
	in.populate(ctx)
	listening, hangUp := context.WithCancel(ctx)
	defer hangUp()
	var ears, harm, talk errgroup.Group
	for _, r := range in.readers {
		ears.Go(func() error { r.listens(listening); return nil })
	}
	in.await("to begin", func(r *reader) bool { return r.begun() })

	begun := time.Now()
	harming, mend := context.WithCancel(ctx)
	harm.Go(func() error { in.harm(harming); return nil })
	for _, w := range in.writers {
		talk.Go(func() error { return w.run(ctx, each, pace) })
	}
	err := talk.Wait()
	in.t.Logf("talked for %s", time.Since(begun).Round(time.Second))
	mend()
	_ = harm.Wait()
	require.NoError(in.t, err)
	for _, room := range in.rooms { // so that it shows if a conversation went silent
		require.NoError(in.t, in.writers[0].say(ctx, room, "last in "+room))
	}
	truth, err := stored(ctx, in.backend, in.rooms)
	require.NoError(in.t, err)
	in.await("for all that was said", func(r *reader) bool {
		for _, room := range truth {
			for _, content := range room {
				if !r.knows(content) {
					return false
				}
			}
		}
		return true
	})
	for _, w := range in.writers {
		for _, c := range w.conflicts {
			in.t.Logf("%s", c)
		}
	}
	in.t.Logf("all heard after %s", time.Since(begun).Round(time.Second))
	hangUp()
	_ = ears.Wait()
	return judge(truth, in.writers, in.readers)
}

// populate signs people in, makes conversations of them all, and has each listen on every transport.
func (in *round) populate(ctx context.Context) {
	var members []string
	var first *client
	for i := range people {
		u := xuanxuan.DemoUsers()[i]
		c := in.client(u.Account, 1)
		if first == nil {
			first = c
		}
		members = append(members, fmt.Sprint(u.ID))
		in.writers = append(in.writers, newWriter(c))
	}
	for i := range conversations {
		var made model.ConversationRef
		body := map[string]any{"conversation_type": 0, "name": fmt.Sprint("room ", i), "members": members}
		require.NoError(in.t, first.call(ctx, "/create_conversation", body, &made, nil))
		in.rooms = append(in.rooms, made.ConversationId)
	}
	for i, w := range in.writers {
		w.rooms = in.rooms
		in.writer(w)
		for j, p := range protocols {
			in.readers = append(in.readers, in.reader(newReader(in.client(in.writers[i].account, 2+j), p, in.rooms)))
		}
	}
}

func (in *round) client(account string, platform int) *client {
	return &client{site: in.site, account: account, platform: platform, rand: rand.New(rand.NewPCG(in.rand.Uint64(), 0))}
}

// harm does one harm after the other, two at a time now and then, until ctx ends; then all is mended.
func (in *round) harm(ctx context.Context) {
	list := in.faults()
	for ctx.Err() == nil {
		shortly(ctx, in.rand, 100*time.Millisecond, time.Second)
		f := pick(in.rand, list)
		in.happened[f.name]++
		f.do(ctx, in.rand, in)
	}
}

// await waits until all readers are as they should be, or as long as that may take.
func (in *round) await(what string, done func(*reader) bool) {
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	limit := time.NewTimer(settled)
	defer limit.Stop()
	for {
		var left []string
		for _, r := range in.readers {
			if !done(r) {
				left = append(left, r.String())
			}
		}
		if len(left) == 0 {
			return
		}
		select {
		case <-again.C:
		case <-limit.C:
			in.t.Logf("%s wait in vain %s", strings.Join(left, ", "), what)
			return
		}
	}
}
