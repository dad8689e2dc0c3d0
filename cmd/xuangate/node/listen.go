package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"syscall"
	"time"
)

const (
	// headerTimeout is how long a client may take to send a request's head. Without it connections that send nothing
	// pile up until there are no more file descriptors.
	headerTimeout = 10 * time.Second
	// bodyTimeout is how long a request's body may take. gateway sets a shorter one for the bodies it reads; this is for those
	// that nobody reads, which net/http waits for before it answers.
	bodyTimeout = time.Minute
	// answerTimeout is how long a request may take to the last byte of its answer, longer than the longest poll (60 s).
	// Without it a client that does not read its answer holds it in our memory. Streams set a deadline per event instead.
	answerTimeout = 2 * time.Minute
	// idleTimeout is how long a connection is kept for the next request. Longer than common proxies keep theirs (60 s),
	// or they would write into a connection that is being closed.
	idleTimeout = 2 * time.Minute
	// maxHeader bounds a request's head in bytes. Without it one client makes us hold 1 MiB per connection.
	maxHeader = 64 << 10
	// maxExchanges bounds the requests and streams that one HTTP/2 connection carries at once. Without it one connection
	// stands for as many as its client likes, and limits of connections limit nothing.
	maxExchanges = 250
	// pingAfter is how long an HTTP/2 connection may say nothing before it is asked whether it is there, and pingTimeout how
	// long it has to answer. Without them streams to clients that vanished are kept until TCP gives up.
	pingAfter, pingTimeout = 30 * time.Second, 15 * time.Second
)

// listen opens an address; its error names the setting and says what to do about it.
func listen(ctx context.Context, setting, addr string) (net.Listener, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
	advice := "choose another"
	switch {
	case err == nil:
		return l, nil
	case errors.Is(err, syscall.EADDRINUSE):
		advice = "another program listens there; end it, or choose another port"
	case errors.Is(err, syscall.EACCES):
		advice = "this user may not listen there; choose a port above 1023"
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		advice = "this machine has no such address; choose one it has, or leave the host out for all"
	}
	return nil, fmt.Errorf("%s %s: %s with --%s HOST:PORT (%w)", setting, addr, advice, setting, err)
}

// newServer serves h with limits that leave streams alone: those live as long as their clients.
func newServer(h http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.ContentLength != 0 { // http.Server's own ReadTimeout would end streams, too
				_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(bodyTimeout))
			}
			h.ServeHTTP(w, r)
		}),
		ReadHeaderTimeout: headerTimeout,
		WriteTimeout:      answerTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
		HTTP2:             &http.HTTP2Config{MaxConcurrentStreams: maxExchanges, SendPingTimeout: pingAfter, PingTimeout: pingTimeout},
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug), // broken handshakes and the like: clients' doing
	}
}
