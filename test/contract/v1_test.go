package contract

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/xuangate/xuangate/adapter/legacy"
	"github.com/xuangate/xuangate/adapter/v1"
	"github.com/xuangate/xuangate/gen/model"
	"github.com/xuangate/xuangate/test/xuanxuan"
)

// oldDesktop is desktop in mode v1: a line on a connection of its own, in a session of the user.
func (w *world) oldDesktop(c legacy.Call) legacy.Response {
	w.t.Helper()
	sid, err := w.v1.Session(w.t.Context(), int64(c.User))
	require.NoError(w.t, err)
	conn, err := net.Dial("tcp", w.v1.Addr())
	require.NoError(w.t, err)
	defer conn.Close()
	require.NoError(w.t, conn.SetDeadline(time.Now().Add(patience)))
	params := c.Params
	if list, ok := params.([]any); ok && c.Method == "message" { // which has fewer fields in 1.0
		rows := []object{}
		for _, d := range list[0].([]legacy.DraftRow) {
			rows = append(rows, object{"gid": d.GID, "cgid": d.CGID, "type": d.Type, "contentType": d.ContentType, "content": d.Content})
		}
		params = object{"messages": rows}
	}
	if list, ok := params.([]any); ok && c.Method == "settings" && list[1] != any("") { // which 1.0 keeps as the client wrote them
		written, err := json.Marshal(list[1])
		require.NoError(w.t, err)
		params = []any{list[0], string(written)}
	}
	text, err := json.Marshal(object{"module": c.Module, "method": c.Method, "params": params, "sid": sid})
	require.NoError(w.t, err)
	_, err = conn.Write(append(text, '\n'))
	require.NoError(w.t, err)
	line, err := bufio.NewReader(conn).ReadBytes('\n')
	require.NoError(w.t, err)
	var r legacy.Response
	require.NoError(w.t, json.Unmarshal(line, &r))
	require.Equal(w.t, legacy.Success, r.Result, r.Reason())
	return r
}

func TestSigningInElsewhereInModeV1(t *testing.T) {
	t.Parallel()
	w := start(t, "v1")
	phone, web := w.signInOn("alice", 1), w.signInOn("alice", 2)
	require.EqualValues(t, 1, w.v1.Stats().Logins, "one link for all platforms")
	sse := phone.wholeStream()
	upstream, err := v1.New(v1.Config{Addr: w.v1.Addr()})
	require.NoError(t, err)
	desktop, _, err := upstream.Dial(t.Context(), "alice", digest(xuanxuan.DemoPassword))
	require.NoError(t, err)
	defer desktop.Close()
	text := sse()
	require.Contains(t, text, "event: kickoff\n")
	require.Contains(t, text, `{"Upstream":"kicked"}`)
	for _, u := range []*user{phone, web} {
		u.fails(model.SignedInElsewhere, "/get_me", object{})
	}
	require.EqualValues(t, 2, w.v1.Stats().Logins, "nobody fights back")
	again := w.signIn("alice")
	require.Equal(t, model.UpstreamOnline, get[model.Me](again, "/get_me", object{}).Upstream)
	for err = nil; err == nil; {
		_, err = desktop.Next(t.Context())
	}
	require.ErrorIs(t, err, legacy.ErrKicked)
}

func TestAnotherPasswordInModeV1(t *testing.T) {
	t.Parallel()
	w := start(t, "v1")
	alice := w.signIn("alice")
	at := alice.here()
	signIn := func(password string) answer {
		return w.post("/login", nil, object{"account": "alice", "password": password, "platform": 2})
	}
	logins := w.v1.Stats().Logins
	require.Equal(t, model.OK, signIn(xuanxuan.DemoPassword).Code)
	require.Equal(t, model.WrongPassword, signIn("wrong").Code)
	require.Equal(t, model.OK, signIn(xuanxuan.DemoPassword).Code, "and the guard has room for another again")
	require.Equal(t, logins, w.v1.Stats().Logins, "none ends the link")

	require.NoError(t, w.legacy.SetPassword(t.Context(), aliceID, "changed"))
	a := signIn("changed")
	require.Equal(t, model.OK, a.Code, a.Error)
	alice.until(at, told(model.UpstreamOnline))
	require.NotEmpty(t, alice.joined(), "the link was made again, and nobody was told of a sign-in elsewhere")
}

func TestRestartOfA10Server(t *testing.T) {
	for name, open := range transports {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := start(t, "v1", patiently)
			alice, bob := w.signIn("alice"), w.signIn("bob")
			team := alice.group("team", bob)
			ctx, cancel := context.WithCancel(t.Context())
			stream := open(ctx, bob, "")
			alice.say(team, "before")
			require.Equal(t, "before", next(t, stream).Content)

			again, err := w.v1.Restart(t.Context())
			require.NoError(t, err)
			w.v1 = again
			w.desktop(legacy.Chat(aliceID, "message", []legacy.DraftRow{{GID: "d", CGID: legacy.ChatGID(team), Type: "normal", ContentType: "text", Content: "right after, by a desktop"}}))
			require.Equal(t, "right after, by a desktop", next(t, stream).Content)
			require.Eventually(t, func() bool {
				a := alice.post("/send_msg", object{"conversation_id": team, "content": "right after", "client_msg_id": "1"})
				return a.Code == model.OK
			}, patience, time.Millisecond)
			require.Equal(t, "right after", next(t, stream).Content)
			require.EqualValues(t, 2, w.v1.Stats().Logins, "each once")
			cancel()
			for m := range stream {
				require.Fail(t, "one too many", "%+v", m)
			}
		})
	}
}

// TestA10ServerInTrouble breaks connections in every way in which a line can be wrong, while somebody talks.
func TestA10ServerInTrouble(t *testing.T) {
	for name, fault := range map[string]xuanxuan.V1Fault{
		"the request is lost with its connection": {Cut: true}, "the answer is lost with it": {Cut: true, CarryOut: true},
		"half an answer": {Half: true}, "garbage": {Garbage: []byte("PHP Fatal error")},
		"an answer to something else": {Garbage: []byte(`{"result":"success","data":false,"sid":"","module":"chat","method":"logout"}`)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := start(t, "v1", patiently)
			alice, bob := w.signIn("alice"), w.signIn("bob")
			team := alice.group("team", bob)
			stream := pollStream(t.Context(), bob, bob.here())
			const all = 12
			for i := range all {
				if i%4 == 1 {
					f := fault
					f.User, f.Method, f.Times = aliceID, "message", 1
					w.v1.SetFaults(f)
				}
				require.Eventually(t, func() bool {
					a := alice.post("/send_msg", object{"conversation_id": team, "content": fmt.Sprint(i), "client_msg_id": fmt.Sprint(i)})
					return a.Code == model.OK
				}, patience, time.Millisecond)
			}
			require.Equal(t, numbers(0, all), contents(alice.last30(team)), "each stored once, in order")
			for i := range all {
				require.Equal(t, fmt.Sprint(i), next(t, stream).Content, "each told once, in order")
			}
			require.EqualValues(t, 2+3, w.v1.Stats().Logins, "each broken connection was made again once")
		})
	}
	t.Run("half a line of somebody else's holds up everybody, and no longer", func(t *testing.T) {
		t.Parallel()
		w := start(t, "v1")
		alice := w.signIn("alice")
		team := alice.group("team")
		stranger, err := net.Dial("tcp", w.v1.Addr())
		require.NoError(t, err)
		_, err = stranger.Write([]byte(`{"module":"chat",`))
		require.NoError(t, err)
		require.Eventually(t, func() bool {
			return alice.post("/send_msg", object{"conversation_id": team, "content": "x"}).Code == model.TooSlow
		}, patience, time.Millisecond)
		require.NoError(t, stranger.Close())
		require.Eventually(t, func() bool {
			return alice.post("/send_msg", object{"conversation_id": team, "content": "last"}).Code == model.OK
		}, patience, time.Millisecond)
	})
}

func TestPresenceInModeV1(t *testing.T) {
	t.Parallel()
	w := start(t, "v1")
	alice, bob := w.signIn("alice"), w.signIn("bob")
	status := func(u *user, want string) func(list []event) bool {
		return func(list []event) bool {
			for _, e := range only(list, model.EventKindUser) {
				var m model.User
				if json.Unmarshal(e.Data, &m) == nil && m.Session == u.session && m.Status == want {
					return true
				}
			}
			return false
		}
	}
	at := alice.here()
	w.desktop(legacy.Chat(bobID, "userChangeStatus", "busy"))
	_, at = alice.until(at, status(bob, "busy"))
	carol := w.signIn("carol")
	_, at = alice.until(at, status(carol, "online"))

	upstream, err := v1.New(v1.Config{Addr: w.v1.Addr()})
	require.NoError(t, err)
	dave, _, err := upstream.Dial(t.Context(), "dave", digest(xuanxuan.DemoPassword))
	require.NoError(t, err)
	defer dave.Close()
	away := &user{session: "7"}
	_, at = alice.until(at, status(away, "online"))
	require.True(t, w.v1.Drop(7)) // the server tells nobody of one who is gone without a word
	alice.until(at, status(away, "offline"))
}

// TestManyUsersOn10 has 200 users signed in to the one thread, all of whom hear each other.
func TestManyUsersOn10(t *testing.T) {
	const many, first = 200, 101
	w := start(t, "v1", patiently, func(s *site) {
		s.legacy.Users = xuanxuan.DemoUsers()
		for i := range many {
			s.legacy.Users = append(s.legacy.Users, xuanxuan.User{ID: int64(first + i), Account: fmt.Sprint("u", i)})
		}
	})
	users := make([]*user, many)
	members := make([]string, many)
	var arriving errgroup.Group
	arriving.SetLimit(20)
	for i := range users {
		arriving.Go(func() error {
			a, err := w.ask("/login", nil, object{"account": fmt.Sprint("u", i), "password": xuanxuan.DemoPassword, "platform": 1})
			if err != nil {
				return err
			}
			l, err := decoded[model.Login](a)
			users[i], members[i] = &user{w: w, account: l.User.Account, session: l.Session, token: l.Token}, l.Session
			return err
		})
	}
	require.NoError(t, arriving.Wait())
	require.Equal(t, many, w.v1.Stats().Online)
	all := get[model.ConversationRef](users[0], "/create_conversation", object{"conversation_type": 0, "name": "all", "members": members}).ConversationId
	at := users[many-1].here()
	var talking errgroup.Group
	for _, u := range users[:20] {
		talking.Go(func() error { return u.tries(all)(u.account) })
	}
	require.NoError(t, talking.Wait())
	heard, _ := users[many-1].until(at, count(model.EventKindMessage, 20))
	require.Len(t, only(heard, model.EventKindMessage), 20)
	var asking errgroup.Group
	asking.SetLimit(20)
	for _, u := range users {
		asking.Go(func() error {
			a, err := u.ask("/get_conversation_last_30_msg", object{"conversation_id": all})
			if err != nil {
				return err
			}
			m, err := decoded[model.Messages](a)
			if err == nil && len(m.Msg) != 20 {
				err = fmt.Errorf("%s reads %d messages", u.account, len(m.Msg))
			}
			return err
		})
	}
	require.NoError(t, asking.Wait())
	require.EqualValues(t, many, w.v1.Stats().Logins, "each once")
}

// TestFilesOfTheOldDesktop: it names a file by its number, and the message's time is the file's.
func TestFilesOfTheOldDesktop(t *testing.T) {
	t.Parallel()
	w := start(t, "v1", func(s *site) { s.v1.PathInfo = true })
	alice, carol := w.signIn("alice"), w.signIn("carol")
	team := alice.group("team")
	secret := carol.group("secret")
	up := carol.upload(secret, "plan.txt", "secret")

	old, err := v1.New(v1.Config{Addr: w.v1.Addr(), FilesURL: w.v1.FilesURL()})
	require.NoError(t, err)
	defer old.Close()
	desktop, _, err := old.Dial(t.Context(), "bob", digest(xuanxuan.DemoPassword))
	require.NoError(t, err)
	defer desktop.Close()
	w.desktop(legacy.Chat(aliceID, "addmember", team, []int{5}, true))
	f, err := desktop.Upload(t.Context(), legacy.Upload{User: 5, Chat: legacy.ChatGID(team), Name: "从 desktop.png"}, strings.NewReader("PNG"))
	require.NoError(t, err)
	at := alice.here()
	content := fmt.Sprintf(`{"name":"从 desktop.png","size":3,"send":true,"type":"image/png","id":%d,"title":"从 desktop"}`, f.ID)
	w.desktop(legacy.Chat(5, "message", []legacy.DraftRow{{GID: "d", CGID: legacy.ChatGID(team), Type: "normal", ContentType: "image", Content: content}}))
	heard, _ := alice.until(at, count(model.EventKindMessage, 1))
	m := only(heard, model.EventKindMessage)[0].message(t)
	require.Equal(t, "从 desktop.png", m.File.Name)
	require.Equal(t, m.SendTime/1e6, m.File.Time/1e6)
	require.Equal(t, m, alice.last30(team)[0], "as it was heard")
	require.Equal(t, "PNG", alice.gets(m.File.Id))
	carol.getsNot(model.NotFound, m.File.Id)

	// A number without a time would open any file of the site.
	var named legacy.FileContent
	require.NoError(t, json.Unmarshal([]byte(up.Content), &named))
	guess := fmt.Sprintf(`{"id":%d,"name":"plan.txt","send":true}`, named.ID)
	for _, kind := range []int{3, 4} {
		require.Contains(t, alice.fails(model.NotAllowed, "/send_msg", object{"conversation_id": team, "type": kind, "content": guess}), "without proof")
	}
}
