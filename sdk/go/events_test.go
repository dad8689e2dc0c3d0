package sdk

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/require"

	"github.com/xuangate/xuangate/gen/model"
)

// told is an event as the server frames it.
func told(kind EventKind, position, content string) string {
	return fmt.Sprintf(`{"Event":%q,"Position":%q,"Data":{"MsgId":"m","Content":%q}}`, kind, position, content)
}

// stream opens a stream of events and writes blocks, each with its own flush.
func writeSSE(w http.ResponseWriter, blocks ...string) {
	w.Header().Set("Content-Type", "text/event-stream")
	for _, b := range blocks {
		_, _ = io.WriteString(w, b)
		_ = http.NewResponseController(w).Flush()
	}
}

func block(kind EventKind, position, content string) string {
	return fmt.Sprintf("id: %s\nevent: %s\ndata: %s\n\n", position, kind, told(kind, position, content))
}

// collect iterates until n messages were heard, or the end.
func collect(ctx context.Context, c *Client, after string, n int) (contents []string, err error) {
	for e, err := range c.Events(ctx, after) {
		if err != nil {
			return contents, err
		}
		if e.Message != nil {
			contents = append(contents, e.Message.Content)
		}
		if len(contents) == n {
			break
		}
	}
	return contents, nil
}

func TestSSE(t *testing.T) {
	t.Run("a stream that ends in good order is come back to, after its last whole event", func(t *testing.T) {
		var positions []string
		_, c := serve(t, Options{Transport: SSE, Token: "xg_1"}, func(w http.ResponseWriter, r *http.Request, n int) {
			positions = append(positions, r.Header.Get("Last-Event-ID"))
			switch n {
			case 1:
				writeSSE(w, "id: p0\n\n", block("message", "p1", "1"))
			case 2: // broken in the middle of an id
				writeSSE(w, "id: p1\n\n", block("message", "p2", "2"), "id: p3333")
				panic(http.ErrAbortHandler)
			default:
				writeSSE(w, "id: p2\n\n", block("message", "p2", "2"), block("message", "p3", "3"))
			}
		})
		contents, err := collect(t.Context(), c, "p0", 3)
		require.NoError(t, err)
		require.Equal(t, []string{"1", "2", "3"}, contents)
		require.Equal(t, []string{"p0", "p1", "p2"}, positions)
	})

	t.Run("an id without an event moves the place on", func(t *testing.T) {
		var second string
		_, c := serve(t, Options{Transport: SSE}, func(w http.ResponseWriter, r *http.Request, n int) {
			if n == 1 {
				writeSSE(w, "id: p0\n\n", ": ping\nid: p9\n\n")
				return
			}
			second = r.Header.Get("Last-Event-ID")
			writeSSE(w, "id: p9\n\n", block("message", "p10", "x"))
		})
		_, err := collect(t.Context(), c, "", 1)
		require.NoError(t, err)
		require.Equal(t, "p9", second)
	})

	t.Run("the token is in the header alone", func(t *testing.T) {
		s, c := serve(t, Options{Transport: SSE, Token: "xg_1"}, func(w http.ResponseWriter, _ *http.Request, _ int) {
			writeSSE(w, "id: p0\n\n", block("message", "p1", "1"))
		})
		_, err := collect(t.Context(), c, "", 1)
		require.NoError(t, err)
		require.Equal(t, "Bearer xg_1", s.asked()[0].token)
		require.NotContains(t, s.asked()[0].path, "xg_")
	})

	t.Run("each way to end for good is an error of its own, and nobody comes back", func(t *testing.T) {
		for kind, want := range map[EventKind]error{"kickoff": ErrSignedInElsewhere, "revoked": ErrInvalidToken, "expired": ErrInvalidToken, "superseded": ErrSuperseded} {
			s, c := serve(t, Options{Transport: SSE}, func(w http.ResponseWriter, _ *http.Request, _ int) {
				writeSSE(w, "id: p0\n\n", block(kind, "p1", ""))
			})
			_, err := collect(t.Context(), c, "", 1)
			require.ErrorIs(t, err, want)
			var e *Error
			require.ErrorAs(t, err, &e)
			require.Equal(t, kind, e.Ended)
			require.Len(t, s.asked(), 1)
		}
	})

	t.Run("an event of a kind we do not know is told as it is", func(t *testing.T) {
		_, c := serve(t, Options{Transport: SSE}, func(w http.ResponseWriter, _ *http.Request, _ int) {
			writeSSE(w, "id: p0\n\n", block("weather", "p1", "rain"))
		})
		for e, err := range c.Events(t.Context(), "") {
			require.NoError(t, err)
			require.Equal(t, EventKind("weather"), e.Kind)
			require.Contains(t, string(e.Data), "rain")
			break
		}
	})

	t.Run("a refusal that no other try changes ends the events", func(t *testing.T) {
		s, c := serve(t, Options{}, func(w http.ResponseWriter, _ *http.Request, _ int) { refuse(w, 400, model.InvalidParameter) })
		_, err := collect(t.Context(), c, "nonsense", 1)
		require.ErrorIs(t, err, ErrInvalidParameter)
		require.Len(t, s.asked(), 1)
	})

	t.Run("the end of the context ends the events with its cause, and leaving the loop without an error", func(t *testing.T) {
		var states []State
		_, c := serve(t, Options{Transport: SSE, OnState: func(s State) { states = append(states, s) }}, func(w http.ResponseWriter, r *http.Request, _ int) {
			writeSSE(w, "id: p0\n\n", block("message", "p1", "1"))
			<-r.Context().Done()
		})
		ctx, cancel := context.WithCancelCause(t.Context())
		defer cancel(nil)
		n := 0
		for _, err := range c.Events(ctx, "") {
			if n++; n == 1 {
				require.NoError(t, err)
				cancel(io.ErrClosedPipe)
				continue
			}
			require.ErrorIs(t, err, io.ErrClosedPipe)
		}
		require.Equal(t, 2, n)
		_, err := collect(t.Context(), c, "", 1)
		require.NoError(t, err)
		var phases []Phase
		for _, s := range states {
			phases = append(phases, s.Phase)
		}
		require.Equal(t, []Phase{Connecting, Online, Ended, Connecting, Online, Ended}, phases)
		require.ErrorIs(t, states[2].Err, io.ErrClosedPipe)
		require.NoError(t, states[5].Err)
	})

	t.Run("a panic in the loop leaves nothing behind", func(t *testing.T) {
		_, c := serve(t, Options{Transport: SSE}, func(w http.ResponseWriter, r *http.Request, _ int) {
			writeSSE(w, "id: p0\n\n", block("message", "p1", "1"), block("message", "p2", "2"))
			<-r.Context().Done()
		})
		require.Panics(t, func() {
			for range c.Events(t.Context(), "") {
				panic("the program's own")
			}
		})
	})
}

func TestBlocks(t *testing.T) {
	const stream = "id: 1\n\nid: 2\ndata: x\n\nid: 33"
	for name, r := range map[string]io.Reader{
		"at once": strings.NewReader(stream), "a byte at a time": iotest.OneByteReader(strings.NewReader(stream)), "with its end": iotest.DataErrReader(strings.NewReader(stream)),
	} {
		t.Run(name, func(t *testing.T) {
			w := newWatch(func(error) {}, time.Hour, time.Hour)
			defer w.stop()
			got, err := io.ReadAll(&blocks{body: io.NopCloser(r), watch: w})
			require.NoError(t, err)
			require.Equal(t, "id: 1\n\nid: 2\ndata: x\n\n", string(got))
		})
	}
	t.Run("one that never ends is given up", func(t *testing.T) {
		w := newWatch(func(error) {}, time.Hour, time.Hour)
		defer w.stop()
		_, err := io.ReadAll(&blocks{body: io.NopCloser(strings.NewReader(strings.Repeat("x", maxEvent+10_000))), watch: w})
		require.ErrorContains(t, err, "too large")
	})
}

func TestWebSocketHints(t *testing.T) {
	for reason, least := range map[string]time.Duration{"retry_ms=300": 300 * time.Millisecond, "nonsense": 0} {
		t.Run("a restarting server says when to come back: "+reason, func(t *testing.T) {
			upgrader := websocket.Upgrader{}
			var mu sync.Mutex
			var came []time.Time
			_, c := serve(t, Options{Transport: WebSocket}, func(w http.ResponseWriter, r *http.Request, n int) {
				mu.Lock()
				came = append(came, time.Now())
				mu.Unlock()
				w.Header().Del("Content-Type")
				conn, err := upgrader.Upgrade(w, r, nil)
				if err != nil {
					return
				}
				defer conn.Close()
				if n == 1 {
					_ = conn.WriteMessage(websocket.TextMessage, []byte(`{"Event":"position","Position":"p7"}`))
					_ = conn.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(websocket.CloseServiceRestart, reason), time.Now().Add(time.Minute))
					return
				}
				_ = conn.WriteMessage(websocket.TextMessage, []byte(told("message", "p8", r.URL.Query().Get("after"))))
				_, _, _ = conn.ReadMessage()
			})
			contents, err := collect(t.Context(), c, "p0", 1)
			require.NoError(t, err)
			require.Equal(t, []string{"p7"}, contents)
			require.GreaterOrEqual(t, came[1].Sub(came[0]), least)
		})
	}
}

func TestSeen(t *testing.T) {
	var s seen
	for i := range 3 * seenSize {
		require.True(t, s.add(fmt.Sprint(i)))
		require.False(t, s.add(fmt.Sprint(i)))
		require.False(t, s.add(fmt.Sprint(max(0, i-seenSize+1))))
	}
	require.Len(t, s.set, seenSize)
	require.True(t, s.add(""), "without a position nothing is known")
	require.True(t, s.add(""))
}

func TestChoice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &choice{}
		require.Equal(t, []Transport{SSE, WebSocket, Poll}, c.order())
		c.worked(Poll)
		require.Equal(t, []Transport{Poll, SSE, WebSocket}, c.order())
		time.Sleep(choiceTTL / 2)
		c.worked(Poll)
		require.False(t, c.stale(Poll))
		time.Sleep(choiceTTL / 2)
		require.True(t, c.stale(Poll), "the first time counts, or one that goes on working is kept to for ever")
		require.Equal(t, all, c.order())
		c.worked(SSE)
		time.Sleep(choiceTTL)
		require.False(t, c.stale(SSE), "there is no better one")
	})
}

func TestFallback(t *testing.T) {
	t.Run("what worked is remembered by the client, for its other streams, too", func(t *testing.T) {
		var mu sync.Mutex
		var asked []string
		_, c := serve(t, Options{}, func(w http.ResponseWriter, r *http.Request, _ int) {
			transport := r.URL.Query().Get("protoc")
			mu.Lock()
			asked = append(asked, transport)
			mu.Unlock()
			if transport != "poll" {
				w.Header().Set("Content-Type", "text/html")
				w.WriteHeader(http.StatusBadGateway)
				return
			}
			_, _ = io.WriteString(w, `{"code":0,"data":{"Events":[`+told("message", "p1", "x")+`],"Position":"p1"}}`)
		})
		for range 2 {
			_, err := collect(t.Context(), c, "", 1)
			require.NoError(t, err)
		}
		require.Equal(t, []string{"sse", "ws", "poll", "poll"}, slices.Clone(asked))
	})

	t.Run("a server that refuses or cannot be reached is no transport's fault", func(t *testing.T) {
		s, c := serve(t, Options{}, func(w http.ResponseWriter, _ *http.Request, n int) {
			if n <= 3 {
				refuse(w, http.StatusServiceUnavailable, model.Unreachable)
				return
			}
			writeSSE(w, "id: p0\n\n", block("message", "p1", "x"))
		})
		_, err := collect(t.Context(), c, "", 1)
		require.NoError(t, err)
		for _, one := range s.asked() {
			require.Contains(t, one.path, "protoc=sse")
		}
	})
}

func TestPoll(t *testing.T) {
	t.Run("a lost position is a reset, however the server words it", func(t *testing.T) {
		for _, sentence := range []string{"go on after p9-1", "it is lost"} {
			_, c := serve(t, Options{Transport: Poll}, func(w http.ResponseWriter, r *http.Request, _ int) {
				if r.URL.Query().Get("after") == "old" {
					w.WriteHeader(http.StatusGone)
					fmt.Fprintf(w, `{"code":10010,"error":%q}`, sentence)
					return
				}
				_, _ = io.WriteString(w, `{"code":0,"data":{"Events":[],"Position":"p9-1"}}`)
			})
			for e, err := range c.Events(t.Context(), "old") {
				require.NoError(t, err)
				require.Equal(t, Reset, e.Kind)
				require.Equal(t, "p9-1", e.Position)
				break
			}
		}
	})
}
