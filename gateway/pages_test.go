package gateway

import (
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/labstack/echo/v4"
	"github.com/stretchr/testify/require"
)

// page asks for a path of the pages, without a network.
func page(t *testing.T, h http.Handler, method, path string, header ...string) *http.Response {
	r := httptest.NewRequestWithContext(t.Context(), method, path, nil)
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

func withPages(t *testing.T, chat bool) http.Handler {
	e := echo.New()
	require.NoError(t, (&Server{chat: chat}).addPages(e))
	return e
}

func text(t *testing.T, r *http.Response) string {
	b, err := io.ReadAll(r.Body)
	require.NoError(t, err)
	return string(b)
}

func TestPages(t *testing.T) {
	h := withPages(t, true)
	t.Run("the chat is at /, asks again for its page, and never for its hashed files", func(t *testing.T) {
		index := page(t, h, http.MethodGet, "/")
		require.Equal(t, http.StatusOK, index.StatusCode)
		require.Equal(t, "no-cache", index.Header.Get("Cache-Control"))
		script := regexp.MustCompile(`src="\.(/assets/[^"]+\.js)"`).FindStringSubmatch(text(t, index))
		require.Len(t, script, 2)
		got := page(t, h, http.MethodGet, script[1])
		require.Equal(t, "text/javascript; charset=utf-8", got.Header.Get("Content-Type"))
		require.Contains(t, got.Header.Get("Cache-Control"), "immutable")
	})
	t.Run("no page may run what is written into it, or speak to others", func(t *testing.T) {
		for _, path := range []string{"/", "/docs/"} {
			got := page(t, h, http.MethodGet, path)
			policy := got.Header.Get("Content-Security-Policy")
			require.Contains(t, policy, "default-src 'none'; script-src 'self'; style-src 'self';")
			require.Contains(t, policy, "connect-src 'self'")
			require.NotContains(t, policy, "unsafe")
			require.NotRegexp(t, `<script>|<style|style="|onclick`, text(t, got))
			require.Equal(t, "nosniff", got.Header.Get("X-Content-Type-Options"))
		}
	})
	t.Run("who takes gzip gets less, and the same", func(t *testing.T) {
		whole := text(t, page(t, h, http.MethodGet, "/docs/swagger-ui-bundle.js"))
		small := page(t, h, http.MethodGet, "/docs/swagger-ui-bundle.js", "Accept-Encoding", "gzip, br")
		require.Equal(t, "gzip", small.Header.Get("Content-Encoding"))
		require.Less(t, small.ContentLength, int64(len(whole)/2))
		unzip, err := gzip.NewReader(small.Body)
		require.NoError(t, err)
		got, err := io.ReadAll(unzip)
		require.NoError(t, err)
		require.True(t, string(got) == whole)
	})
	t.Run("who has it is told so", func(t *testing.T) {
		tag := page(t, h, http.MethodGet, "/").Header.Get("ETag")
		again := page(t, h, http.MethodGet, "/", "If-None-Match", tag)
		require.Equal(t, http.StatusNotModified, again.StatusCode)
		require.Empty(t, text(t, again))
	})
	t.Run("a HEAD has the headers alone", func(t *testing.T) {
		head := page(t, h, http.MethodHead, "/")
		require.Equal(t, http.StatusOK, head.StatusCode)
		require.NotZero(t, head.ContentLength)
		require.Empty(t, text(t, head))
	})
	t.Run("/docs leads to /docs/, by a path that keeps a proxy's prefix", func(t *testing.T) {
		require.Equal(t, "docs/", page(t, h, http.MethodGet, "/docs").Header.Get("Location"))
	})
	t.Run("without the chat there is nothing at /, but the documentation", func(t *testing.T) {
		h := withPages(t, false)
		require.Equal(t, http.StatusNotFound, page(t, h, http.MethodGet, "/").StatusCode)
		require.Contains(t, text(t, page(t, h, http.MethodGet, "/docs/")), "swagger-ui-bundle.js")
	})
	t.Run("a path of no file is none", func(t *testing.T) {
		for _, path := range []string{"/docs/../server.go", "/assets/", "/assets/none.js", "/docs/index.html"} {
			require.Equal(t, http.StatusNotFound, page(t, h, http.MethodGet, path).StatusCode, path)
		}
	})
	require.True(t, strings.HasPrefix(text(t, page(t, h, http.MethodGet, "/icon.svg")), "<svg"))
}
