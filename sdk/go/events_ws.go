package sdk

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/gorilla/websocket"

	"github.com/xuangate/xuangate/gen/model"
)

// Close codes of the gateway's own.
const (
	closeKickoff    = 4001
	closeEnded      = 4002
	closeSuperseded = 4003
)

// ws is one connection over WebSocket, read in the iterating goroutine.
func (s *stream) ws(ctx context.Context, cancel context.CancelCauseFunc) error {
	w := newWatch(cancel, s.openLimit(), 0)
	defer w.stop()
	raw := &watchedConn{}
	raw.limit.Store(int64(s.openLimit()))
	dialer := s.dialer(raw)
	query := url.Values{}
	if s.after != "" {
		query.Set("after", s.after)
	}
	conn, resp, err := dialer.DialContext(ctx, s.address("ws"+strings.TrimPrefix(s.base.Scheme, "http"), query), http.Header{
		"Authorization": {s.bearer()},
	})
	if err != nil {
		if resp == nil {
			return broken(err)
		}
		body, _ := io.ReadAll(resp.Body) // gorilla keeps its beginning
		if e := refusal(resp, body); e != nil {
			return e
		}
		return broken(err)
	}
	w.stop()
	defer conn.Close()
	conn.SetReadLimit(maxEvent)
	if s.after != "" {
		raw.limit.Store(int64(s.silence()))
		s.online()
	}
	for {
		kind, text, err := conn.ReadMessage()
		if err != nil {
			return s.closed(err)
		}
		if kind != websocket.TextMessage {
			continue
		}
		if err := s.takeText(text); err != nil {
			bye := websocket.FormatCloseMessage(websocket.CloseNormalClosure, "")
			_ = conn.WriteControl(websocket.CloseMessage, bye, time.Now().Add(time.Second))
			return err
		}
		// The first frame says where the stream begins. Were it online before that, a break in between would lose what was said.
		raw.limit.Store(int64(s.silence()))
		s.online()
	}
}

// closed is why a connection was closed. A restarting server says when to come back.
func (s *stream) closed(err error) error {
	var e *websocket.CloseError
	var timeout net.Error
	switch {
	case errors.As(err, &timeout) && timeout.Timeout():
		return errSilent
	case !errors.As(err, &e):
		return broken(err)
	}
	switch e.Code {
	case closeKickoff:
		return ended(model.EventKindKickoff)
	case closeEnded:
		return ended(EventKind(e.Text))
	case closeSuperseded:
		return ended(model.EventKindSuperseded)
	case websocket.CloseServiceRestart:
		if ms, err := strconv.Atoi(strings.TrimPrefix(e.Text, "retry_ms=")); err == nil {
			s.hint = time.Duration(ms) * time.Millisecond
		}
	}
	return broken(err)
}

// dialer dials as the HTTP client does: through its proxy, with its TLS settings. The connection is put into raw, and closed when the
// context of the dialling ends.
func (s *stream) dialer(raw *watchedConn) websocket.Dialer {
	dial := new(net.Dialer).DialContext
	d := websocket.Dialer{Proxy: http.ProxyFromEnvironment, ReadBufferSize: 4 << 10, WriteBufferSize: 512}
	if t, ok := s.http.Transport.(*http.Transport); ok {
		d.Proxy = t.Proxy
		d.TLSClientConfig = t.TLSClientConfig.Clone()
		if t.DialContext != nil {
			dial = t.DialContext
		}
	}
	if d.TLSClientConfig != nil {
		d.TLSClientConfig.NextProtos = nil // HTTP/2 has no such upgrade
	}
	d.NetDialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := dial(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		raw.Conn = conn
		context.AfterFunc(ctx, func() { _ = conn.Close() })
		return raw, nil
	}
	return d
}
