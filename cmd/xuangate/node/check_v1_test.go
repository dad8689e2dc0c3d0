package node_test

import (
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/xuangate/xuangate/cmd/xuangate/node"
	"github.com/xuangate/xuangate/test/xuanxuan"
)

// old starts a reference 1.0 server, and makes a Config for a node that signs in to it, on free ports.
func old(t *testing.T) (*xuanxuan.V1, node.Config) {
	t.Helper()
	v, err := xuanxuan.StartV1(t.Context(), backend(t).Backend, xuanxuan.V1Options{}, "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, v.Close()) })
	c := node.Default()
	c.Addr, c.Inner.Addr = "127.0.0.1:0", "127.0.0.1:0"
	c.Legacy.Mode, c.Legacy.V1.Addr, c.Legacy.V1.FilesURL = "v1", v.Addr(), v.FilesURL()
	c.Inner.OperatorPassword = xuanxuan.DemoPassword
	return v, c
}

func TestCheckV1(t *testing.T) {
	v, good := old(t)
	free, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, free.Close())
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer silent.Close()
	for _, fault := range []struct {
		name string
		set  func(*node.Config)
		want string
	}{
		{"nothing listens", func(c *node.Config) { c.Legacy.V1.Addr = free.Addr().String() }, "legacy.v1.addr: nothing listens there"},
		{"no such host", func(c *node.Config) { c.Legacy.V1.Addr = "nowhere.invalid:8080" }, "legacy.v1.addr: no such host: nowhere.invalid"},
		{"a server that says nothing", func(c *node.Config) {
			c.Legacy.Timeout = 100 * time.Millisecond
			c.Legacy.V1.Addr = silent.Addr().String()
		}, "legacy.v1.addr: no answer within 100ms"},
		{"a server of another kind", func(*node.Config) { v.SetFaults(xuanxuan.V1Fault{Garbage: []byte("HTTP/1.1 400 Bad Request")}) }, "legacy.v1.addr: the 1.0 server says something that is no answer"},
	} {
		t.Run(fault.name, func(t *testing.T) {
			c := good
			fault.set(&c)
			defer v.SetFaults()
			found := node.Check(t.Context(), c)
			require.Len(t, found, 1)
			require.True(t, found[0].Fault)
			require.Contains(t, found[0].Text, fault.want)
		})
	}
	for password, want := range map[string]string{"": "is not set", "whatever": "is not tried"} {
		t.Run("a good server brings no fault; the operator's password "+want, func(t *testing.T) {
			c := good
			c.Inner.OperatorPassword = node.Secret(password)
			found := node.Check(t.Context(), c)
			require.Len(t, found, 4)
			for _, f := range found {
				require.False(t, f.Fault, f.Text)
			}
			require.Contains(t, found[1].Text, "no encryption")
			require.Contains(t, found[2].Text, "the site answers")
			require.Contains(t, found[3].Text, "inner.operator_password: "+want)
			require.Zero(t, v.Stats().Logins, "nobody is signed in for it")
		})
	}
}

func TestCheckTheSiteOfV1(t *testing.T) {
	_, good := old(t)
	other := httptest.NewServer(http.NotFoundHandler())
	defer other.Close()
	for address, want := range map[string]string{"": "is not set", other.URL: "status 404", "http://127.0.0.1:1": "nothing listens there"} {
		c := good
		c.Legacy.V1.FilesURL = address
		found := node.Check(t.Context(), c)
		require.Equal(t, address != "", found[2].Fault, found[2].Text)
		require.Contains(t, found[2].Text, "legacy.v1.files_url: ")
		require.Contains(t, found[2].Text, want)
	}
}

func TestRunV1(t *testing.T) {
	_, c := old(t)
	n := run(t, c)
	n.talks(t)
	n.stop(t)
}
