package gateway

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/gorilla/websocket"
	"github.com/labstack/echo/v4"

	"github.com/xuangate/xuangate/gateway/eventlog"
	"github.com/xuangate/xuangate/gateway/metrics"
	"github.com/xuangate/xuangate/gen/model"
	"github.com/xuangate/xuangate/gen/server"
)

// ticketTTL is how long a ticket is valid: long enough to open a stream with, too short for one found in a log.
const ticketTTL = 30 * time.Second

// NotifyTicket answers POST /notify_ticket.
func (s rest) NotifyTicket(ctx context.Context, _ server.NotifyTicketRequestObject) (server.NotifyTicketResponseObject, error) {
	expires := time.Now().Add(ticketTTL)
	ticket, err := s.logins.Ticket(ctx, recordOf(ctx).token, expires)
	if err != nil {
		return nil, fmt.Errorf("make a ticket: %w", err)
	}
	return server.NotifyTicket200JSONResponse{Data: model.NotifyTicket{Ticket: string(ticket), ExpiresAt: expires.UnixMicro()}}, nil
}

// notify opens a stream, or answers a poll, over the transport that the request asks for.
func (s *Server) notify(c echo.Context, p model.NotifyParams) error {
	r := c.Request()
	protocol := p.Protoc
	if protocol == "" {
		protocol = protocolOf(r)
	}
	var promised time.Time // until when the user counts as here
	ctx := r.Context()
	switch protocol {
	case model.ProtocolPoll:
		promised = time.Now().Add(time.Duration(p.Timeout) * time.Second)
	case model.ProtocolWs:
		if err := s.checkHandshake(r); err != nil {
			return err
		}
		ctx = context.WithoutCancel(ctx) // the request ends with the handshake, the stream does not
	}

	u := caller(ctx).User
	ctx, one, err := s.streams.enter(ctx, u, recordOf(ctx).client)
	if err != nil {
		return err
	}
	sub, err := s.subscribe(ctx, recordOf(ctx), afterOf(r, p), p.Events == model.All)
	if err != nil {
		one.close()
		return err
	}
	recordOf(ctx).delivered = s.metrics.Deliveries(protocol)
	closed := s.metrics.Stream(protocol)
	leave := func() {
		closed()
		s.presence.leave(u, promised)
		one.close()
	}
	h := c.Response().Header()
	h.Set(echo.HeaderCacheControl, "no-store, no-transform")
	h.Set("X-Accel-Buffering", "no")
	switch protocol {
	case model.ProtocolWs:
		return s.serveWS(ctx, c, sub, one, leave)
	case model.ProtocolSse:
		defer leave()
		return s.serveSSE(ctx, c, sub)
	default:
		defer leave()
		return s.servePoll(ctx, c, sub, time.Duration(p.Timeout)*time.Second)
	}
}

// protocolOf reads from the headers which transport a request wants that does not say so.
func protocolOf(r *http.Request) model.Protocol {
	switch {
	case websocket.IsWebSocketUpgrade(r):
		return model.ProtocolWs
	case strings.Contains(r.Header.Get(echo.HeaderAccept), "text/event-stream"):
		return model.ProtocolSse
	}
	return model.ProtocolPoll
}

// afterOf is the position to go on after, or empty. An EventSource reconnects to the address it was given, `after` and
// all, and says in the header how far it has come since; so the header goes first.
func afterOf(r *http.Request, p model.NotifyParams) string {
	if id := r.Header.Get("Last-Event-ID"); id != "" {
		return id
	}
	return p.After
}

// subscribe finds where a stream begins, and makes sure that its login is alive. After it returns without error the
// user is online and presence.leave must be called.
func (s *Server) subscribe(ctx context.Context, rec *record, after string, all bool) (sub subscription, err error) {
	sub = subscription{login: rec.login, all: all}
	if after != "" {
		if sub.after, err = eventlog.ParsePosition(after); err != nil {
			return sub, refuse(model.InvalidParameter, "after: not a position; give one that an event carried")
		}
	}
	start, err := s.presence.enter(ctx, rec.login.User)
	if err != nil {
		return sub, err
	}
	if after == "" {
		sub.after = start
	} else if _, _, err = s.events.Read(ctx, rec.login.User, sub.after, 1); errors.Is(err, eventlog.ErrPositionLost) {
		sub.lost, err = true, nil
	}
	if err == nil {
		// Whatever ends the login from here on stands in the log after sub.after; what ended it before, the store knows.
		err = s.logins.Check(ctx, rec.login)
	}
	switch {
	case err != nil:
		s.presence.leave(rec.login.User, time.Time{})
	case after == "":
		s.metrics.Resume(metrics.Began)
	case !sub.lost: // a lost one is counted when it is told
		s.metrics.Resume(metrics.Resumed)
	}
	return sub, err
}
