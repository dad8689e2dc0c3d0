package bench

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/xuangate/xuangate/adapter"
	"github.com/xuangate/xuangate/adapter/legacy"
	"github.com/xuangate/xuangate/gateway/eventlog"
	"github.com/xuangate/xuangate/gen/model"
	"github.com/xuangate/xuangate/test/redisd"
)

// BenchmarkSharedFanout is BenchmarkFanout's gateway with its events in Redis, over the same one with its events in memory:
// deliveries per second (target at least 0.8), and how often Redis wrote for a message to a group of 1,000 (target 1).
func BenchmarkSharedFanout(b *testing.B) {
	for _, transport := range []string{"sse", "ws"} {
		b.Run(transport, func(b *testing.B) {
			r := redisd.Start(b)
			shared, alone := run(b, "shared", r.Addr), run(b, "instant", "")
			ours, send := crowd(b, shared, transport)
			theirs, sendAlone := crowd(b, alone, transport)
			ours.first(b, send)
			theirs.first(b, sendAlone)
			var a, z fanout
			sent, written := 0, r.Calls("xadd")
			for range b.N {
				for range 5 {
					ours.round(b, shared, send, &a)
					theirs.round(b, alone, sendAlone, &z)
					sent += messages
				}
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(a.rate(), "deliveries/s-redis")
			b.ReportMetric(z.rate(), "deliveries/s-memory")
			b.ReportMetric(a.rate()/z.rate(), "x-deliveries")
			b.ReportMetric(a.cost()/z.cost(), "x-cpu")
			b.ReportMetric(float64(r.Calls("xadd")-written)/float64(sent), "writes/message")
		})
	}
}

// BenchmarkSharedLog appends to a log in Redis until every node has heard it: what ten times the members cost, and ten
// times the nodes. Redis' own CPU time is beside it.
func BenchmarkSharedLog(b *testing.B) {
	for _, members := range []int{10, 100, 1000} {
		for _, nodes := range []int{1, 10} {
			b.Run(fmt.Sprintf("members=%d/nodes=%d", members, nodes), func(b *testing.B) {
				r := redisd.Start(b)
				logs := follow(b, r, nodes)
				to := make([]legacy.UserID, members)
				for i := range to {
					to[i] = legacy.UserID(i + 1)
				}
				heard := make(chan struct{}, nodes)
				for _, l := range logs {
					b.Cleanup(l.Watch(1, true, func() { heard <- struct{}{} }))
				}
				written, cpu := r.Calls("xadd"), r.CPU()
				n := 0
				for b.Loop() {
					_, err := logs[n%nodes].Append(b.Context(), notice(n, to))
					must(b, err)
					for range nodes {
						<-heard
					}
					n++
				}
				b.ReportMetric(float64(r.Calls("xadd")-written)/float64(n), "writes/op")
				b.ReportMetric(float64((r.CPU()-cpu).Microseconds())/float64(n), "µs-redis/op")
			})
		}
	}
}

// BenchmarkReconnects has 5,000 clients come back at once, each where it was: within the ring they cost Redis nothing.
func BenchmarkReconnects(b *testing.B) {
	const clients = 5000
	r := redisd.Start(b)
	l := follow(b, r, 1)[0]
	var at [clients]eventlog.Position
	for i := range at {
		to := []legacy.UserID{legacy.UserID(1 + i), legacy.UserID(1 + (i+1)%clients)}
		var err error
		at[i], err = l.Append(b.Context(), notice(i, to))
		must(b, err)
	}
	reads := r.Calls("xrange")
	start := time.Now()
	for b.Loop() {
		var all sync.WaitGroup
		for i := range clients {
			all.Go(func() {
				_, _, err := l.Read(b.Context(), legacy.UserID(1+(i+1)%clients), at[i].Before(), 100)
				must(b, err)
			})
		}
		all.Wait()
	}
	watching := int(time.Since(start)/time.Second) + 2 // what watches over the tail looks once a second
	b.ReportMetric(float64(max(0, r.Calls("xrange")-reads-2*watching)), "reads-of-redis")
}

func notice(n int, to []legacy.UserID) adapter.Event {
	return adapter.Event{
		Kind: model.EventKindNotification, To: adapter.Recipients{Users: to}, Once: fmt.Sprint("n", n),
		Data: model.Notification{Id: fmt.Sprint("n", n), Content: content},
	}
}

// follow starts the logs of nodes on one Redis, which end with the benchmark.
func follow(b *testing.B, r *redisd.Server, nodes int) (logs []*eventlog.Redis) {
	for range nodes {
		l := eventlog.NewRedis(eventlog.RedisOptions{Dial: r.Dial})
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error, 1)
		go func() { done <- l.Run(ctx) }()
		b.Cleanup(func() { cancel(); must(b, <-done) })
		_, err := l.End(b.Context())
		must(b, err)
		logs = append(logs, l)
	}
	return logs
}
