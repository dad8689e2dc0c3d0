package main

import (
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestHealth(t *testing.T) {
	t.Run("of a node, before and after the chat server is gone", func(t *testing.T) {
		s := startServe(t, "")
		addr := strings.TrimPrefix(s.api, "http://")
		code, out, errOut := command(t, "health", "--addr", addr)
		require.Zero(t, code, errOut)
		require.Equal(t, "ok\n", out)

		require.NoError(t, s.backend.Close())
		require.Eventually(t, func() bool { // it is asked every two seconds
			code, out, _ = command(t, "health", "--addr", addr)
			return out == "degraded: the chat server does not answer\n"
		}, patience, patience/100)
		require.Zero(t, code, "it still should get traffic")
		code, out, _ = command(t, "health", "--addr", addr, "--live")
		require.Zero(t, code)
		require.Equal(t, "ok\n", out)
	})
	t.Run("of a node that ends", func(t *testing.T) {
		draining := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusServiceUnavailable)
			_, _ = w.Write([]byte(`{"code":10002,"data":{"status":"draining","reason":"shutting down"}}`))
		}))
		defer draining.Close()
		code, out, errOut := command(t, "health", "--addr", draining.Listener.Addr().String())
		require.Equal(t, 1, code)
		require.Empty(t, out)
		require.Equal(t, "xuangate: draining: shutting down\n", errOut)
	})
	t.Run("of another program", func(t *testing.T) {
		other := httptest.NewServer(http.NotFoundHandler())
		defer other.Close()
		addr := other.Listener.Addr().String()
		code, _, errOut := command(t, "health", "--addr", addr)
		require.Equal(t, 1, code)
		require.Equal(t, "xuangate: what answers "+addr+"/readyz with HTTP 404 is no Xuangate, or wants TLS\n", errOut)
	})
	t.Run("of nothing", func(t *testing.T) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		require.NoError(t, l.Close())
		code, _, errOut := command(t, "health", "--addr", l.Addr().String())
		require.Equal(t, 1, code)
		require.Contains(t, errOut, "xuangate: the node does not answer: ")
	})
}
