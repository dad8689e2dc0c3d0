package stage

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/xuangate/xuangate/adapter"
	"github.com/xuangate/xuangate/adapter/legacy"
	"github.com/xuangate/xuangate/adapter/xxb"
	"github.com/xuangate/xuangate/gateway"
	"github.com/xuangate/xuangate/gateway/eventlog"
	"github.com/xuangate/xuangate/gateway/login"
	"github.com/xuangate/xuangate/gen/model"
	sdk "github.com/xuangate/xuangate/sdk/go"
	"github.com/xuangate/xuangate/test/xuanxuan"
)

const (
	platform = 1
	bobID    = 5
	// drain is over how long a gateway that goes out of service ends its streams, and drainLimit how long it waits for them.
	drain, drainLimit = 100 * time.Millisecond, 5 * time.Second
)

// options are what a case may wish of its world.
type options struct {
	StreamsPerUser int `json:"streams_per_user"`
	TokenMS        int `json:"token_ms"` // how long tokens live; 0: as long as they do by default
}

// A world is one case's: a chat server, a gateway in front of it that can be replaced by another on the same stores, and the proxy
// through which the SDK sees it.
type world struct {
	ID           string `json:"Id"`
	URL          string `json:"Url"`
	Account      string
	Password     string
	Token        string
	Session      string
	Conversation string
	Position     string

	options options
	legacy  *xuanxuan.Server
	caller  *xxb.Client
	logins  *login.Memory
	proxy   *proxy
	bob     *sdk.Client
	ctx     context.Context // ends with the world
	cancel  context.CancelFunc
	extra   sync.WaitGroup // the streams of supersede

	redis  string        // address of the Redis that a node stands on; else the gateway keeps everything in memory
	xxd    *xuanxuan.XXD // in front of legacy, where there is a node
	prefix string        // of the keys in Redis

	mu     sync.Mutex
	events *eventlog.Memory
	gate   *house
}

// newWorld makes a world in which alice is signed in and has a group with bob.
func newWorld(ctx context.Context, o options, redis string) (w *world, err error) {
	w = &world{Account: "alice", Password: xuanxuan.DemoPassword, options: o, redis: redis, prefix: "stage-" + rand.Text(), logins: login.NewMemory(), events: eventlog.NewMemory(eventlog.MemoryOptions{})}
	w.ctx, w.cancel = context.WithCancel(ctx)
	defer func() {
		if err != nil {
			err = errors.Join(err, w.close())
		}
	}()
	if w.legacy, err = xuanxuan.Start(w.ctx, xuanxuan.Options{}, "127.0.0.1:0"); err != nil {
		return w, err
	}
	key, err := legacy.NewKey(xuanxuan.DefaultKey)
	if err != nil {
		return w, err
	}
	w.caller = xxb.New(xxb.Config{URL: w.legacy.URL(), Key: key})
	if redis != "" {
		if w.xxd, err = xuanxuan.StartXXD(w.ctx, xuanxuan.XXDOptions{Backend: w.legacy.URL()}, "127.0.0.1:0"); err != nil {
			return w, err
		}
	}
	if w.gate, err = w.open(); err != nil {
		return w, err
	}
	if w.proxy, err = newProxy(w.gate.url); err != nil {
		return w, err
	}
	w.URL = w.proxy.url
	return w, w.people()
}

// people signs in and meet.
func (w *world) people() error {
	alice, err := sdk.New(w.gate.url, sdk.Options{})
	if err != nil {
		return err
	}
	defer alice.Close()
	if err := w.meet(""); err != nil {
		return err
	}
	signedIn, err := alice.Login(w.ctx, w.Account, w.Password, platform)
	if err != nil {
		return err
	}
	w.Token, w.Session = signedIn.Token, signedIn.Session
	if _, err := w.bob.Login(w.ctx, "bob", xuanxuan.DemoPassword, platform); err != nil {
		return err
	}
	if w.Conversation, err = alice.CreateGroup(w.ctx, "stage", fmt.Sprint(bobID)); err != nil {
		return err
	}
	w.Position, err = w.here()
	return err
}

// meet makes the client that bob speaks through. He signs in again when his token has expired.
func (w *world) meet(token string) (err error) {
	w.bob, err = sdk.New(w.gate.url, sdk.Options{Token: token, NewToken: func(ctx context.Context, _ string) (string, error) {
		signedIn, err := w.bob.Login(ctx, "bob", xuanxuan.DemoPassword, platform)
		return signedIn.Token, err
	}})
	return err
}

// here is the position at which what happens from now on begins, which is the same for every user. It is bob who asks: alice is
// to have been nowhere yet.
func (w *world) here() (string, error) {
	r, err := http.NewRequestWithContext(w.ctx, http.MethodGet, w.gate.url+"/notify?protoc=poll&timeout=0", nil)
	if err != nil {
		return "", err
	}
	r.Header.Set("Authorization", "Bearer "+w.bob.Token())
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	var answer struct{ Data model.Poll }
	err = json.NewDecoder(resp.Body).Decode(&answer)
	return answer.Data.Position, err
}

func (w *world) close() error {
	w.cancel()
	w.extra.Wait()
	var err error
	if w.proxy != nil {
		err = w.proxy.close()
	}
	if w.bob != nil {
		w.bob.Close()
	}
	if w.gate != nil {
		err = errors.Join(err, w.gate.close())
	}
	if w.caller != nil {
		w.caller.Close()
	}
	if w.xxd != nil {
		err = errors.Join(err, w.xxd.Close())
	}
	if w.legacy != nil {
		err = errors.Join(err, w.legacy.Close())
	}
	return err
}

// A house is one gateway, as it stands on the world's stores.
type house struct {
	url   string
	close func() error // takes it out of service as a node does on SIGTERM
}

// open starts a gateway.
func (w *world) open() (*house, error) {
	if w.xxd != nil {
		return w.openNode()
	}
	events := w.events
	quiet := slog.New(slog.DiscardHandler)
	translation, err := adapter.New(adapter.Config{
		Caller: w.caller, OwnPresence: true, Timeout: 10 * time.Second, Poll: time.Second, Log: quiet, SignedIn: w.logins.Live,
		Sink: func(ctx context.Context, e adapter.Event) error { _, err := events.Append(ctx, e); return err },
	})
	if err != nil {
		return nil, err
	}
	gate, err := gateway.New(gateway.Config{
		Legacy: translation, Events: events, Logins: w.logins, Log: quiet, Streams: gateway.StreamLimits{User: w.options.StreamsPerUser},
		TokenTTL: time.Duration(w.options.TokenMS) * time.Millisecond,
	})
	if err != nil {
		return nil, err
	}
	l, err := new(net.ListenConfig).Listen(w.ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	server := &http.Server{Handler: gate.Public(), ReadHeaderTimeout: time.Minute}
	ctx, stop := context.WithCancel(context.WithoutCancel(w.ctx))
	parts, ctx := errgroup.WithContext(ctx)
	parts.Go(func() error { return translation.Run(ctx) })
	parts.Go(func() error { return gate.Run(ctx) })
	parts.Go(func() error {
		if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	})
	return &house{url: "http://" + l.Addr().String(), close: func() error {
		limit, cancel := context.WithTimeout(context.Background(), drainLimit)
		defer cancel()
		gate.Drain(limit, drain)
		if server.Shutdown(limit) != nil {
			_ = server.Close()
		}
		stop()
		return parts.Wait()
	}}, nil
}

// restart replaces the gateway by another, which knows the events only if it is not to forget them.
func (w *world) restart(forget bool) (err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.gate.close(); err != nil {
		return err
	}
	if forget {
		w.events = eventlog.NewMemory(eventlog.MemoryOptions{})
		if err := w.wipe(); err != nil {
			return err
		}
	}
	if w.gate, err = w.open(); err != nil {
		return err
	}
	token := w.bob.Token()
	w.bob.Close()
	if err := w.meet(token); err != nil {
		return err
	}
	return w.proxy.point(w.gate.url)
}
