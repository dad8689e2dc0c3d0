package node_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/xuangate/xuangate/cmd/xuangate/node"
	"github.com/xuangate/xuangate/gen/model"
	"github.com/xuangate/xuangate/test/xuanxuan"
)

func TestMain(m *testing.M) {
	// go-redis looks once a second whether a server that was gone is back, and only then whether its pool has been closed.
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/redis/go-redis/v9/internal/pool.(*ConnPool).tryDial"))
}

// A running node, and the URLs of its listeners.
type running struct {
	api, inner, ops string
	backend         string             // where chat servers find their backend, in mode inline
	end             context.CancelFunc // asks it to end
	ended           chan error         // gets what Run returned
}

// patience is how long a node runs at most, so that a test that waits for what never comes fails instead of hanging.
const patience = 30 * time.Second

// run starts a node and waits until it listens. The test ends it.
func run(t *testing.T, c node.Config) *running {
	t.Helper()
	ctx, end := context.WithTimeout(t.Context(), patience)
	ready := make(chan node.Addresses, 1)
	c.Ready = func(at node.Addresses) { ready <- at }
	if c.LogTo == nil {
		c.LogTo = t.Output()
	}
	n := &running{end: end, ended: make(chan error, 1)}
	go func() { n.ended <- node.Run(ctx, c) }()
	select {
	case at := <-ready:
		n.api = "http://" + at.API.String()
		if at.Inner != nil {
			n.inner = "http://" + at.Inner.String()
		}
		if at.Ops != nil {
			n.ops = "http://" + at.Ops.String()
		}
		if at.Backend != nil {
			n.backend = at.Backend.String()
		}
	case err := <-n.ended:
		t.Fatalf("the node did not start: %v", err)
	}
	t.Cleanup(func() {
		end()
		http.DefaultClient.CloseIdleConnections()
	})
	return n
}

// stop ends the node in good order.
func (n *running) stop(t *testing.T) {
	t.Helper()
	n.end()
	require.NoError(t, <-n.ended)
}

// answer is the envelope.
type answer struct {
	Code  model.Code
	Error string
	Data  json.RawMessage
}

// ask posts in and reads the envelope. It may be called from any goroutine.
func ask(ctx context.Context, url string, header http.Header, in any) (a answer, err error) {
	body, err := json.Marshal(in)
	if err != nil {
		return a, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return a, err
	}
	req.Header = header.Clone()
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return a, err
	}
	defer res.Body.Close()
	return a, json.NewDecoder(res.Body).Decode(&a)
}

func post(t *testing.T, url string, header http.Header, in any) answer {
	t.Helper()
	a, err := ask(t.Context(), url, header, in)
	require.NoError(t, err)
	return a
}

// must is the data of an answer that says all is well.
func must[T any](t *testing.T, a answer) (data T) {
	t.Helper()
	require.Equal(t, model.OK, a.Code, a.Error)
	require.NoError(t, json.Unmarshal(a.Data, &data))
	return data
}

func (n *running) signIn(t *testing.T, account string) (token string) {
	t.Helper()
	in := model.LoginRequest{Account: account, Password: xuanxuan.DemoPassword}
	return must[model.Login](t, post(t, n.api+"/login", http.Header{}, in)).Token
}

func bearer(token string) http.Header { return http.Header{"Authorization": {"Bearer " + token}} }

// listen opens an event stream, which ends with the test at the latest.
func (n *running) listen(t *testing.T, token string) *bufio.Scanner {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, n.api+"/notify?protoc=sse&token="+token, nil)
	require.NoError(t, err)
	res, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	t.Cleanup(func() { _ = res.Body.Close() })
	require.Equal(t, http.StatusOK, res.StatusCode)
	return bufio.NewScanner(res.Body)
}

// next reads a stream up to its next line with this field, and answers its value.
func next(t *testing.T, stream *bufio.Scanner, field string) string {
	t.Helper()
	for stream.Scan() {
		if value, ok := strings.CutPrefix(stream.Text(), field+": "); ok {
			return value
		}
	}
	t.Fatalf("the stream ended without %s: %v", field, stream.Err())
	return ""
}

// talks has alice say something in a new group, and bob hear it.
func (n *running) talks(t *testing.T) {
	t.Helper()
	alice, bob := n.signIn(t, "alice"), n.signIn(t, "bob")
	stream := n.listen(t, bob)
	next(t, stream, "id") // the stream has begun

	group := must[model.ConversationRef](t, post(t, n.api+"/create_conversation", bearer(alice),
		model.CreateConversationRequest{Name: "周报", Members: []string{"5"}}))
	sent := must[model.SentMsg](t, post(t, n.api+"/send_msg", bearer(alice),
		model.SendMsgRequest{ConversationId: group.ConversationId, Type: 1, Content: "大家好"}))

	var heard model.MsgData
	require.NoError(t, json.Unmarshal([]byte(next(t, stream, "data")), &heard))
	require.Equal(t, sent.MsgID, heard.MsgId)
	require.Equal(t, "大家好", heard.Content)
	require.Equal(t, "4", heard.FromSession)
}

func TestRun(t *testing.T) {
	t.Run("a message goes from one user through the chat server to another's stream", func(t *testing.T) {
		n := run(t, before(backend(t)))
		n.talks(t)
		n.stop(t)
	})
	t.Run("inner stands on its own listener, behind its key", func(t *testing.T) {
		c := before(backend(t))
		c.Inner.Key = "an inner key of 32 characters xx"
		n := run(t, c)
		key := http.Header{"X-Inner-Key": {string(c.Inner.Key)}}
		who := model.GetTokenRequest{Account: "carol"}
		require.NotEmpty(t, must[string](t, post(t, n.inner+"/inner/get_token", key, who)))
		require.Equal(t, model.NotAllowed, post(t, n.inner+"/inner/get_token", http.Header{}, who).Code)
		require.Equal(t, model.NotFound, post(t, n.api+"/inner/get_token", key, who).Code)
		n.stop(t)
	})
	t.Run("a chat server that is down is no reason not to start", func(t *testing.T) {
		s := backend(t)
		c := before(s)
		require.NoError(t, s.Close())
		n := run(t, c)
		refused := post(t, n.api+"/login", http.Header{}, model.LoginRequest{Account: "alice", Password: "x"})
		require.Equal(t, model.Unreachable, refused.Code)
		n.stop(t)
	})
	t.Run("settings with faults are refused, all of them named", func(t *testing.T) {
		err := node.Run(t.Context(), node.Config{})
		require.ErrorContains(t, err, "addr: ")
		require.ErrorContains(t, err, "legacy.mode: ")
	})
}

func TestTakenAddress(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer taken.Close()
	for setting, set := range map[string]func(*node.Config){
		"addr":       func(c *node.Config) { c.Addr = taken.Addr().String() },
		"inner.addr": func(c *node.Config) { c.Inner.Addr = taken.Addr().String() },
	} {
		t.Run(setting+" says so, and which flag to use", func(t *testing.T) {
			c := before(backend(t))
			set(&c)
			c.LogTo = io.Discard
			require.ErrorContains(t, node.Run(t.Context(), c), fmt.Sprintf(
				"%s %s: another program listens there; end it, or choose another port with --%s HOST:PORT", setting, taken.Addr(), setting,
			))
		})
	}
}

func TestEnd(t *testing.T) {
	t.Run("open streams end with a hint when to come back", func(t *testing.T) {
		n := run(t, before(backend(t)))
		stream := n.listen(t, n.signIn(t, "alice"))
		next(t, stream, "id")
		n.stop(t)
		require.NotEmpty(t, next(t, stream, "retry"))
		for stream.Scan() {
		}
		require.NoError(t, stream.Err(), "the stream ended in good order")
	})
	t.Run("a request under way is answered", func(t *testing.T) {
		s := backend(t)
		n := run(t, before(s))
		result := n.hold(t, s, 300*time.Millisecond)
		n.stop(t)
		require.NoError(t, <-result)
	})
	t.Run("a chat server that hangs for an hour does not keep the process", func(t *testing.T) {
		s := backend(t)
		c := before(s)
		c.Legacy.Timeout = time.Minute
		n := run(t, c)
		next(t, n.listen(t, n.signIn(t, "bob")), "id")
		result := n.hold(t, s, time.Hour)
		n.end()
		<-n.ended // with or without a complaint about what was not answered
		require.Error(t, <-result, "the request was cut, not answered late")
	})
}

// hold makes the chat server answer late, and returns when a request of alice waits for it. What became of the request
// comes through the channel.
func (n *running) hold(t *testing.T, s *xuanxuan.Server, late time.Duration) <-chan error {
	t.Helper()
	alice := n.signIn(t, "alice")
	s.SetFaults(xuanxuan.Fault{Delay: late})
	asked := s.Calls()["chat/getlist"]
	result := make(chan error, 1)
	go func() {
		a, err := ask(t.Context(), n.api+"/get_joined_conversation", bearer(alice), struct{}{})
		if err == nil && a.Code != model.OK {
			err = errors.New(a.Error)
		}
		result <- err
	}()
	require.Eventually(t, func() bool { return s.Calls()["chat/getlist"] > asked }, 5*time.Second, time.Millisecond)
	return result
}
