package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"

	"github.com/xuangate/xuangate/adapter"
	"github.com/xuangate/xuangate/adapter/inline"
	"github.com/xuangate/xuangate/adapter/legacy"
	"github.com/xuangate/xuangate/adapter/xxd"
)

// checkInline tries the backend, the chat servers, and whether their calls come to us: of a chat server that calls its backend
// directly desktops hear nothing of web users.
func (c Config) checkInline(ctx context.Context) (found []Finding) {
	found = expiringAt(ctx, "legacy.xxb.url", c.Legacy.XXB.URL, c.Legacy.Timeout)
	if _, err := reach(ctx, c.Legacy.XXB.URL, c.Legacy.Timeout); err != nil {
		return append(found, Finding{true, "legacy.xxb.url: " + err.Error()})
	}
	if fault := c.ask(ctx); fault != "" {
		return append(found, Finding{true, fault})
	}
	found = append(found, c.checkTimezone(ctx)...)
	found = append(found, Finding{false, "legacy.xxb: the backend answers, and knows the operator"})
	sites, err := c.Legacy.Inline.sites(c.Legacy.XXD)
	key, keyErr := legacy.NewKey(string(c.Legacy.XXB.Key))
	if err = errors.Join(err, keyErr); err != nil {
		return append(found, Finding{true, "legacy.inline: " + err.Error()})
	}
	for i, at := range sites {
		setting := "legacy.xxd"
		if i > 0 {
			setting = "legacy.inline.others: " + at.Name
		}
		found = append(found, expiringAt(ctx, setting, at.XXD.URL, c.Legacy.Timeout)...)
		found = append(found, c.checkCaller(ctx, setting, at, key)...)
	}
	for _, risk := range c.Legacy.XXD.risks() {
		found = append(found, Finding{false, risk})
	}
	if c.Redis.shared() && c.Legacy.Inline.advertised() == "" {
		found = append(found, Finding{false, "legacy.inline.advertise_url: is not set, and legacy.inline.listen names no host; if there are other nodes, they cannot hand on to this one"})
	}
	return append(found,
		Finding{false, "legacy.inline: the way back is the old backend address in xxd.conf, and a restart of xxd; desktops sign in again by themselves"},
		Finding{false, "legacy.inline: while this node is down desktops stay connected, but their calls fail; have its supervisor start it again at once"},
	)
}

// checkCaller tries one chat server. Where no node runs yet, this check stands in for it.
func (c Config) checkCaller(ctx context.Context, setting string, at inline.Site, key legacy.Key) []Finding {
	server, err := xxd.New(at.XXD)
	if err != nil {
		return []Finding{{true, setting + ": " + err.Error()}}
	}
	defer server.Close()
	probe, cancel := context.WithTimeout(ctx, c.Legacy.Timeout)
	defer cancel()
	if err := server.Probe(probe); err != nil {
		return []Finding{{true, c.Legacy.XXD.unproven(err, c.Legacy.Timeout)}}
	}
	stop, err := c.standIn(ctx)
	if err != nil {
		return []Finding{{true, err.Error()}}
	}
	defer stop()
	line := backendLine(c.Legacy.Inline.Listen, at.Name)
	switch err := inline.Probe(ctx, at, key); {
	case err == nil:
		return []Finding{{false, setting + ": the chat server's calls come to this gateway"}}
	case errors.Is(err, legacy.ErrPassword):
		return []Finding{{true, fmt.Sprintf("%s: the chat server answers, but asks another backend; set the backend's address in its xxd.conf to %s and start it anew, once this node runs", setting, line)}}
	default:
		return []Finding{{true, fmt.Sprintf("%s: the chat server gets no answer from its backend, which must be %s in its xxd.conf, with the key that legacy.xxb.key is: %v", setting, line, err)}}
	}
}

// backendLine is what an xxd.conf names as its backend.
func backendLine(listen, name string) string {
	line := "http://" + listen + inline.Path
	if name != "" {
		line += "?x=" + name
	}
	return line
}

// standIn answers on legacy.inline.listen while nobody else does; a node that runs does so itself.
func (c Config) standIn(ctx context.Context) (stop func(), err error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", c.Legacy.Inline.Listen)
	if err != nil {
		return func() {}, nil // the node itself listens there, or something that the probe will tell
	}
	a := adapter.Config{Log: slog.New(slog.DiscardHandler)}
	server, err := c.between(&a, &stores{}, func(context.Context, adapter.News) error { return nil })
	if err != nil {
		return nil, errors.Join(err, l.Close())
	}
	answers := http.Server{Handler: server, ReadHeaderTimeout: headerTimeout}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = answers.Serve(l) // ends with ErrServerClosed alone
	}()
	return func() {
		_ = answers.Close()
		<-done
		server.Close()
	}, nil
}
