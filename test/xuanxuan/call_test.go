package xuanxuan

import (
	"encoding/json"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

// A reply is an answer as a lenient client reads it.
type reply struct {
	Module, Method, Result, Message string
	Users                           []any
	Data                            any
	Pager                           map[string]any
	Partial                         any
	Lang, V                         string
	raw                             string
	size                            int // sealed
}

// object returns the data as an object.
func (r reply) object() map[string]any {
	o, _ := r.Data.(map[string]any)
	return o
}

// rows returns the data as a list of objects.
func (r reply) rows() []map[string]any {
	list, _ := r.Data.([]any)
	rows := make([]map[string]any, len(list))
	for i, v := range list {
		rows[i], _ = v.(map[string]any)
	}
	return rows
}

// column returns one field of all rows.
func (r reply) column(name string) []any {
	list := []any{}
	for _, row := range r.rows() {
		list = append(list, row[name])
	}
	return list
}

// call makes a call of module chat as a client sends it, and expects an answer.
func call(t testing.TB, s *Backend, user int, method string, params ...any) reply {
	t.Helper()
	if params == nil {
		params = []any{}
	}
	return ask(t, s, map[string]any{"module": "chat", "method": method, "params": params, "userID": user, "v": "2.3.0", "lang": "zh-cn"})
}

// ask sends any frame and expects an answer.
func ask(t testing.TB, s *Backend, frame map[string]any) reply {
	t.Helper()
	text, err := json.Marshal(frame)
	require.NoError(t, err)
	w := post(s, string(text))
	require.Equal(t, http.StatusOK, w.Code, string(text))
	plain, err := s.key.Open(w.Body.Bytes())
	require.NoError(t, err)
	var r reply
	require.NoError(t, json.Unmarshal(plain, &r), string(plain))
	r.raw = string(plain)
	return r
}

// login sets users online.
func login(t testing.TB, s *Backend, accounts ...string) {
	t.Helper()
	for _, a := range accounts {
		require.Equal(t, "success", signIn(t, s, a, DemoPassword).Result)
	}
}

func signIn(t testing.TB, s *Backend, account, password string) reply {
	t.Helper()
	return ask(t, s, map[string]any{"module": "chat", "method": "login", "params": []any{"", account, md5Hex(password), "online"}, "v": "2.3.0", "lang": "zh-cn"})
}
