package chaos

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/xuangate/xuangate/adapter/legacy"
	"github.com/xuangate/xuangate/adapter/xxb"
	"github.com/xuangate/xuangate/test/redisd"
	"github.com/xuangate/xuangate/test/xuanxuan"
)

// TestStandby has two gateways behind a real nginx, of which one is the xxd's backend. It is killed, and the next one ended in order, while a
// desktop and a web user at the other node speak: the desktops stay connected and miss nothing, nor does the web, and each message is
// stored once.
func TestStandby(t *testing.T) {
	behind, err := xuanxuan.Start(t.Context(), xuanxuan.Options{}, "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { require.NoError(t, behind.Close()) }()
	place, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	shared := []string{redisd.Start(t).Addr}
	var apis, backends []string
	var gates []*process
	for range 2 {
		apis, backends = append(apis, freeAddr(t)), append(backends, freeAddr(t))
	}
	for i := range 2 {
		gates = append(gates, launch(t, "node", instructions{
			Role: "node", Addr: apis[i], Mode: "inline", Legacy: behind.URL(), Beside: "http://" + place.Addr().String(), Backend: backends[i], Redis: shared,
		}))
	}
	front := startNginx(t, backends)
	x, err := xuanxuan.StartXXD(t.Context(), xuanxuan.XXDOptions{Backend: "http://" + front + xuanxuan.Path, Listener: place}, "")
	require.NoError(t, err)
	defer func() { require.NoError(t, x.Close()) }()
	k := newTalk(t, behind, x, apis[1]) // at the standby: the first node was there before
	k.goOn()

	begun := time.Now()
	gates[0].signal(syscall.SIGKILL)
	gates[0].wait()
	dead := time.Now()
	t.Logf("killed: the first answer after %s", (dead.Sub(begun) + k.answeredAfter(dead)).Round(time.Millisecond))
	k.goOn()
	require.NoError(t, gates[0].start())

	gates[1].signal(syscall.SIGTERM)
	gates[1].wait()
	t.Logf("ended: an answer %s after it was gone", k.answeredAfter(time.Now()).Round(time.Millisecond))
	require.NoError(t, gates[1].start())
	k.goOn()
	require.Eventually(t, func() bool { return status(t, behind, "carol") == "online" }, settled, 10*time.Millisecond, "she has a stream")
	all, missed := k.ends()
	require.Zero(t, missed, "of %d messages a desktop was not told", all)
	t.Logf("%d messages; %d resets on the web", all, k.reader.resets)
}

// status is how the backend has a user.
func status(t *testing.T, s *xuanxuan.Server, account string) string {
	key, err := legacy.NewKey(xuanxuan.DefaultKey)
	require.NoError(t, err)
	c := xxb.New(xxb.Config{URL: s.URL(), Key: key})
	defer c.Close()
	r, err := c.Call(t.Context(), legacy.Chat(0, "userGetlist", ""))
	require.NoError(t, err)
	var rows []legacy.UserRow
	require.NoError(t, r.Decode(&rows))
	for _, u := range rows {
		if string(u.Account) == account {
			return string(u.Status)
		}
	}
	return ""
}

// startNginx runs a real nginx with the settings of cmd/xuangate/deploy/nginx-backend.conf, but for the addresses, until the test
// ends. It returns its own.
func startNginx(t *testing.T, backends []string) string {
	program, err := exec.LookPath("nginx")
	if err != nil {
		program = "/usr/sbin/nginx"
	}
	if _, err := os.Stat(program); err != nil {
		t.Skip("there is no nginx; .ci/tools installs it")
	}
	page, err := os.ReadFile("../../cmd/xuangate/deploy/nginx-backend.conf")
	require.NoError(t, err)
	settings, addr := string(page), freeAddr(t)
	for old, now := range map[string]string{"listen 127.0.0.1:8090": "listen " + addr, "10.0.0.7:8082": backends[0], "10.0.0.8:8082": backends[1]} {
		require.Contains(t, settings, old)
		settings = strings.ReplaceAll(settings, old, now)
	}
	dir := t.TempDir()
	for _, name := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		settings = name + "_temp_path " + filepath.Join(dir, name) + ";\n" + settings
	}
	whole := "daemon off;\nmaster_process off;\npid " + filepath.Join(dir, "pid") + ";\nerror_log " + filepath.Join(dir, "error.log") +
		";\nevents {}\nhttp {\naccess_log off;\n" + settings + "}\n"
	file := filepath.Join(dir, "nginx.conf")
	require.NoError(t, os.WriteFile(file, []byte(whole), 0o600))
	p := &process{
		t: t, name: "nginx",
		run: func() *exec.Cmd {
			return exec.Command(program, "-p", dir, "-c", file, "-e", filepath.Join(dir, "error.log"))
		},
		up: func() error {
			conn, err := net.Dial("tcp", addr)
			if err == nil {
				err = conn.Close()
			}
			return err
		},
	}
	p.begin()
	return addr
}
