package chaos

import (
	"math/rand/v2"
	"net"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A line is what an SDK sees of a site: one address, behind which each connection goes to any node, as a balancer of connections
// has it. It can be cut, and can stall.
type line struct {
	listener net.Listener
	nodes    []string // HOST:PORT
	pumps    sync.WaitGroup

	mu    sync.Mutex
	rand  *rand.Rand
	open  map[net.Conn]struct{}
	stall time.Time // until when nothing is passed on
	over  bool
}

// newLine opens a line that is closed when the test ends.
func newLine(t *testing.T, s *site, r *rand.Rand) *line {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	l := &line{listener: listener, rand: r, open: map[net.Conn]struct{}{}}
	for _, node := range s.nodes {
		u, err := url.Parse(node)
		require.NoError(t, err)
		l.nodes = append(l.nodes, u.Host)
	}
	l.pumps.Go(l.accept)
	t.Cleanup(func() {
		_ = listener.Close()
		l.mu.Lock()
		l.over = true
		l.mu.Unlock()
		l.cut()
		l.pumps.Wait()
	})
	return l
}

func (l *line) url() string { return "http://" + l.listener.Addr().String() }

func (l *line) accept() {
	for {
		client, err := l.listener.Accept()
		if err != nil {
			return
		}
		l.pumps.Go(func() { l.carry(client) })
	}
}

// carry connects a client with a node until either has had enough.
func (l *line) carry(client net.Conn) {
	defer client.Close()
	l.mu.Lock()
	to := l.nodes[l.rand.IntN(len(l.nodes))]
	l.mu.Unlock()
	node, err := net.DialTimeout("tcp", to, callTimeout)
	if err != nil {
		return
	}
	defer node.Close()
	if !l.keep(client, node) {
		return
	}
	defer l.forget(client, node)
	var ways sync.WaitGroup
	ways.Go(func() { l.pump(node, client) })
	ways.Go(func() { l.pump(client, node) })
	ways.Wait()
}

// pump passes on what comes from one end to the other.
func (l *line) pump(to, from net.Conn) {
	defer to.Close()
	defer from.Close()
	b := make([]byte, 4<<10)
	for {
		n, err := from.Read(b)
		l.mu.Lock()
		stalled := time.Until(l.stall)
		l.mu.Unlock()
		if stalled > 0 {
			<-time.After(stalled)
		}
		if n > 0 {
			if _, err := to.Write(b[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

func (l *line) keep(conns ...net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range conns {
		l.open[c] = struct{}{}
	}
	return !l.over
}

func (l *line) forget(conns ...net.Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range conns {
		delete(l.open, c)
	}
}

// cut breaks all connections.
func (l *line) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for c := range l.open {
		_ = c.Close()
	}
}

func (l *line) stallFor(d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stall = time.Now().Add(d)
}
