package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/xuangate/xuangate/adapter/legacy"
	"github.com/xuangate/xuangate/test/xuanxuan"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A command is one that runs. What it prints is collected up to the last user.
type command struct {
	said  map[string]string // the rest of each line by its first word
	stop  context.CancelFunc
	ended chan error
}

func start(t *testing.T, args ...string) *command {
	ctx, cancel := context.WithCancel(t.Context())
	c := &command{said: map[string]string{}, stop: cancel, ended: make(chan error, 1)}
	out, printed := io.Pipe()
	go func() {
		err := run(ctx, args, printed, io.Discard)
		printed.CloseWithError(err)
		c.ended <- err
	}()
	lines := bufio.NewScanner(out)
	for c.said["7"] == "" && lines.Scan() {
		word, rest, _ := strings.Cut(strings.TrimSpace(lines.Text()), " ")
		c.said[word] = strings.TrimSpace(rest)
	}
	require.NoError(t, lines.Err())
	return c
}

// insecure takes any certificate and keeps no connection.
var insecure = &http.Client{Transport: &http.Transport{
	DisableKeepAlives: true,
	TLSClientConfig:   &tls.Config{InsecureSkipVerify: true},
}}

func TestRun(t *testing.T) {
	c := start(t, "-addr", "127.0.0.1:0", "-data", t.TempDir()+"/x.db", "-xxd", "127.0.0.1:0", "-xxd-chat", "127.0.0.1:0", "-xxd-sysinfo")
	require.Equal(t, xuanxuan.DefaultKey, c.said["key"])
	require.Contains(t, c.said["users"], xuanxuan.DemoPassword)
	require.Equal(t, "alice   Alice", c.said["4"])
	require.Equal(t, "demo8   成程程", c.said["3"])
	require.Len(t, c.said["sha256"], 64)

	key, err := legacy.NewKey(xuanxuan.DefaultKey)
	require.NoError(t, err)
	res, err := insecure.Post(c.said["backend"], "", bytes.NewReader(key.Seal([]byte(`{"module":"chat","method":"ping","userID":4}`))))
	require.NoError(t, err)
	sealed, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	plain, err := key.Open(sealed)
	require.NoError(t, err)
	require.Contains(t, string(plain), `"users":[4]`)

	for path, request := range map[string]string{
		"/serverInfo":       `{"module":"chat","method":"login","params":["","alice","e10adc3949ba59abbe56e057f20f883e",""]}`,
		"/sysGetServerInfo": `{"method":"sysGetServerInfo","params":["","alice","e10adc3949ba59abbe56e057f20f883e",""]}`,
	} {
		res, err := insecure.PostForm(c.said["xxd"]+path, url.Values{"data": {request}})
		require.NoError(t, err)
		var info struct{ ChatPort int }
		require.NoError(t, json.NewDecoder(res.Body).Decode(&info))
		require.NoError(t, res.Body.Close())
		require.Contains(t, c.said["chat"], fmt.Sprintf(":%d/ws", info.ChatPort))
		require.True(t, strings.HasPrefix(c.said["chat"], "wss://"))
	}
	c.stop()
	require.NoError(t, <-c.ended)
}

func TestRunWithoutXXD(t *testing.T) {
	c := start(t, "-addr", "127.0.0.1:0", "-xxd", "")
	require.NotContains(t, c.said, "xxd")
	c.stop()
	require.NoError(t, <-c.ended)
}

func TestRunV1(t *testing.T) {
	c := start(t, "-addr", "127.0.0.1:0", "-xxd", "", "-v1", "127.0.0.1:0")
	conn, err := net.Dial("tcp", c.said["v1"])
	require.NoError(t, err)
	defer conn.Close()
	_, err = io.WriteString(conn, `{"module":"chat","method":"login","params":["alice","e10adc3949ba59abbe56e057f20f883e"]}`+"\n")
	require.NoError(t, err)
	line, err := bufio.NewReader(conn).ReadString('\n')
	require.NoError(t, err)
	require.Contains(t, line, `"account":"alice"`)
	require.Contains(t, c.said["files"], "http://127.0.0.1:")
	c.stop()
	require.NoError(t, <-c.ended)
}

func TestRunRefuses(t *testing.T) {
	for name, args := range map[string][]string{
		"a short key":             {"-addr", "127.0.0.1:0", "-key", "short"},
		"an unknown flag":         {"-nosuch"},
		"a stray argument":        {"file.db"},
		"an address that is none": {"-addr", "nowhere:-1"},
		"none for xxd":            {"-addr", "127.0.0.1:0", "-xxd", "nowhere:-1"},
		"none for 1.0":            {"-addr", "127.0.0.1:0", "-xxd", "", "-v1", "nowhere:-1"},
	} {
		t.Run(name, func(t *testing.T) {
			require.Error(t, run(t.Context(), args, io.Discard, io.Discard))
		})
	}
	t.Run("help is no error", func(t *testing.T) { require.NoError(t, run(t.Context(), []string{"-h"}, io.Discard, io.Discard)) })
}
