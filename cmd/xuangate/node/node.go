// Package node wires a gateway together from its settings and runs it: the one place that knows every concrete type.
package node

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/xuangate/xuangate/adapter"
	"github.com/xuangate/xuangate/adapter/legacy"
	"github.com/xuangate/xuangate/adapter/xxb"
	"github.com/xuangate/xuangate/gateway"
	"github.com/xuangate/xuangate/gateway/eventlog"
	"github.com/xuangate/xuangate/gateway/login"
)

// Run serves until ctx ends, and then for what is still going on: streams and requests c.Drain at most, and signing users
// off in the chat server a few seconds more. It returns nil after an orderly end, else what is wrong: every fault of the
// settings, an address it cannot listen on, or why a part of it stopped. The chat server need not be there: until it is,
// operations are answered with 10002.
func Run(ctx context.Context, c Config) error {
	if err := errors.Join(c.Validate()...); err != nil {
		return err
	}
	log := c.logger()
	events := eventlog.NewMemory(eventlog.MemoryOptions{Size: c.EventLog.Size, Bytes: c.EventLog.Bytes})
	translation, err := c.adapter(log, func(ctx context.Context, e adapter.Event) error {
		_, err := events.Append(ctx, e)
		return err
	})
	if err != nil {
		return err
	}
	gate, err := gateway.New(gateway.Config{
		Legacy: translation, Events: events, Logins: login.NewMemory(), Log: log,
		InnerKey: string(c.Inner.Key), InnerAllow: c.Inner.Allow, InnerShared: c.Dev,
		TrustedProxies: c.TrustedProxies, Origins: c.Origins, TokenTTL: c.TokenTTL,
	})
	if err != nil {
		return err
	}
	doors, err := c.open(ctx, gate, log)
	if err != nil {
		return err
	}
	c.announce(log, doors)
	return serve(ctx, c.Drain, doors, gate, translation)
}

// adapter makes the translation for the configured mode.
func (c Config) adapter(log *slog.Logger, sink adapter.Sink) (*adapter.Adapter, error) {
	key, err := legacy.NewKey(string(c.Legacy.XXB.Key))
	if err != nil {
		return nil, fmt.Errorf("legacy.xxb.key: %w", err)
	}
	zone, err := time.LoadLocation(c.Legacy.Timezone)
	if err != nil {
		return nil, fmt.Errorf("legacy.timezone: %w", err)
	}
	emoji := adapter.Shortname
	if c.Legacy.Emoji == "raw" {
		emoji = adapter.Raw
	}
	return adapter.New(adapter.Config{
		Caller: xxb.New(xxb.Config{URL: c.Legacy.XXB.URL, Key: key}), Sink: sink,
		Operator: c.Inner.Operator, Timezone: zone, Emoji: emoji, MaxContent: c.Legacy.MaxContent,
		Timeout: c.Legacy.Timeout, Poll: c.Legacy.Poll, OwnPresence: c.Legacy.XXB.OwnPresence, Log: log,
	})
}

// A door is a listener and what answers behind it.
type door struct {
	listener net.Listener
	server   *http.Server
}

// open opens the API's listener, and /inner's unless it has none; all of them, or none and an error.
func (c Config) open(ctx context.Context, gate *gateway.Server, log *slog.Logger) ([]door, error) {
	api, err := listen(ctx, "addr", c.Addr)
	if err != nil {
		return nil, err
	}
	doors := []door{{api, newServer(gate.Public(), log)}}
	if c.Dev || c.Inner.Addr == "" {
		return doors, nil
	}
	inner, err := listen(ctx, "inner.addr", c.Inner.Addr)
	if err != nil {
		return nil, errors.Join(err, api.Close())
	}
	return append(doors, door{inner, newServer(gate.Inner(), log)}), nil
}

// announce tells the operator, and whoever waits for it, that the node listens.
func (c Config) announce(log *slog.Logger, doors []door) {
	at := Addresses{API: doors[0].listener.Addr()}
	attrs := []any{"addr", at.API.String(), "mode", c.Legacy.Mode, "legacy", c.Legacy.XXB.URL}
	if len(doors) > 1 {
		at.Inner = doors[1].listener.Addr()
		attrs = append(attrs, "inner", at.Inner.String())
	}
	log.Info("listening", attrs...)
	if !c.Dev {
		log.Warn(onlyServer)
	}
	if c.Ready != nil {
		c.Ready(at)
	}
}

// onlyServer is what an operator must know about mode xxb: the backend counts desktop users as online and keeps no
// offline copy for them, and their own chat server is never told.
const onlyServer = "mode xxb: Xuangate must be the only chat server of this installation; " +
	"desktop users signed in through an xxd would never hear of its messages"

// serve runs all parts until ctx ends or one of them fails, then ends them in the order that loses nothing: streams are
// told to come back elsewhere, requests finish, and what stands behind the API goes last.
func serve(ctx context.Context, drain time.Duration, doors []door, gate *gateway.Server, translation *adapter.Adapter) error {
	behind, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	parts, behind := errgroup.WithContext(behind)
	parts.Go(func() error { return translation.Run(behind) })
	parts.Go(func() error { return gate.Run(behind) })
	for _, d := range doors {
		parts.Go(func() error {
			if err := d.server.Serve(d.listener); !errors.Is(err, http.ErrServerClosed) {
				return fmt.Errorf("serve %s: %w", d.listener.Addr(), err)
			}
			return nil
		})
	}
	parts.Go(func() error {
		defer stop()
		select {
		case <-ctx.Done():
		case <-behind.Done():
		}
		limit, cancel := context.WithTimeout(context.WithoutCancel(ctx), drain)
		defer cancel()
		gate.Drain(limit)
		return shut(limit, doors)
	})
	return parts.Wait()
}

// shut closes the listeners, waits for the requests under way until limit ends, and cuts what is left then.
func shut(limit context.Context, doors []door) error {
	var all errgroup.Group
	for _, d := range doors {
		all.Go(func() error {
			if err := d.server.Shutdown(limit); err != nil {
				return d.server.Close()
			}
			return nil
		})
	}
	return all.Wait()
}

func (c Config) logger() *slog.Logger {
	to := cmp.Or[io.Writer](c.LogTo, os.Stderr)
	o := &slog.HandlerOptions{Level: c.Log.Level}
	if c.Log.Format == "json" {
		return slog.New(slog.NewJSONHandler(to, o))
	}
	return slog.New(slog.NewTextHandler(to, o))
}
