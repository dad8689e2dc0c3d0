package contract

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/xuangate/xuangate/gen/model"
	"github.com/xuangate/xuangate/test/xuanxuan"
)

// Changes to groups made on the web and on desktops, in mode inline, and what each side hears of them.

// botID is the user that the gateway's own connection in the chat server has.
const botID = 2147480000

func TestGroupsOfWebAndDesktop(t *testing.T) {
	w := start(t, "inline")
	alice, bob, carol := w.signIn("alice"), w.signIn("bob"), w.signIn("carol")
	aliceDesk, bobDesk, carolDesk, daveDesk := w.client("alice"), w.client("bob"), w.client("carol"), w.client("dave")
	desks := map[string]*client{"alice": aliceDesk, "bob": bobDesk, "carol": carolDesk, "dave": daveDesk}
	team := alice.group("team", bob)
	heardSoFar := func(method string) map[string]int {
		n := map[string]int{}
		for name, c := range desks {
			c.fence()
			n[name] = len(c.heard(method))
		}
		return n
	}
	// both has something done from either side: alice, who listens on the web, is told what changed, and of the desktops those
	// named get one frame for each time that they are, and nobody else gets any.
	both := func(name, method string, what model.ConversationEventChanged, conversation string, told []string, doings ...func()) {
		t.Helper()
		for i, do := range doings {
			before, at := heardSoFar(method), alice.here()
			do()
			alice.hears(at, conversation, what)
			want := before
			for _, account := range told {
				want[account]++
			}
			for account, n := range want {
				if n > 0 {
					desks[account].expect(method, n)
				}
			}
			require.Equal(t, want, heardSoFar(method), "%s, from side %d", name, i)
		}
	}
	about := func(more object) object {
		more["conversation_id"] = team
		return more
	}

	t.Run("created: the frame is the one that a native call brings", func(t *testing.T) {
		relayed := bobDesk.expect("create", 1)
		bobDesk.call("create", team, "team", "group", []int{4, 5}, 0, false) // answered with the stored one
		require.Equal(t, bobDesk.expect("create", 2).text, relayed.text)
	})
	members := []string{"alice", "bob"}
	both("published", "changepublic", model.ChangedPublic, team, members,
		func() { alice.ok("/set_conversation_public", about(object{"public": true})) },
		func() { bobDesk.call("changepublic", team, true) })
	both("committers", "setcommitters", model.ChangedCommitters, team, members,
		func() { alice.ok("/set_conversation_committers", about(object{"committers": []string{"4"}})) },
		func() { bobDesk.call("setcommitters", team, "") })
	three := []string{"alice", "bob", "carol"}
	t.Run("joined and left", func(t *testing.T) {
		joined := append(three, "carol") // natively who joins is told as a member and as the caller (LEGACY)
		left := func() { carol.ok("/leave_conversation", about(object{})) }
		both("joined on the web", "joinchat", model.ChangedMembers, team, joined, func() { carol.ok("/join_conversation", about(object{})) })
		both("left on the web", "joinchat", model.ChangedMembers, team, three, left)
		both("joined on a desktop", "joinchat", model.ChangedMembers, team, joined, func() { carolDesk.call("joinchat", team, true) })
		both("left on a desktop", "joinchat", model.ChangedMembers, team, three, func() { carolDesk.call("joinchat", team, false) })
	})
	t.Run("invited and removed", func(t *testing.T) {
		for i, side := range [][2]func(){
			{
				func() { alice.ok("/invite_members", about(object{"sessions": []string{"6"}})) },
				func() { alice.ok("/remove_members", about(object{"sessions": []string{"6"}})) },
			},
			{
				func() { bobDesk.call("addmember", team, []int{6}, true) },
				func() { bobDesk.call("addmember", team, []int{6}, false) },
			},
		} {
			both(fmt.Sprint("invited by ", i), "addmember", model.ChangedMembers, team, three, side[0])
			at := carol.here()
			// Who is removed is told on the web, and natively on no desktop.
			both(fmt.Sprint("removed by ", i), "addmember", model.ChangedMembers, team, members, side[1])
			carol.hears(at, team, model.ChangedMembers)
		}
		carol.fails(model.NotFound, "/send_msg", about(object{"content": "x"}))
	})
	t.Run("admins of the system conversation", func(t *testing.T) {
		admin, system := w.signIn("admin"), alice.joined()[0]
		adminDesk := w.client("admin")
		desks["admin"] = adminDesk
		everybody := []string{"admin", "alice", "bob", "carol", "dave"}
		both("admins", "setadmin", model.ChangedAdmins, system, everybody,
			func() {
				admin.ok("/set_conversation_admins", object{"conversation_id": system, "admins": []string{"5"}})
			},
			func() { adminDesk.call("setadmin", system, []int{6}, true) })
		require.ElementsMatch(t, []string{"5", "6"}, alice.detail(system).Admins)
	})
	t.Run("dismissed", func(t *testing.T) {
		other := alice.group("another", bob)
		both("on the web", "dismiss", model.ChangedDismissed, team, members, func() { alice.ok("/dismiss_conversation", about(object{})) })
		both("on a desktop", "dismiss", model.ChangedDismissed, other, members, func() { bobDesk.call("dismiss", other) })
		alice.fails(model.Conflict, "/send_msg", object{"conversation_id": other, "content": "x"})
	})
}

func TestNoticesReachWebAndDesktop(t *testing.T) {
	w := start(t, "inline")
	alice, bob := w.signIn("alice"), w.signIn("bob")
	aliceDesk, carolDesk := w.client("alice"), w.client("carol")
	at, bobs := alice.here(), bob.here()
	for _, title := range []string{"first", "second"} { // whoever asks for them: the gateway, or the chat server
		require.Equal(t, model.OK, w.inner("/send_notification", object{"sessions": []string{"4", "5"}, "title": title, "type": 0}).Code)
		for _, u := range []*user{alice, bob} {
			from := map[*user]string{alice: at, bob: bobs}[u]
			u.until(from, func(list []event) bool {
				for _, e := range only(list, model.EventKindNotification) {
					if e.notification(t).Title == title {
						return true
					}
				}
				return false
			})
		}
		require.Eventually(t, func() bool {
			for _, f := range aliceDesk.heard("notify") {
				var rows []struct{ Title string }
				if (event{Data: f.data}).into(&rows) && len(rows) > 0 && rows[0].Title == title {
					return true
				}
			}
			return false
		}, patience, time.Millisecond)
		if title == "first" {
			w.xxd.Tick(t.Context())
		}
	}
	carolDesk.fence()
	require.Len(t, carolDesk.heard("notify"), 1, "the empty list of her login")
}

func TestADeafBotIsBack(t *testing.T) {
	w := start(t, "inline", quietly)
	alice := w.signIn("alice")
	bob := w.client("bob")
	team := alice.group("team", w.signIn("bob"))
	bob.expect("create", 1)
	logins := w.xxd.Stats().Logins
	w.xxd.SetFaults(xuanxuan.XXDFault{User: botID, Lose: true}) // it can speak, and hears nothing
	began := time.Now()
	for _, content := range []string{"to the deaf", "and another"} {
		alice.say(team, content)
	}
	require.Eventually(t, func() bool { return w.xxd.Stats().Logins > logins }, patience, time.Millisecond)
	w.xxd.SetFaults()
	require.Eventually(t, func() bool { return bob.has("to the deaf") && bob.has("and another") }, patience, time.Millisecond)
	t.Logf("noticed, back, and all told after %s", time.Since(began).Round(10*time.Millisecond))
	alice.say(team, "and now")
	require.Eventually(t, func() bool { return bob.has("and now") }, patience, time.Millisecond)
}
