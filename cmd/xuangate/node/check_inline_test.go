package node_test

import (
	"net"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/xuangate/xuangate/cmd/xuangate/node"
	"github.com/xuangate/xuangate/test/xuanxuan"
)

func TestCheckInline(t *testing.T) {
	s := backend(t)
	away, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	listen := away.Addr().String()
	require.NoError(t, away.Close())
	direct := front(t, s) // calls its backend itself
	c := valid()
	c.Legacy.Mode = "inline"
	c.Legacy.XXB.URL, c.Legacy.XXB.Key = s.URL(), xuanxuan.DefaultKey
	c.Legacy.XXD.URL, c.Legacy.XXD.Fingerprint = direct.URL(), direct.Fingerprint()
	c.Legacy.Inline.Listen = listen

	t.Run("a chat server that asks another backend, and the line to change", func(t *testing.T) {
		found := faultsOf(node.Check(t.Context(), c))
		require.Len(t, found, 1)
		require.Contains(t, found[0], "set the backend's address in its xxd.conf to http://"+listen+"/xuanxuan.php")
	})
	t.Run("one that asks this one, whether the node runs or not", func(t *testing.T) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		c := c
		c.Legacy.XXD.URL, c.Legacy.XXD.Fingerprint, c.Legacy.XXD.Insecure = "https://"+l.Addr().String(), "", true
		c.Addr, c.Inner.Addr, c.Inner.Key = "127.0.0.1:0", "", ""
		c.Legacy.Inline.Listen = "127.0.0.1:0"
		n := run(t, c)
		c.Legacy.Inline.Listen = n.backend
		x, err := xuanxuan.StartXXD(t.Context(), xuanxuan.XXDOptions{Backend: "http://" + n.backend + xuanxuan.Path, TLS: true, Listener: l}, "")
		require.NoError(t, err)
		defer func() { require.NoError(t, x.Close()) }()
		require.Empty(t, faultsOf(node.Check(t.Context(), c)))
		n.stop(t)
		require.Empty(t, faultsOf(node.Check(t.Context(), c)))
	})
}

func faultsOf(found []node.Finding) (faults []string) {
	for _, f := range found {
		if f.Fault {
			faults = append(faults, f.Text)
		}
	}
	return faults
}
