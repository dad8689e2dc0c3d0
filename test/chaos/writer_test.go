package chaos

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/xuangate/xuangate/gen/model"
)

// A writer says something in its conversations now and then, each message until it is told that it is stored.
type writer struct {
	*client
	rooms []string
	send  func(ctx context.Context, d model.SendMsgRequest) (model.MsgId, error) // until it is stored, or refused as a conflict

	mu    sync.Mutex
	said  map[string]model.MsgId // by content
	tries int

	conflicts []string // what was said when a message had to be sent under another id; whoever reads them waits for run
}

func newWriter(c *client) *writer {
	w := &writer{client: c, said: map[string]model.MsgId{}}
	w.send = w.onWire
	return w
}

// onWire sends by speaking the wire itself.
func (w *writer) onWire(ctx context.Context, d model.SendMsgRequest) (model.MsgId, error) {
	var sent model.SentMsg
	err := w.call(ctx, "/send_msg", d, &sent, func(r *errRefused) bool { return r.code == model.Conflict })
	return sent.MsgID, err
}

// run says n messages, about one every pace.
func (w *writer) run(ctx context.Context, n int, pace time.Duration) error {
	for i := range n {
		w.client.mu.Lock()
		room := w.rooms[w.rand.IntN(len(w.rooms))]
		d := time.Duration(w.rand.Int64N(int64(2 * pace)))
		w.client.mu.Unlock()
		t := time.NewTimer(d)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return ctx.Err()
		}
		if err := w.say(ctx, room, fmt.Sprint(w.account, "-", i)); err != nil {
			return err
		}
	}
	return nil
}

// say sends one message and returns once it is stored. What may have been stored is sent again under the same id, by which
// it is known; what legacy says it has lost, under another.
func (w *writer) say(ctx context.Context, room, content string) error {
	for attempt := 0; ; attempt++ {
		id, err := w.send(ctx, model.SendMsgRequest{ConversationId: room, Type: 1, Content: content, ClientMsgId: fmt.Sprint(content, "/", attempt)})
		w.mu.Lock()
		w.tries++
		if err == nil {
			w.said[content] = id
		}
		w.mu.Unlock()
		var refused *errRefused
		if err == nil || !errors.As(err, &refused) || refused.code != model.Conflict {
			return err
		}
		w.conflicts = append(w.conflicts, fmt.Sprintf("%s at %s: %s", content, time.Now().Format("15:04:05.000"), refused.text))
	}
}
