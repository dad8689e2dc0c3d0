package chaos

import (
	"context"
	"math/rand/v2"
	"syscall"
	"time"

	"github.com/xuangate/xuangate/gen/model"
)

// A fault does harm and mends it again; it returns once that is done.
type fault struct {
	name string
	do   func(ctx context.Context, r *rand.Rand, in *round)
}

// shortly waits for a random time between two.
func shortly(ctx context.Context, r *rand.Rand, least, most time.Duration) {
	t := time.NewTimer(least + time.Duration(r.Int64N(int64(most-least))))
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// restart ends a process by a signal and starts it again after a while.
func restart(ctx context.Context, r *rand.Rand, p *process, s syscall.Signal, away time.Duration) {
	p.signal(s)
	p.wait()
	shortly(ctx, r, away/10, away)
	if err := p.start(); err != nil {
		p.t.Error(err)
	}
}

// freeze stops a process for a while, as a machine under load does.
func freeze(ctx context.Context, r *rand.Rand, p *process, least, most time.Duration) {
	p.signal(syscall.SIGSTOP)
	shortly(ctx, r, least, most)
	p.signal(syscall.SIGCONT)
}

func pick[T any](r *rand.Rand, list []T) T { return list[r.IntN(len(list))] }

// faults are those that an installation can have.
func (in *round) faults() []fault {
	list := []fault{
		{"node killed", func(ctx context.Context, r *rand.Rand, in *round) {
			restart(ctx, r, pick(r, in.nodes), syscall.SIGKILL, time.Second)
		}},
		{"node ended", func(ctx context.Context, r *rand.Rand, in *round) {
			restart(ctx, r, pick(r, in.nodes), syscall.SIGTERM, time.Second)
		}},
		{"node paused", func(ctx context.Context, r *rand.Rand, in *round) {
			freeze(ctx, r, pick(r, in.nodes), 200*time.Millisecond, 3*time.Second)
		}},
		{"xxb killed", func(ctx context.Context, r *rand.Rand, in *round) {
			restart(ctx, r, in.xxb, syscall.SIGKILL, time.Second)
		}},
		{"xxb paused", func(ctx context.Context, r *rand.Rand, in *round) {
			freeze(ctx, r, in.xxb, 100*time.Millisecond, 4*time.Second)
		}},
		{"connections cut", func(_ context.Context, r *rand.Rand, in *round) {
			for _, one := range in.readers {
				if r.IntN(2) == 0 {
					one.cutOff()
				}
			}
		}},
		{"reader stalled", func(_ context.Context, r *rand.Rand, in *round) {
			pick(r, in.readers).stallFor(time.Duration(r.IntN(3000)) * time.Millisecond)
		}},
	}
	if in.redis != nil {
		list = append(list, fault{"redis killed", func(ctx context.Context, r *rand.Rand, in *round) {
			in.redis.Kill()
			shortly(ctx, r, 100*time.Millisecond, 2*time.Second)
			in.redis.Start()
		}}, fault{"redis paused", func(ctx context.Context, r *rand.Rand, in *round) {
			in.redis.Pause()
			shortly(ctx, r, 100*time.Millisecond, 3*time.Second)
			in.redis.Resume()
		}})
	}
	if in.cluster != nil {
		list = append(list, fault{"cluster failed over", func(ctx context.Context, r *rand.Rand, in *round) {
			master := in.cluster.Master("{xuangate}")
			master.Kill()
			shortly(ctx, r, 3*time.Second, 5*time.Second) // its replica takes over after two or three
			master.Start()
			in.cluster.Settled()
		}})
	}
	if in.xxd != nil {
		list = append(list, fault{"xxd killed", func(ctx context.Context, r *rand.Rand, in *round) {
			restart(ctx, r, in.xxd, syscall.SIGKILL, time.Second)
		}}, fault{"xxd paused", func(ctx context.Context, r *rand.Rand, in *round) {
			freeze(ctx, r, in.xxd, 100*time.Millisecond, 3*time.Second)
		}})
	}
	return list
}

func (r *reader) cutOff() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.cut != nil {
		r.cut()
	}
	if r.line != nil {
		r.line.cut()
	}
}

func (r *reader) stallFor(d time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stall = time.Now().Add(d)
	if r.line != nil {
		r.line.stallFor(d)
	}
}

var protocols = []model.Protocol{model.ProtocolSse, model.ProtocolWs, model.ProtocolPoll}
