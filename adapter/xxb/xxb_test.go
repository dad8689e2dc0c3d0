package xxb_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/xuangate/xuangate/adapter/legacy"
	"github.com/xuangate/xuangate/adapter/xxb"
	"github.com/xuangate/xuangate/test/xuanxuan"
)

func start(t *testing.T) (*xxb.Client, *xuanxuan.Server) {
	server, err := xuanxuan.Start(t.Context(), xuanxuan.Options{}, "127.0.0.1:0")
	require.NoError(t, err)
	client := newClient(t, server.URL(), xuanxuan.DefaultKey)
	t.Cleanup(func() {
		client.Close()
		require.NoError(t, server.Close())
	})
	return client, server
}

func newClient(t *testing.T, url, key string) *xxb.Client {
	k, err := legacy.NewKey(key)
	require.NoError(t, err)
	return xxb.New(xxb.Config{URL: url, Key: k})
}

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestCall(t *testing.T) {
	client, _ := start(t)
	t.Run("an answer comes back decoded", func(t *testing.T) {
		r, err := client.Call(t.Context(), legacy.Chat(4, "getlist"))
		require.NoError(t, err)
		require.Equal(t, legacy.Success, r.Result)
		var rows []legacy.ChatRow
		require.NoError(t, r.Decode(&rows))
		require.True(t, rows[0].System())
		require.Len(t, rows[0].Members, 7)
	})
	t.Run("a refusal is an answer", func(t *testing.T) {
		r, err := client.Call(t.Context(), legacy.Chat(4, "joinchat", "nosuch", true))
		require.NoError(t, err)
		require.Equal(t, legacy.Fail, r.Result)
		require.Equal(t, "会话不存在。", r.Reason())
	})
	t.Run("serverStart is answered by the status alone", func(t *testing.T) {
		r, err := client.Call(t.Context(), legacy.Chat(0, "serverStart"))
		require.NoError(t, err)
		require.Equal(t, legacy.Success, r.Result)
	})
	t.Run("notify takes an object and no user", func(t *testing.T) {
		r, err := client.Call(t.Context(), legacy.Call{Module: "chat", Method: "notify", Params: map[string]any{"offline": nil, "sendfail": map[string]any{}}})
		require.NoError(t, err)
		require.Equal(t, legacy.Success, r.Result)
	})
}

func TestNoAnswer(t *testing.T) {
	client, server := start(t)
	ping := legacy.Chat(4, "ping")
	for name, c := range map[string]struct {
		fault xuanxuan.Fault
		want  string
	}{
		"dropped":       {xuanxuan.Fault{Drop: true}, "EOF"},
		"status 500":    {xuanxuan.Fault{Status: 500}, "status 500"},
		"status 302":    {xuanxuan.Fault{Status: 302}, "status 302"},
		"empty":         {xuanxuan.Fault{Status: 200}, "empty answer"},
		"a PHP warning": {xuanxuan.Fault{Status: 200, Body: []byte("<br />\n<b>Warning</b>: oops")}, "not a legacy envelope"},
	} {
		t.Run(name, func(t *testing.T) {
			server.SetFaults(c.fault)
			defer server.SetFaults()
			_, err := client.Call(t.Context(), ping)
			require.ErrorContains(t, err, c.want)
			require.ErrorContains(t, err, "chat/ping")
		})
	}
	t.Run("too slow", func(t *testing.T) {
		server.SetFaults(xuanxuan.Fault{Delay: time.Minute})
		defer server.SetFaults()
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		_, err := client.Call(ctx, ping)
		require.ErrorIs(t, err, context.DeadlineExceeded)
	})
	t.Run("another key", func(t *testing.T) {
		other := newClient(t, server.URL(), strings.Repeat("7", 32))
		defer other.Close()
		_, err := other.Call(t.Context(), ping)
		require.Error(t, err)
	})
	t.Run("nobody listens", func(t *testing.T) {
		_, err := newClient(t, "http://127.0.0.1:1/xuanxuan.php", xuanxuan.DefaultKey).Call(t.Context(), ping)
		require.ErrorContains(t, err, "refused")
	})
	t.Run("an answer to another call", func(t *testing.T) {
		k, err := legacy.NewKey(xuanxuan.DefaultKey)
		require.NoError(t, err)
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write(k.Seal([]byte(`{"module":"chat","method":"kickoff","data":"Illegal Requset."}`)))
		}))
		defer srv.Close()
		stray := newClient(t, srv.URL, xuanxuan.DefaultKey)
		defer stray.Close()
		_, err = stray.Call(t.Context(), ping)
		require.ErrorContains(t, err, "kickoff")
	})
}

func TestConnectionsAreKept(t *testing.T) {
	k, err := legacy.NewKey(xuanxuan.DefaultKey)
	require.NoError(t, err)
	peers := map[string]bool{}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		peers[r.RemoteAddr] = true
		_, _ = w.Write(k.Seal([]byte(`{"module":"chat","method":"ping","result":"success"}`)))
	}))
	defer srv.Close()
	client := newClient(t, srv.URL, xuanxuan.DefaultKey)
	defer client.Close()
	for range 10 {
		_, err := client.Call(t.Context(), legacy.Chat(4, "ping"))
		require.NoError(t, err)
	}
	require.Len(t, peers, 1)
}
