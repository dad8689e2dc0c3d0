package xuanxuan

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestXXDLogin(t *testing.T) {
	t.Run("the six frames are the backend's text, recipients included", func(t *testing.T) {
		_, x := newSite(t, Options{}, XXDOptions{})
		d := dial(t, x)
		d.login("demo8", DemoPassword, "online")
		first := d.expect("login")
		require.Contains(t, first.raw, `{"module":"chat","method":"login","result":"success","users":[3],"data":{"id":3,`)
		require.Contains(t, first.raw, `\u6210`)
		require.Equal(t, `{"module":"chat","method":"SessionID","lang":"zh-cn","sessionID":"`+x.sessions.of("xuanxuan", "3")+`"}`, d.next().raw)
		require.Contains(t, d.expect("usergetlist").raw, `"users":[3]`)
	})
	t.Run("the third login kicks the second one, and no socket is closed", func(t *testing.T) {
		_, x := newSite(t, Options{}, XXDOptions{})
		first := signInto(t, x, "alice")
		second := signInto(t, x, "alice")
		for _, method := range []string{"login", "kickoff"} {
			first.expect(method)
		}
		third := signInto(t, x, "alice")
		for _, method := range []string{"login", "kickoff"} {
			second.expect(method)
		}
		first.call("ping")
		second.call("ping")
		third.expect("ping")
		third.expect("ping")
		first.leave()
		second.leave()
		require.Eventually(t, func() bool { return x.Stats().Connections == 1 }, patience, time.Millisecond)
		third.hearsNothing() // no logout
		require.Equal(t, 1, x.Stats().Online)
	})
	t.Run("a bad one ends the connection, and everybody hears of nobody's logout", func(t *testing.T) {
		_, x := newSite(t, Options{}, XXDOptions{})
		alice := signInto(t, x, "alice")
		for name, login := range map[string]map[string]any{
			"wrong password":   {"params": []any{"", "bob", "wrong", "online"}},
			"unknown account":  {"params": []any{"", "nobody", md5Hex(DemoPassword), "online"}},
			"other status":     {"params": []any{"", "bob", md5Hex(DemoPassword), "away"}},
			"empty params":     {"params": []any{}},
			"no params":        {},
			"params as object": {"params": map[string]any{"account": "bob"}},
			"name no text":     {"params": []any{1, "bob", md5Hex(DemoPassword), "online"}},
			"lang no text":     {"params": []any{"", "bob", md5Hex(DemoPassword), "online"}, "lang": 1},
		} {
			t.Run(name, func(t *testing.T) {
				login["module"], login["method"] = "chat", "login"
				d := dial(t, x)
				d.send(login)
				d.dropped()
				require.JSONEq(t, `{"data":{"status":null},"lang":"zh-cn","method":"logout","module":"chat","result":"success","v":"2.2.0"}`, alice.next().raw)
			})
		}
		t.Run("but not for an unknown backend", func(t *testing.T) {
			d := dial(t, x)
			d.send(map[string]any{"module": "chat", "method": "login", "params": []any{"nosuch", "bob", md5Hex(DemoPassword), "online"}})
			d.dropped()
			alice.hearsNothing()
		})
	})
	t.Run("an empty frame may come before the end", func(t *testing.T) {
		_, x := newSite(t, Options{}, XXDOptions{LastWords: true})
		d := dial(t, x)
		d.login("bob", "wrong", "online")
		before, how := d.end()
		require.Len(t, before, 1)
		require.Zero(t, before[0].size)
		require.False(t, closedProperly(how), "%v", how)
	})
	t.Run("the backend failing in its midst ends the connection", func(t *testing.T) {
		s, x := newSite(t, Options{}, XXDOptions{})
		s.SetFaults(Fault{Method: "getlist", Status: http.StatusInternalServerError})
		d := dial(t, x)
		d.login("bob", DemoPassword, "online")
		before, _ := d.end()
		require.Len(t, before, 3)
		require.Equal(t, 3, s.Calls()["chat/getlist"])
		require.Eventually(t, func() bool { return s.Calls()["chat/logout"] == 1 }, patience, time.Millisecond)
	})
}

func TestMaxOnline(t *testing.T) {
	for _, lastWords := range []bool{false, true} {
		_, x := newSite(t, Options{}, XXDOptions{MaxOnline: 1, LastWords: lastWords})
		alice, bob := signInto(t, x, "alice"), dial(t, x)
		bob.login("bob", DemoPassword, "online")
		before, how := bob.end()
		require.False(t, closedProperly(how), "%v", how)
		if lastWords {
			require.Len(t, before, 1)
			require.Equal(t, `{"module":"chat","method":"blockLogin","message":"同时在线超出系统限制"}`, before[0].raw)
		} else {
			require.Empty(t, before)
		}
		require.Contains(t, alice.expect("logout").raw, `"data":{"status":null}`)
		alice.leave()
		require.Eventually(t, func() bool { return x.Stats().Online == 0 }, patience, time.Millisecond)
		signInto(t, x, "bob")
	}
}

func TestLoginWindow(t *testing.T) {
	window := make(chan struct{})
	_, x := newSite(t, Options{}, XXDOptions{LoginWindow: func(ctx context.Context, user int64) {
		if user == 5 {
			<-window
		}
	}})
	alice := signInto(t, x, "alice")
	alice.call("create", "g", "G", "group", []any{4, 5}, 0, false)
	alice.expect("create")
	bob := dial(t, x)
	bob.login("bob", DemoPassword, "online")
	bob.welcomed()
	alice.call("message", []any{textMessage("lost", "x")})
	alice.expect("message")
	close(window)
	alice.expect("login")
	alice.call("message", []any{textMessage("heard", "x")})
	require.Equal(t, []any{"heard"}, bob.expect("message").column("gid"))
	bob.call("getOfflineMessages")
	require.Empty(t, bob.expect("message").Data, "what came in the window is not kept either")
	bob.call("history", "g", 10, 1, 0, false, 0)
	require.Equal(t, []any{"heard", "lost"}, bob.expect("history").column("gid"))
}

func TestXXDLogout(t *testing.T) {
	t.Run("is not answered, whoever it is for, and the connection ends", func(t *testing.T) {
		_, x := newSite(t, Options{}, XXDOptions{})
		alice, bob := signInto(t, x, "alice"), signInto(t, x, "bob")
		alice.expect("login")
		alice.send(map[string]any{"module": "chat", "method": "logout", "userID": "who?"})
		alice.dropped()
		require.Equal(t, "offline", bob.expect("logout").object()["status"])
	})
	t.Run("what the backend misses the next tick tells it", func(t *testing.T) {
		s, x := newSite(t, Options{}, XXDOptions{})
		alice, bob := signInto(t, x, "alice"), signInto(t, x, "bob")
		s.SetFaults(Fault{Method: "logout", Status: http.StatusBadGateway})
		alice.leave()
		require.Eventually(t, func() bool { return s.Calls()["chat/logout"] == 3 }, patience, time.Millisecond)
		s.SetFaults()
		status := func() any { return call(t, s.Backend, 0, "userGetlist", "4").rows()[0]["status"] }
		require.Equal(t, "online", status())
		x.Tick(t.Context())
		require.Equal(t, "offline", status())
		bob.hearsNothing() // nobody is told
	})
}
