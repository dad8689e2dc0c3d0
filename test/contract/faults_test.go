package contract

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"mime/multipart"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/require"
)

// Faults of the chat server that desktop clients suffer from. Natively each one shows, behind the gateway it does not, and when it
// is left uncured it shows again.

// eachFault makes a fault natively, behind the gateway, and behind one that cures nothing. there says whether it is to show.
func eachFault(t *testing.T, fault func(t *testing.T, w *world, there bool), changes ...func(*site)) {
	t.Run("natively", func(t *testing.T) {
		t.Parallel()
		fault(t, native(t, changes...), true)
	})
	t.Run("behind the gateway", func(t *testing.T) {
		t.Parallel()
		fault(t, start(t, "inline", append(changes, func(s *site) { s.node.Legacy.Inline.Uncured = []string{"none"} }, quietly)...), false)
	})
	t.Run("behind the gateway, uncured", func(t *testing.T) {
		t.Parallel()
		fault(t, start(t, "inline", append(changes, func(s *site) { s.node.Legacy.Inline.Uncured = []string{"all"} }, quietly)...), true)
	})
}

// quietly is for what a tick would disturb.
func quietly(s *site) { s.xxd.TickInterval = time.Hour }

// shows compares what is with what is to be.
func shows(t *testing.T, there, fault bool, what ...any) {
	t.Helper()
	require.Equal(t, there, fault, what...)
}

func TestFaultRefusalIsToldToEverybody(t *testing.T) {
	eachFault(t, func(t *testing.T, w *world, there bool) {
		alice, bob := w.client("alice"), w.client("bob")
		alice.call("joinchat", "nosuch", true)
		require.Contains(t, alice.expect("joinchat", 1).text, "会话不存在")
		bob.fence()
		shows(t, there, len(bob.heard("joinchat")) > 0)
	})
}

func TestFaultChatOfThoseOfflineIsToldToEverybody(t *testing.T) {
	eachFault(t, func(t *testing.T, w *world, there bool) {
		alice, bob := w.client("alice"), w.client("bob")
		alice.call("create", "secret-chat", "secret", "group", []int64{6, 7}, 0, false)
		alice.expect("create", 1)
		bob.fence()
		shows(t, there, len(bob.heard("create")) > 0)
	})
}

func TestFaultUnknownCallKicksEverybodyOut(t *testing.T) {
	eachFault(t, func(t *testing.T, w *world, there bool) {
		alice, bob := w.client("alice"), w.client("bob")
		alice.call("nosuch")
		alice.fence()
		bob.fence()
		shows(t, there, len(bob.heard("kickoff")) > 0)
		shows(t, there, len(alice.heard("kickoff")) > 0)
		shows(t, !there, len(alice.heard("error")) > 0, "the caller is told")
	})
}

func TestFaultClientSetsEverybodyOffline(t *testing.T) {
	eachFault(t, func(t *testing.T, w *world, there bool) {
		alice, bob := w.client("alice"), w.client("bob")
		alice.call("serverStart")
		alice.expect("error", 1) // the backend says nothing to it, which is no answer either
		shows(t, there, w.status("bob") == "offline")
		alice.call("checkUserChange", "")
		alice.fence()
		bob.fence()
		shows(t, there, len(bob.heard("checkuserchange")) > 0)
	})
}

func TestFaultCallsBeforeAnybodySignedIn(t *testing.T) {
	eachFault(t, func(t *testing.T, w *world, there bool) {
		nobody := w.connect()
		before := w.legacy.Calls()["chat/create"]
		nobody.send(object{"module": "chat", "method": "create", "userID": 0, "params": []any{"anonymous", "x", "group", []int64{4}, 0, false}})
		nobody.login("alice", "zh-cn") // calls of a connection are carried out one by one
		nobody.welcomed()
		shows(t, there, w.legacy.Calls()["chat/create"] > before)
		status := w.serverInfo(object{"module": "chat", "method": "ping", "params": []string{""}, "userID": 4})
		shows(t, there, status == http.StatusOK, status)
	})
}

func TestFaultSecondLoginCrashesTheChatServer(t *testing.T) {
	eachFault(t, func(t *testing.T, w *world, there bool) {
		alice, bob := w.client("alice"), w.client("bob")
		alice.login("alice", "zh-cn")
		if there {
			alice.expect("kickoff", 1)
		} else {
			alice.dropped()
		}
		alice.close()
		require.Eventually(t, func() bool { return w.xxd.Stats().Connections <= 2 || w.xxd.Err() != nil }, patience, time.Millisecond)
		if !there {
			bob.call("create", "after", "after", "group", []int64{4, 5}, 0, false)
			bob.fence()
			require.NoError(t, w.xxd.Err())
			w.client("alice").close()
			return
		}
		require.Eventually(t, func() bool {
			if text, err := json.Marshal(object{"module": "chat", "method": "changename", "params": []any{"nosuch", "x"}, "userID": bob.user}); err == nil {
				_ = bob.ws.WriteMessage(websocket.BinaryMessage, bob.key.Seal(text)) // told to everybody, alice too
			}
			return w.xxd.Err() != nil
		}, patience, 10*time.Millisecond)
		again, err := w.xxd.Restart(t.Context())
		require.NoError(t, err)
		w.xxd = again
	}, func(s *site) { s.xxd.TickInterval = time.Hour })
}

func TestFaultTooFewParamsBreakTheConnection(t *testing.T) {
	eachFault(t, func(t *testing.T, w *world, there bool) {
		alice := w.client("alice")
		alice.call("userGetlist")
		if there {
			alice.dropped()
			return
		}
		alice.fence()
	})
}

func TestFaultFailedLoginIsALogoutForEverybody(t *testing.T) {
	eachFault(t, func(t *testing.T, w *world, there bool) {
		bob := w.client("bob")
		before := w.xxd.Stats().Connections
		nobody := w.connect()
		nobody.send(object{"module": "chat", "method": "login", "params": []string{"", "alice", digest("wrong"), "online"}, "v": "2.3.0", "lang": "zh-cn"})
		nobody.dropped()
		require.Eventually(t, func() bool { return w.xxd.Stats().Connections <= before }, patience, time.Millisecond)
		if there {
			bob.expect("logout", 1)
			return
		}
		again := w.client("alice") // whose login is told after whatever that was
		again.fence()
		bob.fence()
		require.Empty(t, bob.heard("logout"))
	})
}

func TestFaultLanguageRewritesTheServersCalls(t *testing.T) {
	eachFault(t, func(t *testing.T, w *world, there bool) {
		before := w.legacy.Calls()["chat/serverstart"]
		c := w.connect()
		c.login("alice", `zh-cn","method":"serverStart","x":"`)
		if !there {
			c.dropped()
			require.Equal(t, before, w.legacy.Calls()["chat/serverstart"])
			return
		}
		require.Eventually(t, func() bool { return w.legacy.Calls()["chat/serverstart"] > before }, patience, time.Millisecond)
	})
}

func TestFaultUploadRewritesTheServersCall(t *testing.T) {
	eachFault(t, func(t *testing.T, w *world, there bool) {
		before := w.legacy.Calls()["chat/serverstart"]
		w.upload(`x"],"method":"serverStart","y":["`)
		shows(t, there, w.legacy.Calls()["chat/serverstart"] > before)
		require.Equal(t, 1, w.upload("a-real-chat"), "an honest one is recorded")
	})
}

// upload uploads a file into a chat, and returns how many the backend has recorded by it.
func (w *world) upload(chat string) int {
	w.t.Helper()
	before := w.legacy.Calls()["chat/uploadfile"]
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	require.NoError(w.t, form.WriteField("gid", chat))
	require.NoError(w.t, form.WriteField("userID", "4"))
	part, err := form.CreateFormFile("file", "a.txt")
	require.NoError(w.t, err)
	fmt.Fprint(part, "hello")
	require.NoError(w.t, form.Close())
	req, err := http.NewRequestWithContext(w.t.Context(), http.MethodPost, w.xxd.URL()+"/upload", &body)
	require.NoError(w.t, err)
	req.Header.Set("Content-Type", form.FormDataContentType())
	req.Header.Set("Authorization", w.xxd.Token())
	res, err := w.insecure().Do(req)
	if err == nil { // what breaks it drops the connection
		_ = res.Body.Close()
	}
	return w.legacy.Calls()["chat/uploadfile"] - before
}

func TestFaultAnySenderMayBeNamed(t *testing.T) {
	eachFault(t, func(t *testing.T, w *world, there bool) {
		alice := w.client("alice")
		alice.call("create", "spoof", "spoof", "group", []int64{4, 5}, 0, false)
		alice.expect("create", 1)
		alice.call("message", []object{{
			"gid": "spoofed", "cgid": "spoof", "user": 5, "type": "normal", "contentType": "text", "content": "x", "date": "", "order": 0,
		}})
		var rows []struct{ User int64 }
		require.NoError(t, json.Unmarshal(alice.expect("message", 2).data, &rows))
		shows(t, there, rows[0].User == 5, rows)
	})
}

func TestFaultWhoMaySpeakByNameIsRefused(t *testing.T) {
	eachFault(t, func(t *testing.T, w *world, there bool) {
		alice := w.client("alice")
		alice.call("create", "few", "few", "group", []int64{4, 5}, 0, false)
		alice.expect("create", 1)
		alice.call("setcommitters", "few", "4")
		alice.expect("setcommitters", 1)
		alice.says("few", "spoken", "may I")
		alice.expect("message", 2)
		shows(t, !there, alice.has("may I"))
	})
}

func TestFaultLoginWindowLosesMessages(t *testing.T) {
	for name, behind := range map[string]bool{"natively": false, "behind the gateway": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var hook atomic.Pointer[func()]
			window := func(s *site) {
				s.xxd.TickInterval = time.Hour
				s.xxd.LoginWindow = func(_ context.Context, user int64) {
					if f := hook.Load(); f != nil && user == 5 {
						(*f)()
					}
				}
			}
			var w *world
			if behind {
				w = start(t, "inline", window)
			} else {
				w = native(t, window)
			}
			alice := w.client("alice")
			alice.call("create", "team", "team", "group", []int64{4, 5}, 0, false)
			alice.expect("create", 1)
			say := func() {
				alice.says("team", "in-window", "in the window")
				alice.expect("message", 2)
			}
			hook.Store(&say)
			bob := w.client("bob")
			if behind {
				require.Eventually(t, func() bool { return bob.has("in the window") }, patience, time.Millisecond)
				return
			}
			bob.fence()
			require.False(t, bob.has("in the window"))
		})
	}
}

func TestFaultHalfDeadConnectionLosesMessages(t *testing.T) {
	for name, behind := range map[string]bool{"natively": false, "behind the gateway": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			short := func(s *site) {
				s.xxd.TickInterval = time.Hour
				s.xxd.PingInterval, s.xxd.ReadDeadline = 200*time.Millisecond, 2*time.Second
			}
			var w *world
			if behind {
				w = start(t, "inline", short)
			} else {
				w = native(t, short)
			}
			alice, bob := w.client("alice"), w.client("bob")
			alice.call("create", "team", "team", "group", []int64{4, 5}, 0, false)
			bob.expect("create", 1)
			release := w.xxd.Stall(bob.user) // as if his network were gone
			defer release()
			const n = 24
			for i := range n {
				alice.says("team", fmt.Sprint("dead-", i), fmt.Sprint("to the dead ", i))
			}
			alice.expect("message", 1+n)
			alice.expect("logout", 1) // the server has noticed
			again := w.client("bob")
			got := 0
			for i := range n {
				if again.has(fmt.Sprint("to the dead ", i)) {
					got++
				}
			}
			if behind {
				require.Equal(t, n, got)
			} else {
				require.Zero(t, got)
			}
		})
	}
}
