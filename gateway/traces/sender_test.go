package traces

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/xuangate/xuangate/test/collector"
)

// takes is an exporter that a test plays. It may take its time, for as long as ctx lives.
type takes func(ctx context.Context, n int) error

func (f takes) ExportSpans(ctx context.Context, spans []trace.ReadOnlySpan) error {
	return f(ctx, len(spans))
}
func (takes) Shutdown(context.Context) error { return nil }

// hung takes nothing for as long as it may.
func hung(ctx context.Context, _ int) error {
	<-ctx.Done()
	return ctx.Err()
}

type lines struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.text.String(), "\n")
}

// inSender runs a test in a bubble of time, with a sender to f.
func inSender(t *testing.T, f takes, test func(t *testing.T, s *sender, log *lines)) {
	synctest.Test(t, func(t *testing.T) {
		log := &lines{}
		s := newSender(f, slog.New(slog.NewTextHandler(log, nil)))
		test(t, s, log)
		s.close(t.Context())
		s.close(t.Context()) // again does nothing
	})
}

var one = tracetest.SpanStub{Name: "one"}.Snapshot()

func TestSender(t *testing.T) {
	t.Run("a span waits for others, not for long, and many do not wait", func(t *testing.T) {
		var batches []int
		inSender(t, func(_ context.Context, n int) error { batches = append(batches, n); return nil }, func(t *testing.T, s *sender, _ *lines) {
			start := time.Now()
			s.OnEnd(one)
			s.OnEnd(one)
			time.Sleep(sendEvery)
			synctest.Wait()
			require.Equal(t, []int{2}, batches)
			for range maxBatch + 1 {
				s.OnEnd(one)
			}
			synctest.Wait()
			require.Equal(t, []int{2, maxBatch}, batches)
			require.Equal(t, sendEvery, time.Since(start))
			s.close(t.Context())
			require.Equal(t, []int{2, maxBatch, 1}, batches, "the last one goes when it ends")
			require.Equal(t, sendEvery, time.Since(start), "and at once")
			s.OnEnd(one)
			require.EqualValues(t, 1, s.lost.Load(), "afterwards nobody takes one")
		})
	})

	t.Run("a collector that hangs costs a bounded memory, and nobody waits for it", func(t *testing.T) {
		inSender(t, hung, func(t *testing.T, s *sender, log *lines) {
			start := time.Now()
			for range 4 * maxWaiting {
				s.OnEnd(one)
			}
			synctest.Wait()
			require.Zero(t, time.Since(start))
			require.LessOrEqual(t, len(s.waiting), maxWaiting)
			require.GreaterOrEqual(t, s.lost.Load(), int64(2*maxWaiting))
			time.Sleep(sendTimeout)
			synctest.Wait()
			require.Equal(t, 1, log.count())
		})
	})

	t.Run("it is told in one line a minute", func(t *testing.T) {
		inSender(t, func(context.Context, int) error { return errors.New("refused") }, func(t *testing.T, s *sender, log *lines) {
			for range 10 * 60 { // ten minutes
				s.OnEnd(one)
				time.Sleep(time.Second)
			}
			synctest.Wait()
			require.InDelta(t, 10, log.count(), 1)
			require.Contains(t, log.text.String(), "error=refused")
			require.Contains(t, log.text.String(), "lost=60")
			require.GreaterOrEqual(t, s.lost.Load(), int64(10*60-10))
			require.Zero(t, s.sent.Load())
		})
	})

	t.Run("and not at all once it is well", func(t *testing.T) {
		down := true
		inSender(t, func(context.Context, int) error {
			if down {
				return errors.New("refused")
			}
			return nil
		}, func(t *testing.T, s *sender, log *lines) {
			s.OnEnd(one)
			time.Sleep(sendEvery)
			synctest.Wait()
			require.Equal(t, 1, log.count())
			down = false
			for range 10 {
				s.OnEnd(one)
				time.Sleep(time.Minute)
			}
			require.Equal(t, 1, log.count())
		})
	})

	t.Run("its end is bounded, whatever the collector does", func(t *testing.T) {
		inSender(t, hung, func(t *testing.T, s *sender, _ *lines) {
			for range maxWaiting {
				s.OnEnd(one)
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			start := time.Now()
			s.close(ctx)
			require.Equal(t, time.Second, time.Since(start))
			require.EqualValues(t, maxWaiting, s.lost.Load())
		})
	})
}

// TestCollectors is on the real wire.
func TestCollectors(t *testing.T) {
	end := func(t *testing.T, traces *Traces) (sent, lost int64) {
		_, r := traces.Request(t.Context(), http.Header{}, "Login")
		r.End(End{})
		traces.Close(t.Context())
		return traces.Spans()
	}
	t.Run("one that is busy for a moment is asked again", func(t *testing.T) {
		to := collector.Start(t)
		to.Instead(func(w http.ResponseWriter, _ *http.Request) {
			to.Instead(nil)
			w.WriteHeader(http.StatusServiceUnavailable)
		})
		sent, lost := end(t, sending(t, to.URL, 1))
		require.EqualValues(t, 1, sent)
		require.Zero(t, lost)
		require.Len(t, to.Spans(), 1)
	})
	for name, answer := range map[string]http.HandlerFunc{
		"one that wants another key": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) },
		"one that hangs up": func(w http.ResponseWriter, _ *http.Request) {
			conn, _, err := w.(http.Hijacker).Hijack()
			if err == nil {
				_ = conn.Close()
			}
		},
	} {
		t.Run(name+" gets nothing, and that is counted", func(t *testing.T) {
			to := collector.Start(t)
			to.Instead(answer)
			sent, lost := end(t, sending(t, to.URL, 1))
			require.Zero(t, sent)
			require.EqualValues(t, 1, lost)
		})
	}
	t.Run("one that sends us on elsewhere is not followed: the headers hold a key", func(t *testing.T) {
		to, elsewhere := collector.Start(t), collector.Start(t)
		to.Instead(func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, elsewhere.URL+r.URL.Path, http.StatusTemporaryRedirect)
		})
		_, lost := end(t, sending(t, to.URL, 1))
		require.EqualValues(t, 1, lost)
		require.Empty(t, elsewhere.Headers())
	})
	t.Run("one that never answers is left", func(t *testing.T) {
		to, asked, leave := collector.Start(t), make(chan struct{}, 10), make(chan struct{})
		defer close(leave)
		to.Instead(func(http.ResponseWriter, *http.Request) { asked <- struct{}{}; <-leave })
		traces := sending(t, to.URL, 1)
		_, r := traces.Request(t.Context(), http.Header{}, "Login")
		r.End(End{})
		ctx, give := context.WithCancel(t.Context())
		go func() { <-asked; give() }()
		traces.Close(ctx)
		_, lost := traces.Spans()
		require.EqualValues(t, 1, lost)
	})
}
