package node_test

import (
	"encoding/pem"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/xuangate/xuangate/cmd/xuangate/node"
	"github.com/xuangate/xuangate/gen/model"
	"github.com/xuangate/xuangate/test/xuanxuan"
)

// front starts a reference xxd before s, with a certificate of its own.
func front(t *testing.T, s *xuanxuan.Server) *xuanxuan.XXD {
	t.Helper()
	x, err := xuanxuan.StartXXD(t.Context(), xuanxuan.XXDOptions{Backend: s.URL(), TLS: true}, "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, x.Close()) })
	return x
}

// beside is a Config for a node that signs in to x, on free ports.
func beside(x *xuanxuan.XXD) node.Config {
	c := validXXD()
	c.Addr, c.Inner.Addr = "127.0.0.1:0", "127.0.0.1:0"
	c.Legacy.XXD.URL, c.Legacy.XXD.Fingerprint = x.URL(), x.Fingerprint()
	c.Inner.OperatorPassword = xuanxuan.DemoPassword
	return c
}

func TestCheckXXD(t *testing.T) {
	x := front(t, backend(t))
	free, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, free.Close())
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer silent.Close()
	authority := filepath.Join(t.TempDir(), "ca.pem")
	require.NoError(t, os.WriteFile(authority, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: x.Certificate().Raw}), 0o600))
	another := front(t, backend(t)).Fingerprint()

	for _, fault := range []struct {
		name string
		set  func(*node.Config)
		want []string
	}{
		{"nothing listens", func(c *node.Config) { c.Legacy.XXD.URL = "https://" + free.Addr().String() }, []string{"legacy.xxd.url: nothing listens there"}},
		{"no such host", func(c *node.Config) { c.Legacy.XXD.URL = "https://nowhere.invalid:11443" }, []string{"legacy.xxd.url: no such host: nowhere.invalid"}},
		{"a server that says nothing", func(c *node.Config) {
			c.Legacy.Timeout = 100 * time.Millisecond
			c.Legacy.XXD.URL = "https://" + silent.Addr().String()
		}, []string{"legacy.xxd.url: no answer within 100ms"}},
		{"a certificate of nobody known, and what to set", func(c *node.Config) { c.Legacy.XXD.Fingerprint = "" }, []string{"legacy.xxd.fingerprint: is not set", "set " + x.Fingerprint()}},
		{"another certificate than the one set", func(c *node.Config) { c.Legacy.XXD.Fingerprint = another }, []string{"legacy.xxd.fingerprint: ", x.Fingerprint()}},
	} {
		t.Run(fault.name, func(t *testing.T) {
			c := beside(x)
			fault.set(&c)
			found := node.Check(t.Context(), c)
			require.Len(t, found, 1)
			require.True(t, found[0].Fault)
			for _, want := range fault.want {
				require.Contains(t, found[0].Text, want)
			}
		})
	}
	for name, trust := range map[string]func(*node.XXD){
		"its fingerprint":               func(*node.XXD) {},
		"its fingerprint as in openssl": func(x *node.XXD) { x.Fingerprint = strings.ToUpper(x.Fingerprint) },
		"its authority":                 func(x *node.XXD) { x.Fingerprint, x.CAFile = "", authority },
	} {
		t.Run("a good server, trusted by "+name+", brings no fault", func(t *testing.T) {
			c := beside(x)
			trust(&c.Legacy.XXD)
			require.Equal(t, []node.Finding{
				{Text: "legacy.xxd: the chat server answers"},
				{Text: "inner.operator: the chat server takes the operator's password"},
			}, node.Check(t.Context(), c))
		})
	}
	t.Run("a server believed whoever it is brings a word on that", func(t *testing.T) {
		c := beside(x)
		c.Legacy.XXD.Fingerprint, c.Legacy.XXD.Insecure = "", true
		found := node.Check(t.Context(), c)
		require.Len(t, found, 3)
		require.False(t, found[1].Fault)
		require.Contains(t, found[1].Text, "legacy.xxd.insecure: any certificate of the chat server is believed")
	})
	t.Run("a server without encryption brings a word on that", func(t *testing.T) {
		plain, err := xuanxuan.StartXXD(t.Context(), xuanxuan.XXDOptions{Backend: backend(t).URL()}, "127.0.0.1:0")
		require.NoError(t, err)
		defer plain.Close()
		found := node.Check(t.Context(), beside(plain))
		require.Len(t, found, 3)
		require.False(t, found[1].Fault)
		require.Contains(t, found[1].Text, "legacy.xxd.url: is http")
	})
	t.Run("no password of the operator is good to know", func(t *testing.T) {
		c := beside(x)
		c.Inner.OperatorPassword = ""
		found := node.Check(t.Context(), c)
		require.Len(t, found, 2)
		require.False(t, found[1].Fault)
		require.Contains(t, found[1].Text, "inner.operator_password: is not set")
	})
	t.Run("a wrong password of the operator is a fault, and is not shown", func(t *testing.T) {
		c := beside(x)
		c.Inner.Operator, c.Inner.OperatorPassword = "demo", "not the password"
		found := node.Check(t.Context(), c)
		require.Len(t, found, 2)
		require.True(t, found[1].Fault)
		require.Contains(t, found[1].Text, "inner.operator_password: the chat server does not take it for demo")
		require.NotContains(t, found[1].Text, "not the password")
	})
}

func TestRunXXD(t *testing.T) {
	t.Run("a message goes from one user through xxd to another's stream", func(t *testing.T) {
		n := run(t, beside(front(t, backend(t))))
		n.talks(t)
		n.stop(t)
	})
	t.Run("inner gives tokens of those who are signed in, and tells how for others", func(t *testing.T) {
		c := beside(front(t, backend(t)))
		c.Inner.Key = "an inner key of 32 characters xx"
		n := run(t, c)
		n.signIn(t, "carol")
		key := http.Header{"X-Inner-Key": {string(c.Inner.Key)}}
		require.NotEmpty(t, must[string](t, post(t, n.inner+"/inner/get_token", key, model.GetTokenRequest{Account: "carol", Platform: 2})))
		refused := post(t, n.inner+"/inner/get_token", key, model.GetTokenRequest{Account: "dave"})
		require.Equal(t, model.Unsupported, refused.Code)
		require.Contains(t, refused.Error, "/login")
		n.stop(t)
	})
	t.Run("an xxd that is down is no reason not to start", func(t *testing.T) {
		x := front(t, backend(t))
		c := beside(x)
		require.NoError(t, x.Close())
		n := run(t, c)
		refused := post(t, n.api+"/login", http.Header{}, model.LoginRequest{Account: "alice", Password: "x"})
		require.Equal(t, model.Unreachable, refused.Code)
		n.stop(t)
	})
}
