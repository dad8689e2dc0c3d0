package bench

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"syscall"
	"testing"
	"time"

	"github.com/xuangate/xuangate/cmd/xuangate/node"
	"github.com/xuangate/xuangate/test/xuanxuan"
)

// A role is what this binary is when started as a server: it returns its address and what ends it.
var roles = map[string]func(legacyURL string) (addr string, stop func(), err error){
	"legacy": func(slowness string) (string, func(), error) {
		s, err := xuanxuan.Start(context.Background(), xuanxuan.Options{Users: population()}, "127.0.0.1:0")
		if err != nil {
			return "", nil, err
		}
		if slowness != "" {
			d, err := time.ParseDuration(slowness)
			if err != nil {
				return "", nil, errors.Join(err, s.Close())
			}
			s.SetFaults(xuanxuan.Fault{Delay: d})
		}
		return s.URL(), func() { _ = s.Close() }, nil
	},
	"gateway": runGateway,
	"xxd":     runXXD,
	"linked":  runLinked,
	"between": runBetween,
	"behind":  runBehind,
	"instant": runInstant,
	"shared":  runShared,
	"proxy": func(legacyURL string) (string, func(), error) {
		target, err := url.Parse(legacyURL)
		if err != nil {
			return "", nil, err
		}
		// The defaults keep two idle connections; with as many as the gateway keeps the comparison is of the work.
		proxy := &httputil.ReverseProxy{
			Rewrite: func(r *httputil.ProxyRequest) {
				r.SetURL(&url.URL{Scheme: target.Scheme, Host: target.Host})
				// Read first: forwarding a body while its answer comes back already trips net/http over itself now and then.
				body, _ := io.ReadAll(r.In.Body)
				r.Out.Body = io.NopCloser(bytes.NewReader(body))
			},
			Transport: &http.Transport{MaxIdleConnsPerHost: 64},
		}
		s := httptest.NewServer(proxy)
		return s.URL + target.Path, s.Close, nil
	},
	"bare": func(string) (string, func(), error) {
		s := httptest.NewServer(newBare())
		return s.URL, s.Close, nil
	},
}

const (
	roleEnv   = "XUANGATE_BENCH_ROLE"
	legacyEnv = "XUANGATE_BENCH_LEGACY"
	// profileEnv names a folder into which each server writes its CPU profile, ROLE-PID.prof.
	profileEnv = "XUANGATE_BENCH_PROFILE"
	innerKey   = "bench-inner-key-of-32-characters"
)

// people is how many users the legacy server has beside the demo users.
const people = streams + 1

func population() []xuanxuan.User {
	list := xuanxuan.DemoUsers()
	for i := range people {
		list = append(list, xuanxuan.User{ID: int64(1000 + i), Account: fmt.Sprint("u", i), Realname: fmt.Sprint("User ", i)})
	}
	return list
}

func runGateway(legacyURL string) (string, func(), error) {
	c := node.Default()
	c.Limits = node.Limits{TokenBurst: 1, AddressBurst: 1, SignInBurst: 1, AccountBurst: 1, AcceptBurst: 1} // no limits: all clients are one address
	c.Legacy.XXB.URL, c.Legacy.XXB.Key = legacyURL, xuanxuan.DefaultKey
	dir, err := os.MkdirTemp("", "xuangate-bench-files-")
	if err != nil {
		return "", nil, err
	}
	c.Files.Dir, c.Files.MaxSize = dir, uploadLimit
	addr, stop, err := runNode(c)
	if err != nil {
		return "", nil, errors.Join(err, os.RemoveAll(dir))
	}
	return addr, func() { stop(); _ = os.RemoveAll(dir) }, nil
}

func runNode(c node.Config) (string, func(), error) {
	c.Addr, c.Dev = "127.0.0.1:0", true
	c.Inner.Key = innerKey
	c.LogTo = io.Discard
	ready := make(chan string, 1)
	c.Ready = func(a node.Addresses) { ready <- "http://" + a.API.String() }
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- node.Run(ctx, c) }()
	select {
	case addr := <-ready:
		return addr, func() { cancel(); <-done }, nil
	case err := <-done:
		cancel()
		return "", nil, err
	}
}

func TestMain(m *testing.M) {
	role := os.Getenv(roleEnv)
	if role == "" {
		os.Exit(m.Run())
	}
	if err := play(role); err != nil {
		fmt.Fprintln(os.Stderr, role, err)
		os.Exit(1)
	}
}

// started is the line with which a server says that it is ready.
type started struct{ Addr, Control string }

// usage is what a server has used.
type usage struct {
	CPU time.Duration // since it started, user and system
	// After a garbage collection:
	Memory     uint64 // bytes of heap and stacks in use
	Goroutines int
}

// watching is the watch over this process's memory that /watch has begun.
var watching *highWater

// play runs a role until the parent closes our standard input, or is gone.
func play(role string) error {
	addr, stop, err := roles[role](os.Getenv(legacyEnv))
	if err != nil {
		return err
	}
	defer stop()
	if dir := os.Getenv(profileEnv); dir != "" {
		f, err := os.Create(filepath.Join(dir, fmt.Sprint(role, "-", os.Getpid(), ".prof")))
		if err != nil {
			return err
		}
		defer f.Close()
		if err := pprof.StartCPUProfile(f); err != nil {
			return err
		}
		defer pprof.StopCPUProfile()
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	control := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var u usage
		switch r.URL.Path {
		case "/watch":
			watching = watchMemory()
		case "/growth":
			u.Memory = watching.growth()
		case "/memory":
			runtime.GC()
			runtime.GC() // the second one frees what finalizers let go
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			u.Memory, u.Goroutines = m.HeapAlloc+m.StackInuse, runtime.NumGoroutine()
		}
		var ru syscall.Rusage
		_ = syscall.Getrusage(syscall.RUSAGE_SELF, &ru)
		u.CPU = time.Duration(ru.Utime.Nano() + ru.Stime.Nano())
		_ = json.NewEncoder(w).Encode(u)
	})}
	go func() { _ = control.Serve(l) }()
	defer control.Close()
	if err := json.NewEncoder(os.Stdout).Encode(started{addr, "http://" + l.Addr().String()}); err != nil {
		return err
	}
	signal.Ignore(syscall.SIGINT) // Ctrl-C reaches us too; the parent ends us
	_, _ = io.Copy(io.Discard, os.Stdin)
	return nil
}

// server is a running role.
type server struct {
	started
	b testing.TB
}

// run starts a role in a process of its own, ended with the benchmark.
func run(b testing.TB, role, legacyURL string) *server {
	b.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), roleEnv+"="+role, legacyEnv+"="+legacyURL)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	must(b, err)
	out, err := cmd.StdoutPipe()
	must(b, err)
	must(b, cmd.Start())
	b.Cleanup(func() {
		in.Close()
		_ = cmd.Wait()
	})
	line, err := bufio.NewReader(out).ReadBytes('\n')
	must(b, err)
	s := &server{b: b}
	must(b, json.Unmarshal(line, &s.started))
	return s
}

func (s *server) usage(what string) usage {
	s.b.Helper()
	res, err := http.Get(s.Control + what)
	must(s.b, err)
	defer res.Body.Close()
	var u usage
	must(s.b, json.NewDecoder(res.Body).Decode(&u))
	return u
}

func (s *server) cpu() time.Duration { return s.usage("/cpu").CPU }
func (s *server) memory() uint64     { return s.usage("/memory").Memory }

func must(b testing.TB, err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

// client keeps as many connections as we have workers.
var client = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}

// post sends a body and reads the whole answer, which must come under status 200.
func post(url string, head http.Header, body []byte) ([]byte, error) {
	req, err := http.NewRequest(http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header = head
	res, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: status %d: %.200s", url, res.StatusCode, b)
	}
	return b, err
}

// call is post of a facade operation, decoding the data.
func call[T any](b testing.TB, url string, head http.Header, body any) T {
	b.Helper()
	raw, err := json.Marshal(body)
	must(b, err)
	head = head.Clone()
	head.Set("Content-Type", "application/json")
	raw, err = post(url, head, raw)
	must(b, err)
	var a struct{ Data T }
	must(b, json.Unmarshal(raw, &a))
	return a.Data
}

// token signs a session in without its password.
func token(b testing.TB, gateway *server, session int) string {
	return call[string](b, gateway.Addr+"/inner/get_token", http.Header{"X-Inner-Key": {innerKey}}, map[string]any{"session": fmt.Sprint(session)})
}

func bearer(token string) http.Header { return http.Header{"Authorization": {"Bearer " + token}} }
