package xuanxuan

import (
	"fmt"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/require"
)

// newChat signs alice, bob and carol in; the first two are in a group.
func newChat(t *testing.T) (s *Server, x *XXD, alice, bob, carol *desktop) {
	s, x = newSite(t, Options{}, XXDOptions{})
	alice, bob, carol = signInto(t, x, "alice"), signInto(t, x, "bob"), signInto(t, x, "carol")
	alice.expect("login")
	alice.expect("login")
	bob.expect("login")
	alice.call("create", "g", "G", "group", []any{4, 5}, 0, false)
	alice.expect("create")
	bob.expect("create")
	return s, x, alice, bob, carol
}

func TestRouting(t *testing.T) {
	_, _, alice, bob, carol := newChat(t)
	t.Run("a fail is told to everybody", func(t *testing.T) {
		alice.call("changename", "nosuch", "N")
		for _, d := range []*desktop{alice, bob, carol} {
			require.Equal(t, "会话不存在。", d.expect("changename").Message)
		}
	})
	t.Run("so is a success that nobody is named in", func(t *testing.T) {
		alice.call("create", "private", "Private", "group", []any{7}, 0, false)
		for _, d := range []*desktop{alice, bob, carol} {
			require.Equal(t, "Private", d.expect("create").object()["name"])
		}
	})
	t.Run("so is an unknown method, as a kickoff that closes nothing", func(t *testing.T) {
		alice.call("nosuch")
		for _, d := range []*desktop{alice, bob, carol} {
			require.Equal(t, `{"data":"Illegal Requset.","lang":"zh-cn","method":"kickoff","module":"chat","v":"2.2.0"}`, d.next().raw)
			d.hearsNothing()
		}
	})
	t.Run("so is what nobody asked: checkUserChange", func(t *testing.T) {
		carol.call("checkUserChange", "")
		for _, d := range []*desktop{alice, bob, carol} {
			require.Equal(t, "no", d.expect("checkuserchange").Data)
		}
	})
	t.Run("a caller who is not named hears nothing", func(t *testing.T) {
		carol.call("changename", "g", "Renamed")
		require.Equal(t, "Renamed", alice.expect("changename").object()["name"])
		bob.expect("changename")
		carol.hearsNothing()
	})
	t.Run("a relayed answer is Go's JSON without recipients", func(t *testing.T) {
		alice.call("settings", "alice", map[string]any{"z": "<名>&/", "a": 1.5, "n": 12345678901234567})
		require.Equal(t, `{"data":{"a":1.5,"n":12345678901234568,"z":"\u003c名\u003e\u0026/"},"lang":"zh-cn","method":"settings",`+
			`"module":"chat","result":"success","v":"2.2.0"}`, alice.next().raw)
	})
	t.Run("too many params shift the answer to another user", func(t *testing.T) {
		alice.call("ping", 5)
		bob.expect("ping")
		alice.hearsNothing()
	})
}

func TestUserID(t *testing.T) {
	_, x, alice, bob, carol := newChat(t)
	t.Run("another one, or none, is not answered", func(t *testing.T) {
		alice.send(map[string]any{"module": "chat", "method": "dismiss", "params": []any{"g"}, "userID": 5})
		alice.send(map[string]any{"module": "chat", "method": "dismiss", "params": []any{"g"}})
		alice.hearsNothing()
		bob.hearsNothing()
	})
	t.Run("without a login user 0 may call, and nobody hears", func(t *testing.T) {
		stranger := dial(t, x)
		stranger.send(map[string]any{"module": "chat", "method": "dismiss", "params": []any{"g"}, "userID": 0, "v": "2.3.0"})
		stranger.send(map[string]any{"module": "chat", "method": "dismiss", "params": []any{"nosuch"}, "userID": 0, "v": "2.3.0"})
		stranger.send(map[string]any{"module": "chat", "method": "getlist", "userID": 4, "v": "2.3.0"})
		stranger.send(map[string]any{"module": "chat", "method": "ping", "userID": 0, "v": "2.3.0"})
		stranger.dropped() // only what would be answered to him ends the connection
		carol.expect("logout")
		alice.expect("logout")
		bob.expect("logout")
		alice.call("getlist")
		for _, chat := range alice.expect("getlist").rows() {
			if chat["gid"] == "g" {
				require.NotZero(t, chat["dismissDate"])
			}
		}
	})
	for name, frame := range map[string]map[string]any{
		"a user id that is no number": {"module": "chat", "method": "ping", "userID": "4"},
		"a user id of null":           {"module": "chat", "method": "ping", "userID": nil},
		"too few params":              {"module": "chat", "method": "star", "params": []any{"g"}, "userID": 6, "v": "2.3.0"},
		"params as text":              {"module": "chat", "method": "ping", "params": "abc", "userID": 6, "v": "2.3.0"},
		"a module that is no text":    {"module": 1, "method": "ping", "userID": 6},
		"a method that is no text":    {"module": "chat", "method": nil, "userID": 6},
		"a frame that is no object":   nil,
	} {
		t.Run(name+" ends the connection", func(t *testing.T) {
			carol := signInto(t, x, "carol")
			alice.expect("login")
			carol.send(frame)
			carol.dropped()
			require.EqualValues(t, 6, alice.expect("logout").object()["id"])
		})
	}
}

func TestOneByOne(t *testing.T) {
	t.Run("a connection's calls are answered in their order", func(t *testing.T) {
		s, _, alice, _, _ := newChat(t)
		s.SetFaults(Fault{Method: "members", Times: 3, Delay: 20 * time.Millisecond})
		for i := range 20 {
			alice.call("members", fmt.Sprint("g", i))
			alice.call("ping")
		}
		for range 20 {
			alice.expect("members")
			alice.expect("ping")
		}
	})
	t.Run("a slow call holds up its own connection only", func(t *testing.T) {
		s, _, alice, bob, _ := newChat(t)
		s.SetFaults(Fault{Method: "members", Times: 1, Delay: time.Hour})
		alice.call("members", "g")
		alice.call("ping")
		require.Eventually(t, func() bool { return s.Calls()["chat/members"] == 1 }, patience, time.Millisecond)
		bob.hearsNothing()
		require.Empty(t, alice.frames)
	})
	t.Run("all hear the same order", func(t *testing.T) {
		_, _, alice, bob, carol := newChat(t)
		alice.call("addmember", "g", []any{6}, true)
		all := []*desktop{alice, bob, carol}
		for _, d := range all {
			d.expect("addmember")
		}
		const each = 30
		var senders sync.WaitGroup
		for _, d := range all {
			senders.Go(func() {
				for i := range each {
					d.call("message", []any{with(textMessage(fmt.Sprint(d.user, "-", i), "x"), "user", d.user)})
				}
			})
		}
		senders.Wait()
		var heard [3][]any
		for i, d := range all {
			for range each * len(all) {
				heard[i] = append(heard[i], d.expect("message").column("gid")...)
			}
		}
		require.Equal(t, heard[0], heard[1])
		require.Equal(t, heard[0], heard[2])
	})
}

func TestBackendDown(t *testing.T) {
	t.Run("a call is made three times, and its caller alone hears that it failed", func(t *testing.T) {
		s, _, alice, bob, _ := newChat(t)
		for name, fault := range map[string]Fault{
			"status":     {Status: http.StatusInternalServerError},
			"connection": {Drop: true},
		} {
			fault.Method = "members"
			s.SetFaults(fault)
			before := s.Calls()["chat/members"]
			began := time.Now()
			alice.call("members", "g")
			require.Equal(t, timeOut, alice.next().raw, name)
			require.GreaterOrEqual(t, time.Since(began), 3*backendPause)
			require.Equal(t, 3, s.Calls()["chat/members"]-before)
			alice.hearsNothing()
			bob.hearsNothing()
		}
	})
	t.Run("it is carried out each time", func(t *testing.T) {
		s, _, alice, bob, _ := newChat(t)
		s.SetFaults(Fault{Method: "message", Status: 500, CarryOut: true, Times: 2})
		alice.call("message", []any{textMessage("m", "x")})
		alice.expect("message")
		bob.expect("message")
		require.Equal(t, 3, s.Calls()["chat/message"])
	})
	t.Run("an answer that is none is not asked for again", func(t *testing.T) {
		s, _, alice, bob, _ := newChat(t)
		for _, body := range []string{"<html>", "0123456789abcdef", string(s.key.Seal([]byte(`["x"]`))), string(s.key.Seal([]byte(`null`)))} {
			s.SetFaults(Fault{Method: "members", Body: []byte(body)})
			before := s.Calls()["chat/members"]
			alice.call("members", "g")
			alice.expect("error")
			require.Equal(t, 1, s.Calls()["chat/members"]-before)
		}
		bob.hearsNothing()
	})
	t.Run("recipients that are none end the connection", func(t *testing.T) {
		s, x, _, bob, _ := newChat(t)
		for _, users := range []string{`{"a":4}`, `["4"]`, `null`} {
			s.SetFaults(Fault{Method: "members", Body: s.key.Seal([]byte(`{"module":"chat","method":"members","users":` + users + `}`))})
			d := signInto(t, x, "dave")
			bob.expect("login")
			d.call("members", "g")
			d.dropped()
			bob.expect("logout")
		}
	})
	t.Run("serverStart by a client sets everybody offline, and looks like a failure", func(t *testing.T) {
		s, _, alice, _, _ := newChat(t)
		alice.call("serverStart")
		alice.expect("error")
		for _, u := range call(t, s.Backend, 0, "userGetlist", "").rows() {
			require.Equal(t, "offline", u["status"])
		}
	})
}

func TestFrames(t *testing.T) {
	_, x, _, bob, _ := newChat(t)
	for name, send := range map[string]func(*desktop){
		"of another key": func(d *desktop) { d.write(websocket.BinaryMessage, []byte("0123456789abcdef")) },
		"of odd length":  func(d *desktop) { d.write(websocket.BinaryMessage, []byte("1234567")) },
		"of no length":   func(d *desktop) { d.write(websocket.BinaryMessage, nil) },
		"in clear":       func(d *desktop) { d.write(websocket.TextMessage, []byte(`{"module":"chat"}`)) },
	} {
		t.Run("a frame "+name+" ends the connection", func(t *testing.T) {
			d := signInto(t, x, "dave")
			bob.expect("login")
			send(d)
			d.dropped()
			bob.expect("logout")
		})
	}
	t.Run("a text frame is as good as a binary one", func(t *testing.T) {
		bob.write(websocket.TextMessage, x.key.Seal([]byte(`{"module":"chat","method":"ping","userID":5}`)))
		bob.expect("ping")
	})
	t.Run("20,480 bytes pass, 16 more reset the connection", func(t *testing.T) {
		for _, secure := range []bool{false, true} {
			_, x := newSite(t, Options{}, XXDOptions{TLS: secure})
			alice := signInto(t, x, "alice")
			sealed := func(size int) []byte {
				head, tail := `{"module":"chat","method":"settings","params":["alice",{"p":"`, `"}],"userID":4}`
				return x.key.Seal(slices.Concat([]byte(head), slices.Repeat([]byte("x"), size-len(head)-len(tail)-1), []byte(tail)))
			}
			alice.write(websocket.BinaryMessage, sealed(20480))
			require.Greater(t, alice.expect("settings").size, 20480)
			alice.write(websocket.BinaryMessage, sealed(20496))
			_, how := alice.end()
			require.ErrorContains(t, how, "connection reset by peer")
		}
	})
}
