package xuanxuan

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"
)

// A Server is a Backend that listens. Start makes one and runs its accept loop until Close, which waits for it.
type Server struct {
	*Backend
	listener net.Listener
	http     *http.Server
	stop     context.CancelFunc // ends the contexts of the requests under way
	done     chan struct{}      // closed when the accept loop has ended
}

// readHeaderTimeout is how long a client may take over its request's header. Without it a client that says nothing
// keeps its connection for ever.
const readHeaderTimeout = 10 * time.Second

// Start opens an installation and serves it on addr, such as "127.0.0.1:0". ctx bounds the opening only.
func Start(ctx context.Context, o Options, addr string) (*Server, error) {
	var lc net.ListenConfig
	listener, err := lc.Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	b, err := NewBackend(ctx, o)
	if err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	requests, stop := context.WithCancel(context.Background())
	s := &Server{
		Backend:  b,
		listener: listener,
		http: &http.Server{
			Handler:           b,
			ReadHeaderTimeout: readHeaderTimeout,
			BaseContext:       func(net.Listener) context.Context { return requests },
		},
		stop: stop,
		done: make(chan struct{}),
	}
	go func() {
		defer close(s.done)
		_ = s.http.Serve(listener) // ends with ErrServerClosed alone
	}()
	return s, nil
}

// URL is where calls are posted.
func (s *Server) URL() string { return fmt.Sprintf("http://%s%s", s.listener.Addr(), Path) }

// APIURL is where other applications ask.
func (s *Server) APIURL() string { return fmt.Sprintf("http://%s%s", s.listener.Addr(), APIPath) }

// Close ends all connections, waits for the calls under way and closes the database. It may be called again.
func (s *Server) Close() error {
	s.stop()
	err := s.http.Close()
	<-s.done
	return errors.Join(err, s.Backend.Close())
}
