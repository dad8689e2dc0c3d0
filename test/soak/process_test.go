package soak

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/xuangate/xuangate/cmd/xuangate/node"
	"github.com/xuangate/xuangate/test/xuanxuan"
)

// A task is what this binary is to be when it is started as a server.
type task struct {
	Role string // legacy or gateway
	Mode string // xxb or xxd
	Dir  string // for what it keeps

	Delay  time.Duration // legacy: before each call
	People int           // legacy: how many accounts there are beside the demo users

	Legacy   addresses     // gateway: of the chat server
	TokenTTL time.Duration // gateway
}

// addresses are what a server says once it serves.
type addresses struct {
	Backend, Apps, XXD string // of a chat server: its backend's two pages, and the xxd before it
	API, Inner, Ops    string // of a gateway
}

const (
	taskEnv   = "XUANGATE_SOAK"
	innerKey  = "soak-inner-key-of-32-characters-"
	secretKey = "soak-secret-key-of-32-characters"
	appCode   = "xuangate"
	appToken  = "soak-app-token"
)

var roles = map[string]func(ctx context.Context, t task, ready func(addresses)) error{"legacy": runLegacy, "gateway": runGateway}

func TestMain(m *testing.M) {
	text := os.Getenv(taskEnv)
	if text == "" {
		os.Exit(m.Run())
	}
	var t task
	if err := json.Unmarshal([]byte(text), &t); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	signal.Ignore(syscall.SIGINT) // Ctrl-C reaches us too; the parent ends us
	ctx, stop := context.WithCancel(context.Background())
	go func() { // the parent is gone, or wants us to be, when our standard input ends
		defer stop()
		_, _ = io.Copy(io.Discard, os.Stdin)
	}()
	if err := roles[t.Role](ctx, t, func(a addresses) { _ = json.NewEncoder(os.Stdout).Encode(a) }); err != nil {
		fmt.Fprintln(os.Stderr, t.Role, err)
		os.Exit(1)
	}
}

// account is the nth of those beside the demo users.
func account(n int) string { return fmt.Sprint("u", n) }

func runLegacy(ctx context.Context, t task, ready func(addresses)) (err error) {
	users := xuanxuan.DemoUsers()
	for i := range t.People {
		users = append(users, xuanxuan.User{ID: int64(1000 + i), Account: account(i), Realname: fmt.Sprint("User ", i)})
	}
	s, err := xuanxuan.Start(ctx, xuanxuan.Options{
		File: filepath.Join(t.Dir, t.Mode+".db"), Users: users, AppCode: appCode, AppToken: appToken,
		Extensions: []xuanxuan.Extension{{ID: 1, Code: "crm", Name: "CRM", Login: "../crm/index.php"}},
	}, "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	if t.Delay > 0 {
		s.SetFaults(xuanxuan.Fault{Delay: t.Delay})
	}
	at := addresses{Backend: s.URL(), Apps: s.APIURL()}
	if t.Mode == "xxd" {
		xxd, err := xuanxuan.StartXXD(ctx, xuanxuan.XXDOptions{Backend: s.URL(), UploadDir: t.Dir, TickInterval: 5 * time.Second}, "127.0.0.1:0")
		if err != nil {
			return err
		}
		defer func() { _ = xxd.Close() }()
		at.XXD = xxd.URL()
	}
	ready(at)
	<-ctx.Done()
	return nil
}

// events is how many events the gateway keeps. With more the log would still be filling up when it is to be seen that nothing grows.
const events = 1000

func runGateway(ctx context.Context, t task, ready func(addresses)) error {
	c := node.Default()
	c.Limits = node.Limits{TokenBurst: 1, AddressBurst: 1, SignInBurst: 1, AccountBurst: 1, AcceptBurst: 1} // no limits: all clients are one address
	c.Addr, c.Inner.Addr, c.Ops.Addr, c.Ops.PProf = "127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0", true
	c.Drain = 2 * time.Second
	c.SecretKey, c.TokenTTL = secretKey, t.TokenTTL
	c.Inner.Key, c.Inner.OperatorPassword, c.Inner.Calls = innerKey, xuanxuan.DemoPassword, []string{"chat/members"}
	c.EventLog.Size = events
	c.Files.Dir = t.Dir
	c.Legacy.Mode, c.Legacy.Timeout = t.Mode, patience
	c.Legacy.XXB.URL, c.Legacy.XXB.Key = t.Legacy.Backend, xuanxuan.DefaultKey
	c.Legacy.XXD.URL, c.Legacy.XXD.LinkIdle = t.Legacy.XXD, time.Minute
	c.Legacy.API = node.API{URL: t.Legacy.Apps, Code: appCode, Token: appToken}
	c.Log.Level = slog.LevelError
	c.Ready = func(a node.Addresses) {
		ready(addresses{API: "http://" + a.API.String(), Inner: "http://" + a.Inner.String(), Ops: "http://" + a.Ops.String()})
	}
	return node.Run(ctx, c)
}

// launch starts a server in a process of its own, which is ended with the test.
func launch(t *testing.T, what task) addresses {
	t.Helper()
	text, err := json.Marshal(what)
	require.NoError(t, err)
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), taskEnv+"="+string(text))
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = in.Close()
		require.NoError(t, cmd.Wait(), "%s %s ends in good order", what.Role, what.Mode)
	})
	line, err := bufio.NewReader(out).ReadBytes('\n')
	require.NoError(t, err)
	var a addresses
	require.NoError(t, json.Unmarshal(line, &a))
	return a
}
