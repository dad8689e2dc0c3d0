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

	mu    sync.Mutex
	said  map[string]model.MsgId // by content
	tries int
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
		var sent model.SentMsg
		in := map[string]any{"conversation_id": room, "type": 1, "content": content, "client_msg_id": fmt.Sprint(content, "/", attempt)}
		err := w.call(ctx, "/send_msg", in, &sent, func(r *errRefused) bool { return r.code == model.Conflict })
		w.mu.Lock()
		w.tries++
		if err == nil {
			w.said[content] = sent.MsgID
		}
		w.mu.Unlock()
		var refused *errRefused
		if err == nil || !errors.As(err, &refused) || refused.code != model.Conflict {
			return err
		}
	}
}
