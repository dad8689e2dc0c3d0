package gateway

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestCORS(t *testing.T) {
	const ours = "https://chat.example.com"
	w := newWorld(t, func(c *Config) { c.Origins = []string{ours} })
	preflight := func(path, origin string) *http.Response {
		r := w.request(http.MethodOptions, path, "", nil)
		r.Header.Set("Origin", origin)
		r.Header.Set("Access-Control-Request-Method", "POST")
		resp, err := w.http.Do(r)
		require.NoError(t, err)
		_ = resp.Body.Close()
		return resp
	}

	t.Run("a configured origin may ask", func(t *testing.T) {
		resp := preflight("/send_msg", ours)
		require.Equal(t, http.StatusNoContent, resp.StatusCode)
		require.Equal(t, ours, resp.Header.Get("Access-Control-Allow-Origin"))
		for _, name := range []string{"Authorization", "Content-Type", "Last-Event-ID"} {
			require.Contains(t, resp.Header.Get("Access-Control-Allow-Headers"), name)
		}
	})

	t.Run("and read the answer, an error too", func(t *testing.T) {
		r := w.request(http.MethodPost, "/get_joined_conversation", "", nil)
		r.Header.Set("Origin", ours)
		a := w.ask(r)
		require.Equal(t, ours, a.header.Get("Access-Control-Allow-Origin"))
		require.Contains(t, a.header.Get("Access-Control-Expose-Headers"), "X-Request-Id")
		require.Equal(t, "Origin", a.header.Get("Vary"))
	})

	t.Run("any other may not", func(t *testing.T) {
		for _, origin := range []string{"https://evil.example.com", ours + ".evil.com", "http://chat.example.com", "null"} {
			resp := preflight("/send_msg", origin)
			require.Equal(t, http.StatusForbidden, resp.StatusCode)
			require.Empty(t, resp.Header.Get("Access-Control-Allow-Origin"))
		}
	})

	t.Run("no page may use /inner", func(t *testing.T) {
		require.Empty(t, preflight("/inner/get_token", ours).Header.Get("Access-Control-Allow-Origin"))
	})

	t.Run("by default none", func(t *testing.T) {
		w := newWorld(t, nil)
		r := w.request(http.MethodGet, "/livez", "", nil)
		r.Header.Set("Origin", ours)
		require.Empty(t, w.ask(r).header.Get("Access-Control-Allow-Origin"))
	})
}
