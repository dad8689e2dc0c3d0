package gateway

import (
	"net/http"
	"net/http/pprof"
)

// Ops serves what is the operator's alone: /metrics, /livez and /readyz, and with profiles Go's /debug/pprof. It asks for no key, so
// it belongs on an address that only he reaches. It can be asked until the very end, while the server is drained, too.
func (s *Server) Ops(profiles bool) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", s.metrics.Handler())
	mux.Handle("GET /livez", s.public)
	mux.Handle("GET /readyz", s.public)
	if profiles {
		mux.HandleFunc("/debug/pprof/", pprof.Index)
		mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
		mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
		mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
		mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	}
	return mux
}
