package xuanxuan

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/gorilla/websocket"

	"github.com/xuangate/xuangate/adapter/legacy"
)

// xxdVersion is what tag 2.3.0 of the real xxd calls itself.
const xxdVersion = "v2.2.0"

// An XXD is xxd, the server that clients connect to, in front of an xxb. It has two ports, for HTTP and for
// websockets, as the real one. StartXXD makes one; its methods may be used from any goroutine.
type XXD struct {
	options XXDOptions
	heritage
	started  time.Time // in whole seconds
	token    string
	key      legacy.Key // the token, as the key of all frames
	backend  *xxbClient
	hub      hub
	sessions fileSessions
	faults   xxdFaults
	stats    xxdCounters
	upgrader websocket.Upgrader

	commonListener, chatListener net.Listener

	life
	// A request counts into inFlight while mu is held, so none is added once run waits.
	inFlight sync.WaitGroup
}

// A heritage is what outlives an xxd that is started anew.
type heritage struct {
	certificate *tls.Certificate // nil without TLS
	uploads     string
	temporary   bool      // uploads goes with the last xxd that has it
	after       time.Time // the predecessor's start; the zero time if there was none
}

// StartXXD starts an xxd on addr, such as "127.0.0.1:0", which tells its backend so: everybody is offline then. ctx
// bounds the start only.
func StartXXD(ctx context.Context, o XXDOptions, addr string) (*XXD, error) {
	return startXXD(ctx, o.withDefaults(), addr, heritage{})
}

func startXXD(ctx context.Context, o XXDOptions, addr string, h heritage) (_ *XXD, err error) {
	x := &XXD{options: o, heritage: h, life: life{done: make(chan struct{})}}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("start xxd: %w", err), x.discard())
		}
	}()
	if err := x.prepare(); err != nil {
		return nil, err
	}
	var lc net.ListenConfig
	if x.commonListener = o.Listener; o.Listener == nil {
		if x.commonListener, err = lc.Listen(ctx, "tcp", addr); err != nil {
			x.commonListener = nil // not a nil *TCPListener in an interface
			return nil, err
		}
	}
	host, _, err := net.SplitHostPort(x.Addr())
	if err != nil {
		return nil, err
	}
	if x.chatListener, err = lc.Listen(ctx, "tcp", cmp.Or(o.ChatAddr, net.JoinHostPort(host, "0"))); err != nil {
		return nil, err
	}
	if _, err := x.backend.call(ctx, []byte(`{"module":"chat","method":"serverStart"}`)); err != nil && !errors.Is(err, errEmptyAnswer) {
		return nil, fmt.Errorf("tell the backend: %w", err)
	}
	lifetime, stop := context.WithCancelCause(context.WithoutCancel(ctx))
	x.stop = stop
	x.hub.faults, x.hub.crash = &x.faults, x.fall
	go x.run(lifetime)
	return x, nil
}

// prepare makes what needs no address.
func (x *XXD) prepare() (err error) {
	xxbKey, err := legacy.NewKey(x.options.Key)
	if err != nil {
		return err
	}
	x.backend = newXXBClient(x.options.Backend, xxbKey)
	x.started = x.options.Now().Truncate(time.Second)
	if !x.started.After(x.after) {
		x.started = x.after.Add(time.Second) // as if the restart had taken its time: the token is made of the second
	}
	x.token = md5Hex(strconv.FormatInt(x.started.Unix(), 10))
	if x.key, err = legacy.NewKey(x.token); err != nil {
		return err
	}
	if x.options.TLS && x.certificate == nil {
		if x.certificate, err = selfSigned(); err != nil {
			return err
		}
	}
	x.upgrader = websocket.Upgrader{
		ReadBufferSize:  1024,
		WriteBufferSize: 1024,
		WriteBufferPool: &sync.Pool{},
		CheckOrigin:     func(*http.Request) bool { return true },
	}
	if x.uploads == "" {
		x.uploads = x.options.UploadDir
	}
	if x.uploads == "" {
		x.uploads, err = os.MkdirTemp("", "xuanxuan-uploads-")
		x.temporary = err == nil
	}
	return err
}

// discard undoes what a failed start has made.
func (x *XXD) discard() error {
	var errs []error
	for _, l := range []net.Listener{x.commonListener, x.chatListener} {
		if l != nil {
			errs = append(errs, l.Close())
		}
	}
	if x.backend != nil {
		x.backend.close()
	}
	if x.temporary {
		errs = append(errs, os.RemoveAll(x.uploads))
	}
	return errors.Join(errs...)
}

// run owns the listeners, the connections and the ticks, until ctx ends.
func (x *XXD) run(ctx context.Context) {
	defer close(x.done)
	var serving sync.WaitGroup
	servers := []*http.Server{x.server(ctx, x.routes()), x.server(ctx, x.chatRoutes())}
	for i, l := range []net.Listener{x.commonListener, x.chatListener} {
		serving.Go(func() { _ = x.serve(servers[i], l) }) // ends with ErrServerClosed alone
	}
	serving.Go(func() { x.ticks(ctx) })
	<-ctx.Done()
	if err := x.Err(); err != nil {
		x.options.Logger.Error("xxd crashed", "err", err)
	}
	for _, s := range servers {
		_ = s.Close() // frees the ports, whatever it says of single connections
	}
	x.mu.Lock()
	x.closed = true
	x.mu.Unlock()
	x.hub.dropAll()
	serving.Wait()
	x.inFlight.Wait()
	x.backend.close()
}

func (x *XXD) server(ctx context.Context, h http.Handler) *http.Server {
	return &http.Server{
		Handler:           x.counted(h),
		ReadHeaderTimeout: readHeaderTimeout,
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ErrorLog:          slog.NewLogLogger(x.options.Logger.Handler(), slog.LevelDebug),
	}
}

func (x *XXD) serve(s *http.Server, l net.Listener) error {
	if x.certificate == nil {
		return s.Serve(l)
	}
	s.TLSConfig = &tls.Config{Certificates: []tls.Certificate{*x.certificate}}
	return s.ServeTLS(l, "", "")
}

// counted lets requests in until the xxd ends.
func (x *XXD) counted(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		x.mu.Lock()
		closed := x.closed
		if !closed {
			x.inFlight.Add(1)
		}
		x.mu.Unlock()
		if closed {
			panic(http.ErrAbortHandler)
		}
		defer x.inFlight.Done()
		h.ServeHTTP(w, req)
	})
}

// Close ends the xxd as a kill does: connections break without a close frame, and nobody is logged out in the backend.
// It returns when nothing of it runs any more, with the crash if it had crashed. It may be called again.
func (x *XXD) Close() error {
	err := x.end()
	if x.temporary {
		err = errors.Join(err, os.RemoveAll(x.uploads))
	}
	return err
}

// Restart ends the xxd, crashed or not, and starts another one in its place, on the same ports, with the same
// certificate and uploads, but with a new token.
func (x *XXD) Restart(ctx context.Context) (*XXD, error) {
	_ = x.end() // that it had crashed is why one restarts it
	o := x.options
	o.ChatAddr, o.Listener = x.ChatAddr(), nil
	h := x.heritage
	h.after = x.started
	x.temporary = false
	return startXXD(ctx, o, x.Addr(), h)
}

// Addr is the HTTP port's address.
func (x *XXD) Addr() string { return x.commonListener.Addr().String() }

// ChatAddr is the websocket port's address.
func (x *XXD) ChatAddr() string { return x.chatListener.Addr().String() }

// ChatPort is the websocket port, which serverInfo tells.
func (x *XXD) ChatPort() int { return x.chatListener.Addr().(*net.TCPAddr).Port }

// URL is the server's address as its users know it, without a path.
func (x *XXD) URL() string { return x.scheme("http") + x.Addr() }

// WSURL is where clients connect their websockets.
func (x *XXD) WSURL() string { return x.scheme("ws") + x.ChatAddr() + "/ws" }

func (x *XXD) scheme(plain string) string {
	if x.options.TLS {
		plain += "s"
	}
	return plain + "://"
}

// Token is the key of all frames, one for all users, made of the second of the start.
func (x *XXD) Token() string { return x.token }
