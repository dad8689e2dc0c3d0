package node_test

import (
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/xuangate/xuangate/gen/model"
)

// logBook keeps what is logged.
type logBook struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logBook) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logBook) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func TestLogsHaveNoSecrets(t *testing.T) {
	log := &logBook{}
	c := before(backend(t))
	c.LogTo, c.Log.Level = log, slog.LevelDebug
	n := run(t, c)
	token := n.signIn(t, "alice")
	ticket := must[model.NotifyTicket](t, post(t, n.api+"/notify_ticket", bearer(token), struct{}{})).Ticket

	for _, secret := range []string{"token=" + token, "ticket=" + ticket} {
		for _, head := range []string{
			"GET /notify?protoc=poll&timeout=0&%s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
			"GET /notify?%s HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 1\r\n\r\n",
			"GET /nowhere?%s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
			"GET /notify?%s HTTP/9.9\r\nHost: x\r\n\r\n",
			"GET /notify?%s HTTP/1.1\r\nHost: x\r\nno header\r\n\r\n",
			"GET /notify?%s nonsense\r\n\r\n",
		} {
			conn, err := net.Dial("tcp", strings.TrimPrefix(n.api, "http://"))
			require.NoError(t, err)
			_, err = fmt.Fprintf(conn, head, secret)
			require.NoError(t, err)
			require.NoError(t, conn.(*net.TCPConn).CloseWrite())
			_, _ = io.Copy(io.Discard, conn) // what it says to that is not the question here; that it is done is
			require.NoError(t, conn.Close())
		}
	}
	n.stop(t)
	require.Contains(t, log.String(), "operation=NotifyTicket")
	for _, secret := range []string{token, ticket} {
		require.NotContains(t, log.String(), secret[3:], "without its prefix")
	}
}
