// Package nginx tries the proxy settings of cmd/xuangate/deploy/nginx.conf on a real nginx in front of a real gateway.
package nginx

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/xuangate/xuangate/cmd/xuangate/node"
	"github.com/xuangate/xuangate/gen/model"
	"github.com/xuangate/xuangate/test/xuanxuan"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a thing that should happen may take.
const patience = 20 * time.Second

func TestNginx(t *testing.T) {
	program, err := exec.LookPath("nginx")
	if err != nil {
		program = "/usr/sbin/nginx"
	}
	if _, err := os.Stat(program); err != nil {
		t.Skip("there is no nginx; .ci/tools installs it")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*patience)
	defer cancel()
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	api := startGateway(t, ctx)
	front := startNginx(t, ctx, program, api)
	alice, bob := signIn(t, ctx, front, "alice"), signIn(t, ctx, front, "bob")
	var chat model.ConversationRef
	call(t, ctx, front, "/create_conversation", alice, model.CreateConversationRequest{ConversationType: 1, Members: []model.Session{"5"}}, &chat)
	say := func(text string) {
		var sent model.SentMsg
		call(t, ctx, front, "/send_msg", alice, model.SendMsgRequest{ConversationId: chat.ConversationId, Type: 1, Content: text}, &sent)
	}

	t.Run("an SSE stream passes each event when it happens", func(t *testing.T) {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, front+"/notify?protoc=sse", nil)
		require.NoError(t, err)
		req.Header.Set("Authorization", "Bearer "+bob)
		res, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		defer res.Body.Close()
		require.Equal(t, "text/event-stream", res.Header.Get("Content-Type"))
		lines := bufio.NewScanner(res.Body)
		await := func(what string) {
			for lines.Scan() {
				if strings.Contains(lines.Text(), what) {
					return
				}
			}
			t.Fatalf("the stream ended without %q: %v", what, lines.Err())
		}
		await("id: ") // it has begun, and is not held back until it ends
		for _, text := range []string{"first", "second"} {
			say(text)
			await(text)
		}
	})
	t.Run("a WebSocket is upgraded, from a page of the proxy's host, too", func(t *testing.T) {
		head := http.Header{"Authorization": {"Bearer " + bob}, "Origin": {front}}
		conn, res, err := websocket.DefaultDialer.DialContext(ctx, "ws"+strings.TrimPrefix(front, "http")+"/notify?protoc=ws", head)
		require.NoError(t, err)
		_ = res.Body.Close()
		defer conn.Close()
		await := func(what string) {
			require.NoError(t, conn.SetReadDeadline(time.Now().Add(patience)))
			_, got, err := conn.ReadMessage()
			require.NoError(t, err)
			require.Contains(t, string(got), what)
		}
		await("position") // where it begins
		for _, text := range []string{"third", "fourth"} {
			say(text)
			await(text)
		}
	})
	t.Run("a poll waits, and is answered when something happens", func(t *testing.T) {
		var now model.Poll
		get(t, ctx, front+"/notify?protoc=poll&timeout=0", bob, &now)
		said := make(chan struct{})
		go func() {
			defer close(said)
			say("fifth")
		}()
		var poll model.Poll
		get(t, ctx, front+"/notify?protoc=poll&timeout=60&after="+now.Position, bob, &poll)
		<-said
		require.Len(t, poll.Msg, 1)
		require.Equal(t, "fifth", poll.Msg[0].Content)
	})
	t.Run("a page is compressed by the gateway and stays so", func(t *testing.T) {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, front+"/docs/", nil)
		require.NoError(t, err)
		req.Header.Set("Accept-Encoding", "gzip")
		res, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		_ = res.Body.Close()
		require.Equal(t, http.StatusOK, res.StatusCode)
		require.Equal(t, "gzip", res.Header.Get("Content-Encoding"))
	})
}

// startGateway runs a gateway on a chat server of its own until the test ends, and answers its address, HOST:PORT.
func startGateway(t *testing.T, ctx context.Context) string {
	legacy, err := xuanxuan.Start(ctx, xuanxuan.Options{}, "127.0.0.1:0")
	require.NoError(t, err)
	c := node.Default()
	c.Dev, c.Addr, c.LogTo, c.Drain = true, "127.0.0.1:0", io.Discard, time.Second
	c.Legacy.XXB = node.XXB{URL: legacy.URL(), Key: xuanxuan.DefaultKey, OwnPresence: true}
	c.Files.Dir = t.TempDir()
	ready := make(chan node.Addresses, 1)
	c.Ready = func(at node.Addresses) { ready <- at }
	running, end := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- node.Run(running, c) }()
	t.Cleanup(func() {
		end()
		require.NoError(t, <-ended)
		require.NoError(t, legacy.Close())
	})
	select {
	case at := <-ready:
		return at.API.String()
	case err := <-ended:
		ended <- err
		t.Fatal(err)
		return ""
	}
}

// startNginx runs nginx with the settings of cmd/xuangate/deploy/nginx.conf, but for the two addresses, until the test ends. It answers its URL.
func startNginx(t *testing.T, ctx context.Context, program, api string) string {
	page, err := os.ReadFile("../../cmd/xuangate/deploy/nginx.conf")
	require.NoError(t, err)
	settings := string(page)
	addr := freeAddress(t)
	require.Contains(t, settings, "127.0.0.1:8000")
	require.Contains(t, settings, "127.0.0.1:8080")
	settings = strings.NewReplacer("127.0.0.1:8000", addr, "127.0.0.1:8080", api).Replace(settings)
	dir := t.TempDir()
	for _, name := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		settings = name + "_temp_path " + filepath.Join(dir, name) + ";\n" + settings
	}
	file := filepath.Join(dir, "nginx.conf")
	whole := "daemon off;\nmaster_process off;\npid " + filepath.Join(dir, "pid") + ";\nerror_log " + filepath.Join(dir, "error.log") +
		";\nevents {}\nhttp {\naccess_log off;\n" + settings + "}\n"
	require.NoError(t, os.WriteFile(file, []byte(whole), 0o600))
	cmd := exec.CommandContext(ctx, program, "-p", dir, "-c", file, "-e", filepath.Join(dir, "error.log"))
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // killed
	})
	require.Eventually(t, func() bool {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
		if err == nil {
			_ = conn.Close()
		}
		return err == nil
	}, patience, 20*time.Millisecond, "nginx does not listen: %s", &said)
	return "http://" + addr
}

func freeAddress(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	return l.Addr().String()
}

func signIn(t *testing.T, ctx context.Context, url, account string) string {
	var in model.Login
	call(t, ctx, url, "/login", "", model.LoginRequest{Account: account, Password: xuanxuan.DemoPassword}, &in)
	return in.Token
}

func call(t *testing.T, ctx context.Context, url, path, token string, in, out any) {
	body, err := json.Marshal(in)
	require.NoError(t, err)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url+path, bytes.NewReader(body))
	require.NoError(t, err)
	req.Header.Set("Content-Type", "application/json")
	do(t, req, token, out)
}

func get(t *testing.T, ctx context.Context, url, token string, out any) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	require.NoError(t, err)
	do(t, req, token, out)
}

func do(t *testing.T, req *http.Request, token string, out any) {
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	res, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer res.Body.Close()
	answer := struct {
		Error string          `json:"error"`
		Data  json.RawMessage `json:"data"`
	}{}
	require.NoError(t, json.NewDecoder(res.Body).Decode(&answer))
	require.Empty(t, answer.Error, "%s", req.URL.Path)
	require.NoError(t, json.Unmarshal(answer.Data, out))
}
