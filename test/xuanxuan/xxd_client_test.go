package xuanxuan

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/require"
)

func TestKeepAlive(t *testing.T) {
	t.Run("only pongs extend the deadline", func(t *testing.T) {
		_, x := newSite(t, Options{}, XXDOptions{PingInterval: 50 * time.Millisecond, ReadDeadline: time.Second})
		dumb := dial(t, x, func(c *websocket.Conn) { c.SetPingHandler(func(string) error { return nil }) })
		dumb.login("alice", DemoPassword, "online")
		dumb.welcomed()
		began := time.Now()
		ping := x.key.Seal([]byte(`{"module":"chat","method":"ping","userID":4}`))
		for ended := false; !ended; { // it talks all the time
			require.Less(t, time.Since(began), patience)
			if ended = dumb.conn.WriteMessage(websocket.BinaryMessage, ping) != nil; !ended {
				_, ok := <-dumb.frames
				ended = !ok
			}
		}
		_, how := dumb.end()
		require.False(t, closedProperly(how), "%v", how)
	})
	t.Run("who answers pings stays for ever, even without a login", func(t *testing.T) {
		_, x := newSite(t, Options{}, XXDOptions{PingInterval: 100 * time.Millisecond, ReadDeadline: time.Second})
		var pings atomic.Int64
		d := dial(t, x, func(c *websocket.Conn) {
			answer := c.PingHandler()
			c.SetPingHandler(func(data string) error {
				if data != "" {
					return fmt.Errorf("ping with %q", data)
				}
				pings.Add(1)
				return answer(data)
			})
		})
		require.Eventually(t, func() bool { return pings.Load() > 15 }, patience, time.Millisecond, "longer than the deadline")
		d.login("alice", DemoPassword, "online")
		d.welcomed()
	})
	t.Run("the measured times are the default", func(t *testing.T) {
		o := XXDOptions{}.withDefaults()
		require.Equal(t, []time.Duration{18 * time.Second, 20 * time.Second, time.Minute, 10 * time.Second},
			[]time.Duration{o.PingInterval, o.ReadDeadline, o.TickInterval, o.WriteTimeout})
	})
}

// slowReader signs a user in who reads no further.
func slowReader(t *testing.T, x *XXD, account string) *websocket.Conn {
	conn := handshake(t, x)
	t.Cleanup(func() { conn.Close() })
	text, err := json.Marshal(map[string]any{"module": "chat", "method": "login", "params": []any{"", account, md5Hex(DemoPassword), "online"}})
	require.NoError(t, err)
	require.NoError(t, conn.WriteMessage(websocket.BinaryMessage, x.key.Seal(text)))
	for range 6 {
		_, _, err := conn.ReadMessage()
		require.NoError(t, err)
	}
	return conn
}

// large is a message in a frame that no socket's buffers hold.
func large(x *XXD) frame {
	return x.seal("message", []byte(`{"data":[{"gid":"m1","content":"`+strings.Repeat("x", 16<<20)+`"}]}`))
}

func TestSlowReader(t *testing.T) {
	t.Run("who stalls is thrown out with the 257th frame that waits for him, and everybody else goes on", func(t *testing.T) {
		s, x := newSite(t, Options{}, XXDOptions{WriteTimeout: time.Hour})
		slowReader(t, x, "alice")
		bob := signInto(t, x, "bob")
		require.Eventually(t, func() bool { return x.Stats().Online == 2 }, patience, time.Millisecond)
		alice := x.hub.connection(4)
		f := large(x)
		x.hub.deliver([]int64{4}, f)
		require.Eventually(t, func() bool { return alice.waiting() == 0 }, patience, time.Millisecond) // it is being written
		for range 256 {
			x.hub.deliver([]int64{4}, f)
		}
		require.Equal(t, 2, x.Stats().Online)
		x.hub.deliver([]int64{4}, f)
		require.Equal(t, 1, x.Stats().Online)
		bob.call("ping")
		bob.expect("ping")
		x.hub.drop() // of its own accord it would end with the write timeout
		require.Eventually(t, func() bool { return s.Calls()["chat/logout"] == 2 }, patience, time.Millisecond)
	})
	t.Run("who does not take a frame in time is dropped, and the loss reported once", func(t *testing.T) {
		s, x := newSite(t, Options{}, XXDOptions{WriteTimeout: 100 * time.Millisecond})
		slowReader(t, x, "alice")
		require.Eventually(t, func() bool { return x.Stats().Online == 1 }, patience, time.Millisecond)
		x.hub.deliver([]int64{4}, large(x))
		require.Eventually(t, func() bool { return s.Calls()["chat/logout"] == 1 }, patience, time.Millisecond)
		require.Zero(t, x.Stats().Connections)
		offline, unsent := x.hub.losses()
		require.Equal(t, []int64{4}, offline)
		require.Equal(t, map[int64][]string{4: {"m1"}}, unsent)
		x.Tick(t.Context())
		offline, unsent = x.hub.losses()
		require.Nil(t, offline)
		require.Empty(t, unsent)
	})
}

// waiting is how many frames wait to be written.
func (c *client) waiting() int {
	c.queue.mu.Lock()
	defer c.queue.mu.Unlock()
	return len(c.queue.frames)
}
