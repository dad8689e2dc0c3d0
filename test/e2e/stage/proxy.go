package stage

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
)

// patience is how long a claim about what the client will do is waited for.
const patience = 20 * time.Second

// scripted is an answer of the proxy's own, for the next so many requests to a path.
type scripted struct {
	Path       string `json:"path"`
	Status     int    `json:"status"`
	Code       int    `json:"code"`
	RetryAfter int    `json:"retry_after"`
	HTML       bool   `json:"html"`
	Times      int    `json:"times"`

	lose bool // it is the gateway's answer, and gets lost
}

// history is what became of the requests to one path.
type history struct {
	asked    int
	answered time.Time // when the latest scripted answer was given
	cameBack time.Time // when the first request after that came
}

// A proxy stands between a client and the gateway, and breaks things on request.
type proxy struct {
	url       string
	server    *http.Server
	transport *http.Transport
	served    chan struct{}

	mu      sync.Mutex
	target  *url.URL
	conns   map[*conn]struct{}
	down    bool
	pace    pace
	blocked map[string]bool
	after   string // the next stream begins here
	scripts []*scripted
	paths   map[string]*history
	changed chan struct{} // closed and replaced whenever paths changes
}

type connKey struct{}

func newProxy(target string) (*proxy, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &proxy{
		url: "http://" + l.Addr().String(), transport: &http.Transport{DisableCompression: true}, served: make(chan struct{}),
		conns: map[*conn]struct{}{}, blocked: map[string]bool{}, paths: map[string]*history{}, changed: make(chan struct{}),
	}
	p.server = &http.Server{
		Handler: p, ReadHeaderTimeout: time.Minute, ErrorLog: log.New(io.Discard, "", 0),
		ConnContext: func(ctx context.Context, c net.Conn) context.Context { return context.WithValue(ctx, connKey{}, c) },
	}
	if err := p.point(target); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	go func() {
		defer close(p.served)
		_ = p.server.Serve(listener{l, p})
	}()
	return p, nil
}

// point has the proxy pass requests on to another gateway.
func (p *proxy) point(target string) error {
	u, err := url.Parse(target)
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.target = u
	return nil
}

func (p *proxy) close() error {
	err := p.server.Close()
	p.cut() // hijacked ones, too
	<-p.served
	p.transport.CloseIdleConnections()
	return err
}

// listener makes the proxy's connections.
type listener struct {
	net.Listener
	proxy *proxy
}

func (l listener) Accept() (net.Conn, error) {
	for {
		raw, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		c := &conn{Conn: raw, proxy: l.proxy, gone: make(chan struct{})}
		if l.proxy.add(c) {
			return c, nil
		}
		c.reset()
	}
}

func (p *proxy) add(c *conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.down {
		p.conns[c] = struct{}{}
	}
	return !p.down
}

func (p *proxy) forget(c *conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.conns, c)
}

// manner is how a connection is to pass bytes on now.
func (p *proxy) manner(c *conn) (pace, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.pace, c.stuck
}

// ServeHTTP implements http.Handler.
func (p *proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c := r.Context().Value(connKey{}).(*conn)
	target, own := p.note(r.URL.Path)
	if own != nil {
		p.answer(w, r, c, target, own)
		return
	}
	if r.URL.Path == "/notify" {
		defer p.listens(c)()
		if p.inTheWay(w, r) {
			return
		}
		p.rewound(r)
	}
	(&httputil.ReverseProxy{
		Transport: p.transport, ErrorLog: p.server.ErrorLog, FlushInterval: -1,
		Rewrite: func(out *httputil.ProxyRequest) { out.SetURL(target) },
	}).ServeHTTP(w, r)
}

// note counts a request, and takes the scripted answer to it if there is one.
func (p *proxy) note(path string) (*url.URL, *scripted) {
	p.mu.Lock()
	defer p.mu.Unlock()
	h := p.history(path)
	h.asked++
	if !h.answered.IsZero() && h.cameBack.IsZero() {
		h.cameBack = time.Now()
	}
	close(p.changed)
	p.changed = make(chan struct{})
	for i, s := range p.scripts {
		if s.Path == path {
			if s.Times--; s.Times <= 0 {
				p.scripts = slices.Delete(p.scripts, i, i+1)
			}
			return p.target, s
		}
	}
	return p.target, nil
}

// history is of a path. p.mu is held.
func (p *proxy) history(path string) *history {
	if p.paths[path] == nil {
		p.paths[path] = &history{}
	}
	return p.paths[path]
}

// answer gives a scripted answer.
func (p *proxy) answer(w http.ResponseWriter, r *http.Request, c *conn, target *url.URL, s *scripted) {
	if s.lose {
		p.lose(r, target)
		c.reset()
		panic(http.ErrAbortHandler)
	}
	p.mu.Lock()
	h := p.history(s.Path)
	h.answered, h.cameBack = time.Now(), time.Time{}
	p.mu.Unlock()
	if s.HTML {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.WriteHeader(s.Status)
		_, _ = io.WriteString(w, "<!doctype html><title>Welcome</title><p>Please accept our terms to use this network.")
		return
	}
	if s.RetryAfter > 0 {
		w.Header().Set("Retry-After", fmt.Sprint(s.RetryAfter))
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Request-Id", "scripted")
	w.WriteHeader(s.Status)
	_, _ = fmt.Fprintf(w, `{"code":%d,"error":"as the case wants it"}`, s.Code)
}

// lose has the gateway do a request, and keeps the answer to itself.
func (p *proxy) lose(r *http.Request, target *url.URL) {
	out := r.Clone(context.WithoutCancel(r.Context()))
	out.URL.Scheme, out.URL.Host, out.RequestURI = target.Scheme, target.Host, ""
	resp, err := p.transport.RoundTrip(out)
	if err != nil {
		return // then the client learns as little as otherwise
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body)
}

// listens counts a stream or poll of a connection until the returned function is called.
func (p *proxy) listens(c *conn) (done func()) {
	add := func(n int) {
		p.mu.Lock()
		defer p.mu.Unlock()
		c.listen += n
	}
	add(1)
	return func() { add(-1) }
}

// inTheWay does what is done to transports that do not get through.
func (p *proxy) inTheWay(w http.ResponseWriter, r *http.Request) bool {
	transport := transportOf(r)
	p.mu.Lock()
	blocked := p.blocked[transport]
	p.mu.Unlock()
	switch {
	case !blocked:
		return false
	case transport == "sse":
		<-r.Context().Done()
	default:
		http.Error(w, "Bad Gateway", http.StatusBadGateway)
	}
	return true
}

func transportOf(r *http.Request) string {
	switch {
	case r.URL.Query().Get("protoc") != "":
		return r.URL.Query().Get("protoc")
	case r.Header.Get("Upgrade") != "":
		return "ws"
	case strings.Contains(r.Header.Get("Accept"), "text/event-stream"):
		return "sse"
	}
	return "poll"
}

// rewound has a stream begin where rewind said.
func (p *proxy) rewound(r *http.Request) {
	p.mu.Lock()
	after := p.after
	p.after = ""
	p.mu.Unlock()
	if after == "" {
		return
	}
	query := r.URL.Query()
	query.Set("after", after)
	r.URL.RawQuery = query.Encode()
	r.Header.Del("Last-Event-ID")
}
