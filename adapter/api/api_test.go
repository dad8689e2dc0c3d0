package api

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/xuangate/xuangate/adapter/legacy"
	"github.com/xuangate/xuangate/test/xuanxuan"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const code, token = "myAppCode", "f5633c34c0c551a16c1d63bceb38d6a8"

func newClient(t *testing.T, url string) *Client {
	c, err := New(Config{URL: url, Code: code, Token: token})
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return c
}

func TestTheReferenceServer(t *testing.T) {
	s, err := xuanxuan.Start(t.Context(), xuanxuan.Options{AppCode: code, AppToken: token}, "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	c := newClient(t, s.APIURL())
	ask := func(method string, params any) legacy.Response {
		r, err := c.Call(t.Context(), legacy.Call{Module: "chat", Method: method, Params: params})
		require.NoError(t, err)
		return r
	}
	require.JSONEq(t, `[]`, string(ask("getChatGroups", nil).Data))
	var names map[string]string
	require.NoError(t, ask("getChatUsers", map[string]string{"gid": ""}).Decode(&names))
	require.Equal(t, "成程程", names["3"])
	require.Equal(t, legacy.Success, ask("notifyMSG", map[string]any{"receiver": "users", "userList": []int{4}, "title": "任务", "contentType": "text"}).Result)
	for _, bad := range []map[string]any{
		{"receiver": "users", "title": "x", "contentType": "text"},
		{"receiver": "group", "gid": "nosuch", "title": "x", "contentType": "text"},
		{"receiver": "all", "title": "x", "contentType": "text"},
		{"receiver": "users", "userList": []int{4}, "contentType": "text"},
	} {
		r := ask("notifyMSG", bad)
		require.Equal(t, legacy.Fail, r.Result)
		require.NotEmpty(t, r.Reason())
	}
	require.Equal(t, legacy.Fail, ask("nosuch", nil).Result)
	for _, other := range []Config{{URL: s.APIURL(), Code: "other", Token: token}, {URL: s.APIURL(), Code: code, Token: "other"}, {URL: s.APIURL()}} {
		c, err := New(other)
		require.NoError(t, err)
		defer c.Close()
		r, err := c.Call(t.Context(), legacy.Call{Module: "chat", Method: "getChatGroups"})
		require.NoError(t, err)
		require.Equal(t, legacy.Fail, r.Result)
	}
}

func TestNoErrorHoldsTheToken(t *testing.T) {
	for name, answer := range map[string]http.HandlerFunc{
		"status":       func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) },
		"another page": func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>")) },
		"no result":    func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("{}")) },
		"hung up":      func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"a way elsewhere": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://127.0.0.1:1/", http.StatusFound)
		},
		"too late": func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
	} {
		t.Run(name, func(t *testing.T) {
			s := httptest.NewServer(answer)
			defer s.Close()
			c, err := New(Config{URL: s.URL + "/api.php", Code: code, Token: token})
			require.NoError(t, err)
			defer c.Close()
			c.http.Timeout = time.Second
			_, err = c.Call(t.Context(), legacy.Call{Module: "chat", Method: "getChatGroups"})
			require.Error(t, err)
			require.NotContains(t, err.Error(), token)
		})
	}
}
