package node_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestSlowSenders waits for the real limit of a request's head, 10 s, all at once to take no longer. TestTimeouts has the longer ones.
func TestSlowSenders(t *testing.T) {
	const long = 60 * time.Second // far beyond both
	n := run(t, before(backend(t)))
	dial := func(t *testing.T) net.Conn {
		conn, err := net.Dial("tcp", strings.TrimPrefix(n.api, "http://"))
		require.NoError(t, err)
		t.Cleanup(func() { _ = conn.Close() })
		require.NoError(t, conn.SetReadDeadline(time.Now().Add(long)))
		return conn
	}
	token := n.signIn(t, "alice")
	stream := n.listen(t, token)
	next(t, stream, "id")

	t.Run("while", func(t *testing.T) {
		t.Run("a head that comes a line at a time is cut", func(t *testing.T) {
			t.Parallel()
			conn := dial(t)
			_, err := fmt.Fprint(conn, "GET /livez HTTP/1.1\r\nHost: x\r\n")
			require.NoError(t, err)
			closed := make(chan error, 1)
			go func() { _, err := io.Copy(io.Discard, conn); closed <- err }()
			drip := time.NewTicker(500 * time.Millisecond)
			defer drip.Stop()
			for i := 0; ; i++ {
				select {
				case <-drip.C:
					_, _ = fmt.Fprintf(conn, "X-%d: y\r\n", i) // what is already closed is told below
				case err := <-closed:
					if err != nil {
						require.ErrorContains(t, err, "reset", "not our own deadline")
					}
					return
				}
			}
		})
		t.Run("a connection that says nothing is cut", func(t *testing.T) {
			t.Parallel()
			_, err := io.Copy(io.Discard, dial(t))
			require.NoError(t, err)
		})
		t.Run("a head too long is refused", func(t *testing.T) {
			t.Parallel()
			conn := dial(t)
			go func() {
				_, _ = fmt.Fprintf(conn, "GET /livez HTTP/1.1\r\nHost: x\r\nX: %s\r\n\r\n", strings.Repeat("y", 100<<10))
			}()
			res, err := http.ReadResponse(bufio.NewReader(conn), nil)
			require.NoError(t, err)
			defer res.Body.Close()
			require.Equal(t, http.StatusRequestHeaderFieldsTooLarge, res.StatusCode)
		})
	})
	t.Run("a stream that says and hears nothing for longer stays open", func(t *testing.T) {
		require.True(t, stream.Scan(), "%v", stream.Err())
	})
	n.stop(t)
}
