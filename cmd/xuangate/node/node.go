// Package node wires a gateway together from its settings and runs it: the one place that knows every concrete type.
package node

import (
	"cmp"
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/xuangate/xuangate/adapter"
	"github.com/xuangate/xuangate/adapter/inline"
	"github.com/xuangate/xuangate/adapter/legacy"
	"github.com/xuangate/xuangate/gateway"
	"github.com/xuangate/xuangate/gateway/metrics"
	"github.com/xuangate/xuangate/gateway/traces"
)

// Run serves until ctx ends, and then for what is still going on, c.Drain at most: streams and requests two thirds of it, or
// until they are done, and signing users off in the chat server the rest, or two seconds. It returns nil after an orderly end, else what is wrong: every fault of the
// settings, an address it cannot listen on, or why a part of it stopped. The chat server need not be there: until it is,
// operations are answered with 10002.
func Run(ctx context.Context, c Config) (err error) {
	c, wrong := c.settle()
	if err := errors.Join(wrong...); err != nil {
		return err
	}
	level := new(slog.LevelVar)
	level.Set(c.Log.Level)
	log := c.logger(cmp.Or[io.Writer](c.LogTo, os.Stderr), level)
	audit, closeAudit, err := c.audit(log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeAudit()) }()
	shared, err := c.stores(log)
	if err != nil {
		return err
	}
	shut := shared.open(ctx)
	defer func() { err = errors.Join(err, shut()) }()
	events, logins := shared.events, shared.logins
	count := metrics.New()
	spans, err := c.traces(log)
	if err != nil {
		return err
	}
	defer endTraces(ctx, spans, c.Drain) // long done where the node ran
	var gate *gateway.Server             // made below; the adapter runs after that
	var translation *adapter.Adapter
	files, err := c.folder(log)
	if err != nil {
		return err
	}
	settings := adapter.Config{
		Log:     log,
		Observe: observer(count, spans, log),
		Folder:  files,
		Claims:  shared.claims,
		Name:    shared.name,

		OwnPresence: c.Legacy.Mode == "xxb" && c.Legacy.XXB.OwnPresence && shared.first(ctx),
		Sink:        func(ctx context.Context, e adapter.Event) error { _, err := events.Append(ctx, e); return err },
		SignedIn:    logins.Live,
		Secrets:     adapter.Secrets{Keep: logins.Keep, Kept: logins.Kept, Forget: logins.Forget},
		OnSignIn:    shared.heard(log),
		OnKick:      func(ctx context.Context, u legacy.UserID) error { return gate.Kicked(ctx, u) },
	}
	if shared.nodes != nil {
		settings.Elsewhere = shared.nodes.Call
	}
	var between *inline.Server
	if c.Legacy.Mode == "inline" {
		between, err = c.between(&settings, shared, func(ctx context.Context, n adapter.News) error { return translation.Overhear(ctx, n) })
		if err != nil {
			return err
		}
	}
	var closeIdle func()
	translation, closeIdle, err = c.adapter(settings)
	if err != nil {
		return err
	}
	defer closeIdle()
	facade := c.facade()
	facade.Legacy, facade.Events, facade.Logins, facade.Log = translation, events, logins, log
	facade.Away, facade.Leases, facade.Nodes = shared.away, shared.leases, shared.nodes
	facade.Guard, facade.Audit, facade.Metrics, facade.Traces = shared.guard, audit, count, spans
	gate, err = gateway.New(facade)
	if err != nil {
		return err
	}
	doors, err := c.open(ctx, gate, count, log)
	if err != nil {
		return err
	}
	state := metrics.State{Links: translation.Links, Dropped: translation.Dropped, Load: translation.Load, Connections: doors[0].connections.Open}
	state.Version, state.Commit, state.Go = Build()
	shared.watch(&state)
	watchTraces(&state, spans)
	count.Watch(state)
	var back *backdoor
	alive, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	if between != nil {
		if back, err = c.openBackdoor(alive, between, log, fail); err != nil {
			return errors.Join(err, abandon(doors))
		}
		defer back.close()
	}
	ops, err := c.openOps(ctx, gate, log)
	if err != nil {
		return errors.Join(err, abandon(doors))
	}
	c.announce(log, doors, back, ops)
	err = ops.around(alive, func(ctx context.Context) error {
		return serve(ctx, c.Drain, doors, gate, translation, spans, newReloader(c, log, level, gate, spans, doors))
	})
	if ctx.Err() == nil { // nobody has asked it to end
		err = errors.Join(err, context.Cause(alive))
	}
	return err
}

// facade are the gateway's own settings.
func (c Config) facade() gateway.Config {
	return gateway.Config{
		InnerKey: string(c.Inner.Key), InnerAllow: c.Inner.Allow, InnerShared: c.Dev,
		TrustedProxies: c.TrustedProxies, Origins: c.Origins, TokenTTL: c.TokenTTL, Chat: c.Web.Enabled,
		Streams: gateway.StreamLimits{Node: c.Streams.PerNode, User: c.Streams.PerUser, Address: c.Streams.PerAddress},
		Limits:  c.Limits.rates(),
	}
}

// serve runs all parts until ctx ends or one of them fails, then ends them in the order that loses nothing: streams are
// told to come back elsewhere, requests finish, and what stands behind the API goes last.
func serve(ctx context.Context, drain time.Duration, doors []door, gate *gateway.Server, translation *adapter.Adapter, spans *traces.Traces, again *reloader) error {
	behind, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	parts, behind := errgroup.WithContext(behind)
	parts.Go(func() error { return translation.Run(behind) })
	parts.Go(func() error { return gate.Run(behind) })
	parts.Go(func() error { return again.run(behind) })
	for _, c := range again.certificates {
		parts.Go(func() error { return c.watch(behind) })
	}
	for _, d := range doors {
		parts.Go(d.serve)
	}
	parts.Go(func() error {
		<-behind.Done() // no request is under way any more; users are being signed off meanwhile
		endTraces(ctx, spans, drain)
		return nil
	})
	parts.Go(func() error {
		defer stop()
		select {
		case <-ctx.Done():
		case <-behind.Done():
		}
		// Half of the time for streams to end, what is left of two thirds for requests, the rest for signing users off.
		limit, cancel := context.WithTimeout(context.WithoutCancel(ctx), drain*2/3)
		defer cancel()
		gate.Drain(limit, drain/2)
		return shut(limit, doors)
	})
	return parts.Wait()
}
