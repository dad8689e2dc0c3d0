package inline

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/xuangate/xuangate/adapter"
	"github.com/xuangate/xuangate/adapter/legacy"
	"github.com/xuangate/xuangate/adapter/xxb"
	"github.com/xuangate/xuangate/adapter/xxd"
)

// Path is where xxds find the backend that we are to them.
const Path = "/xuanxuan.php"

const (
	// forwardTimeout is how long the backend may take over a call of a desktop. While a call waits the chat server reads no
	// pongs of its caller, and drops him after 20 s.
	forwardTimeout = 10 * time.Second
	// hearTimeout is how long an answer waits for its events to be told. Without it a log that hangs holds the desktops up.
	hearTimeout = 3 * time.Second
)

// Config is what a Server needs.
type Config struct {
	Backend xxb.Config // the real backend
	Sites   []Site     // the chat servers whose backend we are, at least one
	Uncured []Fault    // faults of legacy that are left as they are
	// MaxOnline is how many users may be on desktops at once. An xxd that has a limit must have it one higher, and this keeps that
	// seat free for the bot. 0: no limit.
	MaxOnline int
	// Hear turns what passes by into events, before it goes on. It may be called from several goroutines.
	Hear func(ctx context.Context, n adapter.News) error
	// Settle is how long after our start it is not known yet who is on a desktop: users are not set offline until then, for
	// clients say something every two minutes. Default 150 s.
	Settle time.Duration
	// Claims have one of several nodes be the backend at a time. The name of their holder ends with a blank and the address
	// where the others reach ServeHTTP, http://HOST:PORT. Nil: this is the only node.
	Claims adapter.Claims
	Shared *Shared      // what the next active node is to know; nil: nothing is kept
	Log    *slog.Logger // default slog.Default()
}

// Site is one xxd.
type Site struct {
	Name string // the parameter x of the backend address in its xxd.conf; "" where it has none
	XXD  xxd.Config
}

// A Server is the backend that xxds see, and a Caller for web users whose doings the desktops then hear of. Run keeps what goes
// on by itself; all methods may be used from any goroutine.
type Server struct {
	backend   *xxb.Client
	key       legacy.Key
	url       string
	forward   *http.Transport
	sites     map[string]*site
	uncured   map[Fault]bool
	hear      func(context.Context, adapter.News) error
	maxOnline int
	settle    time.Duration
	probe     string
	proof     []byte // of one node to another
	log       *slog.Logger

	lead   *lead
	nodes  *http.Transport // asks the active node
	shared *Shared
	people *people
	ring   *ring
	saving chan struct{}  // holds one token while nobody saves people
	later  sync.WaitGroup // what repairs go on after a request
}

// site is one xxd with the bot that we have in it.
type site struct {
	name string
	bot  *bot
}

// New makes a Server. It connects to nothing yet.
func New(c Config) (*Server, error) {
	if len(c.Sites) == 0 || c.Hear == nil {
		return nil, errors.New("inline: Sites and Hear are required")
	}
	s := &Server{
		backend: xxb.New(c.Backend), key: c.Backend.Key, url: c.Backend.URL,
		forward: newForwarder(3*time.Second, true), nodes: newForwarder(nodeDial, false),
		sites: map[string]*site{}, uncured: map[Fault]bool{}, hear: c.Hear, maxOnline: c.MaxOnline,
		settle: c.Settle, probe: secretOf(c.Backend.Key, probeAccount), proof: []byte(secretOf(c.Backend.Key, nodeHeader)), log: c.Log,
		shared: c.Shared, people: newPeople(c.Shared != nil), ring: &ring{}, saving: make(chan struct{}, 1),
	}
	s.saving <- struct{}{}
	if s.settle == 0 {
		s.settle = 150 * time.Second
	}
	if s.log == nil {
		s.log = slog.Default()
	}
	s.lead = newLead(c.Claims, s.log)
	for _, f := range c.Uncured {
		s.uncured[f] = true
	}
	for i, one := range c.Sites {
		if s.sites[one.Name] != nil {
			return nil, fmt.Errorf("inline: two chat servers have the name %q", one.Name)
		}
		server, err := xxd.New(one.XXD)
		if err != nil {
			return nil, fmt.Errorf("inline: %w", err)
		}
		at := &site{name: one.Name}
		at.bot = newBot(s, at, server, one.XXD.ServerName, firstBot+int64(i))
		s.sites[one.Name] = at
	}
	return s, nil
}

// newForwarder makes what passes bytes on, and takes so long at most to connect. keep has it keep connections; of one that was
// kept it may not be known whether it still led anywhere.
func newForwarder(dial time.Duration, keep bool) *http.Transport {
	return &http.Transport{
		DialContext:         (&net.Dialer{Timeout: dial, KeepAlive: 30 * time.Second}).DialContext,
		MaxIdleConns:        64,
		MaxIdleConnsPerHost: 64,
		IdleConnTimeout:     60 * time.Second,
		TLSHandshakeTimeout: 5 * time.Second,
		DisableKeepAlives:   !keep,
		DisableCompression:  true, // the answer goes on byte for byte
	}
}

func (s *Server) cures(f Fault) bool { return !s.uncured[f] }

// Run keeps our connection into each xxd until ctx ends, as long as this is the active node. One call at a time, by whoever
// owns the Server.
func (s *Server) Run(ctx context.Context) {
	if s.lead == nil {
		s.act(ctx, func() {})
		return
	}
	s.lead.run(ctx, s.act)
}

// act is what the active node does until ctx ends; ready is called when it can answer.
func (s *Server) act(ctx context.Context, ready func()) {
	s.recall(ctx)
	ready()
	var all sync.WaitGroup
	for _, at := range s.sites {
		all.Go(func() { at.bot.run(ctx) })
	}
	all.Go(func() { s.settled(ctx) })
	all.Go(func() { s.persist(ctx) })
	all.Wait()
	s.later.Wait()
}

// In says whether we are in each of the chat servers: what web users do reaches the desktops at once.
func (s *Server) In() bool {
	for _, at := range s.sites {
		if !at.bot.isIn() {
			return false
		}
	}
	return true
}

// Close gives up idle connections.
func (s *Server) Close() {
	s.backend.Close()
	s.forward.CloseIdleConnections()
	for _, at := range s.sites {
		at.bot.server.Close()
	}
}

// bot returns whose id it is, nil where it is no bot's.
func (s *Server) botOf(user int64) *bot {
	for _, at := range s.sites {
		if at.bot.id == user {
			return at.bot
		}
	}
	return nil
}
