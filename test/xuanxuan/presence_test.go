package xuanxuan

import (
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A clock stands still until it is moved.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) move(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func TestLock(t *testing.T) {
	const locked, wrong = "成员已经被锁定，请10分钟后再重新尝试登录", "登录失败，请检查您的成员名或密码是否填写正确。"
	newServer := func(t *testing.T) (*Backend, *clock) {
		c := &clock{now: atRecording()}
		return newBackend(t, Options{Now: c.Now}), c
	}

	t.Run("the third wrong try locks the account for ten minutes", func(t *testing.T) {
		s, c := newServer(t)
		require.Equal(t, wrong, signIn(t, s, "bob", "no").Data)
		require.Equal(t, wrong, signIn(t, s, "bob", "no").Data)
		require.Equal(t, locked, signIn(t, s, "bob", "no").Data)
		require.Equal(t, locked, signIn(t, s, "bob", DemoPassword).Data)
		c.move(10*time.Minute - time.Second)
		require.Equal(t, locked, signIn(t, s, "bob", DemoPassword).Data)
		c.move(time.Second)
		require.Equal(t, "success", signIn(t, s, "bob", DemoPassword).Result)
	})
	t.Run("after two wrong tries the right one locks too, for its first comparison fails", func(t *testing.T) {
		s, _ := newServer(t)
		signIn(t, s, "bob", "no")
		signIn(t, s, "bob", "no")
		require.Equal(t, locked, signIn(t, s, "bob", DemoPassword).Data)
	})
	t.Run("a good login forgets the wrong ones", func(t *testing.T) {
		s, _ := newServer(t)
		for range 3 {
			require.Equal(t, wrong, signIn(t, s, "bob", "no").Data)
			require.Equal(t, "success", signIn(t, s, "bob", DemoPassword).Result)
		}
	})
	t.Run("an administrator locks for days or for ever", func(t *testing.T) {
		s, c := newServer(t)
		require.NoError(t, s.LockUser(t.Context(), 5, c.Now().Add(30*time.Hour)))
		require.Equal(t, "成员已经被锁定，请2天后再重新尝试登录", signIn(t, s, "bob", DemoPassword).Data)
		require.NoError(t, s.LockUser(t.Context(), 5, c.Now().AddDate(10, 0, 0)))
		require.Equal(t, "成员已经被永久禁用。", signIn(t, s, "bob", DemoPassword).Data)
	})
	t.Run("who is locked or deleted does not hear what is told to everybody", func(t *testing.T) {
		s, c := newServer(t)
		login(t, s, "alice", "bob", "carol", "dave")
		require.NoError(t, s.LockUser(t.Context(), 5, c.Now().Add(time.Hour)))
		require.NoError(t, s.DeleteUser(t.Context(), 6))
		require.Equal(t, []any{4.0, 7.0}, call(t, s, 4, "userchange", map[string]any{"status": "busy"}).Users)
	})
	t.Run("who is locked or deleted is in no list, but a locked one stays in the system chat", func(t *testing.T) {
		s, c := newServer(t)
		require.NoError(t, s.LockUser(t.Context(), 5, c.Now().Add(time.Hour)))
		require.NoError(t, s.DeleteUser(t.Context(), 6))
		require.Equal(t, []any{1.0, 2.0, 3.0, 4.0, 7.0}, call(t, s, 4, "userGetlist", "").column("id"))
		require.Equal(t, []any{5.0, 6.0}, call(t, s, 4, "userGetlist", []any{5, 6}).column("id"))
		system, err := s.SystemChat(t.Context())
		require.NoError(t, err)
		require.Equal(t, []any{1.0, 2.0, 3.0, 4.0, 5.0, 7.0}, call(t, s, 4, "members", system).object()["members"])
		require.Equal(t, "fail", signIn(t, s, "carol", DemoPassword).Result)
	})
}

func TestLogin(t *testing.T) {
	ask := func(t *testing.T, s *Backend, account, password, status string) reply {
		return ask(t, s, map[string]any{"module": "chat", "method": "login", "params": []any{"any server", account, password, status}, "v": "2.3.0", "lang": "en"})
	}
	stored := md5Hex(md5Hex(DemoPassword) + "bob")

	t.Run("the stored hash is as good as the password's", func(t *testing.T) {
		require.Equal(t, "success", ask(t, newBackend(t, Options{}), "bob", stored, "online").Result)
	})
	t.Run("the plain password is refused", func(t *testing.T) {
		require.Equal(t, "Login failed, please check you account and password.", ask(t, newBackend(t, Options{}), "bob", DemoPassword, "online").Data)
	})
	t.Run("any status but online is a check only", func(t *testing.T) {
		s := newBackend(t, Options{})
		for _, status := range []string{"", "away", "busy", "Online"} {
			got := ask(t, s, "bob", md5Hex(DemoPassword), status)
			require.Equal(t, "success", got.Result)
			require.NotContains(t, got.raw, "users")
			require.NotContains(t, got.raw, "data")
		}
		require.Equal(t, []any{4.0}, signIn(t, s, "alice", DemoPassword).Users)
	})
	t.Run("the day's first login is its time of signing in", func(t *testing.T) {
		c := &clock{now: atRecording()}
		s := newBackend(t, Options{Now: c.Now})
		signed := func() any { return signIn(t, s, "bob", DemoPassword).object()["signed"] }
		require.EqualValues(t, recordedFrom, signed())
		c.move(time.Hour)
		require.EqualValues(t, recordedFrom, signed())
		c.move(24 * time.Hour)
		require.EqualValues(t, recordedFrom+25*3600, signed())
	})
	t.Run("without attendance signed is empty", func(t *testing.T) {
		require.Equal(t, "", signIn(t, newBackend(t, Options{NoSignIn: true}), "bob", DemoPassword).object()["signed"])
	})
	t.Run("addresses are those the caller used", func(t *testing.T) {
		users := DemoUsers()
		users[4].Avatar = "/data/bob.png"
		got := signIn(t, newBackend(t, Options{Users: users}), "bob", DemoPassword)
		require.Contains(t, got.raw, `"ranzhiUrl":"http:\/\/example.com"`)
		require.Contains(t, got.raw, `"avatar":"http:\/\/example.com\/data\/bob.png"`)
	})
}

func TestServerStart(t *testing.T) {
	s := newGroup(t, Options{})
	w := post(s, `{"module":"chat","method":"serverStart"}`)
	require.Equal(t, 200, w.Code)
	require.Zero(t, w.Body.Len())
	require.Equal(t, []any{7.0}, signIn(t, s, "dave", DemoPassword).Users, "everybody else is offline")
	require.Len(t, call(t, s, 7, "getlist").rows(), 2, "no second system chat")
}
