package xuanxuan

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// startServer runs a server and returns it with a client of its own, whose connections end with the test.
func startServer(t *testing.T) (*Server, *http.Client) {
	s, err := Start(t.Context(), Options{}, "127.0.0.1:0")
	require.NoError(t, err)
	transport := &http.Transport{}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		require.NoError(t, s.Close())
	})
	return s, &http.Client{Transport: transport}
}

func (s *Server) ping(ctx context.Context, c *http.Client) (*http.Response, error) {
	return s.post(ctx, c, `{"module":"chat","method":"ping","userID":4,"v":"2.3.0"}`)
}

func (s *Server) post(ctx context.Context, c *http.Client, frame string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.URL(), bytes.NewReader(s.key.Seal([]byte(frame))))
	if err != nil {
		return nil, err
	}
	res, err := c.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	res.Body = io.NopCloser(bytes.NewReader(body))
	return res, err
}

func TestServer(t *testing.T) {
	s, client := startServer(t)
	res, err := s.ping(t.Context(), client)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, res.StatusCode)
	require.NoError(t, s.Close())
	_, err = s.ping(t.Context(), client)
	require.Error(t, err)
	require.NoError(t, s.Close(), "closing twice is no error")

	t.Run("an address that is taken is an error", func(t *testing.T) {
		first, _ := startServer(t)
		_, err := Start(t.Context(), Options{}, first.listener.Addr().String())
		require.Error(t, err)
	})
	t.Run("a bad option frees the address", func(t *testing.T) {
		_, err := Start(t.Context(), Options{Key: "short"}, "127.0.0.1:0")
		require.Error(t, err)
	})
	t.Run("a closed backend refuses", func(t *testing.T) {
		require.Equal(t, http.StatusServiceUnavailable, post(s.Backend, `{}`).Code)
	})
	t.Run("closing ends a call that waits", func(t *testing.T) {
		s, client := startServer(t)
		s.SetFaults(Fault{Delay: time.Hour})
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			_, _ = s.ping(t.Context(), client) // whether its answer still passes is a matter of luck
		}()
		require.Eventually(t, func() bool { return s.Calls()["chat/ping"] == 1 }, 5*time.Second, time.Millisecond)
		require.NoError(t, s.Close())
		<-ended
	})
}

func TestFaults(t *testing.T) {
	ctx := t.Context()
	t.Run("drop closes the connection", func(t *testing.T) {
		s, client := startServer(t)
		s.SetFaults(Fault{Drop: true, Times: 1})
		_, err := s.ping(ctx, client)
		require.Error(t, err)
		_, err = s.ping(ctx, client)
		require.NoError(t, err, "it met one call only")
	})
	t.Run("status and garbage take the answer's place", func(t *testing.T) {
		s, client := startServer(t)
		s.SetFaults(Fault{Method: "PING", Status: http.StatusBadGateway}, Fault{Method: "getlist", Body: []byte("<html>")})
		res, err := s.ping(ctx, client)
		require.NoError(t, err)
		require.Equal(t, http.StatusBadGateway, res.StatusCode)
		res, err = s.post(ctx, client, `{"module":"chat","method":"getlist","userID":4}`)
		require.NoError(t, err)
		body, err := io.ReadAll(res.Body)
		require.NoError(t, err)
		require.Equal(t, "<html>", string(body))
		s.SetFaults()
		res, err = s.ping(ctx, client)
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, res.StatusCode)
	})
	t.Run("a call can be carried out with its answer lost, or not at all", func(t *testing.T) {
		b := newGroup(t, Options{})
		b.SetFaults(Fault{Method: "message", Times: 1, Status: 500}, Fault{Method: "message", Times: 1, Status: 500, CarryOut: true})
		frame := `{"module":"chat","method":"message","userID":4,"v":"2.3.0","params":[[{"gid":"m","cgid":"g","content":"x"}]]}`
		stored := func() int { return len(call(t, b, 4, "history", "g", 9, 1, 0, false, 0).rows()) }
		require.Equal(t, 500, post(b, frame).Code)
		require.Equal(t, 0, stored())
		require.Equal(t, 500, post(b, frame).Code)
		require.Equal(t, 1, stored())
	})
	t.Run("messages can be lost", func(t *testing.T) {
		b := newGroup(t, Options{})
		b.SetFaults(Fault{Method: "message", LoseMessages: true, Times: 1})
		lost := call(t, b, 4, "message", []any{textMessage("m", "x")})
		require.Equal(t, "success", lost.Result)
		require.Equal(t, []any{}, lost.Data)
		require.Len(t, call(t, b, 4, "message", []any{textMessage("m", "x")}).rows(), 1)
	})
	t.Run("a slow call is carried out though its caller has gone", func(t *testing.T) {
		s, client := startServer(t)
		call(t, s.Backend, 4, "create", "g", "G", "group", []any{4}, 0, false)
		s.SetFaults(Fault{Method: "message", Delay: time.Hour})
		impatient, cancel := context.WithCancel(ctx)
		done := make(chan error, 1)
		go func() {
			_, err := s.post(impatient, client, `{"module":"chat","method":"message","userID":4,"v":"2.3.0","params":[[{"gid":"m","cgid":"g","content":"x"}]]}`)
			done <- err
		}()
		require.Eventually(t, func() bool { return s.Calls()["chat/message"] == 1 }, 5*time.Second, time.Millisecond)
		cancel()
		require.ErrorIs(t, <-done, context.Canceled)
		require.Eventually(t, func() bool {
			return len(call(t, s.Backend, 4, "history", "g", 9, 1, 0, false, 0).rows()) == 1
		}, 5*time.Second, time.Millisecond)
	})
}

func TestManyAtOnce(t *testing.T) {
	s := newGroup(t, Options{})
	const callers, each = 8, 20
	var wg sync.WaitGroup
	for caller := range callers {
		wg.Go(func() {
			for i := range each {
				sent := call(t, s, 4, "message", []any{textMessage(fmt.Sprintf("%d-%d", caller, i), "x")})
				require.Len(t, sent.rows(), 1)
				require.Equal(t, "success", call(t, s, 5, "history", "g", 10, 1, 0, false, 0).Result)
				require.Equal(t, "success", call(t, s, 0, "notify", nil, nil).Result)
				s.SetFaults(Fault{Method: "nothing"})
			}
		})
	}
	wg.Wait()
	require.EqualValues(t, callers*each, call(t, s, 4, "history", "g", 1, 1, 0, false, 0).Pager["recTotal"])
	require.Equal(t, callers*each, s.Calls()["chat/message"])
	require.Len(t, call(t, s, 7, "getOfflineMessages").rows(), callers*each)
}

func TestCalls(t *testing.T) {
	s := newBackend(t, Options{})
	require.Empty(t, s.Calls())
	call(t, s, 4, "PING")
	call(t, s, 4, "ping")
	call(t, s, 4, "nosuch1")
	call(t, s, 4, "nosuch2")
	require.Equal(t, map[string]int{"chat/ping": 2, "other": 2}, s.Calls())
}
