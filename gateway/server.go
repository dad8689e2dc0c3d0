// Package gateway is the facade: HTTP in front of an adapter. It knows the API's document, tokens, streams and who is
// allowed to call, and no oddity of the legacy servers.
//
// A request passes harden, accessLog, audit, cors, authenticate, forward (to another node, perhaps), validate and forwardRefused,
// in that order, and then its operation in the file named after its tag.
// /notify ends in a delivery (events.go), whose advance is the one step behind SSE, WebSocket and long poll.
package gateway

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"sync/atomic"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/xuangate/xuangate/adapter"
	"github.com/xuangate/xuangate/gateway/eventlog"
	"github.com/xuangate/xuangate/gateway/login"
	"github.com/xuangate/xuangate/gateway/metrics"
	"github.com/xuangate/xuangate/gateway/traces"
	"github.com/xuangate/xuangate/gen/model"
	"github.com/xuangate/xuangate/gen/server"
)

// Config is what a Server needs. Legacy, Events and Logins are required; the rest works as zero value.
type Config struct {
	Legacy *adapter.Adapter
	Events eventlog.Log
	Logins login.Store
	// Away says why what this node shares with others cannot be reached at present. Nil: it shares nothing.
	Away func() error
	// Leases tell where users have streams, where several nodes set them online in the legacy server. Nil: this is the only one.
	Leases *Leases
	// Nodes are the others, where a user's connection to the chat server stands at one of them. Nil: this is the only one.
	Nodes *Nodes
	// Log gets one record per request and what goes wrong beside them. Default: nothing is logged.
	Log *slog.Logger

	// Metrics count what the server does. Nil: some of its own.
	Metrics *metrics.Metrics
	// Traces tell what becomes of requests. Nil: there are none.
	Traces *traces.Traces

	// InnerKey opens /inner. Empty: /inner is off.
	InnerKey string
	// InnerAllow are the client addresses that may use /inner with the key. Default: loopback.
	InnerAllow []netip.Prefix
	// InnerShared serves /inner on Public as well.
	InnerShared bool
	// TrustedProxies are the peers whose X-Forwarded-For is believed. Default: none.
	TrustedProxies []netip.Prefix

	// TokenTTL is how long a token is valid. Default 30 days.
	TokenTTL time.Duration
	// Origins are the web origins, such as https://chat.example.com, whose pages may call us and open WebSockets, besides
	// our own. Default: none.
	Origins []string
	// Chat serves the page to chat on at /.
	Chat bool
	// Streams bound the open streams and polls. Defaults: 50,000 on this server, 100 of one user, 10,000 from one address.
	Streams StreamLimits
	// Limits bound requests. Default: none are.
	Limits LimitsConfig
	// Guard keeps wrong passwords from the chat server, which locks accounts for them. Default: one of this server alone.
	Guard *login.Guard
	// Audit gets a record of each sign-in, token, kick and inner operation. Default: Log.
	Audit *slog.Logger
}

// A Server answers the facade's operations. Run must be running while it serves.
type Server struct {
	legacy   *adapter.Adapter
	events   eventlog.Log
	logins   login.Store
	away     func() error
	nodes    *Nodes
	log      *slog.Logger
	metrics  *metrics.Metrics
	traces   *traces.Traces
	rules    atomic.Pointer[rules]
	chat     bool
	limits   *Limits
	guard    *login.Guard
	auditLog *slog.Logger

	operations    map[string]*operation
	public, inner http.Handler
	streams       *streams
	uploads       *transfers
	downloads     *transfers
	presence      *presence
	health        health
}

// New makes a Server; nothing runs yet.
func New(c Config) (*Server, error) {
	if c.Legacy == nil || c.Events == nil || c.Logins == nil {
		return nil, errors.New("gateway: Legacy, Events and Logins are required")
	}
	operations, err := readOperations()
	if err != nil {
		return nil, fmt.Errorf("gateway: %w", err)
	}
	count := c.Metrics
	if count == nil {
		count = metrics.New()
	}
	s := &Server{
		legacy: c.Legacy, events: c.Events, logins: c.Logins, away: c.Away, nodes: c.Nodes,
		metrics:    count,
		traces:     c.Traces,
		log:        cmp.Or(c.Log, slog.New(slog.DiscardHandler)),
		chat:       c.Chat,
		limits:     NewLimits(c.Limits, count.LimitHit),
		guard:      c.Guard,
		auditLog:   cmp.Or(c.Audit, c.Log, slog.New(slog.DiscardHandler)),
		operations: operations,
		streams:    newStreams(c.Streams.orDefault(), count.LimitHit),
		uploads:    newTransfers("uploads", uploadsPerUser, uploadsPerNode, count.LimitHit),
		downloads:  newTransfers("downloads", downloadsPerUser, downloadsPerNode, count.LimitHit),
	}
	s.rules.Store(c.rules())
	if s.guard == nil {
		s.guard = login.NewGuard(login.NewMemoryStandings())
	}
	if s.nodes != nil {
		s.nodes.traces = c.Traces
	}
	s.presence = newPresence(s.legacy, s.events, c.Leases, c.Nodes, s.log)
	isInner := func(path string) bool { return strings.HasPrefix(path, "/inner/") }
	public := s.handler(func(path string) bool { return c.InnerShared || !isInner(path) })
	if err := s.addPages(public); err != nil {
		return nil, fmt.Errorf("gateway: %w", err)
	}
	s.public, s.inner = s.nodeDoor(public), s.handler(isInner)
	return s, nil
}

// Public serves everything but /inner, with the pages, and /inner too where Config.InnerShared says so; and whatever another node
// asks for, where there are others.
func (s *Server) Public() http.Handler { return s.public }

// Inner serves /inner.
func (s *Server) Inner() http.Handler { return s.inner }

// Run keeps users' presence until ctx ends. Then it ends the streams that are left and sets the users of this server
// offline. That takes shutdownTimeout at most: a call that legacy has not answered by then is left behind, and is the
// error.
func (s *Server) Run(ctx context.Context) error {
	calls := make(chan struct{})
	go func() {
		defer close(calls)
		s.presence.run(ctx)
	}()
	<-ctx.Done()
	limit, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
	defer cancel()
	s.streams.endAll()
	s.presence.stop(limit)
	s.streams.drain(limit, 0)
	select {
	case <-calls:
		return nil
	case <-limit.Done():
		return errors.New("gateway: a call about presence is still unanswered")
	}
}

// shutdownTimeout bounds what is still done after Run's context ended. Without it a legacy server that does not answer
// keeps the process from exiting.
const shutdownTimeout = 2 * time.Second

// Drain takes the server out of service: readiness says so, new streams are refused, and those that are open end, one after
// the other over at most spread, with a hint when to reconnect. Calls go on being answered. Users' connections to the chat server go to
// other nodes, each with its user's last stream and call here. It returns when all streams are gone, or when ctx ends; WebSockets
// that do not take our last word until then are cut.
func (s *Server) Drain(ctx context.Context, spread time.Duration) {
	s.streams.refuseNew()
	s.presence.handOver()
	s.streams.drain(ctx, spread)
}

func (s *Server) handler(serves func(path string) bool) *echo.Echo {
	e := echo.New()
	e.Use(s.harden, s.accessLog, s.audit, s.cors, s.authenticate, s.forward, s.validate, s.forwardRefused)
	strict := server.NewStrictHandler(rest{Server: s}, []server.StrictMiddlewareFunc{noteTarget})
	server.RegisterHandlers(subset{EchoRouter: e, serves: serves}, handlers{ServerInterface: strict, server: s})
	return e
}

// nodeDoor serves other nodes: those prove themselves by nodeHeader, and may ask for all operations, attend and callFor. Others are clients.
func (s *Server) nodeDoor(clients http.Handler) http.Handler {
	if s.nodes == nil {
		return clients
	}
	nodes := s.handler(func(string) bool { return true })
	nodes.POST(attendPath+":session", s.attend)
	nodes.POST(callPath+":session", s.callFor)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		from := s.nodes.arrive(r)
		if from == nil {
			clients.ServeHTTP(w, r)
			return
		}
		nodes.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), arrivalKey{}, from)))
	})
}

// rest has the operations that take JSON and answer JSON. Those that do not are in handlers, so the ones of the embedded
// interface, which is nil, are never reached.
type rest struct {
	*Server
	server.StrictServerInterface
}

// handlers are the strict operations, and those that read their bodies or write their answers themselves: these and files.go's.
type handlers struct {
	server.ServerInterface
	server *Server
}

// Notify answers GET /notify.
func (h handlers) Notify(c echo.Context, p model.NotifyParams) error { return h.server.notify(c, p) }

// OpenapiJson answers GET /openapi.json, the one answer without an envelope.
func (h handlers) OpenapiJson(c echo.Context) error {
	document, err := server.GetSpecJSON()
	if err != nil {
		return err
	}
	return c.JSONBlob(http.StatusOK, document)
}

// subset registers only the routes that one listener serves. The document has no other methods than these three.
type subset struct {
	server.EchoRouter
	serves func(path string) bool
}

func (r subset) GET(path string, h echo.HandlerFunc, m ...echo.MiddlewareFunc) *echo.Route {
	if !r.serves(path) {
		return nil
	}
	return r.EchoRouter.GET(path, h, m...)
}

func (r subset) HEAD(path string, h echo.HandlerFunc, m ...echo.MiddlewareFunc) *echo.Route {
	if !r.serves(path) {
		return nil
	}
	return r.EchoRouter.HEAD(path, h, m...)
}

func (r subset) POST(path string, h echo.HandlerFunc, m ...echo.MiddlewareFunc) *echo.Route {
	if !r.serves(path) {
		return nil
	}
	return r.EchoRouter.POST(path, h, m...)
}
