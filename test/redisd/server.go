// Package redisd starts real redis-server processes on loopback for tests: a single one, a cluster of three masters with
// a replica each, or a master with a replica and three sentinels. All of them end with the test that started them.
package redisd

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os/exec"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// patience is how long a thing that should happen may take. It is never waited out where all is well.
const patience = 30 * time.Second

// go-redis tells standard error of every failed dial; here servers are gone on purpose.
func init() { redis.SetLogger(silent{}) }

type silent struct{}

func (silent) Printf(context.Context, string, ...any) {}

// A Server is one redis-server process, which may be ended and started again on the same port. One goroutine uses it.
type Server struct {
	Addr string

	t    testing.TB
	args []string
	cmd  *exec.Cmd
	said *bytes.Buffer
	cli  *redis.Client
}

// Start starts a server that keeps nothing on disk, with extra settings as the command line has them ("--maxmemory", "10mb").
func Start(t testing.TB, extra ...string) *Server {
	t.Helper()
	s := newServer(t, extra...)
	s.Start()
	return s
}

func newServer(t testing.TB, extra ...string) *Server {
	port := freePort(t)
	s := &Server{Addr: net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), t: t}
	s.args = append([]string{
		"--port", strconv.Itoa(port), "--bind", "127.0.0.1", "--dir", t.TempDir(), "--save", "", "--appendonly", "no", "--daemonize", "no",
	}, extra...)
	password := ""
	if i := slices.Index(extra, "--requirepass"); i >= 0 {
		password = extra[i+1]
	}
	s.cli = redis.NewClient(&redis.Options{Addr: s.Addr, Password: password, MaxRetries: -1, DialTimeout: time.Second, DialerRetries: 1, ReadTimeout: 5 * time.Second})
	t.Cleanup(func() {
		_ = s.cli.Close()
		s.Kill()
	})
	return s
}

// Start starts the process, unless it runs, and waits until it answers.
func (s *Server) Start() {
	s.t.Helper()
	if s.cmd != nil {
		return
	}
	s.said = &bytes.Buffer{}
	s.cmd = exec.Command("redis-server", s.args...)
	s.cmd.Stdout, s.cmd.Stderr = s.said, s.said
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} // not to be left behind by a test that crashes
	if err := s.cmd.Start(); err != nil {
		s.cmd = nil
		s.t.Fatalf("start redis-server (.ci/tools installs it): %v", err)
	}
	Until(s.t, "redis-server answers", func(ctx context.Context) error { return s.cli.Ping(ctx).Err() })
}

// Kill ends the process as a crash would.
func (s *Server) Kill() { s.end(syscall.SIGKILL) }

// Stop ends the process in order: it saves what it is set to save.
func (s *Server) Stop() { s.end(syscall.SIGTERM) }

func (s *Server) end(how syscall.Signal) {
	if s.cmd == nil {
		return
	}
	_ = s.cmd.Process.Signal(how)
	_ = s.cmd.Wait()
	s.cmd = nil
}

// Pause stops the process where it is; Resume has it go on.
func (s *Server) Pause() { _ = s.cmd.Process.Signal(syscall.SIGSTOP) }

// Resume ends a Pause.
func (s *Server) Resume() { _ = s.cmd.Process.Signal(syscall.SIGCONT) }

// Client speaks to this server alone. It ends with the test.
func (s *Server) Client() *redis.Client { return s.cli }

// Dial makes a client as a gateway has it: one that gives up on a server that does not answer.
func (s *Server) Dial() redis.UniversalClient {
	return NewClient(&redis.UniversalOptions{Addrs: []string{s.Addr}})
}

// Calls counts the commands of a kind that were carried out, those of scripts included.
func (s *Server) Calls(command string) int {
	s.t.Helper()
	info, err := s.cli.InfoMap(context.Background(), "commandstats").Result()
	if err != nil {
		s.t.Fatal(err)
	}
	var calls int
	_, _ = fmt.Sscanf(info["Commandstats"]["cmdstat_"+command], "calls=%d", &calls)
	return calls
}

// CPU is the time that the process has used.
func (s *Server) CPU() time.Duration {
	s.t.Helper()
	info, err := s.cli.InfoMap(context.Background(), "cpu").Result()
	if err != nil {
		s.t.Fatal(err)
	}
	var seconds float64
	for _, kind := range []string{"used_cpu_user", "used_cpu_sys"} {
		n, err := strconv.ParseFloat(info["CPU"][kind], 64)
		if err != nil {
			s.t.Fatal(err)
		}
		seconds += n
	}
	return time.Duration(seconds * float64(time.Second))
}

// NewClient makes a client with short timeouts, for servers that are killed and paused.
func NewClient(o *redis.UniversalOptions) redis.UniversalClient {
	o.DialTimeout, o.ReadTimeout, o.WriteTimeout = time.Second, time.Second, time.Second
	o.ContextTimeoutEnabled, o.DialerRetries = true, 1
	if len(o.Addrs) > 1 && o.MasterName == "" {
		c := o.Cluster()
		c.ClusterStateReloadInterval = time.Second
		return redis.NewClusterClient(c)
	}
	return redis.NewUniversalClient(o)
}

// Until tries something until it works, and fails the test if that takes too long.
func Until(t testing.TB, what string, try func(ctx context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	for {
		err := try(ctx)
		if err == nil {
			return
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			t.Fatalf("%s: not within %s: %v", what, patience, err)
		}
	}
}

func freePort(t testing.TB) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}
