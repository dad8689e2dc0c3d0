package contract

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/xuangate/xuangate/gen/model"
	"github.com/xuangate/xuangate/test/xuanxuan"
)

// seen is an until condition: a user event in which somebody is as told.
func seen(t *testing.T, who *user, as func(model.User) bool) func([]event) bool {
	return func(list []event) bool {
		for _, e := range only(list, model.EventKindUser) {
			var u model.User
			require.NoError(t, json.Unmarshal(e.Data, &u))
			if u.Session == who.session && as(u) {
				return true
			}
		}
		return false
	}
}

func withStatus(status string) func(model.User) bool {
	return func(u model.User) bool { return u.Status == status }
}

// status is how somebody else sees u.
func (u *user) status(other *user) string {
	u.w.t.Helper()
	found := get[model.Users](other, "/get_users", object{"sessions": []string{u.session}})
	require.Len(u.w.t, found.Users, 1)
	return found.Users[0].Status
}

func TestListingUsers(t *testing.T) {
	inEachMode(t, func(t *testing.T, w *world) {
		alice := w.signIn("alice")
		all := get[model.Users](alice, "/get_users", object{})
		require.Len(t, all.Users, len(xuanxuan.DemoUsers()))
		require.Equal(t, "admin", all.Users[0].Account)
		if w.tells("Users.Roles") {
			require.Contains(t, all.Roles, model.Role{Role: "dev", Name: "研发"})
			require.Equal(t, []model.Department{{Dept: 101, Name: "研发部", Order: 10}, {Dept: 102, Name: "测试部", Parent: 101, Order: 20}}, all.Departments)
		}

		some := get[model.Users](alice, "/get_users", object{"sessions": []string{"5", "4", "99"}})
		require.Len(t, some.Users, 2)
		require.Equal(t, "alice", some.Users[0].Account)
		require.Equal(t, w.tells("Users.Departments"), len(some.Departments) > 0)

		require.NoError(t, w.legacy.DeleteUser(t.Context(), 7))
		alice.fails(model.InvalidParameter, "/get_users", object{"sessions": []string{"x"}})
		if !w.tells("User.Deleted") {
			return
		}
		require.Eventually(t, func() bool {
			gone := get[model.Users](alice, "/get_users", object{"sessions": []string{"7"}})
			return len(gone.Users) == 1 && gone.Users[0].Deleted && gone.Users[0].RealName == "Dave"
		}, patience, patience/100, "the sender of old messages keeps his name")
		require.Len(t, get[model.Users](alice, "/get_users", object{}).Users, len(xuanxuan.DemoUsers())-1)
	})
}

func TestChangingOnesProfile(t *testing.T) {
	inEachModeWith(t, "profile", func(t *testing.T, w *world) {
		alice, bob := w.signIn("alice"), w.signIn("bob")
		alice.here()
		at := bob.here()
		changed := get[model.User](alice, "/update_me", object{
			"avatar": "/data/a.png", "gender": "u", "email": "a@example.com", "mobile": "13800000000", "phone": "010-8000-1234",
			"qq": "10001", "site": "https://alice.example.com", "address": "青岛市",
		})
		require.Contains(t, changed.Avatar, "/data/a.png")
		require.Equal(t, "13800000000", changed.Mobile)
		bob.until(at, seen(t, alice, func(u model.User) bool { return u.QQ == "10001" && u.Gender == "u" }))
		require.Equal(t, "a@example.com", get[model.Me](alice, "/get_me", object{}).Email)

		require.Contains(t, alice.fails(model.Conflict, "/update_me", object{"realname": "Alicia", "mobile": "139"}), "realname")
		require.Equal(t, "13800000000", get[model.Me](alice, "/get_me", object{}).Mobile, "then nothing is changed")
		get[model.User](alice, "/update_me", object{"realname": "Alice"})

		alice.fails(model.Conflict, "/update_me", object{"site": "😀"})
		alice.fails(model.Conflict, "/update_me", object{"phone": "0"})
		for _, bad := range []object{
			{},
			{"password": "x"},
			{"account": "alice", "password": "x"},
			{"status": "busy"},
			{"admin": "super"},
			{"id": 5, "qq": "1"},
			{"phone": ""},
			{"mobile": "138000000001"},
			{"gender": "x"},
			{"avatar": "https://elsewhere.example.com/a.png"},
		} {
			alice.fails(model.InvalidParameter, "/update_me", bad)
		}
		w.signIn("alice") // with the password of before
	})
}

func TestStatus(t *testing.T) {
	inEachMode(t, func(t *testing.T, w *world) {
		alice, bob := w.signIn("alice"), w.signIn("bob")
		if !w.linked() {
			require.Equal(t, "offline", get[model.User](alice, "/set_status", object{"status": "away"}).Status, "without a stream nobody is online")
			require.Equal(t, "offline", alice.status(bob))
			at := bob.here()
			alice.here()
			bob.until(at, seen(t, alice, withStatus("away")))
		}
		at := bob.here()
		alice.here()
		require.Equal(t, "busy", get[model.User](alice, "/set_status", object{"status": "busy"}).Status)
		bob.until(at, seen(t, alice, withStatus("busy")))
		require.Equal(t, "busy", get[model.Me](alice, "/get_me", object{}).Status)

		team := bob.group("team", alice)
		at = alice.here()
		bob.say(team, "to one who is busy")
		alice.until(at, count(model.EventKindMessage, 1))

		at = bob.here()
		get[model.User](alice, "/set_status", object{"status": "online"})
		bob.until(at, seen(t, alice, withStatus("online")))
		for _, bad := range []string{"offline", "", "invisible"} {
			alice.fails(model.InvalidParameter, "/set_status", object{"status": bad})
		}
	})
}

func TestAChosenStatusOutlivesTheConnection(t *testing.T) {
	w := start(t, "xxd")
	alice, bob := w.signIn("alice"), w.signIn("bob")
	get[model.User](alice, "/set_status", object{"status": "busy"})
	at := bob.here()
	require.True(t, w.xxd.Drop(4))
	bob.until(at, func(list []event) bool {
		return seen(t, alice, withStatus("offline"))(list) && seen(t, alice, withStatus("busy"))(list)
	})
}
