package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"

	"golang.org/x/sync/errgroup"

	"github.com/xuangate/xuangate/gateway"
	"github.com/xuangate/xuangate/gateway/metrics"
)

// A door is a listener and what answers behind it.
type door struct {
	listener    net.Listener
	server      *http.Server
	certificate *certificate // nil where plain HTTP is spoken
	connections *connections // nil where they are not bounded
}

// open opens the API's listener, and /inner's unless it has none; all of them, or none and an error.
func (c Config) open(ctx context.Context, gate *gateway.Server, count *metrics.Metrics, log *slog.Logger) ([]door, error) {
	api, err := c.TLS.door(ctx, "addr", c.Addr, gate.Public(), log)
	if err != nil {
		return nil, err
	}
	api.connections = limitConnections(api.listener, c.Limits, count.LimitHit)
	api.listener = api.connections
	doors := []door{api}
	if c.Dev || c.Inner.Addr == "" {
		return doors, nil
	}
	inner, err := c.Inner.TLS.door(ctx, "inner.addr", c.Inner.Addr, gate.Inner(), log)
	if err != nil {
		return nil, errors.Join(err, api.listener.Close())
	}
	return append(doors, inner), nil
}

// inClear is a warning where /inner's key travels unencrypted beyond this machine; empty where it does not. It is none of the
// faults, for in a container something else often speaks TLS in front.
func (i Inner) inClear() string {
	host, _, err := net.SplitHostPort(i.Addr)
	if err != nil || i.TLS.on() || host == "localhost" {
		return ""
	}
	if ip, err := netip.ParseAddr(host); err == nil && ip.Unmap().IsLoopback() {
		return ""
	}
	return "inner.addr: is no loopback address and has no TLS, so whoever is in between reads the inner key; set inner.tls.cert_file and inner.tls.key_file"
}

// door opens one listener.
func (t TLS) door(ctx context.Context, setting, addr string, h http.Handler, log *slog.Logger) (door, error) {
	cert, err := newCertificate(t, log)
	if err != nil {
		return door{}, fmt.Errorf("the certificate of %s: %w", setting, err)
	}
	l, err := listen(ctx, setting, addr)
	if err != nil {
		return door{}, err
	}
	d := door{listener: l, server: newServer(h, log), certificate: cert}
	if cert != nil {
		d.server.TLSConfig = cert.config()
	}
	return d, nil
}

// serve answers what comes through the door until its server is shut or closed, or the listener breaks.
func (d door) serve() (err error) {
	if d.certificate != nil {
		err = d.server.ServeTLS(d.listener, "", "")
	} else {
		err = d.server.Serve(d.listener)
	}
	if !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve %s: %w", d.listener.Addr(), err)
	}
	return nil
}

// abandon closes listeners on which nobody serves yet.
func abandon(doors []door) error {
	var errs []error
	for _, d := range doors {
		errs = append(errs, d.listener.Close())
	}
	return errors.Join(errs...)
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
