package main

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/xuangate/xuangate/test/xuanxuan"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func noEnv(string) (string, bool) { return "", false }

// patience is how long a command runs at most, so that a test that waits for what never comes fails instead of hanging.
const patience = 30 * time.Second

// command runs a command line that ends by itself.
func command(t *testing.T, args ...string) (code int, out, errOut string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	code = run(ctx, args, noEnv, output{&stdout, &stderr})
	require.NoError(t, ctx.Err(), "the command did not end by itself:\n%s%s", stdout.String(), stderr.String())
	return code, stdout.String(), stderr.String()
}

func TestVersion(t *testing.T) {
	code, out, _ := command(t, "version")
	require.Zero(t, code)
	require.Regexp(t, `^xuangate \S+ commit \S+ go1\.\S+ \w+/\w+\n$`, out)
}

func TestUnknownCommand(t *testing.T) {
	code, _, errOut := command(t, "serves")
	require.Equal(t, 1, code)
	require.Equal(t, "xuangate: unexpected argument serves, did you mean \"serve\"?\n", errOut)
}

func TestServe(t *testing.T) {
	t.Run("names every fault and serves nothing", func(t *testing.T) {
		code, out, errOut := command(t, "serve", "--drain", "1h")
		require.Equal(t, 1, code)
		require.Empty(t, out)
		require.Contains(t, errOut, "xuangate: drain: is 1h, want 1s to 1m\n")
		require.Contains(t, errOut, "xuangate: legacy.xxb.url: is missing")
	})
	t.Run("names a file that is not there", func(t *testing.T) {
		code, _, errOut := command(t, "serve", "--config", "/nowhere/xuangate.yaml")
		require.Equal(t, 1, code)
		require.Contains(t, errOut, "/nowhere/xuangate.yaml: no such file or directory")
	})
	t.Run("serves until it is told to end, and says that it must be the only chat server", func(t *testing.T) {
		s, err := xuanxuan.Start(t.Context(), xuanxuan.Options{}, "127.0.0.1:0")
		require.NoError(t, err)
		defer s.Close()
		ctx, end := context.WithTimeout(t.Context(), patience)
		defer end()
		log := newLines()
		ended := make(chan int, 1)
		go func() {
			ended <- run(ctx, []string{
				"serve", "--addr=127.0.0.1:0", "--inner.addr=127.0.0.1:0",
				"--legacy.xxb.url=" + s.URL(), "--legacy.xxb.key=" + xuanxuan.DefaultKey,
			}, noEnv, output{t.Output(), log})
		}()
		log.wait(t, "must be the only chat server")
		end()
		require.Zero(t, <-ended)
		require.NotContains(t, log.text(), xuanxuan.DefaultKey)
	})
}

func TestCheckConfig(t *testing.T) {
	s, err := xuanxuan.Start(t.Context(), xuanxuan.Options{}, "127.0.0.1:0")
	require.NoError(t, err)
	defer s.Close()
	file := filepath.Join(t.TempDir(), "xuangate.yaml")
	write := func(more string) {
		require.NoError(t, os.WriteFile(file, fmt.Appendf(nil, "legacy: {xxb: {url: %q, key: %q}}\n%s\n", s.URL(), xuanxuan.DefaultKey, more), 0o600))
	}
	t.Run("a good one passes, with what is good to know", func(t *testing.T) {
		write("inner: {operator: admin}")
		code, out, errOut := command(t, "check-config", "--config", file)
		require.Zero(t, code, out)
		require.Empty(t, errOut)
		require.Contains(t, out, "note   legacy.xxb: the chat server answers, and knows the operator\n")
		require.Contains(t, out, "note   mode xxb: Xuangate must be the only chat server")
	})
	t.Run("faults of the file and of the chat server are listed together", func(t *testing.T) {
		write("inner: {operator: root}\ndrain: soon")
		code, out, errOut := command(t, "check-config", "--config", file)
		require.Equal(t, 1, code)
		require.Equal(t, "xuangate: faults to put right: 2\n", errOut)
		require.Contains(t, out, `drain: "soon" is no duration`)
		require.Contains(t, out, `inner.operator: the operator account "root" is not a user of the chat server`)
	})
}

func TestDevRefuses(t *testing.T) {
	t.Run("an address that is taken, and says which flag to use", func(t *testing.T) {
		taken, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		defer taken.Close()
		code, _, errOut := command(t, "dev", "--addr", taken.Addr().String())
		require.Equal(t, 1, code)
		require.Contains(t, errOut, "another program listens there; end it, or choose another port with --addr HOST:PORT")
	})
	t.Run("a mode it does not have", func(t *testing.T) {
		code, _, errOut := command(t, "dev", "--addr", "127.0.0.1:0", "--mode", "xyz")
		require.Equal(t, 1, code)
		require.Equal(t, "xuangate: --mode must be one of \"xxb\",\"xxd\",\"inline\",\"v1\" but got \"xyz\"\n", errOut)
	})
}
