package contract

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/xuangate/xuangate/test/xuanxuan"
)

// A user whose connection has ended signs in again before the backend has carried out his logout.
func TestFaultALateLogoutSetsAUserOffline(t *testing.T) {
	eachFault(t, func(t *testing.T, w *world, there bool) {
		alice, bob := w.client("alice"), w.client("bob")
		bob.fence()
		logouts, changes := w.legacy.Calls()["chat/logout"], w.legacy.Calls()["chat/userchange"]
		until := make(chan struct{})
		w.legacy.SetFaults(xuanxuan.Fault{Method: "logout", Times: 1, Until: until})
		alice.close()
		require.Eventually(t, func() bool { return w.legacy.Calls()["chat/logout"] > logouts }, patience, time.Millisecond)
		again := w.client("alice")
		close(until)
		if there {
			bob.expect("logout", 1)
			require.Equal(t, "offline", w.status("alice"))
			return
		}
		require.Eventually(t, func() bool { return w.legacy.Calls()["chat/userchange"] > changes && w.status("alice") == "online" }, patience, 10*time.Millisecond)
		again.fence()
		bob.fence()
		require.Empty(t, bob.heard("logout"))
	})
}

// A site with a limit of users gives one of its seats to the gateway.
func TestFaultTheGatewayTakesASeat(t *testing.T) {
	signsIn := func(w *world, account string) bool {
		c := w.connect()
		c.login(account, "zh-cn")
		<-c.first("login")
		if len(c.heard("login")) == 0 {
			return false
		}
		c.welcomed()
		return true
	}
	seats := func(n int) func(*site) {
		return func(s *site) { s.xxd.TickInterval, s.xxd.MaxOnline = time.Hour, n }
	}
	t.Run("natively", func(t *testing.T) {
		t.Parallel()
		w := native(t, seats(2))
		require.True(t, signsIn(w, "alice"))
		require.True(t, signsIn(w, "bob"))
		require.False(t, signsIn(w, "carol"))
	})
	t.Run("behind the gateway, with the same limit", func(t *testing.T) {
		t.Parallel()
		w := start(t, "inline", seats(2))
		require.True(t, signsIn(w, "alice"))
		require.False(t, signsIn(w, "bob"))
	})
	t.Run("behind the gateway, with one seat more and the limit there", func(t *testing.T) {
		t.Parallel()
		w := start(t, "inline", seats(3), func(s *site) { s.node.Legacy.Inline.MaxOnline = 2 })
		// While it is out for a moment its seat stays free.
		w.xxd.SetFaults(xuanxuan.XXDFault{Method: "login", Times: 1, Delay: 3 * time.Second})
		accepted := w.xxd.Stats().Accepted
		require.True(t, w.xxd.Drop(botID))
		require.Eventually(t, func() bool { return w.xxd.Stats().Accepted > accepted }, patience, time.Millisecond)
		bob := w.client("bob")
		require.True(t, signsIn(w, "alice"))
		require.False(t, signsIn(w, "carol"))
		require.Equal(t, "offline", w.status("carol"))
		require.Eventually(t, func() bool { return w.xxd.Stats().Online == 3 }, patience, time.Millisecond, "it is back")
		bob.close()
		require.Eventually(t, func() bool { return signsIn(w, "carol") }, patience, 10*time.Millisecond)
	})
}
