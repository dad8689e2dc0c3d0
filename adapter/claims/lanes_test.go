package claims

import (
	"context"
	"encoding/json"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/xuangate/xuangate/adapter"
	"github.com/xuangate/xuangate/adapter/legacy"
	"github.com/xuangate/xuangate/gen/model"
)

// slow is a server of alice and bob that takes its time to store a message, and is asked for the same one by two.
type slow struct {
	mu    sync.Mutex
	under int // messages under way
	most  int
	rows  []legacy.DraftRow
}

func (s *slow) Call(ctx context.Context, c legacy.Call) (legacy.Response, error) {
	var data any
	switch c.Method {
	case "userGetlist":
		data = []any{map[string]any{"id": 4, "account": "alice"}, map[string]any{"id": 5, "account": "bob"}}
	case "getlist":
		data = []any{map[string]any{"gid": "team", "type": "group", "members": []int{4, 5}}}
	case "history":
		data = []any{}
	case "message":
		draft := c.Params.([]any)[0].([]legacy.DraftRow)[0]
		s.mu.Lock()
		s.under++
		s.most = max(s.most, s.under)
		s.mu.Unlock()
		time.Sleep(3 * time.Second)
		s.mu.Lock()
		s.under--
		s.rows = append(s.rows, draft)
		answers := len(s.rows) >= 6
		s.mu.Unlock()
		if !answers { // and it is not in the history yet
			<-ctx.Done()
			return legacy.Response{}, ctx.Err()
		}
		data = []any{map[string]any{"id": 1, "gid": draft.GID, "cgid": draft.CGID, "user": draft.User, "date": 1795312700, "type": "normal", "contentType": draft.ContentType, "content": draft.Content}}
	}
	b, err := json.Marshal(data)
	return legacy.Response{Module: "chat", Method: c.Method, Result: legacy.Success, Data: b}, err
}

func TestALaneLastsForAsLongAsASendTakes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		place, server := NewMemory(), &slow{}
		var sending sync.WaitGroup
		for _, node := range []string{"a", "b"} {
			a, err := adapter.New(adapter.Config{
				Caller: server, Claims: place.As(node), Sink: func(context.Context, adapter.Event) error { return nil }, Timeout: 5 * time.Second,
			})
			require.NoError(t, err)
			sending.Go(func() {
				for range 2 { // the client gives up at one node, and tries again
					_, _ = a.SendMessage(t.Context(), 4, model.SendMsgRequest{ConversationId: "team", Type: 1, Content: "x", ClientMsgId: "1"})
				}
			})
		}
		sending.Wait()
		require.Equal(t, 1, server.most, "never two at once")
		require.Greater(t, len(server.rows), 3)
	})
}
