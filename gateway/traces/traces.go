// Package traces tells a collector of OpenTelemetry what becomes of requests: a span for each operation of the API, and below it
// one for each call to the chat server. It reads and writes the headers of W3C Trace Context, and is the only part of the
// gateway that knows OpenTelemetry.
//
// A span has names, numbers and codes of ours; never what a client sent, but for its request id, which is harmless
// (gateway/accesslog.go).
package traces

import (
	"context"
	"crypto/rand"
	"log/slog"
	"net/http"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	"go.opentelemetry.io/otel/sdk/trace"
	api "go.opentelemetry.io/otel/trace"

	"github.com/xuangate/xuangate/adapter/legacy"
	"github.com/xuangate/xuangate/gateway/metrics"
	"github.com/xuangate/xuangate/gen/model"
)

// Config is what Traces need. Endpoint is required.
type Config struct {
	// Endpoint is where spans are sent, in OTLP over HTTP; without a path its standard one is meant.
	Endpoint string
	// Headers go with each sending, such as a key of the collector.
	Headers map[string]string
	// Sample is the share of requests that get spans, 0 to 1, where the one who asks does not say.
	Sample float64
	// Server is the address of the chat server, host and port.
	Server string
	// Version is that of the program.
	Version string
	// Log is told when spans are lost, once a minute at most.
	Log *slog.Logger
}

// Traces make spans and send them. Nil ones are off: all methods but Spans may be called, and do nothing. All may be used from any
// goroutine.
type Traces struct {
	tracer api.Tracer
	share  *share
	sender *sender
	hangUp func() // closes idle connections to the collector
	server []attribute.KeyValue
}

// New makes Traces, and has them sent until Close. Whether somebody takes them shows later: see Spans.
func New(c Config) (*Traces, error) {
	exporter, client, err := newExporter(c)
	if err != nil {
		return nil, err
	}
	t := newTraces(c, exporter)
	t.hangUp = client.CloseIdleConnections
	return t, nil
}

func newTraces(c Config, exporter trace.SpanExporter) *Traces {
	t := &Traces{share: &share{}, sender: newSender(exporter, c.Log), hangUp: func() {}, server: addressOf(c.Server)}
	t.SetSample(c.Sample)
	t.tracer = trace.NewTracerProvider(
		trace.WithSampler(trace.ParentBased(t.share)),
		trace.WithSpanProcessor(t.sender),
		trace.WithRawSpanLimits(limits),
		trace.WithResource(resource.NewSchemaless(
			attribute.String("service.name", "xuangate"),
			attribute.String("service.version", c.Version),
			attribute.String("service.instance.id", rand.Text()),
		)),
	).Tracer("github.com/xuangate/xuangate")
	return t
}

// limits of a span are those of what is put into it here, and not the environment's.
var limits = trace.SpanLimits{
	AttributeValueLengthLimit: 256, AttributeCountLimit: 16, EventCountLimit: 0, LinkCountLimit: 0,
	AttributePerEventCountLimit: 0, AttributePerLinkCountLimit: 0,
}

// SetSample changes the share of requests that get spans, at once.
func (t *Traces) SetSample(share float64) {
	if t != nil {
		t.share.set(share)
	}
}

// Close sends what is still to be sent, no longer than ctx lives, and waits until nothing of t is left. Spans that end afterwards are
// lost.
func (t *Traces) Close(ctx context.Context) {
	if t != nil {
		t.sender.close(ctx)
		t.hangUp()
	}
}

// Spans counts the spans that were sent so far, and those that were lost because nobody took them.
func (t *Traces) Spans() (sent, lost int64) {
	return t.sender.sent.Load(), t.sender.lost.Load()
}

// headers are W3C's traceparent and tracestate.
var headers = propagation.TraceContext{}

// A Request is the span of one operation. Nil is one of a request that gets none.
type Request struct{ span api.Span }

// Request begins the span of an operation, below the one that the headers of its request name; what is called with the context that
// it returns gets a span below this one. It is nil if the request gets none: then the one who asked, or else chance, has
// decided so, for other nodes too.
func (t *Traces) Request(ctx context.Context, h http.Header, operation string) (context.Context, *Request) {
	if t == nil {
		return ctx, nil
	}
	ctx, span := t.tracer.Start(headers.Extract(ctx, propagation.HeaderCarrier(h)), operation, api.WithSpanKind(api.SpanKindServer))
	if !span.IsRecording() {
		return ctx, nil
	}
	return ctx, &Request{span}
}

// ID is the trace's, in hex; empty where there is no span.
func (r *Request) ID() string {
	if r == nil {
		return ""
	}
	return r.span.SpanContext().TraceID().String()
}

// An End is how a request was answered.
type End struct {
	ID      string // the request's
	Method  string
	Route   string
	Status  int // of HTTP
	Code    model.Code
	Session legacy.UserID // 0 for nobody
}

// End ends the span.
func (r *Request) End(e End) {
	if r == nil {
		return
	}
	r.span.SetAttributes(
		attribute.String("http.request.method", e.Method),
		attribute.String("http.route", e.Route),
		attribute.Int("http.response.status_code", e.Status),
		attribute.String("xuangate.request", e.ID),
		attribute.Int("xuangate.code", int(e.Code)),
	)
	if e.Session != 0 {
		r.span.SetAttributes(attribute.String("xuangate.session", e.Session.String()))
	}
	if e.Status >= http.StatusInternalServerError {
		r.span.SetStatus(codes.Error, http.StatusText(e.Status))
	}
	r.span.End()
}

// LegacyCall makes the span of a call to the chat server that has just ended; it fits adapter.Observer. What no request asked for,
// such as a link that comes back by itself, gets none.
func (t *Traces) LegacyCall(ctx context.Context, c legacy.Call, r legacy.Response, took time.Duration, err error) {
	if t == nil || !api.SpanContextFromContext(ctx).IsSampled() {
		return
	}
	end := time.Now()
	_, span := t.tracer.Start(ctx, c.String(), api.WithSpanKind(api.SpanKindClient), api.WithTimestamp(end.Add(-took)))
	outcome := metrics.Outcome(r, err)
	span.SetAttributes(t.server...)
	span.SetAttributes(
		attribute.String("xuangate.legacy.module", c.Module),
		attribute.String("xuangate.legacy.method", c.Method),
		attribute.String("xuangate.legacy.outcome", outcome),
	)
	if err != nil {
		span.SetStatus(codes.Error, outcome)
	}
	span.End(api.WithTimestamp(end))
}

// Inject names the span that ctx is within in the headers of a request to another node.
func (t *Traces) Inject(ctx context.Context, h http.Header) {
	if t != nil {
		headers.Inject(ctx, propagation.HeaderCarrier(h))
	}
}
