package xuanxuan

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/xuangate/xuangate/adapter/legacy"
)

const kickoff = `{"module":"chat","method":"kickoff","data":"Illegal Requset.","lang":"zh-cn","v":"2.2.0"}`

func TestUnreadableRequests(t *testing.T) {
	s := newBackend(t, Options{})
	other, err := legacy.NewKey("99999999999999999999999999999999")
	require.NoError(t, err)
	for name, body := range map[string][]byte{
		"empty":           {},
		"not encrypted":   []byte(`{"module":"chat","method":"ping"}`),
		"another key":     other.Seal([]byte(`{"module":"chat","method":"ping","userID":4}`)),
		"not JSON":        s.key.Seal([]byte(`{"module":`)),
		"two JSON texts":  s.key.Seal([]byte(`{"module":"chat","method":"ping"} {}`)),
		"no object":       s.key.Seal([]byte(`["chat","ping"]`)),
		"not UTF-8":       s.key.Seal([]byte("{\"module\":\"chat\",\"method\":\"ping\",\"v\":\"\xff\"}")),
		"a number's name": s.key.Seal([]byte(`{"module":"chat","method":5}`)),
	} {
		t.Run(name, func(t *testing.T) {
			w := httptest.NewRecorder()
			s.ServeHTTP(w, httptest.NewRequest(http.MethodPost, Path, bytes.NewReader(body)))
			require.Equal(t, http.StatusOK, w.Code)
			plain, err := s.key.Open(w.Body.Bytes())
			require.NoError(t, err)
			require.Equal(t, kickoff, string(plain))
		})
	}

	t.Run("another path is not found", func(t *testing.T) {
		w := httptest.NewRecorder()
		s.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/index.php", nil))
		require.Equal(t, http.StatusNotFound, w.Code)
	})
	t.Run("a query after the path is fine", func(t *testing.T) {
		w := httptest.NewRecorder()
		s.ServeHTTP(w, httptest.NewRequest(http.MethodPost, Path+"?x=1", bytes.NewReader(s.key.Seal([]byte(`{"module":"chat","method":"ping"}`)))))
		require.Equal(t, http.StatusOK, w.Code)
	})
}

func TestParams(t *testing.T) {
	s := newBackend(t, Options{})
	for _, c := range []struct{ name, frame, users string }{
		{"the caller stands behind the last param", `"params":[],"userID":4`, `[4]`},
		{"too many params shift somebody else into his place", `"params":[5],"userID":4`, `[5]`},
		{"no params at all", `"userID":4`, `[4]`},
		{"a text is one param", `"params":"abc","userID":4`, `["abc"]`},
		{"an object has no caller", `"params":{"b":7,"a":8},"userID":4`, `[7]`},
		{"a user id is echoed with its type", `"params":[],"userID":"4"`, `["4"]`},
		{"user 0 is an empty text", `"params":[],"userID":0`, `[""]`},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := post(s, `{"module":"CHAT","method":"Ping",`+c.frame+`,"v":"2.3.0"}`)
			plain, err := s.key.Open(w.Body.Bytes())
			require.NoError(t, err)
			require.Equal(t, `{"module":"chat","method":"ping","result":"success","users":`+c.users+`,"lang":"zh-cn","v":"2.2.0"}`, string(plain))
		})
	}

	t.Run("an odd name among them is a bad request in clear", func(t *testing.T) {
		require.Equal(t, "Bad Request!", post(s, `{"module":"chat","method":"ping","params":{"a-b":1}}`).Body.String())
	})
	t.Run("a setting without a value stores the caller's number", func(t *testing.T) {
		got := call(t, s, 4, "settings", "alice")
		require.Equal(t, []any{"2.3.0"}, got.Users)
		require.Equal(t, 4.0, call(t, s, 5, "settings", "alice", "").Data)
	})
}

func TestLanguages(t *testing.T) {
	s := newBackend(t, Options{})
	for lang, want := range map[any][2]string{
		"zh-cn": {"zh-cn", "会话不存在。"}, "zh-tw": {"zh-tw", "會話不存在。"}, "en": {"en", "Chat do not exist."},
		"fr": {"en", "Chat do not exist."}, "": {"zh-cn", "会话不存在。"}, 5: {"zh-cn", "会话不存在。"},
	} {
		got := ask(t, s, map[string]any{"module": "chat", "method": "dismiss", "params": []any{"nochat"}, "userID": 4, "v": "2.3.0", "lang": lang})
		require.Equal(t, want, [2]string{got.Lang, got.Message}, "lang %v", lang)
	}
}
