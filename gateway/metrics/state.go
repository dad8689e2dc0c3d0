package metrics

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/xuangate/xuangate/adapter"
	"github.com/xuangate/xuangate/gen/model"
)

// canaryTimeout is how long Redis may take to answer while a scrape waits, well below a scrape's usual ten seconds.
const canaryTimeout = 2 * time.Second

// State is what is looked at when somebody scrapes. Its functions may be called from any goroutine.
type State struct {
	Version, Commit, Go string

	Links       func() map[model.UpstreamState]int // nil where users have none
	Dropped     func() int64
	Load        func() adapter.Load
	Connections func() int64 // that clients have open to the API

	Spans func() (sent, lost int64) // nil where no traces are sent

	// Where nodes share a Redis; nil where there is none.
	Away func() error
	Lag  func() time.Duration
	Ping func(ctx context.Context) error
}

// Watch adds s to what is scraped. It is called once.
func (m *Metrics) Watch(s State) { m.registry.MustRegister(stateCollector{s}) }

var (
	buildInfo   = desc("build_info", "1; the labels say what runs.", "version", "commit", "go")
	links       = desc("links", "Users' connections to the chat server by state, in modes xxd and v1.", "state")
	dropped     = desc("dropped_pushes_total", "What the chat server told us for nobody, such as of a chat just left.")
	connections = desc("connections", "Connections that clients have open to the API.")
	down        = desc("legacy_down", "1 while the chat server is left alone because it did not answer the last calls.")
	outages     = desc("legacy_outages_total", "How often that happened.")
	underWay    = desc("legacy_calls_under_way", "Calls to the chat server under way.")
	refused     = desc("legacy_refused_total", "What was not asked of the chat server, by reason: down (it is left alone), max_calls (no room among the calls under way) or sign_ins (the queue of sign-ins is too long).", "reason")
	queued      = desc("legacy_sign_ins_waiting", "Sign-ins that wait for their turn, in modes xxd and v1.")
	spans       = desc("trace_spans_total", "Spans of traces by outcome: sent, or lost because the collector did not take them, or not fast enough.", "outcome")
	redisUp     = desc("redis_up", "1 if Redis answered the canary, a PING with each scrape, and 0 if not.")
	redisTook   = desc("redis_ping_seconds", "How long the canary took.")
	redisAway   = desc("redis_away", "1 while this node goes on without Redis.")
	logLag      = desc("eventlog_lag_seconds", "How old the latest event from Redis was when this node had read it.")
)

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(namespace+"_"+name, help, labels, nil)
}

// stateCollector looks at a State whenever it is scraped.
type stateCollector struct{ State }

// Describe tells all there may be, also what this node's mode has no use for.
func (stateCollector) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{buildInfo, links, dropped, connections, down, outages, underWay, refused, queued, spans, redisUp, redisTook, redisAway, logLag} {
		to <- d
	}
}

// Collect waits for the canary, canaryTimeout at most.
func (c stateCollector) Collect(to chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	gauge(buildInfo, 1, c.Version, c.Commit, c.Go)
	counter := func(d *prometheus.Desc, v int64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v), labels...)
	}
	counter(dropped, c.Dropped())
	gauge(connections, float64(c.Connections()))
	load := c.Load()
	gauge(down, yes(load.Open))
	counter(outages, load.Opened)
	gauge(underWay, float64(load.Calls))
	counter(refused, load.RefusedOpen, "down")
	counter(refused, load.RefusedCalls, "max_calls")
	counter(refused, load.RefusedSignIns, "sign_ins")
	gauge(queued, float64(load.SignInsWaiting))
	if c.Links != nil {
		for state, n := range c.Links() {
			gauge(links, float64(n), string(state))
		}
	}
	if c.Spans != nil {
		sent, lost := c.Spans()
		counter(spans, sent, "sent")
		counter(spans, lost, "lost")
	}
	if c.Ping == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), canaryTimeout)
	defer cancel()
	start := time.Now()
	err := c.Ping(ctx)
	gauge(redisTook, time.Since(start).Seconds())
	gauge(redisUp, yes(err == nil))
	gauge(redisAway, yes(c.Away() != nil))
	gauge(logLag, c.Lag().Seconds())
}

func yes(is bool) float64 {
	if is {
		return 1
	}
	return 0
}
