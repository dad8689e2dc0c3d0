package v1_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/xuangate/xuangate/adapter/legacy"
	"github.com/xuangate/xuangate/adapter/v1"
	"github.com/xuangate/xuangate/test/xuanxuan"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	md5 = "e10adc3949ba59abbe56e057f20f883e" // of 123456
	// patience is how long a thing that should happen may take.
	patience = 20 * time.Second
)

type site struct {
	tables *xuanxuan.Backend
	old    *xuanxuan.V1
	server *v1.Server
}

// start starts a server without a site.
func start(t *testing.T, change ...func(*v1.Config)) *site {
	return startWith(t, xuanxuan.V1Options{}, append([]func(*v1.Config){func(c *v1.Config) { c.FilesURL = "" }}, change...)...)
}

func startWith(t *testing.T, o xuanxuan.V1Options, change ...func(*v1.Config)) *site {
	tables, err := xuanxuan.NewBackend(t.Context(), xuanxuan.Options{})
	require.NoError(t, err)
	s := &site{tables: tables}
	s.old, err = xuanxuan.StartV1(t.Context(), tables, o, "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoError(t, s.old.Close())
		require.NoError(t, tables.Close())
	})
	c := v1.Config{Addr: s.old.Addr(), FilesURL: s.old.FilesURL()}
	for _, f := range change {
		f(&c)
	}
	s.server, err = v1.New(c)
	require.NoError(t, err)
	t.Cleanup(s.server.Close)
	return s
}

func (s *site) dial(t *testing.T, account string) (*v1.Conn, legacy.Welcome) {
	t.Helper()
	c, w, err := s.server.Dial(t.Context(), account, md5)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	return c, w
}

// team signs alice and bob in and makes a group of them.
func team(t *testing.T, change ...func(*v1.Config)) (s *site, alice, bob *v1.Conn) {
	s = start(t, change...)
	alice, _ = s.dial(t, "alice")
	bob, _ = s.dial(t, "bob")
	ask(t, alice, "create", "team", "Team", "group", []int{4, 5}, 0, false)
	return s, alice, bob
}

// ask makes a call that must succeed.
func ask(t *testing.T, c *v1.Conn, method string, params ...any) legacy.Response {
	t.Helper()
	r, err := c.Call(t.Context(), legacy.Chat(0, method, params...))
	require.NoError(t, err)
	require.Equal(t, legacy.Success, r.Result, r.Reason())
	require.Equal(t, strings.ToLower(method), r.Method)
	return r
}

// as decodes an answer.
func as[T any](t *testing.T, r legacy.Response) (v T) {
	t.Helper()
	require.NoError(t, r.Decode(&v))
	return v
}

func draft(gid, contentType, content string) []legacy.DraftRow {
	return []legacy.DraftRow{{GID: legacy.MessageGID(gid), CGID: "team", User: 4, Type: "normal", ContentType: contentType, Content: content}}
}

// until reads pushes up to one of a method.
func until(t *testing.T, c *v1.Conn, method string) legacy.Push {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for {
		p, err := c.Next(ctx)
		require.NoError(t, err)
		require.Equal(t, strings.ToLower(p.Method), p.Method)
		if p.Method == method {
			return p
		}
	}
}

// end reads pushes up to the end of the connection, and returns why it came.
func end(t *testing.T, c *v1.Conn) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for {
		if _, err := c.Next(ctx); err != nil {
			require.NotErrorIs(t, err, context.DeadlineExceeded)
			return err
		}
	}
}

func TestDial(t *testing.T) {
	s := start(t)
	_, w := s.dial(t, "alice")
	require.Equal(t, legacy.Text("alice"), w.User.Account)
	require.Len(t, w.Users, 7)
	require.True(t, w.Chats[0].System())
	require.Empty(t, w.Messages)

	t.Run("what waited comes with the sign-in", func(t *testing.T) {
		alice, _ := s.dial(t, "alice")
		ask(t, alice, "create", "team", "Team", "group", []int{4, 5}, 0, false)
		ask(t, alice, "changename", "team", "Renamed")
		ask(t, alice, "message", draft("m", "text", "for later"))
		_, w := s.dial(t, "bob")
		require.Len(t, w.Messages, 1)
		require.Equal(t, legacy.Text("for later"), w.Messages[0].Content)
		require.Len(t, w.Chats, 2)
	})
	t.Run("a wrong password is told from trouble, and asked once", func(t *testing.T) {
		before := s.tables.Calls()["chat/login"]
		_, _, err := s.server.Dial(t.Context(), "carol", strings.Repeat("0", 32))
		require.ErrorIs(t, err, legacy.ErrPassword)
		require.Equal(t, before+1, s.tables.Calls()["chat/login"])
		s.tables.SetFaults(xuanxuan.Fault{Method: "login", Status: 500})
		defer s.tables.SetFaults()
		_, _, err = s.server.Dial(t.Context(), "carol", md5)
		require.ErrorContains(t, err, "MySQL")
		require.NotErrorIs(t, err, legacy.ErrPassword)
	})
	t.Run("garbage, half an answer, and none", func(t *testing.T) {
		defer s.old.SetFaults()
		for want, fault := range map[string]xuanxuan.V1Fault{
			"no answer": {Garbage: []byte("<br/>")}, "not asked": {Garbage: []byte(`{"result":"fail","sid":"x","module":"chat","method":"ping"}`)},
			"unexpected EOF": {Half: true}, "EOF": {Cut: true}, "names no user": {Garbage: []byte(`{"result":"success","data":false,"sid":"","module":"chat","method":"login"}`)},
		} {
			s.old.SetFaults(fault)
			_, _, err := s.server.Dial(t.Context(), "carol", md5)
			require.ErrorContains(t, err, want)
		}
		s.old.SetFaults(xuanxuan.V1Fault{Delay: time.Hour})
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		_, _, err := s.server.Dial(ctx, "carol", md5)
		require.Error(t, err)
	})
	t.Run("nobody listens", func(t *testing.T) {
		other, err := v1.New(v1.Config{Addr: "127.0.0.1:1"})
		require.NoError(t, err)
		_, _, err = other.Dial(t.Context(), "alice", md5)
		require.ErrorContains(t, err, "refused")
		require.ErrorContains(t, other.Probe(t.Context()), "refused")
	})
	t.Run("an address that is none", func(t *testing.T) {
		for _, addr := range []string{"", "host", ":8080", "host:", "http://host:1"} {
			_, err := v1.New(v1.Config{Addr: addr})
			require.Error(t, err, addr)
		}
	})
}

func TestProbe(t *testing.T) {
	s := start(t)
	require.NoError(t, s.server.Probe(t.Context()))
	s.tables.SetFaults(xuanxuan.Fault{Drop: true})
	require.ErrorContains(t, s.server.Probe(t.Context()), "MySQL")
	s.tables.SetFaults()
	s.old.SetFaults(xuanxuan.V1Fault{Garbage: []byte("220 smtp.example.com")})
	require.ErrorContains(t, s.server.Probe(t.Context()), "no answer")
	s.old.SetFaults(xuanxuan.V1Fault{Delay: time.Hour})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	require.Error(t, s.server.Probe(ctx))
	s.old.SetFaults()
}

func TestVerify(t *testing.T) {
	s := start(t)
	alice, _ := s.dial(t, "alice")
	t.Run("the password that a connection was made with costs nothing", func(t *testing.T) {
		before := s.tables.Calls()["chat/login"]
		require.NoError(t, s.server.Verify(t.Context(), "ALICE ", md5))
		require.Equal(t, before, s.tables.Calls()["chat/login"])
	})
	t.Run("a wrong one ends nothing", func(t *testing.T) {
		require.ErrorIs(t, s.server.Verify(t.Context(), "alice", strings.Repeat("0", 32)), legacy.ErrPassword)
		ask(t, alice, "ping")
	})
	t.Run("another one that is right ends the connection, and it is us who did it", func(t *testing.T) {
		require.NoError(t, s.tables.SetPassword(t.Context(), 4, "new"))
		require.NoError(t, s.server.Verify(t.Context(), "alice", "22af645d1859cb5ca6da0c484f1f37ea")) // of new
		require.ErrorContains(t, end(t, alice), "signed in again here")
	})
	t.Run("who is not connected is let in and out again", func(t *testing.T) {
		require.NoError(t, s.server.Verify(t.Context(), "bob", md5))
		require.Eventually(t, func() bool { return s.old.Stats().Connections == 0 }, patience, time.Millisecond)
	})
}

func TestEnds(t *testing.T) {
	t.Run("kicked out by a desktop", func(t *testing.T) {
		s, alice, _ := team(t)
		desktop, err := v1.New(v1.Config{Addr: s.old.Addr()})
		require.NoError(t, err)
		other, _, err := desktop.Dial(t.Context(), "alice", md5)
		require.NoError(t, err)
		defer other.Close()
		require.ErrorIs(t, end(t, alice), legacy.ErrKicked)
		_, err = alice.Call(t.Context(), legacy.Chat(0, "ping"))
		require.ErrorIs(t, err, legacy.ErrKicked)
		require.ErrorIs(t, err, legacy.ErrNotSent)
	})
	t.Run("replaced by ourselves", func(t *testing.T) {
		s, alice, _ := team(t)
		s.dial(t, "alice")
		err := end(t, alice)
		require.NotErrorIs(t, err, legacy.ErrKicked)
		require.ErrorContains(t, err, "signed in again here")
	})
	t.Run("dropped, and a server that is started anew", func(t *testing.T) {
		s, alice, bob := team(t)
		require.True(t, s.old.Drop(4))
		require.Error(t, end(t, alice))
		again, err := s.old.Restart(t.Context())
		require.NoError(t, err)
		s.old = again
		require.Error(t, end(t, bob))
		s.dial(t, "bob")
	})
	t.Run("an answer that is garbage, another's, or half ends the connection and the call", func(t *testing.T) {
		for _, fault := range []xuanxuan.V1Fault{
			{Garbage: []byte("<br/>")},
			{Garbage: []byte(`"x"`)},
			{Garbage: []byte(`[1]`)},
			{Half: true},
			{Cut: true},
			{Garbage: []byte(`{"result":"success","sid":"another","module":"chat","method":"members"}`)},
		} {
			s, alice, _ := team(t)
			s.old.SetFaults(fault)
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			_, err := alice.Call(ctx, legacy.Chat(0, "members", "team"))
			require.Error(t, err)
			require.NotErrorIs(t, err, context.DeadlineExceeded, "%+v", fault)
			require.NotErrorIs(t, err, legacy.ErrNotSent)
			require.Error(t, end(t, alice))
			require.NoError(t, alice.Close())
			s.old.SetFaults()
		}
	})
	t.Run("closed by us, twice; the others hear of it", func(t *testing.T) {
		_, alice, bob := team(t)
		require.NoError(t, alice.Close())
		require.NoError(t, alice.Close())
		require.ErrorIs(t, end(t, alice), legacy.ErrClosed)
		require.Contains(t, string(until(t, bob, "logout").Data), `"alice"`)
	})
	t.Run("closed while the server is stuck", func(t *testing.T) {
		s, alice, _ := team(t)
		s.old.SetFaults(xuanxuan.V1Fault{Delay: time.Hour})
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		_, err := alice.Call(ctx, legacy.Chat(0, "ping"))
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.NoError(t, alice.Close())
		s.old.SetFaults()
	})
	t.Run("an answer that does not come ends the connection after a while", func(t *testing.T) {
		s, alice, _ := team(t, func(c *v1.Config) { c.Stuck = 20 * time.Millisecond })
		s.old.SetFaults(xuanxuan.V1Fault{Delay: time.Hour})
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		_, err := alice.Call(ctx, legacy.Chat(0, "ping"))
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorContains(t, end(t, alice), "does not answer")
		s.old.SetFaults()
	})
	t.Run("a silent server is noticed, and a session kept alive", func(t *testing.T) {
		s, alice, _ := team(t, func(c *v1.Config) { c.Beat, c.Stuck = 10*time.Millisecond, 2*time.Second })
		require.Eventually(t, func() bool { return s.tables.Calls()["chat/ping"] > 5 }, patience, time.Millisecond)
		s.old.SetFaults(xuanxuan.V1Fault{Delay: time.Hour})
		require.ErrorContains(t, end(t, alice), "does not answer")
		s.old.SetFaults()
	})
	t.Run("a reader who falls behind loses the connection", func(t *testing.T) {
		s, alice, _ := team(t)
		many := strings.Repeat(`{"id":1,"module":"chat","method":"login","data":{"id":5}},`, 4097)
		s.old.SetFaults(xuanxuan.V1Fault{Garbage: []byte("[" + strings.TrimSuffix(many, ",") + "]")})
		_, err := alice.Call(t.Context(), legacy.Chat(0, "ping"))
		require.ErrorContains(t, err, "wait unread")
	})
}

func TestCallsTakeTurns(t *testing.T) {
	s, alice, _ := team(t)
	t.Run("an abandoned call's answer is not taken for the next one's", func(t *testing.T) {
		s.old.SetFaults(xuanxuan.V1Fault{Method: "history", Times: 1, Delay: time.Hour})
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		_, err := alice.Call(ctx, legacy.Chat(0, "history", "team", 5, 1, 0, false, 0))
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.NotErrorIs(t, err, legacy.ErrNotSent)
		_, err = alice.Call(ctx, legacy.Chat(0, "members", "team"))
		require.ErrorIs(t, err, legacy.ErrNotSent)
		s.old.SetFaults()
		require.Contains(t, string(ask(t, alice, "members", "team").Data), "team")
	})
	t.Run("many at once each get their own", func(t *testing.T) {
		errs := make(chan error, 100)
		for n := range cap(errs) {
			go func() {
				method, params, want := "members", []any{"team"}, `"members"`
				if n%2 == 0 {
					method, params, want = "hide", []any{"team", true}, `"hide"`
				}
				r, err := alice.Call(t.Context(), legacy.Chat(0, method, params...))
				if err == nil && !strings.Contains(string(r.Data), want) {
					err = errors.New("another's answer: " + string(r.Data))
				}
				errs <- err
			}()
		}
		for range cap(errs) {
			require.NoError(t, <-errs)
		}
	})
}
