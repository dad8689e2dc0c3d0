package contract

import (
	"net"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/xuangate/xuangate/adapter/legacy"
	"github.com/xuangate/xuangate/gen/model"
	"github.com/xuangate/xuangate/test/xuanxuan"
)

// Web users and desktop clients in the same conversations, in mode inline.

func TestWebAndDesktopHearEachOther(t *testing.T) {
	w := start(t, "inline")
	alice, bob := w.signIn("alice"), w.signIn("bob")
	at := alice.here()
	bobDesk, carolDesk := w.client("bob"), w.client("carol")
	team := alice.group("team", bob)

	t.Run("a conversation made on the web", func(t *testing.T) {
		bobDesk.expect("create", 1)
		carolDesk.fence()
		require.Empty(t, carolDesk.heard("create"), "who is not in it hears nothing")
	})
	t.Run("a message from the web, as it would be told natively", func(t *testing.T) {
		alice.say(team, "<b>从网页</b> & \"quoted\" / 'x'")
		relayed := bobDesk.expect("message", 2) // the first one is the list of what waited
		var rows []legacy.MessageRow
		require.NoError(t, legacy.Push{Data: relayed.data}.Decode(&rows))
		// The same gid again is answered with the stored row, to the same users: natively this time.
		bobDesk.says(team, string(rows[0].GID), "other")
		require.Equal(t, bobDesk.expect("message", 3).text, relayed.text)
		require.Empty(t, carolDesk.heard("message")[1:])
	})
	t.Run("a message from a desktop", func(t *testing.T) {
		bobDesk.says(team, "gid-from-desk", "from the desktop")
		bobDesk.expect("message", 4)
		alice.until(at, func(list []event) bool {
			n := 0
			for _, e := range only(list, model.EventKindMessage) {
				if e.message(t).Content == "from the desktop" {
					require.Equal(t, bob.session, e.message(t).FromSession)
					n++
				}
			}
			return n == 1
		})
		require.Contains(t, contents(alice.last30(team)), "from the desktop")
	})
	t.Run("changes to a conversation, either way", func(t *testing.T) {
		alice.ok("/rename_conversation", object{"conversation_id": team, "name": "renamed"})
		require.Contains(t, bobDesk.expect("changename", 1).text, `"renamed"`)
		at := alice.here()
		bobDesk.call("changename", team, "by the desktop")
		alice.until(at, func(list []event) bool {
			for _, e := range only(list, model.EventKindConversation) {
				if strings.Contains(string(e.Data), "by the desktop") {
					return true
				}
			}
			return false
		})
		bobDesk.call("addmember", team, []int64{6}, true)
		carol := w.signIn("carol")
		require.Eventually(t, func() bool {
			return carol.post("/get_conversation_detail", object{"conversation_id": team}).Code == model.OK
		}, patience, 10*time.Millisecond)
		alice.say(team, "for three")
		require.Eventually(t, func() bool { return carolDesk.has("for three") }, patience, time.Millisecond)
	})
	t.Run("a user's own desktop hears him, and the web hears his desktop", func(t *testing.T) {
		aliceDesk := w.client("alice")
		alice.say(team, "said on the web")
		require.Eventually(t, func() bool { return aliceDesk.has("said on the web") }, patience, time.Millisecond)
		at := alice.here()
		aliceDesk.says(team, "gid-own", "said on the desktop")
		alice.until(at, count(model.EventKindMessage, 1))
		require.Empty(t, aliceDesk.heard("kickoff"))
	})
	t.Run("two desktops of one user kick each other out as ever", func(t *testing.T) {
		again := w.client("bob")
		require.Contains(t, bobDesk.expect("kickoff", 1).text, "当前账号已在其他地方登录")
		alice.say(team, "to the new one")
		require.Eventually(t, func() bool { return again.has("to the new one") }, patience, time.Millisecond)
	})
}

func TestPresenceOfBoth(t *testing.T) {
	w := start(t, "inline")
	alice := w.signIn("alice")
	watcher := w.client("carol")
	alice.here()
	require.Eventually(t, func() bool { return w.status("alice") == "online" }, patience, time.Millisecond)
	watcher.expect("userchange", 1)

	t.Run("a desktop leaves, and its user stays", func(t *testing.T) {
		w.client("alice").close()
		team := alice.group("team", w.signIn("carol"))
		alice.say(team, "still here")
		require.Eventually(t, func() bool { return watcher.has("still here") }, patience, time.Millisecond)
		w.xxd.Tick(t.Context()) // which reports her gone
		require.Equal(t, "online", w.status("alice"))
		require.Empty(t, watcher.heard("logout"))
	})
	t.Run("the chat server starts anew, and the users of the web stay", func(t *testing.T) {
		again, err := w.xxd.Restart(t.Context())
		require.NoError(t, err)
		w.xxd = again
		require.Equal(t, "online", w.status("alice"))
		require.Equal(t, "offline", w.status("carol"))
		w.botIn()
		carol := w.client("carol")
		team := alice.group("after", w.signIn("carol"))
		alice.say(team, "we are back")
		require.Eventually(t, func() bool { return carol.has("we are back") }, patience, time.Millisecond)
	})
}

func TestWhatOnlyTheWebSawIsInTheNextDesktopsList(t *testing.T) {
	w := start(t, "inline")
	alice, bob := w.signIn("alice"), w.signIn("bob")
	team := alice.group("team", bob)
	alice.say(team, "while nobody of bob's was there")
	bob.here() // takes what waited
	alice.say(team, "seen on the web")
	desk := w.client("bob")
	require.Subset(t, desk.contents(), []string{"while nobody of bob's was there", "seen on the web"})
	desk.close()
	alice.say(team, "and after")
	require.Eventually(t, func() bool { return w.client("bob").has("and after") }, patience, 10*time.Millisecond)
}

// A second chat server of the same backend: its users are the other's, too.
func TestTwoChatServers(t *testing.T) {
	second, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	w := start(t, "inline", func(s *site) {
		s.node.Legacy.Inline.Others = []string{"east=https://" + second.Addr().String()}
	})
	east := &world{t: t, mode: "inline", legacy: w.legacy}
	bob := w.client("bob") // before the other one starts, which natively sets him offline
	east.startXXD(xuanxuan.XXDOptions{TLS: true, TickInterval: time.Hour, Listener: second, Backend: w.backend + "?x=east"})
	t.Cleanup(func() { require.NoError(t, east.xxd.Close()) })
	require.Equal(t, "online", w.status("bob"))

	carol := east.client("carol")
	require.Contains(t, bob.expect("login", 2).text, `"carol"`)
	alice := w.signIn("alice")
	alice.here()
	team := alice.group("team", w.signIn("bob"), w.signIn("carol"))
	bob.says(team, "gid-west", "from the west")
	carol.says(team, "gid-east", "from the east")
	alice.say(team, "from the web")
	for _, c := range []*client{bob, carol} {
		require.Eventually(t, func() bool { return len(c.contents()) == 3 }, patience, time.Millisecond, c.contents())
	}
	carol.close()
	bob.expect("logout", 1)
	east.xxd.Tick(t.Context())
	require.Equal(t, "online", w.status("bob"))
}
