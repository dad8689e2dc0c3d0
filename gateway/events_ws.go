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
	closeKickoff = 4001
	closeEnded   = 4002
)

// upgrader takes small buffers, and write buffers only while something is written: an idle connection has next to none.
var upgrader = websocket.Upgrader{
	HandshakeTimeout: writeTimeout,
	ReadBufferSize:   1 << 10,
	WriteBufferSize:  1 << 10,
	WriteBufferPool:  &sync.Pool{},
	CheckOrigin:      func(*http.Request) bool { return true },                // checkHandshake has
	Error:            func(http.ResponseWriter, *http.Request, int, error) {}, // newProblem does
}

// ws writes WebSocket messages: a JSON text for each event.
type ws struct {
	conn  *websocket.Conn
	batch *batchConn
	all   bool
	rec   *record
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
func (s *Server) serveWS(ctx context.Context, c echo.Context, sub *subscription, one *stream, leave func()) error {
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
	one.takes(w.conn.Close)
	out := &ws{conn: conn, batch: w.conn, all: sub.all, rec: rec}
	go func() {
		defer leave()
		rec.err = s.runWS(ctx, sub, out)
		rec.status = http.StatusSwitchingProtocols
		s.write(rec)
	}()
	return nil
}

// runWS owns the connection until it is closed: it writes, and a second goroutine reads, which ends with it.
func (s *Server) runWS(ctx context.Context, sub *subscription, out *ws) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	read := make(chan struct{})
	go func() {
		defer close(read)
		cancel(out.read())
	}()
	err := s.deliver(ctx, sub, out)
	timer := time.NewTimer(closeTimeout)
	defer timer.Stop()
	select {
	case <-read:
	case <-timer.C:
	}
	_ = out.conn.Close()
	<-read
	return err
}

// read takes what the client sends, which is of no interest but for pongs and its leaving, and returns how it left.
func (t *ws) read() error {
	alive := func(string) error { return t.conn.SetReadDeadline(time.Now().Add(pongTimeout)) }
	t.conn.SetReadLimit(maxClientMessage)
	t.conn.SetPongHandler(alive)
	_ = alive("")
	for {
		if _, _, err := t.conn.NextReader(); err != nil {
			if websocket.IsCloseError(err, websocket.CloseNormalClosure, websocket.CloseGoingAway, websocket.CloseNoStatusReceived, closeKickoff, closeEnded, websocket.CloseServiceRestart) {
				return context.Canceled
			}
			return fmt.Errorf("read: %w", err)
		}
	}
}

func (t *ws) interval() time.Duration { return wsBeat }

func (t *ws) send(entries []*eventlog.Entry, _ eventlog.Position) error {
	t.rec.events += len(entries)
	return t.flush(func() error {
		b := buffers.Get().(*[]byte)
		defer recycle(b)
		for _, e := range entries {
			*b = e.Append((*b)[:0], t.all)
			if err := t.write(*b); err != nil {
				return err
			}
			if err := t.batch.relieve(); err != nil {
				return err
			}
		}
		return nil
	})
}

func (t *ws) beat(at eventlog.Position) error {
	return t.flush(func() error {
		if err := t.conn.WriteControl(websocket.PingMessage, nil, time.Now().Add(writeTimeout)); err != nil {
			return err
		}
		return t.write(eventlog.AppendControl(nil, model.EventKindPosition, at))
	})
}

func (t *ws) reset(at eventlog.Position) error {
	return t.flush(func() error { return t.write(eventlog.AppendControl(nil, model.EventKindReset, at)) })
}

func (t *ws) end(why model.EventKind, at eventlog.Position) error {
	code := closeEnded
	if why == model.EventKindKickoff {
		code = closeKickoff
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

// flush has all that write encodes go out in one write to the socket.
func (t *ws) flush(write func() error) error {
	_ = t.conn.SetWriteDeadline(time.Now().Add(writeTimeout))
	t.batch.hold()
	return errors.Join(write(), t.batch.release())
}

func (t *ws) write(text []byte) error {
	t.rec.bytes += int64(len(text))
	return t.conn.WriteMessage(websocket.TextMessage, text)
}

// A hijacker has the WebSocket write to a batchConn.
type hijacker struct {
	http.ResponseWriter
	conn *batchConn
}

func (h *hijacker) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := http.NewResponseController(h.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	h.conn = &batchConn{Conn: conn}
	return h.conn, rw, nil
}

// A batchConn gathers what is written between hold and release into one write. Each Write is made of whole frames, so
// those of the reading goroutine, which answers pings and closes, may come between.
type batchConn struct {
	net.Conn
	mu   sync.Mutex
	held *[]byte
}

func (c *batchConn) hold() {
	b := buffers.Get().(*[]byte)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.held = b
}

// relieve writes what is held when it has become much.
func (c *batchConn) relieve() error {
	c.mu.Lock()
	much := len(*c.held) > keepBuffer
	c.mu.Unlock()
	if !much {
		return nil
	}
	err := c.release()
	c.hold()
	return err
}

func (c *batchConn) release() error {
	c.mu.Lock()
	b := c.held
	c.held = nil
	c.mu.Unlock()
	defer recycle(b)
	if len(*b) == 0 {
		return nil
	}
	_, err := c.Conn.Write(*b)
	return err
}

// Write implements net.Conn.
func (c *batchConn) Write(p []byte) (int, error) {
	c.mu.Lock()
	if c.held != nil {
		defer c.mu.Unlock()
		*c.held = append(*c.held, p...)
		return len(p), nil
	}
	c.mu.Unlock()
	return c.Conn.Write(p)
}
