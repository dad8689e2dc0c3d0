package xuanxuan

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"mime/multipart"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

// send makes a request to the HTTP port and returns status and body.
func (x *XXD) send(t *testing.T, req *http.Request) (int, string) {
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := client.Do(req)
	require.NoError(t, err)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	return res.StatusCode, string(body)
}

// put uploads a text as alice, each set up made before.
func (x *XXD) put(t *testing.T, name, text string, setup ...func(*http.Request)) (int, string) {
	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	require.NoError(t, w.WriteField("gid", "g"))
	require.NoError(t, w.WriteField("userID", "4"))
	part, err := w.CreateFormFile("file", name)
	require.NoError(t, err)
	_, err = io.WriteString(part, text)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, x.URL()+"/upload", &body)
	require.NoError(t, err)
	req.Header.Set("Content-Type", w.FormDataContentType())
	req.Header.Set("Authorization", x.Token())
	for _, set := range setup {
		set(req)
	}
	return x.send(t, req)
}

// uploaded is what an upload's answer tells.
type uploaded struct {
	Data struct {
		Time, ID int64
		Name     string
	}
}

// get downloads what was uploaded, with a user's session.
func (x *XXD) get(t *testing.T, u uploaded, user, session string, setup ...func(*http.Request)) (int, string) {
	q := url.Values{
		"fileName": {u.Data.Name}, "time": {strconv.FormatInt(u.Data.Time, 10)}, "id": {strconv.FormatInt(u.Data.ID, 10)},
		"ServerName": {""}, "gid": {user}, "sid": {md5Hex(session + u.Data.Name)},
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, x.URL()+"/download?"+q.Encode(), nil)
	require.NoError(t, err)
	for _, set := range setup {
		set(req)
	}
	return x.send(t, req)
}

func TestFiles(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "uploads")
	s, x := newSite(t, Options{}, XXDOptions{UploadDir: dir, UploadFileSize: 10})
	call(t, s.Backend, 4, "create", "g", "G", "group", []any{4, 5}, 0, false)
	alice := dial(t, x)
	alice.login("alice", DemoPassword, "online")
	alice.expect("login")
	var session struct{ SessionID string }
	require.NoError(t, json.Unmarshal([]byte(alice.expect("SessionID").raw), &session))

	status, body := x.put(t, "测 试.txt", "0123456789")
	require.Equal(t, http.StatusOK, status, body)
	var u uploaded
	require.NoError(t, json.Unmarshal([]byte(body), &u))
	require.EqualValues(t, 1, u.Data.ID)

	t.Run("who has a session downloads", func(t *testing.T) {
		status, body := x.get(t, u, "4", session.SessionID)
		require.Equal(t, http.StatusOK, status)
		require.Equal(t, "0123456789", body)
		status, body = x.get(t, u, "4", session.SessionID, func(r *http.Request) { r.Header.Set("Range", "bytes=2-4") })
		require.Equal(t, http.StatusPartialContent, status)
		require.Equal(t, "234", body)
	})
	t.Run("the session of one who is not signed in can be computed", func(t *testing.T) {
		status, _ := x.get(t, u, "7", md5Hex("xuanxuan7"))
		require.Equal(t, http.StatusOK, status)
		status, _ = x.get(t, u, "4", md5Hex("xuanxuan4"))
		require.Equal(t, http.StatusUnauthorized, status)
	})
	t.Run("no name leads out of the directory", func(t *testing.T) {
		outside := func(r *http.Request) {
			q := r.URL.Query()
			q.Set("ServerName", "..")
			q.Set("sid", md5Hex(md5Hex("..7")+u.Data.Name))
			r.URL.RawQuery = q.Encode()
		}
		there := filepath.Join(dir, "xuanxuan")
		require.NoError(t, filepath.WalkDir(there, func(path string, _ fs.DirEntry, err error) error {
			inside, relErr := filepath.Rel(there, path)
			target := filepath.Join(dir, "..", inside)
			if text, readErr := os.ReadFile(path); readErr == nil {
				return os.WriteFile(target, text, 0o600)
			}
			return errors.Join(err, relErr, os.MkdirAll(target, 0o700))
		}))
		status, _ := x.get(t, u, "7", "", outside)
		require.Equal(t, http.StatusNotFound, status)
	})
	t.Run("a time that is none is 500", func(t *testing.T) {
		status, _ := x.get(t, u, "4", session.SessionID, func(r *http.Request) {
			q := r.URL.Query()
			q.Set("time", "now")
			r.URL.RawQuery = q.Encode()
		})
		require.Equal(t, http.StatusInternalServerError, status)
	})
	t.Run("more than the limit is refused", func(t *testing.T) {
		status, body := x.put(t, "a", "01234567890")
		require.Equal(t, http.StatusBadRequest, status)
		require.Equal(t, "file is too large\n", body)
	})
	t.Run("an unknown backend is 500, and so is one that is down", func(t *testing.T) {
		status, _ := x.put(t, "a", "x", func(r *http.Request) { r.Header.Set("ServerName", "nosuch") })
		require.Equal(t, http.StatusInternalServerError, status)
		s.SetFaults(Fault{Method: "uploadFile", Status: 500})
		defer s.SetFaults()
		status, body := x.put(t, "a", "x")
		require.Equal(t, http.StatusInternalServerError, status)
		require.Equal(t, "upload file info error\n", body)
	})
	t.Run("a directory of one's own outlives the server", func(t *testing.T) {
		require.NoError(t, x.Close())
		entries, err := os.ReadDir(dir)
		require.NoError(t, err)
		require.Len(t, entries, 1)
	})
}
