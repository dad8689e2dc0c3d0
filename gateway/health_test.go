package gateway

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestHealth(t *testing.T) {
	t.Run("degraded while legacy does not answer, and asked at most every two seconds", func(t *testing.T) {
		w := newWorld(t, nil)
		w.legacy.answer("ping", down)
		for range 20 {
			a := w.ask(w.request(http.MethodGet, "/readyz", "", nil))
			require.Equal(t, http.StatusOK, a.status)
			require.Contains(t, string(a.data), `"degraded"`)
		}
		require.LessOrEqual(t, w.legacy.count("ping", admin), 4)
		require.Contains(t, string(w.ask(w.request(http.MethodGet, "/livez", "", nil)).data), `"ok"`)
	})

	t.Run("not ready once draining", func(t *testing.T) {
		w := newWorld(t, nil)
		require.Contains(t, string(w.ask(w.request(http.MethodGet, "/readyz", "", nil)).data), `"ok"`)
		w.server.Drain(t.Context(), 0)
		a := w.ask(w.request(http.MethodGet, "/readyz", "", nil))
		require.Equal(t, http.StatusServiceUnavailable, a.status)
		require.Contains(t, string(a.data), `"draining"`)
		require.Contains(t, string(w.ask(w.request(http.MethodGet, "/livez", "", nil)).data), `"ok"`)
	})
}
