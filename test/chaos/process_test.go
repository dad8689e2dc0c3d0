package chaos

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A role is what this binary is when it is started as a server: it serves until ctx ends, and calls ready once it does.
var roles = map[string]func(ctx context.Context, in instructions, ready func()) error{
	"xxb": runXXB, "xxd": runXXD, "v1": runV1, "node": runNode,
}

// instructions are what a server is told on its start.
type instructions struct {
	Role string
	Addr string // where it listens, the same after each restart

	Data     string // xxb and v1: the file of its database
	Backend  string // xxd: the address of its backend; node in mode inline: where xxds find theirs
	ChatAddr string // xxd: where its websockets are; v1: where its users sign in, Addr being that of an xxb with the same database

	Mode   string   // node: xxb, xxd, inline or v1
	Legacy string   // node: the URL of the chat server, or the address of one of 1.0
	Beside string   // node: in mode inline, that of the xxd
	Inner  string   // node: where /inner listens
	Redis  []string // node: addresses of the Redis that nodes share, if they do
}

const instructionsEnv = "XUANGATE_CHAOS"

func TestMain(m *testing.M) {
	text := os.Getenv(instructionsEnv)
	if text == "" {
		os.Exit(m.Run())
	}
	var in instructions
	if err := json.Unmarshal([]byte(text), &in); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	go func() { // the parent is gone when our standard input ends
		_, _ = bufio.NewReader(os.Stdin).ReadByte()
		os.Exit(3)
	}()
	if err := roles[in.Role](ctx, in, func() { fmt.Println("ready") }); err != nil {
		fmt.Fprintln(os.Stderr, in.Role, err)
		os.Exit(1)
	}
}

// A process is a server that can be killed, ended, paused and started again at the same address.
type process struct {
	t    *testing.T
	name string
	run  func() *exec.Cmd
	up   func() error // says whether it serves; nil: it says "ready" on its standard output

	mu   sync.Mutex
	cmd  *exec.Cmd
	gone chan struct{} // closed when cmd has ended
}

// startTimeout is how long a server may take to serve. The machine may have much to do.
const startTimeout = 30 * time.Second

// launch starts a role of this binary.
func launch(t *testing.T, name string, in instructions) *process {
	text, err := json.Marshal(in)
	require.NoError(t, err)
	p := &process{t: t, name: name, run: func() *exec.Cmd {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), instructionsEnv+"="+string(text))
		return cmd
	}}
	p.begin()
	return p
}

// begin starts the process and waits until it serves.
func (p *process) begin() {
	require.NoError(p.t, p.start(), p.name)
	p.t.Cleanup(func() { p.signal(syscall.SIGKILL); p.wait() })
}

func (p *process) start() error {
	cmd := p.run()
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	gone := make(chan struct{})
	ready := make(chan struct{})
	go func() {
		defer close(gone)
		lines := bufio.NewScanner(out)
		for said := false; lines.Scan(); {
			if !said && lines.Text() == "ready" {
				said = true
				close(ready)
			}
		}
		_ = cmd.Wait()
		_ = in.Close()
	}()
	p.mu.Lock()
	p.cmd, p.gone = cmd, gone
	p.mu.Unlock()
	return p.serving(ready, gone)
}

// serving waits until a process serves that was just started.
func (p *process) serving(ready, gone <-chan struct{}) error {
	limit := time.NewTimer(startTimeout)
	defer limit.Stop()
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	for {
		select {
		case <-ready:
			return nil
		case <-again.C:
			if p.up != nil && p.up() == nil {
				return nil
			}
		case <-gone:
			return fmt.Errorf("%s: ended at once", p.name)
		case <-limit.C:
			return fmt.Errorf("%s: does not serve", p.name)
		}
	}
}

func (p *process) signal(s syscall.Signal) {
	p.mu.Lock()
	defer p.mu.Unlock()
	_ = p.cmd.Process.Signal(s)
}

// wait waits until the process is gone.
func (p *process) wait() {
	p.mu.Lock()
	gone := p.gone
	p.mu.Unlock()
	<-gone
}

// freeAddr is an address on which nobody listens. It is below the ports that the system gives to outgoing connections, so
// that none of those takes it while its server is being restarted.
func freeAddr(t *testing.T) string {
	for {
		port := 15000 + int(nextPort.Add(1))
		if port > 32000 {
			t.Fatal("no free port")
		}
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err == nil {
			require.NoError(t, l.Close())
			return l.Addr().String()
		}
	}
}
