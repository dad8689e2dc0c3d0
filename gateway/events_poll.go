package gateway

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/xuangate/xuangate/gateway/eventlog"
	"github.com/xuangate/xuangate/gateway/login"
	"github.com/xuangate/xuangate/gen/model"
)

// maxPoll is about the most bytes that one poll's answer holds; the rest comes with the next poll. Without it a client that
// was away makes us hold a hundred of the longest messages in one piece.
const maxPoll = 1 << 20

// errAnswered ends a poll that has its answer.
var errAnswered = errors.New("the poll is answered")

// poll is a stream that ends with the first thing that happens, or after its timeout with nothing.
type poll struct {
	c       echo.Context
	all     bool
	timeout time.Duration
}

func (s *Server) servePoll(ctx context.Context, c echo.Context, sub subscription, timeout time.Duration) error {
	err := s.deliver(ctx, sub, &poll{c: c, all: sub.all, timeout: timeout})
	if errors.Is(err, errAnswered) {
		return nil
	}
	return err
}

func (t *poll) interval() time.Duration { return t.timeout }

func (t *poll) send(entries []*eventlog.Entry, at eventlog.Position) error {
	rec := recordOf(t.c.Request().Context())
	b := buffers.Get().(*[]byte)
	defer recycle(b)
	*b = append(*b, `{"code":0,"data":{"`...)
	if t.all {
		*b = append(*b, `Events":[`...)
	} else {
		*b = append(*b, `Msg":[`...)
	}
	for i, e := range entries {
		rec.tells(1)
		if i > 0 {
			*b = append(*b, ',')
		}
		*b = e.Append(*b, t.all)
		if len(*b) > maxPoll {
			at = e.At
			break
		}
	}
	*b = at.Append(append(*b, `],"Position":"`...))
	*b = append(*b, "\"}}\n"...)
	if err := t.c.JSONBlob(http.StatusOK, *b); err != nil {
		return err
	}
	return errAnswered
}

func (t *poll) tick(at eventlog.Position) error { return t.send(nil, at) }

func (t *poll) restart(at eventlog.Position, _ time.Duration) error { return t.send(nil, at) }

func (t *poll) reset(at eventlog.Position) error {
	return refuse(model.PositionLost, "the position is lost; reload through the history operations and go on after %s", at)
}

func (t *poll) end(why model.EventKind, _ eventlog.Position) error {
	switch why {
	case model.EventKindKickoff:
		return login.ErrReplaced
	case model.EventKindSuperseded:
		return refuse(model.TooManyRequests, "you have opened more streams and polls than you may have at a time; this was the oldest")
	}
	return login.ErrUnknown
}
