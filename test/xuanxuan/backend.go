package xuanxuan

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"sync"
	"time"
	_ "time/tzdata" // the default zone must be found on machines that know none

	"github.com/xuangate/xuangate/adapter/legacy"
)

// Path is where the backend answers.
const Path = "/xuanxuan.php"

// DefaultKey is the AES key of a server that was given none.
const DefaultKey = "88888888888888888888888888888888"

// Options are the settings of one installation. The zero value is the demo installation, in memory.
type Options struct {
	Key         string           // AES key shared with xxd, 32 characters; default DefaultKey
	File        string           // SQLite file; empty keeps everything in memory. Users and departments are written into a new file only
	Timezone    *time.Location   // of the server's clock, in which dates are stored and offline messages told; default Asia/Shanghai
	UTF8MB4     bool             // tables can hold characters above U+FFFF; else they become "????"
	Users       []User           // nil: DemoUsers()
	Departments []Department     // nil: the demo departments; empty but not nil: none
	Extensions  []Extension      // the client's applications
	AppCode     string           // names the application that may use api.php; empty: none may
	AppToken    string           // what it proves itself with
	NoSignIn    bool             // attendance is off: a login's "signed" is "" instead of a time
	Now         func() time.Time // the clock; default time.Now
	Logger      *slog.Logger     // hears of internal errors; nil: nobody does
}

// A Backend is xxb, the legacy backend, as an http.Handler for Path and APIPath. It may be used from any goroutine. Make one with
// NewBackend; whoever made it closes it.
type Backend struct {
	columns
	store    *store
	key      legacy.Key
	now      func() time.Time
	log      *slog.Logger
	noSignIn bool
	appCode  string
	appToken string
	faults   faults
	calls    counter

	// mu guards closed. A request counts into inFlight while mu is held, so none is added once Close waits.
	mu       sync.Mutex
	closed   bool
	inFlight sync.WaitGroup
}

// NewBackend opens an installation. ctx bounds the opening only. A new database gets the users, the departments and
// one system chat; nobody is online. An existing file is taken as it is.
func NewBackend(ctx context.Context, o Options) (*Backend, error) {
	if o.Key == "" {
		o.Key = DefaultKey
	}
	key, err := legacy.NewKey(o.Key)
	if err != nil {
		return nil, err
	}
	if o.Timezone == nil {
		if o.Timezone, err = time.LoadLocation("Asia/Shanghai"); err != nil {
			return nil, err
		}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	s, err := openStore(ctx, o.File)
	if err != nil {
		return nil, err
	}
	b := &Backend{
		columns:  columns{wide: o.UTF8MB4, zone: o.Timezone},
		store:    s,
		key:      key,
		now:      o.Now,
		log:      o.Logger,
		noSignIn: o.NoSignIn,
		appCode:  o.AppCode,
		appToken: o.AppToken,
	}
	if err := b.seed(ctx, o); err != nil {
		return nil, errors.Join(fmt.Errorf("seed database: %w", err), s.close())
	}
	return b, nil
}

// Close waits for the calls under way and closes the database. Later requests are answered 503.
func (b *Backend) Close() error {
	b.mu.Lock()
	already := b.closed
	b.closed = true
	b.mu.Unlock()
	if already {
		return nil
	}
	b.inFlight.Wait()
	return b.store.close()
}

func (b *Backend) enter() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.closed {
		b.inFlight.Add(1)
	}
	return !b.closed
}

// maxBody bounds a request. xxd sends frames of 20 kB at most, but a backend's own callers may send more; without a
// bound one request could take all memory.
const maxBody = 64 << 20

// ServeHTTP answers one call. As with PHP, a call is carried out to its end even if the caller has gone.
func (b *Backend) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	if !b.enter() {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	defer b.inFlight.Done()
	switch req.URL.Path {
	case Path:
		b.serveCall(w, req)
	case APIPath:
		b.serveAPI(w, req)
	default:
		http.NotFound(w, req)
	}
}

func (b *Backend) serveCall(w http.ResponseWriter, req *http.Request) {
	sealed, err := io.ReadAll(http.MaxBytesReader(w, req.Body, maxBody))
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	plain, err := b.key.Open(sealed)
	if err != nil {
		plain = nil // an empty request, which no method answers
	}
	r := parse(plain)
	r.baseURL = "http://" + req.Host
	b.calls.count(r.counted(), methods[r.name()] != nil)
	fault := b.faults.take(r)
	r.trouble = fault.trouble()
	fault.spoil(w, req, func(w http.ResponseWriter) { b.reply(context.WithoutCancel(req.Context()), w, r) })
}

// reply carries a call out and writes its answer.
func (b *Backend) reply(ctx context.Context, w http.ResponseWriter, r *request) {
	if r.odd {
		_, _ = io.WriteString(w, "Bad Request!")
		return
	}
	a, err := b.call(ctx, r)
	switch {
	case errors.Is(err, errFatal):
		w.WriteHeader(http.StatusInternalServerError)
		return
	case err != nil:
		b.log.Error("legacy call failed", "module", r.module, "method", r.method, "err", err)
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=UTF-8")
	if a == nil { // serverStart says nothing
		return
	}
	a.set("lang", r.lang).set("v", backendVersion)
	_, _ = w.Write(b.key.Seal(appendJSON(nil, a.fields)))
}
