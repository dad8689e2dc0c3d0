package metrics

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/xuangate/xuangate/adapter"
)

func TestState(t *testing.T) {
	m := New()
	m.Watch(State{
		Dropped: func() int64 { return 1 },
		Load: func() adapter.Load {
			return adapter.Load{Open: true, Opened: 2, RefusedOpen: 3, Calls: 4, RefusedCalls: 5, SignInsWaiting: 6, RefusedSignIns: 7}
		},
		Connections: func() int64 { return 8 },
		Spans:       func() (sent, lost int64) { return 9, 10 },
	})
	page := httptest.NewRecorder()
	m.Handler().ServeHTTP(page, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	var got []string
	for line := range strings.Lines(page.Body.String()) {
		for _, of := range []string{"xuangate_legacy_", "xuangate_connections", "xuangate_dropped_", "xuangate_trace_"} {
			if strings.HasPrefix(line, of) {
				got = append(got, strings.TrimSpace(line))
			}
		}
	}
	require.ElementsMatch(t, []string{
		"xuangate_dropped_pushes_total 1",
		"xuangate_legacy_down 1",
		"xuangate_legacy_outages_total 2",
		`xuangate_legacy_refused_total{reason="down"} 3`,
		"xuangate_legacy_calls_under_way 4",
		`xuangate_legacy_refused_total{reason="max_calls"} 5`,
		"xuangate_legacy_sign_ins_waiting 6",
		`xuangate_legacy_refused_total{reason="sign_ins"} 7`,
		"xuangate_connections 8",
		`xuangate_trace_spans_total{outcome="sent"} 9`,
		`xuangate_trace_spans_total{outcome="lost"} 10`,
	}, got)
}
