package xuanxuan

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestUserChange(t *testing.T) {
	change := func(t *testing.T, s *Backend, fields map[string]any) reply {
		return call(t, s, 4, "userchange", fields)
	}

	t.Run("nothing editable is null, told to everybody", func(t *testing.T) {
		s := newGroup(t, Options{})
		for _, fields := range []map[string]any{{}, {"email": ""}, {"admin": "super", "realname": "X", "deleted": 1, "id": 5}} {
			got := change(t, s, fields)
			require.Equal(t, "success", got.Result)
			require.Nil(t, got.Data)
			require.Equal(t, []any{4.0, 5.0, 6.0}, got.Users)
		}
		u := call(t, s, 4, "userGetlist", "4").rows()[0]
		require.Equal(t, "Alice", u["realname"])
		require.Equal(t, "no", u["admin"])
	})
	t.Run("a status that is none is empty and counts as online", func(t *testing.T) {
		s := newGroup(t, Options{})
		got := change(t, s, map[string]any{"status": "dancing"})
		require.Equal(t, "", got.object()["status"])
		require.Equal(t, "", got.object()["clientStatus"])
		require.Equal(t, []any{4.0, 5.0, 6.0}, got.Users)
	})
	t.Run("offline leaves the caller out of his own answer", func(t *testing.T) {
		require.Equal(t, []any{5.0, 6.0}, change(t, newGroup(t, Options{}), map[string]any{"status": "offline"}).Users)
	})
	t.Run("fields are cut as their columns are", func(t *testing.T) {
		got := change(t, newGroup(t, Options{}), map[string]any{"mobile": "123456789012345", "site": "a😀", "gender": "x"}).object()
		require.Equal(t, "12345678901", got["mobile"])
		require.Equal(t, "a????", got["site"])
		require.Equal(t, "", got["gender"])
	})
	t.Run("account and password together set the password", func(t *testing.T) {
		s := newGroup(t, Options{})
		require.Nil(t, change(t, s, map[string]any{"password": md5Hex("new")}).Data)
		require.NotNil(t, change(t, s, map[string]any{"account": "alice", "password": md5Hex("new")}).Data)
		require.Equal(t, "fail", signIn(t, s, "alice", DemoPassword).Result)
		require.Equal(t, "success", signIn(t, s, "alice", "new").Result)
	})
}

func TestCheckUserChange(t *testing.T) {
	c := &clock{now: atRecording()}
	s := newBackend(t, Options{Now: c.Now})
	check := func() any { return call(t, s, 0, "checkUserChange", "").Data }
	ctx := t.Context()

	require.Equal(t, "no", check())
	call(t, s, 4, "userchange", map[string]any{"email": "a@example.com"})
	require.Equal(t, "no", check(), "what users change themselves does not count")
	for name, change := range map[string]func() error{
		"created": func() error { return s.AddUser(ctx, Eve()) },
		"edited":  func() error { return s.TouchUser(ctx, 4) },
		"deleted": func() error { return s.DeleteUser(ctx, 5) },
	} {
		require.NoError(t, change())
		require.Equal(t, "yes", check(), name)
		c.move(time.Minute - time.Second)
		require.Equal(t, "yes", check(), name)
		c.move(time.Second)
		require.Equal(t, "no", check(), name)
	}
	require.Contains(t, call(t, s, 4, "userGetlist", "").column("account"), "eve")
}

func TestDepartments(t *testing.T) {
	t.Run("an installation without departments answers a list", func(t *testing.T) {
		require.Contains(t, call(t, newBackend(t, Options{Departments: []Department{}}), 4, "userGetlist", "").raw, `"depts":[]`)
	})
	t.Run("a poll of xxd names no recipient", func(t *testing.T) {
		got := ask(t, newBackend(t, Options{}), map[string]any{"module": "chat", "method": "userGetlist", "params": []any{""}})
		require.Contains(t, got.raw, `"users":[]`)
		require.Len(t, got.rows(), 7)
	})
}

func TestOptions(t *testing.T) {
	ctx := t.Context()
	t.Run("a key must have 32 characters", func(t *testing.T) {
		_, err := NewBackend(ctx, Options{Key: "short"})
		require.ErrorContains(t, err, "32")
	})
	t.Run("users need an id and an account, once", func(t *testing.T) {
		for _, users := range [][]User{{{Account: "x"}}, {{ID: 1}}, {{ID: 1, Account: "x"}, {ID: 2, Account: "X"}}} {
			_, err := NewBackend(ctx, Options{Users: users})
			require.ErrorContains(t, err, "seed database: user")
		}
	})
	t.Run("an installation may have no users", func(t *testing.T) {
		require.Empty(t, call(t, newBackend(t, Options{Users: []User{}}), 4, "userGetlist", "").rows())
	})
	t.Run("a file that cannot be written is an error", func(t *testing.T) {
		_, err := NewBackend(ctx, Options{File: t.TempDir() + "/missing/x.db"})
		require.ErrorContains(t, err, "make tables")
	})
	t.Run("a file keeps everything, odd names included", func(t *testing.T) {
		file := t.TempDir() + "/a b?c%20#.db"
		first, err := NewBackend(ctx, Options{File: file})
		require.NoError(t, err)
		call(t, first, 4, "create", "g", "G", "group", []any{4}, 0, false)
		login(t, first, "alice")
		require.NoError(t, first.Close())
		require.FileExists(t, file)
		second := newBackend(t, Options{File: file, Users: []User{{ID: 9, Account: "other"}}})
		require.Len(t, call(t, second, 4, "getlist").rows(), 2)
		require.Equal(t, []any{4.0, 5.0}, signIn(t, second, "bob", DemoPassword).Users)
	})
}
