// Package v1 signs in to a 1.0 server (seed 001; recorded: v1_daemon) as one user after another, the way its desktop client
// does: a line of JSON each way over plain TCP, a session named by sid. To the translation it looks like any other server:
// the calls of 2.x are rewritten into those of 1.0, and its answers and pushes back, see calls and news.
//
// The server is one process with one thread. Two lines in one piece are garbage to it, and half a line holds up everybody,
// so a connection has one call under way at a time, and each line is written at once. What of 2.x it does not know is a
// legacy.UnsupportedError. Files go over HTTP to the web server beside it, see site.
package v1

import (
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/xuangate/xuangate/adapter/legacy"
)

// version is what errors call the servers of this package.
const version = "1.0"

// Config names a 1.0 server.
type Config struct {
	Addr string // HOST:PORT
	// Beat is how often a connection says that it is there. PHP forgets a session that is silent for 24 minutes, and the
	// server would then take its user for nobody. Default 1 min.
	Beat time.Duration
	// Stuck is how long an answer may take before the connection is given up. Default 10 s.
	Stuck time.Duration
	// FilesURL is the site that keeps the files, the address that users of the 1.0 client type in; "" where there is none, and
	// then there are no files.
	FilesURL string
	// MaxFile is the largest file in bytes that may be uploaded; the site does not tell what it takes. Default 32 MiB.
	MaxFile int64
	// Stall is how long the transfer of a file may stand still because of the site. Default 30 s.
	Stall time.Duration
}

// Server is one 1.0 server. It may be used from any goroutine.
type Server struct {
	addr               string
	beat, stuck, stall time.Duration
	site               *site       // nil where none is known
	secret             [32]byte    // of proofs
	room               legacy.Room // of all connections

	mu   sync.Mutex
	live map[string]*Conn // the connection of each account, by its name in lower case
}

// New checks a Config. It does not connect.
func New(c Config) (*Server, error) {
	host, port, err := net.SplitHostPort(c.Addr)
	if err != nil || host == "" || port == "" {
		return nil, fmt.Errorf("address %q of the 1.0 server: want HOST:PORT", c.Addr)
	}
	s := &Server{
		addr: c.Addr, live: map[string]*Conn{},
		beat: cmp.Or(c.Beat, time.Minute), stuck: cmp.Or(c.Stuck, 10*time.Second), stall: cmp.Or(c.Stall, 30*time.Second),
	}
	if c.FilesURL != "" {
		if s.site, err = newSite(c.FilesURL, cmp.Or(c.MaxFile, 32<<20), s.stall); err != nil {
			return nil, err
		}
	}
	rand.Read(s.secret[:]) // never fails: it ends the process instead
	return s, nil
}

// Close gives up idle connections to the site.
func (s *Server) Close() {
	if s.site != nil {
		s.site.http.CloseIdleConnections()
	}
}

// ProbeFiles asks whether the site is there, and is one. It must not be called where none is configured.
func (s *Server) ProbeFiles(ctx context.Context) error {
	_, err := s.site.ask(ctx)
	return err
}

// Dial signs a user in, which ends every other connection of his, on the desktop too.
func (s *Server) Dial(ctx context.Context, account, passwordMD5 string) (*Conn, legacy.Welcome, error) {
	settle := s.challenge(account)
	c, welcome, err := s.connect(ctx, account, passwordMD5)
	settle(err == nil)
	if err != nil {
		return nil, legacy.Welcome{}, fmt.Errorf("sign in to the 1.0 server: %w", err)
	}
	s.mu.Lock()
	s.live[accountKey(account)] = c
	s.mu.Unlock()
	c.start()
	return c, welcome, nil
}

// Verify asks whether the server would let a user in. 1.0 can only be asked by signing in, which ends the connection that
// is there. So the password that this one was made with is believed without a question; where another one is right, the
// connection ends as if it had been lost, and is to be made again with the new password.
func (s *Server) Verify(ctx context.Context, account, passwordMD5 string) error {
	s.mu.Lock()
	c := s.live[accountKey(account)]
	s.mu.Unlock()
	if c != nil && hmac.Equal(c.proof, s.prove(account, passwordMD5)) {
		return nil
	}
	settle := s.challenge(account)
	probe, _, err := s.connect(ctx, account, passwordMD5)
	settle(err == nil)
	if err != nil {
		return fmt.Errorf("sign in to the 1.0 server: %w", err)
	}
	probe.pushes.Drop()
	return probe.tcp.Close()
}

// Probe asks whether a 1.0 server is there.
func (s *Server) Probe(ctx context.Context) error {
	c, err := s.open(ctx)
	if err != nil {
		return err
	}
	defer c.tcp.Close()
	stop := context.AfterFunc(ctx, func() { _ = c.tcp.Close() })
	defer stop()
	if err := c.write(request{Module: "chat", Method: "ping"}); err != nil {
		return err
	}
	a, err := c.firstAnswer("ping")
	if err == nil && a.Result != legacy.Success {
		err = fmt.Errorf("the 1.0 server answers a ping with %q", a.Message)
	}
	return err
}

// challenge notes that somebody here is about to sign in to an account: should the connection that is there be kicked out
// now, it is by us. settle takes it back where that came to nothing.
func (s *Server) challenge(account string) (settle func(signedIn bool)) {
	s.mu.Lock()
	c := s.live[accountKey(account)]
	s.mu.Unlock()
	if c == nil {
		return func(bool) {}
	}
	c.challenged.Add(1)
	return func(signedIn bool) {
		if !signedIn {
			c.challenged.Add(-1)
		}
	}
}

// forget notes that a connection has ended.
func (s *Server) forget(c *Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.live[accountKey(c.account)] == c {
		delete(s.live, accountKey(c.account))
	}
}

// accountKey is an account as the server compares it.
func accountKey(account string) string { return strings.ToLower(strings.TrimRight(account, " ")) }

// prove is what is kept of a password: enough to know it again in this process, and no more.
func (s *Server) prove(account, passwordMD5 string) []byte {
	h := hmac.New(sha256.New, s.secret[:])
	h.Write([]byte(accountKey(account) + "\x00" + passwordMD5))
	return h.Sum(nil)
}
