package xxd_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/xuangate/xuangate/adapter/legacy"
	"github.com/xuangate/xuangate/adapter/xxd"
	"github.com/xuangate/xuangate/test/xuanxuan"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const md5 = "e10adc3949ba59abbe56e057f20f883e" // of 123456

type site struct {
	xxb    *xuanxuan.Server
	xxd    *xuanxuan.XXD
	server *xxd.Server
}

func start(t *testing.T, o xuanxuan.XXDOptions) *site {
	backend, err := xuanxuan.Start(t.Context(), xuanxuan.Options{}, "127.0.0.1:0")
	require.NoError(t, err)
	o.Backend, o.TLS = backend.URL(), true
	front, err := xuanxuan.StartXXD(t.Context(), o, "127.0.0.1:0")
	require.NoError(t, err)
	s, err := xxd.New(xxd.Config{URL: front.URL(), Fingerprint: front.Fingerprint()})
	require.NoError(t, err)
	t.Cleanup(func() {
		s.Close()
		require.NoError(t, front.Close())
		require.NoError(t, backend.Close())
	})
	return &site{xxb: backend, xxd: front, server: s}
}

func (s *site) dial(t *testing.T, account string) (*xxd.Conn, legacy.Welcome) {
	t.Helper()
	c, w, err := s.server.Dial(t.Context(), account, md5)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	return c, w
}

func message(chat, gid, content string, u legacy.UserID) legacy.Call {
	return legacy.Chat(u, "message", []legacy.DraftRow{{GID: legacy.MessageGID(gid), CGID: legacy.ChatGID(chat), User: u, Type: "normal", ContentType: "text", Content: content}})
}

// group makes a group through one connection.
func group(t *testing.T, c *xxd.Conn, gid string, members ...int) {
	t.Helper()
	r, err := c.Call(t.Context(), legacy.Chat(0, "create", gid, gid, "group", members, 0, false))
	require.NoError(t, err)
	require.Equal(t, legacy.Success, r.Result)
}

// until reads pushes up to one that matches.
func until(t *testing.T, c *xxd.Conn, match func(legacy.Push) bool) legacy.Push {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for {
		p, err := c.Next(ctx)
		require.NoError(t, err)
		if match(p) {
			return p
		}
	}
}

func named(method string) func(legacy.Push) bool {
	return func(p legacy.Push) bool { return strings.EqualFold(p.Method, method) }
}

func TestDial(t *testing.T) {
	s := start(t, xuanxuan.XXDOptions{})
	_, w := s.dial(t, "alice")
	require.Equal(t, legacy.Text("alice"), w.User.Account)
	require.Len(t, w.Users, 7)
	require.True(t, w.Chats[0].System())
	require.Empty(t, w.Messages)

	t.Run("a wrong password is told from trouble, and asked once", func(t *testing.T) {
		before := s.xxb.Calls()["chat/login"]
		_, _, err := s.server.Dial(t.Context(), "bob", strings.Repeat("0", 32))
		require.ErrorIs(t, err, legacy.ErrPassword)
		require.Equal(t, before+1, s.xxb.Calls()["chat/login"])
	})
	t.Run("another certificate is refused", func(t *testing.T) {
		for _, c := range []xxd.Config{{URL: s.xxd.URL()}, {URL: s.xxd.URL(), Fingerprint: strings.Repeat("ab", 32)}} {
			other, err := xxd.New(c)
			require.NoError(t, err)
			defer other.Close()
			_, _, err = other.Dial(t.Context(), "bob", md5)
			require.ErrorContains(t, err, "certificate")
		}
	})
	t.Run("nobody listens", func(t *testing.T) {
		other, err := xxd.New(xxd.Config{URL: "https://127.0.0.1:1", Insecure: true})
		require.NoError(t, err)
		_, _, err = other.Dial(t.Context(), "bob", md5)
		require.ErrorContains(t, err, "refused")
	})
	t.Run("settings that contradict each other", func(t *testing.T) {
		for _, c := range []xxd.Config{{URL: "host:1"}, {URL: "https://h:1", Fingerprint: "xx"}, {URL: "https://h:1", Insecure: true, CAFile: "x"}, {URL: "https://h:1", CAFile: "/nowhere"}} {
			_, err := xxd.New(c)
			require.Error(t, err)
		}
	})
}

func TestSysGetServerInfo(t *testing.T) {
	s := start(t, xuanxuan.XXDOptions{SysInfo: true})
	s.dial(t, "alice")
	info, err := s.server.Info(t.Context(), "alice", md5)
	require.NoError(t, err)
	require.NotZero(t, info.UploadFileSize)
	require.NoError(t, s.xxb.LockUser(t.Context(), 5, time.Now().Add(time.Hour)))
	_, err = s.server.Info(t.Context(), "bob", md5)
	require.ErrorIs(t, err, legacy.ErrLocked)
}

func TestCalls(t *testing.T) {
	s := start(t, xuanxuan.XXDOptions{})
	alice, _ := s.dial(t, "alice")
	bob, _ := s.dial(t, "bob")
	group(t, alice, "team", 4, 5)

	t.Run("an answer to the caller alone", func(t *testing.T) {
		r, err := alice.Call(t.Context(), legacy.Chat(0, "getlist"))
		require.NoError(t, err)
		require.False(t, r.Unsure)
		var rows []legacy.ChatRow
		require.NoError(t, r.Decode(&rows))
		require.Len(t, rows, 2)
	})
	t.Run("a message is answered, and heard by the others and by its sender", func(t *testing.T) {
		r, err := alice.Call(t.Context(), message("team", "g1", "hello <&>", 4))
		require.NoError(t, err)
		require.False(t, r.Unsure)
		require.Contains(t, string(until(t, bob, named("message")).Data), "g1")
		require.Contains(t, string(until(t, alice, named("message")).Data), "g1")
	})
	t.Run("an answer that can be nobody else's costs no fence, a failure or a change does", func(t *testing.T) {
		fences := func() int { return s.xxb.Calls()["fence"] }
		before, slow := fences(), 0
		quick := func(call legacy.Call) {
			start := time.Now()
			_, err := alice.Call(t.Context(), call)
			require.NoError(t, err)
			if time.Since(start) > 40*time.Millisecond { // a little less than after which a fence is sent
				slow++
			}
		}
		for n := range 5 {
			quick(message("team", fmt.Sprint("quick", n), "x", 4))
			quick(legacy.Chat(0, "members", "team"))
		}
		require.LessOrEqual(t, fences()-before, slow)
		before = fences()
		_, err := alice.Call(t.Context(), message("nosuch", "vain", "x", 4))
		require.NoError(t, err)
		_, err = alice.Call(t.Context(), legacy.Chat(0, "joinchat", "team", true))
		require.NoError(t, err)
		require.GreaterOrEqual(t, fences(), before+2)
	})
	t.Run("many calls at once each get their own answer, fenced or not", func(t *testing.T) {
		var wg sync.WaitGroup
		for n := range 30 {
			wg.Go(func() {
				gid := fmt.Sprint("many", n)
				switch n % 3 {
				case 0:
					r, err := alice.Call(t.Context(), message("team", gid, "x", 4))
					if err != nil || !strings.Contains(string(r.Data), gid) {
						t.Errorf("message: %+v %v", r, err)
					}
				case 1:
					r, err := alice.Call(t.Context(), message("nosuch", gid, "x", 4))
					if err != nil || r.Result != legacy.Fail {
						t.Errorf("message in vain: %+v %v", r, err)
					}
				default:
					r, err := alice.Call(t.Context(), legacy.Chat(0, "changename", "team", gid))
					if err != nil || r.Result != legacy.Success || !strings.Contains(string(r.Data), `"team"`) {
						t.Errorf("change: %+v %v", r, err)
					}
				}
			})
		}
		wg.Wait()
	})
	t.Run("history comes with its pager", func(t *testing.T) {
		r, err := bob.Call(t.Context(), legacy.Chat(0, "history", "team", 5, 1, 0, false, 0))
		require.NoError(t, err)
		require.Positive(t, r.Pager.Total)
	})
	t.Run("an own failure is unsure: it might be another's", func(t *testing.T) {
		r, err := alice.Call(t.Context(), legacy.Chat(0, "joinchat", "nosuch", true))
		require.NoError(t, err)
		require.Equal(t, legacy.Fail, r.Result)
		require.True(t, r.Unsure)
		require.Equal(t, "会话不存在。", r.Reason())
	})
	t.Run("a success that is told to others only is known by its fence", func(t *testing.T) {
		r, err := alice.Call(t.Context(), legacy.Chat(0, "addmember", "team", []int{4}, false)) // herself
		require.NoError(t, err)
		require.Equal(t, legacy.Success, r.Result)
		require.True(t, r.Unsure)
	})
	t.Run("a frame over the limit is not sent", func(t *testing.T) {
		_, err := bob.Call(t.Context(), message("team", "big", strings.Repeat("x", 20400), 5))
		_, ok := errors.AsType[*legacy.TooLargeError](err)
		require.True(t, ok, "%v", err)
		_, err = bob.Call(t.Context(), legacy.Chat(0, "ping"))
		require.NoError(t, err)
		_, err = bob.Call(t.Context(), message("team", "large", strings.Repeat("x", 20100), 5))
		require.NoError(t, err)
	})
	t.Run("the backend is down: an error, and the connection stays", func(t *testing.T) {
		s.xxb.SetFaults(xuanxuan.Fault{Status: 500}) // the fence fails too
		for range 2 {
			_, err := bob.Call(t.Context(), legacy.Chat(0, "history", "team", 5, 1, 0, false, 0))
			require.ErrorContains(t, err, "backend did not answer")
			_, err = bob.Call(t.Context(), legacy.Chat(0, "ping"))
			require.ErrorContains(t, err, "backend did not answer")
		}
		s.xxb.SetFaults(xuanxuan.Fault{Method: "history", Status: 500})
		_, err := bob.Call(t.Context(), legacy.Chat(0, "history", "team", 5, 1, 0, false, 0))
		require.ErrorContains(t, err, "backend did not answer")
		s.xxb.SetFaults()
		_, err = bob.Call(t.Context(), legacy.Chat(0, "history", "team", 5, 1, 0, false, 0))
		require.NoError(t, err)
	})
}

// TestNobodyTakesAnothersAnswer has many call at once, half of them in vain.
func TestNobodyTakesAnothersAnswer(t *testing.T) {
	s := start(t, xuanxuan.XXDOptions{})
	accounts := []string{"demo", "demo8", "alice", "bob", "carol"}
	ids := []int{2, 3, 4, 5, 6}
	conns := make([]*xxd.Conn, len(accounts))
	for i, a := range accounts {
		conns[i], _ = s.dial(t, a)
	}
	group(t, conns[0], "team", ids...)
	var wg sync.WaitGroup
	for i, c := range conns {
		u := legacy.UserID(ids[i])
		wg.Go(func() {
			for n := range 40 {
				gid := fmt.Sprintf("%d-%d", u, n)
				r, err := c.Call(t.Context(), message("team", gid, gid, u))
				if err != nil || r.Result != legacy.Success || r.Unsure || !strings.Contains(string(r.Data), gid) {
					t.Errorf("message %s: %+v %v", gid, r, err)
				}
				r, err = c.Call(t.Context(), message("nosuch", gid+"x", "x", u))
				if err != nil || r.Result != legacy.Fail {
					t.Errorf("message in vain: %+v %v", r, err)
				}
				r, err = c.Call(t.Context(), legacy.Chat(0, "joinchat", "nosuch", true))
				if err != nil || r.Result != legacy.Fail {
					t.Errorf("join in vain: %+v %v", r, err)
				}
			}
		})
		wg.Go(func() { // read, or the connection is lost
			for seen := 0; seen < 40*len(conns); {
				p, err := c.Next(t.Context())
				if err != nil {
					t.Errorf("next: %v", err)
					return
				}
				if named("message")(p) {
					seen++
				}
			}
		})
	}
	wg.Wait()
}

func TestEnds(t *testing.T) {
	s := start(t, xuanxuan.XXDOptions{PingInterval: 20 * time.Millisecond, ReadDeadline: time.Second})
	t.Run("kicked out by another sign-in", func(t *testing.T) {
		first, _ := s.dial(t, "alice")
		s.dial(t, "alice")
		_, err := nextError(t, first)
		require.ErrorIs(t, err, legacy.ErrKicked)
		_, err = first.Call(t.Context(), legacy.Chat(0, "ping"))
		require.ErrorIs(t, err, legacy.ErrKicked)
	})
	t.Run("dropped", func(t *testing.T) {
		bob, _ := s.dial(t, "bob")
		_, err := bob.Call(t.Context(), legacy.Chat(0, "ping")) // xxd is done with the login by then
		require.NoError(t, err)
		require.True(t, s.xxd.Drop(5))
		_, err = nextError(t, bob)
		require.Error(t, err)
		require.NotErrorIs(t, err, legacy.ErrKicked)
	})
	t.Run("pongs keep it, far beyond the deadline", func(t *testing.T) {
		carol, _ := s.dial(t, "carol")
		for end := time.Now().Add(2500 * time.Millisecond); time.Now().Before(end); {
			_, err := carol.Call(t.Context(), legacy.Chat(0, "ping"))
			require.NoError(t, err)
		}
	})
	t.Run("closed by us, twice", func(t *testing.T) {
		dave, _ := s.dial(t, "dave")
		require.NoError(t, dave.Close())
		require.NoError(t, dave.Close())
		_, err := nextError(t, dave)
		require.ErrorIs(t, err, legacy.ErrClosed)
	})
	t.Run("an abandoned call's answer is not taken for the next one's", func(t *testing.T) {
		demo8, _ := s.dial(t, "demo8")
		s.xxb.SetFaults(xuanxuan.Fault{Method: "history", Delay: 120 * time.Millisecond, Times: 1})
		defer s.xxb.SetFaults()
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		_, err := demo8.Call(ctx, legacy.Chat(0, "history", "one", 5, 1, 0, false, 0))
		require.ErrorIs(t, err, context.DeadlineExceeded)
		r, err := demo8.Call(t.Context(), legacy.Chat(0, "members", "two"))
		require.NoError(t, err)
		require.Contains(t, string(r.Data), "two")
	})
	t.Run("given up with the request", func(t *testing.T) {
		demo, _ := s.dial(t, "demo")
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := demo.Call(ctx, legacy.Chat(0, "ping"))
		require.ErrorIs(t, err, context.Canceled)
	})
}

func TestSilence(t *testing.T) {
	s := start(t, xuanxuan.XXDOptions{PingInterval: time.Hour, ReadDeadline: 2 * time.Hour})
	quiet, err := xxd.New(xxd.Config{URL: s.xxd.URL(), Insecure: true, Silence: 50 * time.Millisecond})
	require.NoError(t, err)
	defer quiet.Close()
	c, _, err := quiet.Dial(t.Context(), "alice", md5)
	require.NoError(t, err)
	defer c.Close()
	_, err = nextError(t, c)
	require.ErrorContains(t, err, "timeout")
}

func nextError(t *testing.T, c *xxd.Conn) (n int, err error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for ; ; n++ {
		if _, err = c.Next(ctx); err != nil {
			require.False(t, errors.Is(err, context.DeadlineExceeded))
			return n, err
		}
	}
}
