package gateway

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/require"

	"github.com/xuangate/xuangate/gen/model"
)

func TestDrain(t *testing.T) {
	t.Run("open streams end with a hint when to come back", func(t *testing.T) {
		w := newWorld(t, nil)
		token := w.signIn(alice, 1)
		streams := map[model.Protocol]*listener{}
		for _, p := range transports {
			streams[p] = w.open(t, p, token, "timeout=60")
		}
		w.online(t, alice)
		eventually(t, func() bool { return w.server.streams.count() == 3 })
		w.server.Drain(t.Context())
		require.Zero(t, w.server.streams.count())

		require.Equal(t, "eof", streams[model.ProtocolSse].next(t).end)
		require.Contains(t, streams[model.ProtocolWs].next(t).end, "close 1012 retry_ms=")
		h := streams[model.ProtocolPoll].any(t)
		require.Equal(t, "position", h.kind, "a poll is answered")
		require.Contains(t, streams[model.ProtocolPoll].next(t).end, "10002 ")
		for _, l := range streams {
			l.close()
		}
		require.Regexp(t, `^([5-9]\d\d|[1-4]\d{3})$`, streams[model.ProtocolSse].retry)
		require.Regexp(t, `^retry_ms=([5-9]\d\d|[1-4]\d{3})$`, streams[model.ProtocolWs].retry)
	})

	t.Run("new ones are refused, calls are answered", func(t *testing.T) {
		w := newWorld(t, nil)
		token := w.signIn(alice, 1)
		w.server.Drain(t.Context())
		for _, p := range transports {
			require.Contains(t, w.open(t, p, token, "").next(t).end, "10002 ")
		}
		require.Equal(t, model.OK, w.post("/get_joined_conversation", token, nil).code)
	})

	t.Run("a WebSocket that takes no last word is cut", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorldOn(t, nil, newPipes)
			conn, _, err := (&websocket.Dialer{NetDialContext: w.dial}).DialContext(t.Context(), "ws://public/notify?token="+string(w.signIn(alice, 1)), nil)
			require.NoError(t, err)
			defer conn.Close() // and never reads
			w.tell("x", alice)
			synctest.Wait()
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			w.server.Drain(ctx)
			synctest.Wait()
			require.Zero(t, w.server.streams.count())
		})
	})
}

func (s *streams) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.open)
}
