package xuanxuan

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// post sends a form to the HTTP port.
func (x *XXD) post(t *testing.T, path string, form url.Values) (*http.Response, string, error) {
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := client.PostForm(x.URL()+path, form)
	if err != nil {
		return nil, "", err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	return res, string(body), nil
}

// info asks for the server's information as a client does, and returns status and answer.
func (x *XXD) info(t *testing.T, path string, data any) (int, string) {
	text, err := json.Marshal(data)
	require.NoError(t, err)
	res, body, err := x.post(t, path, url.Values{"data": {string(text)}})
	require.NoError(t, err)
	require.Equal(t, "*", res.Header.Get("Access-Control-Allow-Origin"))
	return res.StatusCode, body
}

func verification(account, password string) map[string]any {
	return map[string]any{"module": "chat", "method": "login", "params": []any{"", account, md5Hex(password), ""}, "v": "2.3.0", "lang": "zh-cn"}
}

func TestServerInfo(t *testing.T) {
	s, x := newSite(t, Options{}, XXDOptions{UploadFileSize: 1000})
	t.Run("it tells key and port, and sets nobody online", func(t *testing.T) {
		status, body := x.info(t, "/serverInfo", verification("alice", DemoPassword))
		require.Equal(t, http.StatusOK, status)
		require.True(t, strings.HasSuffix(body, "\n"))
		var info struct {
			Token    string
			ChatPort int
			Size     int `json:"uploadFileSize"`
		}
		require.NoError(t, json.Unmarshal([]byte(body), &info))
		require.Equal(t, x.Token(), info.Token)
		require.Equal(t, x.ChatPort(), info.ChatPort)
		require.False(t, strings.HasSuffix(x.URL(), fmt.Sprint(":", info.ChatPort)), "another port")
		require.Equal(t, 1000, info.Size)
		require.Equal(t, "offline", call(t, s.Backend, 0, "userGetlist", "4").rows()[0]["status"])
	})
	t.Run("wrong and locked look the same", func(t *testing.T) {
		for range 3 {
			status, body := x.info(t, "/serverInfo", verification("bob", "wrong"))
			require.Equal(t, http.StatusUnauthorized, status)
			require.Empty(t, body)
		}
		status, _ := x.info(t, "/serverInfo", verification("bob", DemoPassword))
		require.Equal(t, http.StatusUnauthorized, status)
	})
	t.Run("any method is forwarded, so ping needs no password", func(t *testing.T) {
		ping := verification("nobody", "")
		ping["method"] = "ping"
		status, body := x.info(t, "/serverInfo", ping)
		require.Equal(t, http.StatusOK, status)
		require.Contains(t, body, x.Token())
	})
	t.Run("an unknown backend is 500", func(t *testing.T) {
		unknown := verification("alice", DemoPassword)
		unknown["params"].([]any)[0] = "nosuch"
		status, body := x.info(t, "/serverInfo", unknown)
		require.Equal(t, http.StatusInternalServerError, status)
		require.Empty(t, body)
	})
	t.Run("so is data that is no object", func(t *testing.T) {
		for _, data := range []string{"", "x", "[]", "null"} {
			res, body, err := x.post(t, "/serverInfo", url.Values{"data": {data}})
			require.NoError(t, err)
			require.Equal(t, http.StatusInternalServerError, res.StatusCode)
			require.Empty(t, body)
		}
	})
	t.Run("so is a backend that is down", func(t *testing.T) {
		s.SetFaults(Fault{Status: 500})
		defer s.SetFaults()
		status, _ := x.info(t, "/serverInfo", verification("alice", DemoPassword))
		require.Equal(t, http.StatusInternalServerError, status)
	})
	t.Run("without data, or a name in it, there is no answer", func(t *testing.T) {
		for _, form := range []url.Values{{}, {"data": {`{"params":[]}`}}, {"data": {`{"params":[1]}`}}} {
			_, _, err := x.post(t, "/serverInfo", form)
			require.ErrorIs(t, err, io.EOF)
		}
	})
	t.Run("2.x has no sysGetServerInfo, and no websocket on this port", func(t *testing.T) {
		for _, path := range []string{"/sysGetServerInfo", "/ws"} {
			res, _, err := x.post(t, path, url.Values{})
			require.NoError(t, err)
			require.Equal(t, http.StatusNotFound, res.StatusCode)
		}
	})
}

func TestSysGetServerInfo(t *testing.T) {
	s, x := newSite(t, Options{}, XXDOptions{SysInfo: true})
	ask := func(account, password, version string) (int, map[string]any) {
		status, body := x.info(t, "/sysGetServerInfo", map[string]any{
			"method": "sysGetServerInfo", "params": []any{"", account, md5Hex(password), version}, "v": "2.4.0", "d": "desktop", "lang": "en",
		})
		info := map[string]any{}
		if status == http.StatusOK {
			require.NoError(t, json.Unmarshal([]byte(body), &info))
		}
		return status, info
	}
	t.Run("it tells all that it should", func(t *testing.T) {
		status, info := ask("alice", DemoPassword, "2.9.0")
		require.Equal(t, http.StatusOK, status)
		require.Equal(t, map[string]any{
			"version": "v2.4.0", "token": x.Token(), "uploadFileSize": float64(32 << 20), "chatPort": float64(x.ChatPort()),
			"apiScheme": map[string]any{"version": "3.0.0"}, "clientUpdate": map[string]any{}, "push": map[string]any{},
		}, info)
		_, info = ask("alice", DemoPassword, "3.0.0")
		require.Equal(t, true, info["apiScheme"], "the client has it already")
	})
	t.Run("wrong is 401, and locks at the third try: 402", func(t *testing.T) {
		for _, want := range []int{401, 401, 402} {
			status, _ := ask("bob", "wrong", "")
			require.Equal(t, want, status)
		}
		status, _ := ask("bob", DemoPassword, "")
		require.Equal(t, 402, status)
		status, _ = ask("nobody", DemoPassword, "")
		require.Equal(t, 401, status)
	})
	t.Run("locked for days is 402, for good 403", func(t *testing.T) {
		require.NoError(t, s.LockUser(t.Context(), 6, time.Now().Add(72*time.Hour)))
		status, _ := ask("carol", DemoPassword, "")
		require.Equal(t, 402, status)
		require.NoError(t, s.LockUser(t.Context(), 6, time.Now().AddDate(50, 0, 0)))
		status, _ = ask("carol", DemoPassword, "")
		require.Equal(t, 403, status)
	})
	t.Run("what is no such request is 500", func(t *testing.T) {
		for _, data := range []any{nil, verification("alice", DemoPassword), map[string]any{"method": "sysGetServerInfo", "params": []any{""}}} {
			status, _ := x.info(t, "/sysGetServerInfo", data)
			require.Equal(t, http.StatusInternalServerError, status)
		}
	})
	t.Run("serverInfo is there as well", func(t *testing.T) {
		status, _ := x.info(t, "/serverInfo", verification("alice", DemoPassword))
		require.Equal(t, http.StatusOK, status)
	})
}
