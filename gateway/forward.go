package gateway

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httputil"
	"os"
	"slices"

	"github.com/labstack/echo/v4"

	"github.com/xuangate/xuangate/adapter"
	"github.com/xuangate/xuangate/gen/model"
)

// here are the operations that any node answers: they need no connection to the chat server, and a stream reads the log.
var here = []string{"Notify", "NotifyTicket", "Logout"}

// unforwarded are headers of a request that mean nothing to another node, or tell it what it is told by the mark.
var unforwarded = []string{
	echo.HeaderAuthorization, "Cookie", "X-Inner-Key", echo.HeaderOrigin, "Expect", "X-Real-Ip", nodeHeader,
	"Access-Control-Request-Method", "Access-Control-Request-Headers",
}

// forward sends a user's request to the node that holds his connection to the chat server, before anything is read of it.
func (s *Server) forward(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		op, ctx := s.operationOf(c), c.Request().Context()
		if s.nodes == nil || op == nil || !op.bearer || slices.Contains(here, op.id) {
			return next(c)
		}
		u := caller(ctx).User
		defer s.legacy.Begin(u)()
		err := s.legacy.Link(ctx, u)
		if holder := adapter.HolderOf(err); holder != "" {
			return s.forwardTo(c, holder, err)
		}
		if err != nil {
			return err
		}
		return next(c)
	}
}

// forwardRefused does the same for operations that name their users themselves, once it is known that another node holds the
// connection that they need. validate has read their bodies into memory.
func (s *Server) forwardRefused(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		op := s.operationOf(c)
		if s.nodes == nil || op == nil || op.bearer || op.media != echo.MIMEApplicationJSON {
			return next(c)
		}
		body, err := io.ReadAll(c.Request().Body)
		if err != nil {
			return err
		}
		again := func() { c.Request().Body = io.NopCloser(bytes.NewReader(body)) }
		again()
		err = next(c)
		holder := adapter.HolderOf(err)
		if holder == "" {
			return err
		}
		again()
		return s.forwardTo(c, holder, err)
	}
}

// forwardTo has another node answer a request; err is the answer where that cannot be. A request is forwarded once: two nodes that
// each take the other for the holder would send it to and fro.
func (s *Server) forwardTo(c echo.Context, holder string, err error) error {
	to, rec := addressOf(holder), recordOf(c.Request().Context())
	if to == nil || rec.from != "" || c.Response().Committed {
		return err
	}
	op := s.operationOf(c)
	rec.to = to.Host
	var failed error
	proxy := &httputil.ReverseProxy{
		Transport: s.nodes.transport,
		Rewrite: func(p *httputil.ProxyRequest) {
			p.Out.URL.Scheme, p.Out.URL.Host, p.Out.Host = to.Scheme, to.Host, to.Host
			if q := p.Out.URL.Query(); q.Has("token") || q.Has("ticket") {
				q.Del("token")
				q.Del("ticket")
				p.Out.URL.RawQuery = q.Encode()
			}
			for _, name := range unforwarded {
				p.Out.Header.Del(name)
			}
			p.Out.Header.Set(echo.HeaderXRequestID, rec.id)
			s.nodes.mark(p.Out, hop{To: holder, Client: rec.client, User: rec.login.User, Login: rec.login.ID, Inner: op.innerKey})
		},
		ModifyResponse: func(res *http.Response) error {
			res.Header.Del(echo.HeaderXRequestID) // it stands in the answer already
			return nil
		},
		ErrorHandler: func(_ http.ResponseWriter, _ *http.Request, err error) { failed = err },
	}
	r := c.Request()
	if op.media != "" && op.media != echo.MIMEApplicationJSON { // a file, for as long as it keeps coming
		paced := &pacedBody{body: r.Body, control: http.NewResponseController(c.Response()), left: unlimited}
		r = r.WithContext(r.Context())
		r.Body = io.NopCloser(paced)
	}
	if broken := through(proxy, newPacedWriter(c), r); broken != nil {
		return broken
	}
	return unforwardable(r.Context(), failed)
}

// through runs a proxy. What breaks its answer off it tells by a panic alone.
func through(proxy http.Handler, w http.ResponseWriter, r *http.Request) (err error) {
	defer func() {
		if p := recover(); p == http.ErrAbortHandler {
			err = fmt.Errorf("the forwarded answer broke off: %w", context.Canceled)
		} else if p != nil {
			panic(p)
		}
	}()
	proxy.ServeHTTP(w, r)
	return nil
}

// unforwardable is what a client is told where the other node did not answer.
func unforwardable(ctx context.Context, err error) error {
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return fmt.Errorf("forward: %w", ctx.Err())
	case errors.Is(err, os.ErrDeadlineExceeded), isTimeout(err):
		return &adapter.Error{Code: model.TooSlow, Op: "forward", Err: err, Text: "the node that holds this user's connection to the chat server took too long; whether it was done is unknown"}
	}
	return &adapter.Error{
		Code: model.Unreachable, Op: "forward", Err: err, RetryAfter: retryAfter,
		Text: "the node that holds this user's connection to the chat server does not answer; try again",
	}
}

func isTimeout(err error) bool {
	var t interface{ Timeout() bool }
	return errors.As(err, &t) && t.Timeout()
}
