package xuanxuan

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSettings(t *testing.T) {
	s := newBackend(t, Options{})
	get := func(account string) any { return call(t, s, 4, "settings", account, "").Data }

	t.Run("nothing stored is null", func(t *testing.T) {
		require.Contains(t, call(t, s, 4, "settings", "alice", "").raw, `"data":null`)
	})
	t.Run("anybody reads and writes anybody's, in any case", func(t *testing.T) {
		put := call(t, s, 5, "settings", "alice", map[string]any{"theme": "dark", "n": 1.5, "list": []any{}})
		require.Equal(t, []any{5.0}, put.Users)
		require.Equal(t, map[string]any{"theme": "dark", "n": 1.5, "list": []any{}}, put.Data)
		require.Equal(t, put.Data, get("ALICE "))
	})
	t.Run("an empty object is stored, an empty list asks", func(t *testing.T) {
		call(t, s, 4, "settings", "bob", map[string]any{})
		require.Equal(t, map[string]any{}, get("bob"))
		require.Equal(t, map[string]any{}, call(t, s, 4, "settings", "bob", []any{}).Data)
	})
	t.Run("they are ASCII in the database, so emoji live", func(t *testing.T) {
		call(t, s, 4, "settings", "bob", map[string]any{"mood": "😀"})
		require.Equal(t, map[string]any{"mood": "😀"}, get("bob"))
	})
	t.Run("an account with a dot has another's", func(t *testing.T) {
		call(t, s, 4, "settings", "bob.b", map[string]any{"whose": "not bob's"})
		require.Equal(t, map[string]any{"whose": "not bob's"}, get("bob"))
	})
	t.Run("what is too long for the column reads as null", func(t *testing.T) {
		require.NotNil(t, call(t, s, 4, "settings", "bob", map[string]any{"p": strings.Repeat("x", maxText)}).Data)
		require.Nil(t, get("bob"))
	})
}

func TestTodos(t *testing.T) {
	s := newBackend(t, Options{})
	list := func(user int) []map[string]any {
		return call(t, s, user, "getTodoes", "all", "unclosed", "date_asc", 0, 20, 1).rows()
	}

	made := call(t, s, 4, "upsertTodo", map[string]any{"name": "later", "date": "2026-12-01"})
	require.Equal(t, "1", made.object()["id"])
	call(t, s, 4, "upsertTodo", map[string]any{"name": "sooner", "date": "2026-11-01"})
	require.Empty(t, list(5), "todos are each user's own")
	rows := list(4)
	require.Equal(t, []any{"sooner", "later"}, []any{rows[0]["name"], rows[1]["name"]})
	require.Equal(t, "2", rows[0]["id"])

	call(t, s, 4, "upsertTodo", map[string]any{"id": 2, "status": "closed"})
	require.Len(t, list(4), 1)
	require.Equal(t, "Cannot delete todo item witch not yours.", call(t, s, 5, "upsertTodo", map[string]any{"id": 1, "delete": true}).Message)
	require.Equal(t, "later", call(t, s, 4, "upsertTodo", map[string]any{"id": 1, "delete": true}).object()["name"])
	require.Empty(t, list(4))
	require.Equal(t, "The todo param is not an object.", call(t, s, 4, "upsertTodo", "x").Message)
}

func TestVisit(t *testing.T) {
	s := newBackend(t, Options{Extensions: recordedExtensions})
	visit := func(params ...any) string {
		r := ask(t, s, map[string]any{"module": "entry", "method": "visit", "params": params, "userID": 4, "v": "2.3.0"})
		data, _ := r.Data.(string)
		return sessions.ReplaceAllString(data, "rid=SESSION")
	}
	require.Equal(t, "https://example.com/x?rid=SESSION", visit(1, ""))
	require.Equal(t, "http://example.com/crm/index.php?rid=SESSION", visit(2, ""))
	require.Equal(t, "https://example.com/y?a=1&rid=SESSION", visit(1, "https://example.com/y?a=1"))
	require.Equal(t, "back", visit(99, "back"))
}
