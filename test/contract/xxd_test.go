package contract

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/xuangate/xuangate/adapter/legacy"
	"github.com/xuangate/xuangate/gen/model"
	"github.com/xuangate/xuangate/test/xuanxuan"
)

// The numbers of demo users, by which the xxd knows them.
const (
	aliceID = 4
	bobID   = 5
)

func TestWebAndDesktopUsersHearOneAnother(t *testing.T) {
	for name, open := range transports {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := start(t, "xxd")
			alice, bob, carol := w.signIn("alice"), w.signIn("bob"), w.desk("carol")
			team := get[model.ConversationRef](alice, "/create_conversation", object{"conversation_type": 0, "name": "team", "members": []string{"5", "6"}}).ConversationId
			ctx, cancel := context.WithCancel(t.Context())
			streams := []<-chan model.MsgData{open(ctx, alice, alice.here()), open(ctx, bob, bob.here())}

			// One after another: strictly in order.
			const turns = 20
			for i := range turns {
				alice.say(team, fmt.Sprint(3*i))
				require.NoError(t, carol.say(team, fmt.Sprint(3*i+1)))
				bob.say(team, fmt.Sprint(3*i+2))
			}
			require.Equal(t, numbers(0, 3*turns), rowContents(carol.hears(3*turns)))
			for _, stream := range streams {
				for i := range 3 * turns {
					m := next(t, stream)
					require.Equal(t, fmt.Sprint(i), m.Content)
					require.False(t, m.Late)
				}
			}

			// All at once: each once, as legacy delivered them, and what it delivered out of order is marked.
			const burst = 50
			var senders errgroup.Group
			for who, say := range map[string]func(string) error{
				"a": alice.tries(team), "b": bob.tries(team), "c": func(s string) error { return carol.say(team, s) },
			} {
				senders.Go(func() error {
					for i := range burst {
						if err := say(fmt.Sprint(who, i)); err != nil {
							return err
						}
					}
					return nil
				})
			}
			require.NoError(t, senders.Wait())
			rows := carol.hears(3*turns + 3*burst)[3*turns:]
			byID := slices.SortedFunc(slices.Values(rows), func(x, y legacy.MessageRow) int { return int(x.ID - y.ID) })
			require.Len(t, rows, 3*burst)
			var highest legacy.Int
			late := map[string]bool{}
			for _, row := range rows {
				late[string(row.Content)] = row.ID < highest
				highest = max(highest, row.ID)
			}
			for _, stream := range streams {
				heard := make([]model.MsgData, 3*burst)
				for i := range heard {
					heard[i] = next(t, stream)
					require.Equal(t, late[heard[i].Content], heard[i].Late, "%s", heard[i].Content)
				}
				require.Equal(t, rowContents(rows), contents(heard))
				slices.SortFunc(heard, func(x, y model.MsgData) int { return strings.Compare(x.MsgId, y.MsgId) })
				require.Equal(t, rowContents(byID), contents(heard), "MsgIds place them")
			}
			cancel()
			for _, stream := range streams {
				for m := range stream {
					require.Fail(t, "one too many", "%+v", m)
				}
			}
		})
	}
}

// tries says something in a conversation from any goroutine.
func (u *user) tries(conversation string) func(content string) error {
	return func(content string) error {
		a, err := u.ask("/send_msg", object{"conversation_id": conversation, "content": content})
		if err != nil {
			return err
		}
		_, err = decoded[model.SentMsg](a)
		return err
	}
}

func rowContents(rows []legacy.MessageRow) []string {
	out := []string{}
	for _, row := range rows {
		out = append(out, string(row.Content))
	}
	return out
}

func TestSigningInElsewhereEndsEverythingHere(t *testing.T) {
	t.Parallel()
	w := start(t, "xxd")
	phone, web := w.signInOn("alice", 1), w.signInOn("alice", 2)
	at := phone.here()
	sse := phone.wholeStream()
	ws, _, err := websocket.DefaultDialer.DialContext(t.Context(), "ws"+strings.TrimPrefix(w.url, "http")+"/notify?events=all&token="+web.token, nil)
	require.NoError(t, err)
	defer ws.Close()
	poll := make(chan answer, 1)
	var asked errgroup.Group
	asked.Go(func() error {
		a, err := phone.pollToTheEnd(at)
		poll <- a
		return err
	})
	before := w.xxd.Stats().Logins
	require.EqualValues(t, 1, before, "one link for all platforms")

	desktop := w.desk("alice")

	t.Run("sse says kickoff and ends", func(t *testing.T) {
		text := sse()
		require.Contains(t, text, "event: kickoff\n")
		require.Contains(t, text, `{"Upstream":"kicked"}`)
	})
	t.Run("a WebSocket closes with 4001", func(t *testing.T) {
		for {
			var text []byte
			if _, text, err = ws.ReadMessage(); err != nil {
				break
			}
			require.NoError(t, w.answers.holdTold(text, true))
		}
		require.True(t, websocket.IsCloseError(err, 4001), "%v", err)
	})
	t.Run("a poll and all later calls answer 10103, on every platform", func(t *testing.T) {
		require.NoError(t, asked.Wait())
		a := <-poll
		require.Equal(t, model.SignedInElsewhere, a.Code)
		require.Equal(t, http.StatusUnauthorized, a.Status)
		for _, u := range []*user{phone, web} {
			u.fails(model.SignedInElsewhere, "/get_me", object{})
		}
	})
	t.Run("nobody fights back", func(t *testing.T) {
		require.Never(t, func() bool { return w.xxd.Stats().Logins != before+1 }, 1500*time.Millisecond, 50*time.Millisecond)
		_, err := desktop.call("ping")
		require.NoError(t, err)
	})
	t.Run("the next sign-in works, and the desktop client is out", func(t *testing.T) {
		again := w.signIn("alice")
		require.Equal(t, model.UpstreamOnline, get[model.Me](again, "/get_me", object{}).Upstream)
		<-desktop.done
		require.ErrorIs(t, desktop.end, legacy.ErrKicked)
		phone.fails(model.SignedInElsewhere, "/get_me", object{})
	})
}

// wholeStream opens an SSE stream; what it returns waits for the end of it and gives all its text.
func (u *user) wholeStream() func() string {
	u.w.t.Helper()
	req, err := http.NewRequestWithContext(u.w.t.Context(), http.MethodGet, u.w.url+"/notify?protoc=sse&events=all&token="+u.token, nil)
	require.NoError(u.w.t, err)
	res, err := u.w.http.Do(req)
	require.NoError(u.w.t, err)
	return func() string {
		defer res.Body.Close()
		text, err := io.ReadAll(res.Body)
		require.NoError(u.w.t, err)
		return string(text)
	}
}

// pollToTheEnd polls on from a position until it is refused.
func (u *user) pollToTheEnd(after string) (a answer, err error) {
	for {
		req, err := http.NewRequest(http.MethodGet, u.w.url+"/notify?protoc=poll&timeout=20&after="+after+"&token="+u.token, nil)
		if err != nil {
			return a, err
		}
		res, err := u.w.http.Do(req)
		if err != nil {
			return a, err
		}
		a = answer{Status: res.StatusCode}
		err = json.NewDecoder(res.Body).Decode(&a)
		res.Body.Close()
		if err != nil || a.Code != model.OK {
			return a, err
		}
		var p model.Poll
		if err := json.Unmarshal(a.Data, &p); err != nil {
			return a, err
		}
		after = p.Position
	}
}

func TestRestartOfTheChatServer(t *testing.T) {
	for name, open := range transports {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := start(t, "xxd")
			alice, bob := w.signIn("alice"), w.signIn("bob")
			team := get[model.ConversationRef](alice, "/create_conversation", object{"conversation_type": 0, "name": "team", "members": []string{"5", "6"}}).ConversationId
			ctx, cancel := context.WithCancel(t.Context())
			stream := open(ctx, bob, "")
			alice.say(team, "before")
			require.Equal(t, "before", next(t, stream).Content)
			calls := w.legacyCalls()

			again, err := w.xxd.Restart(t.Context())
			require.NoError(t, err)
			w.xxd = again
			carol := w.desk("carol") // a new key: there is no way in with the old one
			require.NoError(t, carol.say(team, "right after, by a desktop"))
			require.Equal(t, "right after, by a desktop", next(t, stream).Content)
			// A caller waits for the link, or is told to try again.
			require.Eventually(t, func() bool {
				a := alice.post("/send_msg", object{"conversation_id": team, "content": "right after", "client_msg_id": "1"})
				return a.Code == model.OK
			}, patience, time.Millisecond)
			require.Equal(t, "right after", next(t, stream).Content)
			require.EqualValues(t, 3, w.xxd.Stats().Logins, "each once")
			require.Less(t, w.legacyCalls()-calls, 100, "the backend is not stormed")
			cancel()
			for range stream {
			}
		})
	}
}

func TestAPasswordChangedElsewhere(t *testing.T) {
	t.Parallel()
	w := start(t, "xxd")
	alice := w.signIn("alice")
	at := alice.here()
	w.desktop(legacy.Chat(aliceID, "userchange", map[string]string{"account": "alice", "password": digest("changed")}))
	calls := w.legacy.Calls()["chat/login"]
	require.True(t, w.xxd.Drop(aliceID))
	alice.until(at, told(model.UpstreamRefused))
	require.Contains(t, alice.fails(model.InvalidToken, "/get_joined_conversation", object{}), "password")
	require.Equal(t, calls+1, w.legacy.Calls()["chat/login"], "a refused password is not tried again: the account would be locked")
	a := w.post("/login", http.Header{}, object{"account": "alice", "password": "changed", "platform": 1})
	require.Equal(t, model.OK, a.Code, a.Error)
}

// told is an until condition: a state of the link.
func told(state model.UpstreamState) func([]event) bool {
	return func(list []event) bool {
		return slices.ContainsFunc(only(list, model.EventKindUpstream), func(e event) bool {
			return string(e.Data) == fmt.Sprintf(`{"Upstream":%q}`, state)
		})
	}
}

func TestTheStateOfALinkIsTold(t *testing.T) {
	t.Parallel()
	w := start(t, "xxd")
	alice := w.signIn("alice")
	at := alice.here()
	state := func() model.UpstreamState { return get[model.Me](alice, "/get_me", object{}).Upstream }
	require.Equal(t, model.UpstreamOnline, state())

	w.legacy.SetFaults(xuanxuan.Fault{Method: "login", Status: http.StatusInternalServerError})
	require.True(t, w.xxd.Drop(aliceID))
	_, at = alice.until(at, told(model.UpstreamBackoff))
	require.Contains(t, []model.UpstreamState{model.UpstreamBackoff, model.UpstreamConnecting}, state())
	w.legacy.SetFaults()
	alice.until(at, told(model.UpstreamOnline))
	require.Equal(t, model.UpstreamOnline, state())
}

func TestAMessageOverTheFrameLimitIsNotSent(t *testing.T) {
	t.Parallel()
	w := start(t, "xxd")
	alice, bob := w.signIn("alice"), w.signIn("bob")
	team := alice.group("team", bob)
	at, sent := bob.here(), w.legacy.Calls()["chat/message"]
	for _, content := range []string{strings.Repeat("x", 20480), strings.Repeat(`"`, 10240), strings.Repeat("喧", 6900)} {
		require.Contains(t, alice.fails(model.TooLarge, "/send_msg", object{"conversation_id": team, "content": content}), "20,479")
	}
	require.Equal(t, sent, w.legacy.Calls()["chat/message"])
	fits := strings.Repeat("喧", 6600)
	alice.say(team, fits)
	heard, _ := bob.until(at, count(model.EventKindMessage, 1))
	require.Equal(t, fits, only(heard, model.EventKindMessage)[0].message(t).Content)
	require.EqualValues(t, 2, w.xxd.Stats().Logins, "nobody was thrown out for it")
}

func TestWhatIsSaidInTheLoginWindowIsHeard(t *testing.T) {
	t.Parallel()
	var say atomic.Pointer[func()]
	w := start(t, "xxd", func(s *site) {
		s.xxd.LoginWindow = func(_ context.Context, user int64) {
			if f := say.Load(); f != nil && user == bobID {
				(*f)()
			}
		}
	})
	carol := w.desk("carol")
	const team = "window"
	_, err := carol.call("create", team, "team", legacy.TypeGroup, []int{bobID, 6}, 0, false)
	require.NoError(t, err)
	var n atomic.Int32
	inWindow := func() {
		if err := carol.say(team, fmt.Sprint(n.Add(1)-1)); err != nil {
			t.Error(err)
		}
	}
	say.Store(&inWindow)
	bob := w.signIn("bob")
	stream := pollStream(t.Context(), bob, "")
	require.Equal(t, "0", next(t, stream).Content, "by the first sign-in")
	for i := 1; i <= 3; i++ {
		require.True(t, w.xxd.Drop(bobID))
		require.Equal(t, fmt.Sprint(i), next(t, stream).Content, "by the link that comes back")
		require.Eventually(t, func() bool { return get[model.Me](bob, "/get_me", object{}).Upstream == model.UpstreamOnline }, patience, time.Millisecond)
	}
	say.Store(nil)
	require.NoError(t, carol.say(team, "live"))
	require.Equal(t, "live", next(t, stream).Content, "each once")
}

func TestWhatModeXXDCannotDo(t *testing.T) {
	t.Parallel()
	w := start(t, "xxd", func(s *site) { s.node.Inner.OperatorPassword = "" })
	w.signIn("bob")
	for name, c := range map[string]struct {
		path  string
		body  object
		names string // what the sentence tells the caller to do
	}{
		"a token for who is not signed in": {"/get_token", object{"session": "4", "platform": 1}, "/login"},
		"by the account too":               {"/get_token", object{"account": "alice", "platform": 1}, "/login"},
		"inner create without an operator": {"/create_conversation", object{"conversation_type": 0, "name": "x", "sessions": []string{"5"}}, "inner.operator_password"},
		"inner join":                       {"/join_conversation", object{"conversation_id": "x", "sessions": []string{"5"}}, "inner.operator_password"},
		"inner kickout":                    {"/kickout_conversation", object{"conversation_id": "x", "sessions": []string{"5"}}, "inner.operator_password"},
	} {
		t.Run(name, func(t *testing.T) {
			a := w.inner(c.path, c.body)
			require.Equal(t, model.Unsupported, a.Code, a.Error)
			require.Equal(t, http.StatusNotImplemented, a.Status)
			require.Contains(t, a.Error, c.names)
		})
	}
	t.Run("a token for who is signed in", func(t *testing.T) {
		a := w.inner("/get_token", object{"account": "bob", "platform": 3})
		require.Equal(t, model.OK, a.Code, a.Error)
	})
}
