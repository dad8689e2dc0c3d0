package traces

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/sdk/trace"
)

const (
	// maxWaiting bounds the spans that wait to be sent, each about a kilobyte. Without it a collector that does not answer takes all
	// memory.
	maxWaiting = 4096
	// maxBatch is how many are sent at once, sendEvery how long one waits for others.
	maxBatch  = 512
	sendEvery = 5 * time.Second
	// sendTimeout bounds one sending with its retries. Without it a collector that does not answer holds up the spans behind it.
	sendTimeout = 10 * time.Second
	// sayEvery is how often the log says that spans are lost. Without it a collector that is down fills the log.
	sayEvery = time.Minute
)

// A sender is the SpanProcessor that hands spans to the collector, from a goroutine of its own, which run is: who ends a span never
// waits. What finds the line full, or is not taken, is lost, counted, and told.
type sender struct {
	sent, lost atomic.Int64

	exporter trace.SpanExporter
	log      *slog.Logger
	waiting  chan trace.ReadOnlySpan
	ending   chan struct{}      // closed by close
	ended    chan struct{}      // closed when run is over
	life     context.Context    // of the sendings
	cut      context.CancelFunc // ends life

	said    time.Time // when the log was told last; run's
	told    int64     // how many of lost it was told of; run's
	closing atomic.Bool
}

func newSender(exporter trace.SpanExporter, log *slog.Logger) *sender {
	s := &sender{
		exporter: exporter, log: log,
		waiting: make(chan trace.ReadOnlySpan, maxWaiting), ending: make(chan struct{}), ended: make(chan struct{}),
	}
	s.life, s.cut = context.WithCancel(context.Background())
	go s.run()
	return s
}

// OnStart implements trace.SpanProcessor.
func (s *sender) OnStart(context.Context, trace.ReadWriteSpan) {}

// OnEnd implements trace.SpanProcessor. It never blocks.
func (s *sender) OnEnd(span trace.ReadOnlySpan) {
	if !s.closing.Load() {
		select {
		case s.waiting <- span:
			return
		default:
		}
	}
	s.lost.Add(1)
}

// Shutdown and ForceFlush implement trace.SpanProcessor; close is what ends a sender.
func (s *sender) Shutdown(context.Context) error   { return nil }
func (s *sender) ForceFlush(context.Context) error { return nil }

// run sends what comes until close, and then what still waits.
func (s *sender) run() {
	defer close(s.ended)
	tick := time.NewTicker(sendEvery)
	defer tick.Stop()
	batch := make([]trace.ReadOnlySpan, 0, maxBatch)
	for {
		select {
		case span := <-s.waiting:
			if batch = append(batch, span); len(batch) < maxBatch {
				continue
			}
		case <-tick.C:
		case <-s.ending:
			s.sendAll(batch)
			return
		}
		batch = s.send(batch)
	}
}

// sendAll sends a batch and all that waits.
func (s *sender) sendAll(batch []trace.ReadOnlySpan) {
	for {
		select {
		case span := <-s.waiting:
			if batch = append(batch, span); len(batch) == maxBatch {
				batch = s.send(batch)
			}
		default:
			s.send(batch)
			return
		}
	}
}

// send sends a batch and returns it empty.
func (s *sender) send(batch []trace.ReadOnlySpan) []trace.ReadOnlySpan {
	var err error
	if len(batch) > 0 {
		ctx, cancel := context.WithTimeout(s.life, sendTimeout)
		err = s.exporter.ExportSpans(ctx, batch)
		cancel()
		if err != nil {
			s.lost.Add(int64(len(batch)))
		} else {
			s.sent.Add(int64(len(batch)))
		}
	}
	s.say(err)
	clear(batch) // for the collector of garbage
	return batch[:0]
}

// say tells the log that spans were lost, if it is time to.
func (s *sender) say(err error) {
	lost := s.lost.Load()
	if lost == s.told || !s.said.IsZero() && time.Since(s.said) < sayEvery {
		return
	}
	attrs := []any{"lost", lost - s.told}
	if err != nil {
		attrs = append(attrs, "error", err)
	}
	s.log.Warn("traces are lost; does what trace.endpoint names take them, and as fast as they come?", attrs...)
	s.said, s.told = time.Now(), lost
}

func (s *sender) close(ctx context.Context) {
	if s.closing.Swap(true) {
		<-s.ended
		return
	}
	close(s.ending)
	select {
	case <-s.ended:
	case <-ctx.Done():
	}
	s.cut()
	<-s.ended
	_ = s.exporter.Shutdown(context.Background()) // which has nothing left to wait for
}
