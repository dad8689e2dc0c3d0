package gateway

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/gorilla/websocket"
	"github.com/labstack/echo/v4"

	"github.com/xuangate/xuangate/gateway/eventlog"
	"github.com/xuangate/xuangate/gen/model"
)

const (
	wsBeat = 25 * time.Second
	// pongTimeout is how long a client may go without a pong: two lost ones and a slow one.
	pongTimeout = 2*wsBeat + writeTimeout
	// closeTimeout is how long we wait for a client's part of the closing handshake. Closing at once can take away our
	// own close frame before the client reads it.
	closeTimeout = 2 * time.Second
	// maxClientMessage bounds what a client may send. We expect pongs and closes only.
	maxClientMessage = 512
)

// Close codes of our own.
const (
	closeKickoff    = 4001
	closeEnded      = 4002
	closeSuperseded = 4003
)

// upgrader takes small buffers, and write buffers only while something is written: an idle connection has next to none.
var upgrader = websocket.Upgrader{
	HandshakeTimeout: writeTimeout,
	ReadBufferSize:   256,
	WriteBufferSize:  1 << 10,
	WriteBufferPool:  &sync.Pool{},
	CheckOrigin:      func(*http.Request) bool { return true },                // checkHandshake has
	Error:            func(http.ResponseWriter, *http.Request, int, error) {}, // newProblem does
}

// checkHandshake refuses what cannot become a WebSocket, or comes from a page that may not open one.
func (s *Server) checkHandshake(r *http.Request) error {
	if !websocket.IsWebSocketUpgrade(r) {
		return refuse(model.InvalidParameter, "protoc: ws needs a WebSocket handshake")
	}
	if !s.allowedOrigin(r) {
		return refuse(model.NotAllowed, "pages of this origin may not open a WebSocket; it is not among the configured origins")
	}
	return nil
}

// serveWS takes the connection over and returns: net/http's buffers and its goroutine are then given back, three quarters
// of what an idle connection costs. The goroutine that goes on is counted in streams, whose drain waits for it, and calls
// leave at its end.
func (s *Server) serveWS(ctx context.Context, c echo.Context, sub subscription, one *stream, leave func()) error {
	rec := recordOf(ctx)
	w := &hijacker{ResponseWriter: c.Response()}
	conn, err := upgrader.Upgrade(w, c.Request(), http.Header{echo.HeaderXRequestID: {rec.id}})
	if err != nil {
		leave()
		if w.conn == nil {
			return refuse(model.InvalidParameter, "protoc: %s", err)
		}
		c.Response().Committed = true // the connection is no longer ours to answer on
		rec.err = err
		return nil
	}
	rec.streaming = true
	raw := w.conn
	go func() {
		defer leave()
		rec.err = s.runWS(ctx, &ws{conn: conn, raw: raw, all: sub.all, rec: rec, alive: time.Now()}, sub, one)
		rec.status = http.StatusSwitchingProtocols
		s.write(rec)
	}()
	return nil
}

// runWS owns the connection until it is closed. It is the only goroutine of the stream: it waits for the client in a
// read, and advances the delivery whenever wsConn interrupts that.
func (s *Server) runWS(ctx context.Context, out *ws, sub subscription, one *stream) error {
	defer out.conn.Close()
	d := s.newDelivery(sub, out)
	out.raw.advance = func() (time.Time, error) {
		gather()
		silent := out.alive.Add(pongTimeout)
		if !time.Now().Before(silent) {
			return silent, errors.New("the client answers no ping")
		}
		due, err := d.advance(ctx)
		if silent.Before(due) {
			due = silent
		}
		return due, err
	}
	stop := s.events.Watch(sub.login.User, sub.all, out.raw.wake)
	defer stop()
	one.takes(out.raw)
	if err := out.open(sub.after); err != nil {
		return err
	}
	return out.read()
}

// ws writes WebSocket messages: a JSON text for each event.
type ws struct {
	conn  *websocket.Conn
	raw   *wsConn // under conn
	all   bool
	rec   *record
	alive time.Time // when the client last answered a ping
}

// read takes what the client sends, which is of no interest but for pongs and its leaving. It returns nil when the stream
// ended as it should.
func (t *ws) read() error {
	t.conn.SetReadLimit(maxClientMessage)
	t.conn.SetPongHandler(func(string) error {
		t.alive = time.Now()
		return nil
	})
	for {
		_, _, err := t.conn.NextReader()
		switch {
		case err == nil:
		case t.raw.ended, websocket.IsCloseError(err, websocket.CloseNormalClosure, websocket.CloseGoingAway, websocket.CloseNoStatusReceived):
			return nil
		default:
			return fmt.Errorf("read: %w", err)
		}
	}
}

func (t *ws) interval() time.Duration { return wsBeat }

// open makes the client know where it is before anything happens: a stream that broke within the first beat would otherwise
// begin anew, and miss what happened meanwhile.
func (t *ws) open(at eventlog.Position) error {
	return t.together(func() error { return t.write(eventlog.AppendControl(nil, model.EventKindPosition, at)) })
}

func (t *ws) send(entries []*eventlog.Entry, _ eventlog.Position) error {
	t.rec.tells(len(entries))
	return t.together(func() error {
		b := buffers.Get().(*[]byte)
		defer recycle(b)
		for _, e := range entries {
			*b = e.Append((*b)[:0], t.all)
			if err := t.write(*b); err != nil {
				return err
			}
		}
		return nil
	})
}

func (t *ws) tick(at eventlog.Position) error {
	return t.together(func() error {
		if err := t.conn.WriteControl(websocket.PingMessage, nil, time.Now().Add(writeTimeout)); err != nil {
			return err
		}
		return t.write(eventlog.AppendControl(nil, model.EventKindPosition, at))
	})
}

func (t *ws) reset(at eventlog.Position) error {
	return t.together(func() error { return t.write(eventlog.AppendControl(nil, model.EventKindReset, at)) })
}

func (t *ws) end(why model.EventKind, _ eventlog.Position) error {
	code := closeEnded
	switch why {
	case model.EventKindKickoff:
		code = closeKickoff
	case model.EventKindSuperseded:
		code = closeSuperseded
	}
	return t.close(code, string(why))
}

// restart closes with 1012 and "retry_ms=N" as its reason.
func (t *ws) restart(_ eventlog.Position, after time.Duration) error {
	return t.close(websocket.CloseServiceRestart, fmt.Sprintf("retry_ms=%d", after.Milliseconds()))
}

func (t *ws) close(code int, reason string) error {
	return t.conn.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(code, reason), time.Now().Add(writeTimeout))
}

// together has all that write encodes go out in one write to the socket.
func (t *ws) together(write func() error) error {
	_ = t.conn.SetWriteDeadline(time.Now().Add(writeTimeout))
	t.raw.hold()
	return errors.Join(write(), t.raw.release())
}

func (t *ws) write(text []byte) error {
	t.rec.bytes += int64(len(text))
	return t.conn.WriteMessage(websocket.TextMessage, text)
}

// A hijacker has the WebSocket made on a wsConn.
type hijacker struct {
	http.ResponseWriter
	conn *wsConn
}

func (h *hijacker) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := http.NewResponseController(h.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	h.conn = &wsConn{Conn: conn}
	return h.conn, rw, nil
}
