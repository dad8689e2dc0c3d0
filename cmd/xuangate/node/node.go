// Package node wires a gateway together from its settings and runs it: the one place that knows every concrete type.
package node

import (
	"cmp"
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/xuangate/xuangate/adapter"
	"github.com/xuangate/xuangate/adapter/api"
	"github.com/xuangate/xuangate/adapter/folder"
	"github.com/xuangate/xuangate/adapter/inline"
	"github.com/xuangate/xuangate/adapter/legacy"
	"github.com/xuangate/xuangate/adapter/v1"
	"github.com/xuangate/xuangate/adapter/xxb"
	"github.com/xuangate/xuangate/adapter/xxd"
	"github.com/xuangate/xuangate/gateway"
	"github.com/xuangate/xuangate/gateway/metrics"
	"github.com/xuangate/xuangate/gateway/traces"
	"github.com/xuangate/xuangate/gen/model"
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
	var between *inline.Server
	if c.Legacy.Mode == "inline" {
		between, err = c.between(&settings, func(ctx context.Context, n adapter.News) error { return translation.Overhear(ctx, n) })
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

// folder opens the directory of files, if this mode has one, and clears away what a crash has left there.
func (c Config) folder(log *slog.Logger) (*folder.Folder, error) {
	if c.Legacy.Mode != "xxb" || c.Files.Dir == "" {
		return nil, nil
	}
	files, err := folder.New(c.Files.Dir, c.Files.ServerName)
	if err != nil {
		return nil, fmt.Errorf("files.dir: %w", err)
	}
	if err := files.Sweep(); err != nil {
		log.Warn("could not clear away unfinished uploads", "dir", c.Files.Dir, "error", err)
	}
	return files, nil
}

// adapter makes the translation for the configured mode, and what gives its idle connections up.
func (c Config) adapter(a adapter.Config) (translation *adapter.Adapter, closeIdle func(), err error) {
	if a.Timezone, err = time.LoadLocation(c.Legacy.Timezone); err != nil {
		return nil, nil, fmt.Errorf("legacy.timezone: %w", err)
	}
	if c.Legacy.Emoji == "raw" {
		a.Emoji = adapter.Raw
	}
	a.Calls = c.Inner.Calls
	a.Operator, a.MaxContent, a.Timeout, a.Poll = c.Inner.Operator, c.Legacy.MaxContent, c.Legacy.Timeout, c.Legacy.Poll
	a.MaxCalls, a.SignIns = c.Legacy.MaxCalls, c.Legacy.SignIns
	a.SecretKey, a.MaxFile = string(c.SecretKey), c.Files.MaxSize
	switch c.Legacy.Mode {
	case "inline": // Caller is made already; it needs what is made of this
		closeIdle = func() {}
	case "xxd":
		closeIdle, err = c.xxd(&a)
	case "v1":
		closeIdle, err = c.v1(&a)
	default:
		closeIdle, err = c.backend(&a)
	}
	if err != nil {
		return nil, nil, err
	}
	if c.Legacy.API.URL != "" {
		apps, err := c.Legacy.API.client()
		if err != nil {
			return nil, nil, fmt.Errorf("legacy.api.url: %w", err)
		}
		a.Apps = apps
		wire := closeIdle
		closeIdle = func() { wire(); apps.Close() }
	}
	translation, err = adapter.New(a)
	return translation, closeIdle, err
}

func (a API) client() (*api.Client, error) {
	return api.New(api.Config{URL: a.URL, Code: a.Code, Token: string(a.Token)})
}

// backend has the adapter ask an xxb.
func (c Config) backend(a *adapter.Config) (closeIdle func(), err error) {
	key, err := legacy.NewKey(string(c.Legacy.XXB.Key))
	if err != nil {
		return nil, fmt.Errorf("legacy.xxb.key: %w", err)
	}
	client := xxb.New(xxb.Config{URL: c.Legacy.XXB.URL, Key: key})
	a.Caller = client
	return client.Close, nil
}

// dialer is a wire's way to sign a user in, as the adapter takes it: what has failed is no connection, not a nil one in an interface.
func dialer[C adapter.Upstream](dial func(ctx context.Context, account, password string) (C, legacy.Welcome, error)) func(context.Context, string, string) (adapter.Upstream, legacy.Welcome, error) {
	return func(ctx context.Context, account, password string) (adapter.Upstream, legacy.Welcome, error) {
		conn, welcome, err := dial(ctx, account, password)
		if err != nil {
			return nil, welcome, err
		}
		return conn, welcome, nil
	}
}

// xxd has the adapter sign users in to an xxd.
func (c Config) xxd(a *adapter.Config) (closeIdle func(), err error) {
	server, err := xxd.New(c.Legacy.XXD.server())
	if err != nil {
		return nil, fmt.Errorf("legacy.xxd: %w", err)
	}
	a.Upstreams = &adapter.Upstreams{
		Dial:   dialer(server.Dial),
		Verify: server.Verify,
		Probe:  server.Probe,
		Mode:   model.ModeXxd, MaxFrame: legacy.MaxFrame,
	}
	c.signIns(a, c.Legacy.XXD.LinkIdle, c.Legacy.XXD.OnKickoff)
	return server.Close, nil
}

// v1 has the adapter sign users in to a 1.0 server.
func (c Config) v1(a *adapter.Config) (closeIdle func(), err error) {
	server, err := v1.New(c.oldServer())
	if err != nil {
		return nil, fmt.Errorf("legacy.v1: %w", err)
	}
	a.Upstreams = &adapter.Upstreams{
		Dial:     dialer(server.Dial),
		Verify:   server.Verify,
		Probe:    server.Probe,
		Mode:     model.ModeV1,
		Lacks:    server.Lacks(),
		AskUsers: true, // it tells of no user who was made, or is gone without a word
	}
	c.signIns(a, c.Legacy.V1.LinkIdle, c.Legacy.V1.OnKickoff)
	return server.Close, nil
}

func (c Config) oldServer() v1.Config {
	return v1.Config{Addr: c.Legacy.V1.Addr, FilesURL: c.Legacy.V1.FilesURL, MaxFile: c.Files.MaxSize}
}

// signIns is what the modes have in common in which each user is signed in.
func (c Config) signIns(a *adapter.Config, idle time.Duration, onKickoff string) {
	a.LinkIdle, a.Reclaim = idle, onKickoff == "reclaim"
	if c.Inner.OperatorPassword != "" {
		sum := md5.Sum([]byte(c.Inner.OperatorPassword)) // what legacy keeps and compares
		a.OperatorPassword = hex.EncodeToString(sum[:])
	}
}

// announce tells the operator, and whoever waits for it, that the node listens.
func (c Config) announce(log *slog.Logger, doors []door, back *backdoor, ops *door) {
	at := Addresses{API: doors[0].listener.Addr()}
	behind := c.Legacy.XXB.URL
	switch c.Legacy.Mode {
	case "xxd":
		behind = c.Legacy.XXD.URL
	case "v1":
		behind = c.Legacy.V1.Addr
	}
	attrs := []any{"addr", at.API.String(), "mode", c.Legacy.Mode, "legacy", behind}
	if len(doors) > 1 {
		at.Inner = doors[1].listener.Addr()
		attrs = append(attrs, "inner", at.Inner.String())
	}
	if back != nil {
		at.Backend = back.listener.Addr()
		attrs = append(attrs, "backend", at.Backend.String())
	}
	if ops != nil {
		at.Ops = ops.listener.Addr()
		attrs = append(attrs, "ops", at.Ops.String())
	}
	log.Info("listening", attrs...)
	if risk := c.Inner.inClear(); risk != "" && at.Inner != nil {
		log.Warn(risk)
	}
	switch {
	case c.Legacy.Mode == "xxb" && !c.Dev:
		log.Warn(onlyServer)
	case c.Legacy.Mode == "xxd", c.Legacy.Mode == "inline" && !c.Dev:
		for _, risk := range c.Legacy.XXD.risks() {
			log.Warn(risk)
		}
	case c.Legacy.Mode == "v1" && !c.Dev:
		log.Warn(inClear)
	}
	if c.Ready != nil {
		c.Ready(at)
	}
}

// onlyServer is what an operator must know about mode xxb: the backend counts desktop users as online and keeps no
// offline copy for them, and their own chat server is never told.
const onlyServer = "mode xxb: Xuangate must be the only chat server of this installation; " +
	"desktop users signed in through an xxd would never hear of its messages"

// inClear is what an operator must know about mode v1.
const inClear = "legacy.v1.addr: 1.0 knows no encryption, so whoever is in between reads passwords (as MD5, which is enough to sign in) and messages"

// risks are what an operator must know about a chat server that anybody could pose as.
func (x XXD) risks() (risks []string) {
	if x.Insecure {
		risks = append(risks, "legacy.xxd.insecure: any certificate of the chat server is believed, "+
			"so whoever is in between reads passwords and messages; legacy.xxd.fingerprint is as easy, and safe")
	}
	if strings.HasPrefix(x.URL, "http:") {
		risks = append(risks, "legacy.xxd.url: is http, so whoever is in between reads passwords and messages")
	}
	return risks
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

// audit is where the audit log goes.
func (c Config) audit(log *slog.Logger) (audit *slog.Logger, shut func() error, err error) {
	if c.Log.AuditFile == "" {
		return log, func() error { return nil }, nil
	}
	file, err := os.OpenFile(c.Log.AuditFile, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, nil, fmt.Errorf("log.audit_file: %w", err)
	}
	return c.logger(file, slog.LevelInfo), file.Close, nil // a quieter log is no quieter audit
}

// logger writes from a level on, which may be changed at any time if it is a LevelVar.
func (c Config) logger(to io.Writer, from slog.Leveler) *slog.Logger {
	o := &slog.HandlerOptions{Level: from}
	if c.Log.Format == "json" {
		return slog.New(slog.NewJSONHandler(to, o))
	}
	return slog.New(slog.NewTextHandler(to, o))
}
