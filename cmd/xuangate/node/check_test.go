package node_test

import (
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/xuangate/xuangate/cmd/xuangate/node"
	"github.com/xuangate/xuangate/test/xuanxuan"
)

// backend starts a reference chat server.
func backend(t *testing.T) *xuanxuan.Server {
	t.Helper()
	s, err := xuanxuan.Start(t.Context(), xuanxuan.Options{}, "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

// before is a Config for a node in front of s, on free ports.
func before(s *xuanxuan.Server) node.Config {
	c := valid()
	c.Addr, c.Inner.Addr = "127.0.0.1:0", "127.0.0.1:0"
	c.Legacy.XXB.URL = s.URL()
	return c
}

func TestCheck(t *testing.T) {
	s := backend(t)
	page := func(answer http.HandlerFunc) string {
		s := httptest.NewServer(answer)
		t.Cleanup(s.Close)
		return s.URL + "/xuanxuan.php"
	}
	free, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, free.Close())

	for _, fault := range []struct {
		name string
		set  func(*node.Config)
		want string
	}{
		{"another key", func(c *node.Config) { c.Legacy.XXB.Key = "99999999999999999999999999999999" }, "legacy.xxb.key: the web server answers, but not as a backend with this key does"},
		{"no such operator", func(c *node.Config) { c.Inner.Operator = "root" }, `inner.operator: the operator account "root" is not a user of the chat server`},
		{"nothing listens", func(c *node.Config) { c.Legacy.XXB.URL = "http://" + free.Addr().String() }, "legacy.xxb.url: nothing listens there"},
		{"no such host", func(c *node.Config) { c.Legacy.XXB.URL = "http://nowhere.invalid/" }, "legacy.xxb.url: no such host: nowhere.invalid"},
		{"no such page", func(c *node.Config) { c.Legacy.XXB.URL += "x" }, "legacy.xxb.url: the web server has no such page (404)"},
		{"a page that leads elsewhere", func(c *node.Config) {
			c.Legacy.XXB.URL = page(func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "https://x/", http.StatusFound) })
		}, `legacy.xxb.url: the web server sends us on to "https://x/"`},
		{"a server that does not answer", func(c *node.Config) {
			c.Legacy.Timeout = 100 * time.Millisecond
			c.Legacy.XXB.URL = page(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
		}, "legacy.xxb.url: no answer within 100ms"},
		{"a page of another kind", func(c *node.Config) {
			c.Legacy.XXB.URL = page(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("hello")) })
		}, "legacy.xxb.key: the web server answers, but not as a backend with this key does"},
		{"no encryption where https is set", func(c *node.Config) { c.Legacy.XXB.URL = "https" + c.Legacy.XXB.URL[len("http"):] }, "legacy.xxb.url: "},
	} {
		t.Run(fault.name, func(t *testing.T) {
			c := before(s)
			fault.set(&c)
			found := node.Check(t.Context(), c)
			require.Len(t, found, 1)
			require.True(t, found[0].Fault)
			require.Contains(t, found[0].Text, fault.want)
			require.NotContains(t, found[0].Text, string(c.Legacy.XXB.Key))
		})
	}
	t.Run("a good server brings no fault, and a word on its mode", func(t *testing.T) {
		found := node.Check(t.Context(), before(s))
		require.Len(t, found, 4)
		for _, f := range found {
			require.False(t, f.Fault, f.Text)
		}
		require.Contains(t, found[1].Text, "must be the only chat server")
		require.Contains(t, found[2].Text, "files.dir: is not set")
		require.Contains(t, found[3].Text, "legacy.timezone: is Asia/Shanghai; ")
	})
	t.Run("a directory for files is tried, and left as it was", func(t *testing.T) {
		c := before(s)
		c.Files.Dir = t.TempDir()
		found := node.Check(t.Context(), c)
		require.Len(t, found, 4)
		require.Equal(t, "files.dir: files can be kept there", found[2].Text)
		require.False(t, found[2].Fault)
		require.NoError(t, filepath.WalkDir(c.Files.Dir, func(name string, entry fs.DirEntry, err error) error {
			require.True(t, entry.IsDir(), name)
			return err
		}))

		c.Files.Dir += "/nowhere"
		found = node.Check(t.Context(), c)
		require.True(t, found[0].Fault)
		require.Contains(t, found[0].Text, "files.dir: "+c.Files.Dir+" does not exist")
		require.ErrorContains(t, node.Run(t.Context(), c), "files.dir: "+c.Files.Dir+" does not exist")

		c.Files.Dir = filepath.Join(t.TempDir(), "file")
		require.NoError(t, os.WriteFile(c.Files.Dir, nil, 0o600))
		require.Contains(t, node.Check(t.Context(), c)[0].Text, "is no directory")
	})
	t.Run("a clock that is wrong is told", func(t *testing.T) {
		c := before(s)
		c.Legacy.XXB.URL = page(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Date", time.Now().Add(-time.Hour).UTC().Format(http.TimeFormat))
			s.ServeHTTP(w, r)
		})
		found := node.Check(t.Context(), c)
		require.Len(t, found, 5)
		require.Contains(t, found[4].Text, "clock is 1h0m0s behind ours")
	})
	t.Run("a slow database is told apart from a wrong address", func(t *testing.T) {
		c := before(s)
		c.Legacy.Timeout = 100 * time.Millisecond
		s.SetFaults(xuanxuan.Fault{Method: "userGetlist", Delay: time.Minute})
		defer s.SetFaults()
		found := node.Check(t.Context(), c)
		require.Len(t, found, 1)
		require.Contains(t, found[0].Text, "the backend behind it does not within 100ms")
	})
	t.Run("faults of other settings do not hide those of the chat server", func(t *testing.T) {
		c := before(s)
		c.Addr, c.Inner.Operator = "here", "root"
		found := node.Check(t.Context(), c)
		require.Len(t, found, 2)
		require.Contains(t, found[0].Text, "addr: ")
		require.Contains(t, found[1].Text, "inner.operator: ")
	})
}

func TestCheckTriesTheApplication(t *testing.T) {
	s, err := xuanxuan.Start(t.Context(), xuanxuan.Options{AppCode: "xuangate", AppToken: "right"}, "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	for token, want := range map[string]node.Finding{
		"right": {Fault: false, Text: "legacy.api: the backend answers this application"},
		"wrong": {Fault: true, Text: `legacy.api.code: the backend does not take this code and token: "token 验证失败。"`},
	} {
		c := before(s)
		c.Legacy.API = node.API{URL: s.APIURL(), Code: "xuangate", Token: node.Secret(token)}
		require.Contains(t, node.Check(t.Context(), c), want)
	}
	c := before(s)
	c.Legacy.API = node.API{URL: s.URL(), Code: "xuangate", Token: "right"} // the other page
	found := node.Check(t.Context(), c)
	require.True(t, found[0].Fault)
	require.Contains(t, found[0].Text, "legacy.api.url: ")
}
