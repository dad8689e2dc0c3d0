package main

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/xuangate/xuangate/adapter/legacy"
	"github.com/xuangate/xuangate/test/xuanxuan"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestRun(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	out, printed := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		err := run(ctx, []string{"-addr", "127.0.0.1:0", "-data", t.TempDir() + "/x.db"}, printed, io.Discard)
		printed.Close()
		ended <- err
	}()
	lines := bufio.NewReader(out)
	first, err := lines.ReadString('\n')
	require.NoError(t, err)
	url, found := strings.CutPrefix(strings.TrimSpace(first), "backend  ")
	require.True(t, found, first)
	rest := make(chan string)
	go func() {
		all, _ := io.ReadAll(lines)
		rest <- string(all)
	}()

	key, err := legacy.NewKey(xuanxuan.DefaultKey)
	require.NoError(t, err)
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := client.Post(url, "", bytes.NewReader(key.Seal([]byte(`{"module":"chat","method":"ping","userID":4}`))))
	require.NoError(t, err)
	sealed, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	plain, err := key.Open(sealed)
	require.NoError(t, err)
	require.Contains(t, string(plain), `"users":[4]`)

	cancel()
	require.NoError(t, <-ended)
	said := <-rest
	for _, word := range []string{xuanxuan.DefaultKey, xuanxuan.DemoPassword, "alice", "成程程"} {
		require.Contains(t, said, word)
	}
}

func TestRunRefuses(t *testing.T) {
	for name, args := range map[string][]string{
		"a short key":             {"-addr", "127.0.0.1:0", "-key", "short"},
		"an unknown flag":         {"-nosuch"},
		"a stray argument":        {"file.db"},
		"an address that is none": {"-addr", "nowhere:-1"},
	} {
		t.Run(name, func(t *testing.T) {
			require.Error(t, run(t.Context(), args, io.Discard, io.Discard))
		})
	}
	t.Run("help is no error", func(t *testing.T) { require.NoError(t, run(t.Context(), []string{"-h"}, io.Discard, io.Discard)) })
}
