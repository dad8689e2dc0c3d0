// Package metrics counts what a node does, for Prometheus. It keeps a registry of its own, and every label has few values:
// operations come from the API's document, methods from a list, and nothing a client sends becomes one.
package metrics

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/xuangate/xuangate/adapter/legacy"
	"github.com/xuangate/xuangate/gen/model"
)

// maxScrapes bounds how many scrapes are answered at a time. Without it whoever reaches the page has us gather without end.
const maxScrapes = 4

// buckets are where durations are told apart, in seconds: a call takes milliseconds, legacy.timeout is 5 s, and a poll of a minute
// is in none.
var buckets = []float64{.002, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}

// Metrics are what one node counts. All methods may be used from any goroutine, and cost well under a microsecond.
type Metrics struct {
	registry *prometheus.Registry

	requests    *series[answered, prometheus.Counter]
	requestTook *series[string, prometheus.Observer] // by operation
	calls       *series[called, prometheus.Counter]
	callTook    *series[string, prometheus.Observer] // by method
	streams     *prometheus.GaugeVec
	deliveries  *prometheus.CounterVec
	resumes     *prometheus.CounterVec
	limits      *prometheus.CounterVec
}

// answered tells requests apart, called the calls.
type (
	answered struct {
		operation string
		code      model.Code
	}
	called struct{ method, outcome string }
)

// New makes Metrics that have counted nothing.
func New() *Metrics {
	m := &Metrics{registry: prometheus.NewRegistry()}
	requests := counter(m, "requests_total", "Requests answered, and streams ended, by operation of the API and code of the answer (0: all well).", "operation", "code")
	m.requests = newSeries(func(a answered) prometheus.Counter {
		return requests.WithLabelValues(a.operation, strconv.Itoa(int(a.code)))
	})
	m.requestTook = histogram(m, "request_duration_seconds", "How long requests took, but for streams and polls.", "operation")
	calls := counter(m, "legacy_calls_total", "Calls to the chat server by method and outcome: ok, refused, timeout, canceled or unreachable.", "method", "outcome")
	m.calls = newSeries(func(c called) prometheus.Counter { return calls.WithLabelValues(c.method, c.outcome) })
	m.callTook = histogram(m, "legacy_call_duration_seconds", "How long calls to the chat server took, answered or not.", "method")
	m.streams = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Namespace: namespace, Name: "streams", Help: "Open streams and polls by transport.",
	}, []string{"transport"})
	m.registry.MustRegister(m.streams)
	m.deliveries = counter(m, "deliveries_total", "Events written to clients by transport.", "transport")
	m.resumes = counter(m, "resumes_total", "How streams began: new, resumed where the client was, or reset, also in the middle, because the position was no longer kept.", "outcome")
	m.limits = counter(m, "limits_hit_total", "Requests refused, or streams ended, because a limit was reached.", "limit")
	m.registry.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	for _, transport := range []model.Protocol{model.ProtocolPoll, model.ProtocolSse, model.ProtocolWs} {
		m.streams.WithLabelValues(string(transport))
		m.deliveries.WithLabelValues(string(transport))
	}
	for _, r := range []Resume{Began, Resumed, Reset} {
		m.resumes.WithLabelValues(string(r))
	}
	return m
}

// namespace begins the name of every metric of ours.
const namespace = "xuangate"

func counter(m *Metrics, name, help string, labels ...string) *prometheus.CounterVec {
	v := prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: namespace, Name: name, Help: help}, labels)
	m.registry.MustRegister(v)
	return v
}

func histogram(m *Metrics, name, help, label string) *series[string, prometheus.Observer] {
	v := prometheus.NewHistogramVec(prometheus.HistogramOpts{Namespace: namespace, Name: name, Help: help, Buckets: buckets}, []string{label})
	m.registry.MustRegister(v)
	return newSeries(func(value string) prometheus.Observer { return v.WithLabelValues(value) })
}

// Request counts an answered request, or a stream that has ended. operation is empty where none was meant.
func (m *Metrics) Request(operation string, code model.Code, took time.Duration) {
	if operation == "" {
		operation = "none"
	}
	m.requests.find(answered{operation, code}).Inc()
	if operation != "Notify" {
		m.requestTook.find(operation).Observe(took.Seconds())
	}
}

// LegacyCall counts a call that ended; it fits adapter.Observer.
func (m *Metrics) LegacyCall(_ context.Context, c legacy.Call, r legacy.Response, took time.Duration, err error) {
	method := Method(c)
	m.calls.find(called{method, Outcome(r, err)}).Inc()
	m.callTook.find(method).Observe(took.Seconds())
}

// Outcome is how a call ended, in one word.
func Outcome(r legacy.Response, err error) string {
	switch {
	case err == nil && r.Result == legacy.Success:
		return "ok"
	case err == nil:
		return "refused"
	case errors.Is(err, context.DeadlineExceeded):
		return "timeout"
	case errors.Is(err, context.Canceled):
		return "canceled"
	}
	return "unreachable"
}

// Stream counts a stream or poll in. closed is called once, at its end.
func (m *Metrics) Stream(transport model.Protocol) (closed func()) {
	g := m.streams.WithLabelValues(string(transport))
	g.Inc()
	return g.Dec
}

// Deliveries is the count of events written over a transport.
func (m *Metrics) Deliveries(transport model.Protocol) prometheus.Counter {
	return m.deliveries.WithLabelValues(string(transport))
}

// A Resume is how a stream began.
type Resume string

// What becomes of the position that a client comes with: it has none, its place is found, or is lost.
const (
	Began   Resume = "new"
	Resumed Resume = "resumed"
	Reset   Resume = "reset"
)

// Resume counts how a stream began, or that it was reset.
func (m *Metrics) Resume(r Resume) { m.resumes.WithLabelValues(string(r)).Inc() }

// LimitHit counts that a limit was reached. limit is a word of our own, never a client's.
func (m *Metrics) LimitHit(limit string) { m.limits.WithLabelValues(limit).Inc() }

// Handler is the page that Prometheus scrapes.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{MaxRequestsInFlight: maxScrapes})
}

// Describe tells every metric that there may be; it is prometheus.Collector's.
func (m *Metrics) Describe(to chan<- *prometheus.Desc) { m.registry.Describe(to) }
