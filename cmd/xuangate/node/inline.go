package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/xuangate/xuangate/adapter"
	"github.com/xuangate/xuangate/adapter/inline"
	"github.com/xuangate/xuangate/adapter/legacy"
	"github.com/xuangate/xuangate/adapter/xxb"
	"github.com/xuangate/xuangate/adapter/xxd"
	"github.com/xuangate/xuangate/gen/model"
)

// flushTimeout is how long the last news of web users may take on their way to the desktops when the node ends.
const flushTimeout = time.Second

// handover is how long a node that ends goes on telling others that it is not the chat servers' backend any more: as long as they
// may take to notice.
const handover = 100 * time.Millisecond

// sites are the chat servers whose backend the node is: legacy.xxd's, and the others.
func (i Inline) sites(first XXD) ([]inline.Site, error) {
	list := []inline.Site{{XXD: first.server()}}
	for _, other := range i.Others {
		name, address, found := strings.Cut(other, "=")
		address, fingerprint, pinned := strings.Cut(address, "#")
		if !found || name == "" || !serverName.MatchString(name) {
			return nil, fmt.Errorf("%q is no further chat server; write it as NAME=https://HOST:11443", other)
		}
		c := first.server()
		c.URL = address
		if pinned {
			c.Fingerprint, c.CAFile, c.Insecure = fingerprint, "", false
		}
		if _, err := xxd.New(c); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		list = append(list, inline.Site{Name: name, XXD: c})
	}
	return list, nil
}

// advertised is where other nodes find the backend that chat servers see; "" where that is not known.
func (i Inline) advertised() string {
	host, port, err := net.SplitHostPort(i.Listen)
	switch {
	case i.AdvertiseURL != "":
		return strings.TrimSuffix(i.AdvertiseURL, "/")
	case err != nil || host == "" || net.ParseIP(host).IsUnspecified():
		return ""
	}
	return "http://" + net.JoinHostPort(host, port)
}

// between makes the backend that chat servers see, and has the adapter ask through it. hear is told what desktops do.
func (c Config) between(a *adapter.Config, shared *stores, hear func(context.Context, adapter.News) error) (*inline.Server, error) {
	key, err := legacy.NewKey(string(c.Legacy.XXB.Key))
	if err != nil {
		return nil, fmt.Errorf("legacy.xxb.key: %w", err)
	}
	uncured, err := inline.ParseFaults(c.Legacy.Inline.Uncured)
	if err != nil {
		return nil, fmt.Errorf("legacy.inline.uncured: %w", err)
	}
	sites, err := c.Legacy.Inline.sites(c.Legacy.XXD)
	if err != nil {
		return nil, fmt.Errorf("legacy.inline.others: %w", err)
	}
	server, err := inline.New(inline.Config{
		Backend: xxb.Config{URL: c.Legacy.XXB.URL, Key: key}, Sites: sites, Uncured: uncured, MaxOnline: c.Legacy.Inline.MaxOnline, Hear: hear, Log: a.Log,
		Claims: shared.active, Shared: shared.repair,
	})
	if err != nil {
		return nil, err
	}
	a.Caller, a.Mode, a.Store = server, model.ModeInline, server.Store("")
	return server, nil
}

// A backdoor is the listener on which chat servers find their backend, and what stands behind it. It outlasts everything else of
// the node: the last thing that the node does is to tell the desktops who goes.
type backdoor struct {
	server   *inline.Server
	listener net.Listener
	http     *http.Server
	shared   bool // with other nodes
	stop     context.CancelFunc
	lead     sync.WaitGroup // what the server does by itself
	done     sync.WaitGroup
}

// openBackdoor opens legacy.inline.listen and serves it until close. down is called when it can serve no longer.
func (c Config) openBackdoor(ctx context.Context, server *inline.Server, log *slog.Logger, down func(error)) (*backdoor, error) {
	listener, err := listen(ctx, "legacy.inline.listen", c.Legacy.Inline.Listen)
	if err != nil {
		return nil, err
	}
	life, stop := context.WithCancel(context.WithoutCancel(ctx))
	b := &backdoor{server: server, listener: listener, http: newServer(server, log), shared: c.Redis.shared(), stop: stop}
	b.done.Go(func() {
		if err := b.http.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			down(fmt.Errorf("serve %s: %w", listener.Addr(), err))
		}
	})
	b.lead.Go(func() { server.Run(life) })
	return b, nil
}

// close ends it once the desktops have been told what was under way.
func (b *backdoor) close() {
	limit, cancel := context.WithTimeout(context.Background(), flushTimeout)
	defer cancel()
	b.server.Drain(limit)
	b.stop()
	b.lead.Wait()
	if b.shared { // the others learn first who acts now
		wait := time.NewTimer(handover)
		<-wait.C
	}
	if b.http.Shutdown(limit) != nil {
		_ = b.http.Close() // what still goes on has had its time
	}
	b.done.Wait()
	b.server.Close()
}
