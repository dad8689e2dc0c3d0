package node

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/xuangate/xuangate/adapter"
	"github.com/xuangate/xuangate/adapter/legacy"
	"github.com/xuangate/xuangate/gateway"
	"github.com/xuangate/xuangate/gateway/metrics"
	"github.com/xuangate/xuangate/gateway/traces"
)

// opsTimeout is how long a last scrape may take when all else has ended. Without it one that does not read keeps the process.
const opsTimeout = time.Second

// openOps opens the operator's listener; nil where there is none.
func (c Config) openOps(ctx context.Context, gate *gateway.Server, log *slog.Logger) (*door, error) {
	if c.Ops.Addr == "" {
		return nil, nil
	}
	l, err := listen(ctx, "ops.addr", c.Ops.Addr)
	if err != nil {
		return nil, err
	}
	return &door{listener: l, server: newServer(gate.Ops(c.Ops.PProf), log)}, nil
}

// around serves while work runs and until it has ended, so that a drain can be watched to its end. A listener that breaks ends work
// in good order. Without a door it is work alone.
func (d *door) around(ctx context.Context, work func(context.Context) error) error {
	if d == nil {
		return work(ctx)
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	served := make(chan error, 1)
	go func() {
		defer stop()
		served <- d.serve()
	}()
	err := work(ctx)
	limit, cancel := context.WithTimeout(context.WithoutCancel(ctx), opsTimeout)
	defer cancel()
	if d.server.Shutdown(limit) != nil {
		err = errors.Join(err, d.server.Close())
	}
	return errors.Join(err, <-served)
}

// observer counts and traces each call to the chat server, and on level debug logs it under the id of the request that made it.
func observer(count *metrics.Metrics, spans *traces.Traces, log *slog.Logger) adapter.Observer {
	return func(ctx context.Context, c legacy.Call, r legacy.Response, took time.Duration, err error) {
		count.LegacyCall(ctx, c, r, took, err)
		spans.LegacyCall(ctx, c, r, took, err)
		if log.Enabled(ctx, slog.LevelDebug) {
			log.DebugContext(ctx, "legacy call", "request", gateway.RequestID(ctx), "module", c.Module, "method", c.Method,
				"session", c.User.String(), "outcome", metrics.Outcome(r, err), "took", took)
		}
	}
}
