package xuanxuan

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"
)

// maxFrame is the longest frame, sealed, that a client may send. A longer one resets its connection.
const maxFrame = 20480

// A client is one websocket connection. Its handler's goroutine reads and handles its frames strictly one by one; a
// second one, which the first waits for, writes.
type client struct {
	conn  *websocket.Conn
	queue *queue
	gate  gate
	gone  chan struct{} // closed by drop
	once  sync.Once

	user atomic.Int64 // signed in on it, 0 for nobody; the last one if there were several

	// The reader's own.
	lang      string
	elsewhere bool // it named a backend that there is not

	kicked bool // its user signed in again; guarded by the hub
}

// drop breaks the connection as the real server does: no close frame.
func (c *client) drop() {
	c.once.Do(func() { close(c.gone) })
	_ = c.conn.Close() // what is broken can break no further
}

func (x *XXD) chatRoutes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/ws", x.connect)
	return mux
}

// connect serves one connection to its end.
func (x *XXD) connect(w http.ResponseWriter, req *http.Request) {
	conn, err := x.upgrader.Upgrade(w, req, http.Header{"User-Agent": {"easysoft/xuan.im"}, "xxd-version": {xxdVersion}})
	if err != nil {
		return // answered by Upgrade
	}
	c := &client{conn: conn, queue: newQueue(), gone: make(chan struct{})}
	defer c.drop()
	if !x.hub.enter(c) {
		return
	}
	x.stats.accepted.Add(1)
	ctx := req.Context()
	var writer sync.WaitGroup
	writer.Go(func() { x.write(c) })
	x.read(ctx, c)
	c.drop() // first: whoever is hung up on gets no close frame
	logout := x.hub.leave(c)
	writer.Wait()
	if logout && !c.elsewhere {
		x.logout(ctx, c)
	}
}

// read handles frames until the connection ends or its client does what xxd hangs up on.
func (x *XXD) read(ctx context.Context, c *client) {
	extend := func() error { return c.conn.SetReadDeadline(time.Now().Add(x.options.ReadDeadline)) }
	c.conn.SetPongHandler(func(string) error { return extend() })
	if extend() != nil {
		return
	}
	for {
		sealed, err := c.next()
		if err != nil || !c.gate.pass(c.gone) {
			return
		}
		err = x.handle(ctx, c, sealed)
		x.stats.in.Add(1)
		if err != nil {
			x.options.Logger.Debug("xxd hangs up", "user", c.user.Load(), "err", err)
			return
		}
	}
}

// next waits for the client's next frame. One that is too long resets the connection.
func (c *client) next() ([]byte, error) {
	_, r, err := c.conn.NextReader()
	if err != nil {
		return nil, err
	}
	sealed, err := io.ReadAll(io.LimitReader(r, maxFrame+1))
	if err == nil && len(sealed) > maxFrame {
		err = errors.Join(errHangUp, c.reset())
	}
	return sealed, err
}

// reset ends the connection by a TCP reset.
func (c *client) reset() error {
	conn := c.conn.NetConn()
	if t, ok := conn.(*tls.Conn); ok {
		conn = t.NetConn()
	}
	return errors.Join(conn.(*net.TCPConn).SetLinger(0), conn.Close())
}

// write sends what is queued, and pings, until the connection is dropped or thrown out.
func (x *XXD) write(c *client) {
	defer c.drop()
	ping := time.NewTicker(x.options.PingInterval)
	defer ping.Stop()
	for {
		select {
		case <-c.gone:
			return
		case <-ping.C:
			if !c.gate.pass(c.gone) || c.conn.WriteControl(websocket.PingMessage, nil, x.writeBy()) != nil {
				return
			}
		case <-c.queue.wake:
			if !x.flush(c) {
				return
			}
		}
	}
}

// flush writes all that is queued. It returns false when the connection is done for.
func (x *XXD) flush(c *client) bool {
	for {
		f, ok, ended := c.queue.take()
		if !ok {
			if ended {
				_ = c.conn.WriteControl(websocket.CloseMessage, nil, x.writeBy())
			}
			return !ended
		}
		if !c.gate.pass(c.gone) {
			return false
		}
		if f.raw != nil {
			_ = f.raw(c.conn.NetConn())
			return false
		}
		if c.conn.SetWriteDeadline(x.writeBy()) != nil || c.conn.WriteMessage(websocket.BinaryMessage, f.sealed) != nil {
			x.noteUnsent(c, f)
			return false
		}
		x.stats.out.Add(1)
		if f.last {
			return false
		}
	}
}

func (x *XXD) writeBy() time.Time { return time.Now().Add(x.options.WriteTimeout) }

// noteUnsent keeps the gids of the messages in a frame for the next tick's report; xxb makes nothing of it.
func (x *XXD) noteUnsent(c *client, f frame) {
	var rows struct{ Data []struct{ GID string } }
	if f.method != "message" || json.Unmarshal(f.plain, &rows) != nil {
		return
	}
	for _, r := range rows.Data {
		x.hub.notSent(c.user.Load(), r.GID)
	}
}

// errHangUp is what a client did that the real xxd panics over, or refuses: its connection ends without a word.
var errHangUp = errors.New("hang up")

// say queues a frame for this connection alone.
func (c *client) say(f frame) error {
	if c.queue.push(f) != queued {
		return errHangUp
	}
	return nil
}
