package gateway

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/xuangate/xuangate/gateway/eventlog"
	"github.com/xuangate/xuangate/gen/model"
)

const (
	// sseBeat is shorter than what proxies commonly allow a connection to be silent, 30 to 60 s.
	sseBeat = 15 * time.Second
	// sseRetry is what an EventSource waits before it reconnects after a broken connection.
	sseRetry = 2 * time.Second
)

// sse writes Server-Sent Events: a block per event, with its position as id.
type sse struct {
	w       http.ResponseWriter
	control *http.ResponseController
	all     bool
	rec     *record
}

// serveSSE writes a stream until it ends. The client reconnects by itself and says in Last-Event-ID how far it has come.
func (s *Server) serveSSE(ctx context.Context, c echo.Context, sub subscription) error {
	c.Response().Header().Set(echo.HeaderContentType, "text/event-stream")
	c.Response().WriteHeader(http.StatusOK)
	// From here on past echo's Response, which does nothing for a stream but cost.
	w := c.Response().Writer
	out := &sse{w: w, control: http.NewResponseController(w), all: sub.all, rec: recordOf(ctx)}
	_ = out.control.SetReadDeadline(time.Time{}) // a server's limit for requests is none for streams
	if out.rec.err = out.open(sub.after); out.rec.err == nil {
		out.rec.err = s.deliver(ctx, sub, out)
	}
	return nil
}

func (t *sse) interval() time.Duration { return sseBeat }

// open sends a block that makes the client know where it is before anything happens.
func (t *sse) open(at eventlog.Position) error {
	return t.flush(func(b []byte) []byte {
		b = appendRetry(b, sseRetry)
		return append(appendID(b, at), '\n')
	})
}

func (t *sse) send(entries []*eventlog.Entry, _ eventlog.Position) error {
	t.rec.tells(len(entries))
	b := buffers.Get().(*[]byte)
	defer recycle(b)
	_ = t.control.SetWriteDeadline(time.Now().Add(writeTimeout))
	for _, e := range entries {
		*b = appendKind(appendID(*b, e.At), e.Kind)
		*b = append(e.Append(append(*b, "data: "...), t.all), "\n\n"...)
		if len(*b) > keepBuffer {
			if err := t.write(*b); err != nil {
				return err
			}
			*b = (*b)[:0]
		}
	}
	if err := t.write(*b); err != nil {
		return err
	}
	return t.control.Flush()
}

func (t *sse) tick(at eventlog.Position) error {
	return t.flush(func(b []byte) []byte {
		return append(appendID(append(b, ": ping\n"...), at), '\n')
	})
}

func (t *sse) reset(at eventlog.Position) error { return t.word(model.EventKindReset, at) }

func (t *sse) end(why model.EventKind, at eventlog.Position) error { return t.word(why, at) }

func (t *sse) restart(at eventlog.Position, after time.Duration) error {
	return t.flush(func(b []byte) []byte {
		return append(appendID(appendRetry(b, after), at), '\n')
	})
}

func (t *sse) word(kind model.EventKind, at eventlog.Position) error {
	return t.flush(func(b []byte) []byte {
		b = append(appendKind(appendID(b, at), kind), "data: "...)
		return append(eventlog.AppendControl(b, kind, at), "\n\n"...)
	})
}

// flush writes what encode appends.
func (t *sse) flush(encode func([]byte) []byte) error {
	b := buffers.Get().(*[]byte)
	defer recycle(b)
	*b = encode(*b)
	_ = t.control.SetWriteDeadline(time.Now().Add(writeTimeout))
	if err := t.write(*b); err != nil {
		return err
	}
	return t.control.Flush()
}

func (t *sse) write(b []byte) error {
	n, err := t.w.Write(b)
	t.rec.bytes += int64(n)
	return err
}

func appendRetry(b []byte, d time.Duration) []byte {
	return append(strconv.AppendInt(append(b, "retry: "...), d.Milliseconds(), 10), '\n')
}

func appendID(b []byte, at eventlog.Position) []byte {
	return append(at.Append(append(b, "id: "...)), '\n')
}

func appendKind(b []byte, kind model.EventKind) []byte {
	return append(append(append(b, "event: "...), kind...), '\n')
}
