package node

import (
	"bufio"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// pipes is a listener within one process, whose connections keep the time of a bubble.
type pipes struct {
	dialled chan net.Conn
	closed  chan struct{}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case conn := <-p.dialled:
		return conn, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error   { close(p.closed); return nil }
func (p *pipes) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)} }

// TestTimeouts has the limits for which TestSlowSenders cannot wait.
func TestTimeouts(t *testing.T) {
	// in runs a test against a server of h, over a connection of its own.
	in := func(t *testing.T, h http.HandlerFunc, test func(t *testing.T, conn net.Conn)) {
		synctest.Test(t, func(t *testing.T) {
			l := &pipes{dialled: make(chan net.Conn), closed: make(chan struct{})}
			s := newServer(h, slog.New(slog.DiscardHandler))
			served := make(chan error, 1)
			go func() { served <- s.Serve(l) }()
			conn, theirs := net.Pipe()
			l.dialled <- theirs
			test(t, conn)
			require.NoError(t, conn.Close())
			require.NoError(t, s.Close())
			require.ErrorIs(t, <-served, http.ErrServerClosed)
		})
	}
	ok := func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok") }
	// drip sends a text over and over, once a second, until the connection ends; the test waits for that.
	drip := func(t *testing.T, conn net.Conn, text string) {
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			for {
				if _, err := io.WriteString(conn, text); err != nil {
					return
				}
				time.Sleep(time.Second)
			}
		}()
		t.Cleanup(func() { <-ended })
	}
	// cut waits until the other side has closed the connection, and says when that was.
	cut := func(t *testing.T, conn net.Conn) (said string, after time.Duration) {
		start := time.Now()
		b, err := io.ReadAll(conn)
		require.NoError(t, err)
		return string(b), time.Since(start)
	}

	t.Run("a head that does not end is cut", func(t *testing.T) {
		in(t, ok, func(t *testing.T, conn net.Conn) {
			_, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\n")
			require.NoError(t, err)
			drip(t, conn, "X: y\r\n")
			_, after := cut(t, conn)
			require.Equal(t, headerTimeout, after)
		})
	})
	t.Run("a connection on which nothing more is asked is closed", func(t *testing.T) {
		in(t, ok, func(t *testing.T, conn net.Conn) {
			answers := bufio.NewReader(conn)
			for range 2 { // the first time it is asked again just before
				_, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
				require.NoError(t, err)
				res, err := http.ReadResponse(answers, nil)
				require.NoError(t, err)
				_, err = io.Copy(io.Discard, res.Body)
				require.NoError(t, err)
				time.Sleep(idleTimeout - time.Second)
			}
			start := time.Now()
			_, err := answers.ReadByte()
			require.ErrorIs(t, err, io.EOF)
			require.Equal(t, time.Second, time.Since(start))
		})
	})
	t.Run("a body that nobody reads and that does not end is not waited for", func(t *testing.T) {
		in(t, ok, func(t *testing.T, conn net.Conn) {
			_, err := io.WriteString(conn, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n")
			require.NoError(t, err)
			drip(t, conn, "x")
			_, after := cut(t, conn)
			require.InDelta(t, bodyTimeout, after, float64(time.Second))
		})
	})
	t.Run("a client that does not read its answer does not keep it", func(t *testing.T) {
		var wrote chan error // of the bubble
		in(t, func(w http.ResponseWriter, _ *http.Request) {
			_, err := io.WriteString(w, strings.Repeat("x", 1<<20))
			wrote <- err
		}, func(t *testing.T, conn net.Conn) {
			start := time.Now()
			wrote = make(chan error, 1)
			_, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
			require.NoError(t, err)
			require.Error(t, <-wrote)
			require.Equal(t, answerTimeout, time.Since(start))
		})
	})
	t.Run("a stream is left alone for as long as it says something", func(t *testing.T) {
		const events, every = 1000, 15 * time.Second
		in(t, func(w http.ResponseWriter, r *http.Request) {
			out := http.NewResponseController(w)
			for i := range events { // as gateway's transports do
				_ = out.SetWriteDeadline(time.Now().Add(10 * time.Second))
				_, _ = fmt.Fprintf(w, "data: %d\n\n", i)
				_ = out.Flush()
				time.Sleep(every)
				if r.Context().Err() != nil {
					return
				}
			}
		}, func(t *testing.T, conn net.Conn) {
			start := time.Now()
			_, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
			require.NoError(t, err)
			said, _ := cut(t, conn)
			require.Contains(t, said, fmt.Sprintf("data: %d\n", events-1))
			require.GreaterOrEqual(t, time.Since(start), events*every)
		})
	})
}
