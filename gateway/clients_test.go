package gateway

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"
	r3labs "github.com/r3labs/sse/v2"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/xuangate/xuangate/gateway/eventlog"
	"github.com/xuangate/xuangate/gateway/login"
	"github.com/xuangate/xuangate/gen/model"
)

func TestClient(t *testing.T) {
	t.Run("r3labs/sse follows, reconnects and resumes", func(t *testing.T) {
		w := newWorld(t, nil)
		a, b := w.signIn(alice, 1), w.signIn(bob, 1)
		follow := func(after string, from func(e *r3labs.Event) bool) {
			client := r3labs.NewClient(w.url + "/notify")
			client.Connection = w.http
			client.Headers = map[string]string{"Authorization": "Bearer " + string(b)}
			client.LastEventID.Store([]byte(after))
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			events := make(chan *r3labs.Event, 100)
			done := make(chan error, 1)
			go func() {
				done <- client.SubscribeRawWithContext(ctx, func(e *r3labs.Event) { events <- e })
			}()
			for {
				select {
				case e := <-events:
					if len(e.Data) > 0 && from(e) {
						cancel()
						<-done
						return
					}
				case <-time.After(patience):
					t.Fatal("nothing came")
				}
			}
		}
		begin, err := w.events.End(t.Context())
		require.NoError(t, err)
		w.tell("1", alice, bob)
		w.tell("2", alice, bob)
		var last string
		follow(begin.String(), func(e *r3labs.Event) bool {
			require.Equal(t, "message", string(e.Event))
			require.Contains(t, string(e.Data), `"Content":"1"`)
			last = string(e.ID)
			return true
		})
		w.say(a, "3")
		var contents []string
		follow(last, func(e *r3labs.Event) bool {
			var m model.MsgData
			require.NoError(t, json.Unmarshal(e.Data, &m))
			require.Equal(t, string(e.ID), m.Position)
			contents = append(contents, m.Content)
			return m.Content == "3"
		})
		require.Equal(t, []string{"2", "3"}, contents)
	})

	t.Run("a page of another origin opens no WebSocket; ours, a configured one and no page at all do", func(t *testing.T) {
		w := newWorld(t, func(c *Config) { c.Origins = []string{"https://chat.example.com"} })
		token := w.signIn(alice, 1)
		for origin, ok := range map[string]bool{
			"": true, w.url: true, "https://chat.example.com": true,
			"https://evil.example.com": false, "null": false, "https://chat.example.com.evil.com": false,
		} {
			h := http.Header{}
			if origin != "" {
				h.Set("Origin", origin)
			}
			conn, resp, err := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(w.url, "http")+"/notify?token="+string(token), h)
			if ok {
				require.NoError(t, err, origin)
				_ = conn.Close()
				continue
			}
			require.Error(t, err, origin)
			require.Equal(t, http.StatusForbidden, resp.StatusCode)
			var p model.Problem
			require.NoError(t, json.NewDecoder(resp.Body).Decode(&p))
			require.Equal(t, model.NotAllowed, p.Code)
		}
	})

	t.Run("a client that sends more than a word is shown the door", func(t *testing.T) {
		w := newWorld(t, nil)
		conn, _, err := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(w.url, "http")+"/notify?token="+string(w.signIn(alice, 1)), nil)
		require.NoError(t, err)
		defer conn.Close()
		require.NoError(t, conn.WriteMessage(websocket.TextMessage, []byte("hello")))
		require.NoError(t, conn.WriteMessage(websocket.TextMessage, make([]byte, maxClientMessage+1)))
		for err == nil {
			_, _, err = conn.ReadMessage()
		}
		require.True(t, websocket.IsCloseError(err, websocket.CloseMessageTooBig), "%v", err)
	})

	onEachTransport(t, "a client that goes leaves nothing behind", func(t *testing.T, p model.Protocol) {
		w := newWorld(t, nil)
		token := w.signIn(alice, 1)
		l := w.open(t, p, token, "")
		w.online(t, alice)
		l.close()
		eventually(t, func() bool { return w.server.streams.count() == 0 })
		require.NotContains(t, w.log.String(), `"level":"ERROR"`)
	})

	t.Run("a stalled reader costs nobody else anything, and is given up", func(t *testing.T) {
		w := newWorld(t, nil)
		a, b := w.signIn(alice, 1), w.signIn(bob, 1)
		w.stall(t, a)
		l := w.open(t, model.ProtocolSse, b, "")
		w.online(t, alice, bob)
		big := strings.Repeat("x", 60000)
		for range 200 {
			w.tell(big, alice)
			w.tell("small", bob)
		}
		for range 200 {
			l.hears(t, "small")
		}
	})

	t.Run("a stalled reader is given up after the write timeout", func(t *testing.T) {
		for _, p := range []model.Protocol{model.ProtocolSse, model.ProtocolWs} {
			t.Run(string(p), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w := newWorldOn(t, nil, newPipes)
					token := w.signIn(alice, 1)
					conn, err := w.dial(t.Context(), "tcp", "public")
					require.NoError(t, err)
					defer conn.Close()
					r := w.request(http.MethodGet, "/notify?protoc="+string(p), token, nil)
					if p == model.ProtocolWs {
						for k, v := range map[string]string{"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="} {
							r.Header.Set(k, v)
						}
					}
					require.NoError(t, r.Write(conn))
					ends := map[model.Protocol]string{model.ProtocolSse: "\n\n\r\n", model.ProtocolWs: `"}`}[p]
					for seen := ""; !strings.HasSuffix(seen, ends); { // up to where the stream begins, and nothing more
						var b [1]byte
						_, err := io.ReadFull(conn, b[:])
						require.NoError(t, err)
						seen += string(b[:])
					}
					time.Sleep(12 * time.Second)
					w.tell("x", alice)
					start := time.Now()
					for w.server.streams.count() > 0 {
						time.Sleep(100 * time.Millisecond)
					}
					require.InDelta(t, writeTimeout.Seconds(), time.Since(start).Seconds(), closeTimeout.Seconds()+1)
				})
			})
		}
	})
}

// stall opens a stream of a client that reads nothing until the returned function is called.
func (w *world) stall(t *testing.T, token login.Token) func() *listener {
	conn, err := net.Dial("tcp", strings.TrimPrefix(w.url, "http://"))
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	require.NoError(t, w.request(http.MethodGet, "/notify?protoc=sse", token, nil).Write(conn))
	eventually(t, func() bool { return w.server.streams.count() > 0 })
	return func() *listener {
		l := &listener{protocol: model.ProtocolSse, heard: make(chan heard, 10000), cancel: func() { _ = conn.Close() }, closed: make(chan struct{})}
		go l.readSSE(conn, false)
		t.Cleanup(l.close)
		return l
	}
}

func TestManyClients(t *testing.T) {
	w := newWorld(t, func(c *Config) {
		c.Events, c.Streams.User = eventlog.NewMemory(eventlog.MemoryOptions{}), 300
	})
	a, b := w.signIn(alice, 1), w.signIn(bob, 1)
	pace := w.open(t, model.ProtocolSse, a, "")
	stop := make(chan struct{})
	var sending, clients sync.WaitGroup
	sending.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
				w.tell(fmt.Sprint(i), alice, bob)
				<-pace.heard // no faster than a client hears
			}
		}
	})
	for i := range 200 {
		clients.Go(func() {
			token := a
			if i%2 == 0 {
				token = b
			}
			for range 3 {
				l := w.open(t, transports[i%3], token, "")
				h := l.next(t)
				first, err := strconv.Atoi(h.content)
				assert.NoError(t, err, "%+v", h)
				for k := 1; k <= 3; k++ { // nothing is missing in between
					l.hears(t, fmt.Sprint(first+k))
				}
				l.close()
			}
		})
	}
	clients.Wait()
	close(stop)
	sending.Wait()
	eventually(t, func() bool { return w.server.streams.count() == 1 })
}
