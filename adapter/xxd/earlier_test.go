package xxd_test

import (
	"encoding/json"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/require"

	"github.com/xuangate/xuangate/adapter/legacy"
	"github.com/xuangate/xuangate/test/xuanxuan"
)

// TestAnEarlierConnectionsAnswers has a client go on calling after the same user signed in on another connection, which is
// where the answers go.
func TestAnEarlierConnectionsAnswers(t *testing.T) {
	s := start(t, xuanxuan.XXDOptions{})
	bob, _ := s.dial(t, "bob")
	group(t, bob, "team", 4, 5)
	group(t, bob, "other", 4, 5)
	for _, room := range []string{"team", "other"} {
		_, err := bob.Call(t.Context(), message(room, "in-"+room, "x", 5))
		require.NoError(t, err)
	}

	info, err := s.server.Info(t.Context(), "alice", md5)
	require.NoError(t, err)
	desktop, key, err := s.server.Connect(t.Context(), info)
	require.NoError(t, err)
	defer desktop.Close()
	say := func(method string, params ...any) {
		plain, err := json.Marshal(map[string]any{"module": "chat", "method": method, "params": params, "userID": 4, "v": "2.3.0", "lang": "zh-cn"})
		require.NoError(t, err)
		require.NoError(t, desktop.WriteMessage(websocket.BinaryMessage, key.Seal(plain)))
	}
	say("login", "", "alice", md5, "online")
	for range 6 {
		_, _, err := desktop.ReadMessage()
		require.NoError(t, err)
	}

	// The desktop's call holds up those behind it until the newer connection's are under way, held up longer.
	s.xxb.SetFaults(xuanxuan.Fault{Method: "members", Delay: 300 * time.Millisecond, Times: 1}, xuanxuan.Fault{Method: "message", Delay: 1500 * time.Millisecond, Times: 1})
	defer s.xxb.SetFaults()
	say("members", "other")
	for range 3 {
		say("history", "other", 5, 1, 0, false, 0)
		say("ping")
		say("settings", "alice", map[string]string{"kept": "by the desktop"})
		say("history", "xuangate-fence-stale", 1, 1, 0, false, 0)
	}
	alice, _ := s.dial(t, "alice")
	var calls sync.WaitGroup
	calls.Go(func() {
		r, err := alice.Call(t.Context(), message("team", "mine", "x", 4))
		if err != nil || r.Unsure || !strings.Contains(string(r.Data), `"mine"`) {
			t.Errorf("message: %+v %v", r, err)
		}
	})
	calls.Go(func() {
		r, err := alice.Call(t.Context(), legacy.Chat(0, "history", "team", 5, 1, 0, false, 0))
		if err != nil || r.Unsure || strings.Contains(string(r.Data), `"in-other"`) {
			t.Errorf("history: %+v %v", r, err)
		}
	})
	calls.Go(func() {
		r, err := alice.Call(t.Context(), legacy.Chat(0, "members", "team"))
		if err != nil || !strings.Contains(string(r.Data), `"team"`) {
			t.Errorf("members: %+v %v", r, err)
		}
	})
	calls.Go(func() {
		r, err := alice.Call(t.Context(), legacy.Chat(0, "settings", "alice", map[string]string{"kept": "by us"}))
		if err != nil || !r.Unsure && !strings.Contains(string(r.Data), "by us") {
			t.Errorf("settings: %+v %v", r, err)
		}
	})
	calls.Wait()
}
