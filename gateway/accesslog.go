package gateway

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"runtime/debug"
	"strings"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/xuangate/xuangate/gateway/login"
	"github.com/xuangate/xuangate/gateway/traces"
	"github.com/xuangate/xuangate/gen/model"
)

// A record is what the access log says about one request. It is filled on the way and written once, at the end: for a
// stream that is when the stream ends. No token, key, query or body ever gets into it.
type record struct {
	id        string
	start     time.Time
	method    string
	path      string
	operation string // empty where no operation was meant
	client    netip.Addr
	from, to  string // addresses of the nodes that forwarded it here, and that it was forwarded to
	login     login.Login
	token     login.Token // of login, unless a ticket named it; for the operation, never for the log
	status    int
	code      model.Code
	bytes     int64
	events    int
	target    []slog.Attr        // what the request acts on, for the audit log
	delivered prometheus.Counter // the same, as it grows; nil but for streams
	err       error
	span      *traces.Request // nil where it gets none
	streaming bool            // the stream that took the request over writes the record
}

// tells counts n more events written to a stream.
func (rec *record) tells(n int) {
	rec.events += n
	rec.delivered.Add(float64(n))
}

type recordKey struct{}

// recordOf returns the record of the request that ctx belongs to.
func recordOf(ctx context.Context) *record {
	rec, _ := ctx.Value(recordKey{}).(*record)
	return rec
}

// RequestID is the id of the request that ctx belongs to, as the client gave it or was told it; empty outside of any.
func RequestID(ctx context.Context) string {
	if rec := recordOf(ctx); rec != nil {
		return rec.id
	}
	return ""
}

// accessLog is the outermost of what a request passes: it gives it an id, answers whatever error comes back in the one
// envelope, and writes the record.
func (s *Server) accessLog(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		r := c.Request()
		rec := &record{
			id: requestID(r), start: time.Now(), method: r.Method, path: c.Path(),
			client: s.clientAddr(r),
		}
		if a := arrivalOf(r.Context()); a != nil && a.err == nil {
			rec.client, rec.from = a.Client, cmp.Or(a.From, "unknown")
		}
		ctx := r.Context()
		switch op := s.operations[r.Method+" "+c.Path()]; {
		case op == nil && rec.from != "" && strings.HasPrefix(rec.path, attendPath):
			ctx, rec.span = s.traces.Request(ctx, r.Header, "Attend")
		case op == nil:
			rec.path = shorten(r.URL.Path)
		default:
			rec.operation = op.id
			if !op.health {
				ctx, rec.span = s.traces.Request(ctx, r.Header, op.id)
			}
		}
		c.SetRequest(r.WithContext(context.WithValue(ctx, recordKey{}, rec)))
		c.Response().Header().Set(echo.HeaderXRequestID, rec.id)

		err := recovered(next, c)
		if rec.streaming {
			return nil
		}
		half := err != nil && c.Response().Committed
		if err != nil {
			p := newProblem(err)
			rec.code, rec.err = p.code, err
			if err := p.write(c); err != nil {
				rec.err = errors.Join(rec.err, fmt.Errorf("answer: %w", err))
			}
		}
		rec.status = c.Response().Status
		rec.bytes += c.Response().Size
		s.write(rec)
		if half {
			panic(http.ErrAbortHandler) // half an answer must not look whole
		}
		return nil
	}
}

// recovered makes a panic an error, with its stack for the log.
func recovered(next echo.HandlerFunc, c echo.Context) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return next(c)
}

func (s *Server) write(rec *record) {
	took := time.Since(rec.start)
	s.metrics.Request(rec.operation, rec.code, took)
	rec.span.End(traces.End{
		ID: rec.id, Method: rec.method, Route: rec.path, Status: rec.status, Code: rec.code, Session: rec.login.User,
	})
	level := slog.LevelInfo
	switch {
	case rec.code == model.Internal:
		level = slog.LevelError
	case rec.path == "/livez" || rec.path == "/readyz":
		level = slog.LevelDebug
	}
	ctx := context.Background()
	if !s.log.Enabled(ctx, level) {
		return
	}
	attrs := []slog.Attr{
		slog.String("request", rec.id), slog.String("method", rec.method), slog.String("path", rec.path),
		slog.String("operation", rec.operation), slog.Int("status", rec.status), slog.Int("code", int(rec.code)),
		slog.Duration("took", took), slog.Int64("bytes", rec.bytes), slog.String("client", rec.client.String()),
	}
	if rec.login.ID != "" {
		attrs = append(attrs, slog.String("session", rec.login.User.String()), slog.String("login", rec.login.ID))
	}
	if trace := rec.span.ID(); trace != "" {
		attrs = append(attrs, slog.String("trace", trace))
	}
	if rec.from != "" {
		attrs = append(attrs, slog.String("forwarded_by", rec.from))
	}
	if rec.to != "" {
		attrs = append(attrs, slog.String("forwarded_to", rec.to))
	}
	if rec.events > 0 {
		attrs = append(attrs, slog.Int("events", rec.events))
	}
	if rec.err != nil {
		attrs = append(attrs, slog.String("err", rec.err.Error()))
	}
	s.log.LogAttrs(ctx, level, "request", attrs...)
}

// maxRequestID bounds what a client may have us repeat in logs and headers.
const maxRequestID = 64

// requestID is the client's own if it is harmless, or a new one.
func requestID(r *http.Request) string {
	id := r.Header.Get(echo.HeaderXRequestID)
	if id == "" || len(id) > maxRequestID {
		return rand.Text()
	}
	for _, b := range []byte(id) {
		switch {
		case b >= 'a' && b <= 'z', b >= 'A' && b <= 'Z', b >= '0' && b <= '9', b == '-', b == '_', b == '.':
		default:
			return rand.Text()
		}
	}
	return id
}

// shorten keeps a path that leads nowhere from filling the log.
func shorten(path string) string {
	const limit = 100
	if len(path) <= limit {
		return path
	}
	return path[:limit] + "…"
}
