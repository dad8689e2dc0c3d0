package xuanxuan

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestTicks(t *testing.T) {
	t.Run("nothing is asked before the first login", func(t *testing.T) {
		s, x := newSite(t, Options{}, XXDOptions{})
		x.Tick(t.Context())
		require.Zero(t, s.Calls()["chat/notify"])
	})
	t.Run("they are made for each language that was heard", func(t *testing.T) {
		s, x := newSite(t, Options{}, XXDOptions{})
		signInto(t, x, "alice")
		d := dial(t, x)
		d.send(map[string]any{"module": "chat", "method": "login", "params": []any{"", "bob", md5Hex(DemoPassword), "online"}, "lang": "en"})
		d.welcomed()
		x.Tick(t.Context())
		require.Equal(t, 2, s.Calls()["chat/notify"])
		require.Equal(t, 2, s.Calls()["chat/checkuserchange"])
	})
	t.Run("they come by themselves", func(t *testing.T) {
		s, x := newSite(t, Options{}, XXDOptions{TickInterval: 20 * time.Millisecond})
		alice := signInto(t, x, "alice")
		require.NoError(t, s.AddNotice(t.Context(), Notice{GID: "n", Users: []int64{4}, Title: "T", Content: "hello"}))
		require.Equal(t, []any{"n"}, alice.expect("notify").column("gid"))
	})
	t.Run("a notice reaches those it names, without result, language and version", func(t *testing.T) {
		s, x := newSite(t, Options{}, XXDOptions{})
		alice, bob := signInto(t, x, "alice"), signInto(t, x, "bob")
		alice.expect("login")
		require.NoError(t, s.AddNotice(t.Context(), Notice{GID: "n", Users: []int64{4, 7}, Title: "T", Content: "hello"}))
		x.Tick(t.Context())
		n := alice.expect("notify")
		require.Equal(t, []string{"", "", ""}, []string{n.Result, n.Lang, n.V})
		require.Nil(t, n.Users)
		require.Equal(t, []any{"n"}, n.column("gid"))
		bob.hearsNothing()
		x.Tick(t.Context())
		alice.hearsNothing() // told once
		dave := dial(t, x)
		dave.login("dave", DemoPassword, "online")
		for _, method := range []string{"login", "SessionID", "usergetlist", "getlist", "message"} {
			dave.expect(method)
		}
		require.Equal(t, []any{"n"}, dave.expect("notify").column("gid"))
	})
	t.Run("an administrator's change gives everybody the list", func(t *testing.T) {
		s, x := newSite(t, Options{}, XXDOptions{})
		alice, bob := signInto(t, x, "alice"), signInto(t, x, "bob")
		alice.expect("login")
		require.NoError(t, s.AddUser(t.Context(), Eve()))
		x.Tick(t.Context())
		for _, d := range []*desktop{alice, bob} {
			r := d.expect("usergetlist")
			require.Len(t, r.rows(), 8)
			require.Contains(t, r.raw, `"users":[]`)
		}
		alice.call("userchange", map[string]any{"email": "a@example.com"})
		alice.expect("userchange")
		bob.expect("userchange")
	})
	t.Run("a backend that is down loses no report", func(t *testing.T) {
		s, x := newSite(t, Options{}, XXDOptions{})
		alice := signInto(t, x, "alice")
		s.SetFaults(Fault{Status: 500})
		alice.leave()
		require.Eventually(t, func() bool { return s.Calls()["chat/logout"] == 3 }, patience, time.Millisecond)
		x.Tick(t.Context())
		offline, _ := x.hub.losses()
		require.Equal(t, []int64{4}, offline)
		s.SetFaults()
		x.Tick(t.Context())
		require.Equal(t, "offline", call(t, s.Backend, 0, "userGetlist", "4").rows()[0]["status"])
	})
}
