package v1_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/xuangate/xuangate/adapter/legacy"
	"github.com/xuangate/xuangate/adapter/v1"
	"github.com/xuangate/xuangate/gen/model"
	"github.com/xuangate/xuangate/test/xuanxuan"
)

// withFiles has the server know the site, whose addresses are made of paths or of queries.
func withFiles(t *testing.T, paths bool, change ...func(*v1.Config)) (*site, *v1.Conn) {
	s := startWith(t, xuanxuan.V1Options{PathInfo: paths}, append([]func(*v1.Config){func(c *v1.Config) { c.MaxFile = 1 << 20 }}, change...)...)
	alice, _ := s.dial(t, "alice")
	ask(t, alice, "create", "team", "Team", "group", []int{4, 5}, 0, false)
	return s, alice
}

func TestFiles(t *testing.T) {
	up := legacy.Upload{User: 4, Chat: "team", Name: "周报 1.pdf"}
	for kind, paths := range map[string]bool{"GET": false, "PATH_INFO": true} {
		t.Run(kind, func(t *testing.T) {
			_, alice := withFiles(t, paths)
			require.EqualValues(t, 1<<20, alice.UploadLimit())
			before := time.Now().Unix()
			f, err := alice.Upload(t.Context(), up, strings.NewReader("0123456789"))
			require.NoError(t, err)
			require.Equal(t, "周报 1.pdf", f.Name, "whatever title the site gives it")
			require.GreaterOrEqual(t, f.Time, before)
			file, size, err := alice.Open(t.Context(), f)
			require.NoError(t, err)
			defer file.Close()
			require.EqualValues(t, 10, size)
			for _, at := range []int64{0, 7, 3} { // forwards it reads over, backwards it asks again
				_, err = file.Seek(at, io.SeekStart)
				require.NoError(t, err)
				text, err := io.ReadAll(file)
				require.NoError(t, err)
				require.Equal(t, "0123456789"[at:], string(text))
			}
			_, _, err = alice.Open(t.Context(), legacy.File{ID: f.ID + 1, Time: f.Time, Name: f.Name})
			require.ErrorIs(t, err, legacy.ErrNoFile)
			list := ask(t, alice, "history", "team", 10, 1, 0, false, 0)
			require.Empty(t, as[[]legacy.MessageRow](t, list), "nobody is told of an upload")
		})
	}
}

func TestUploadsThatFail(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	up := legacy.Upload{User: 4, Chat: "team", Name: "a.txt"}
	s, alice := withFiles(t, false)
	gone := errors.New("gone")
	_, err := alice.Upload(t.Context(), up, io.MultiReader(strings.NewReader("x"), iotest.ErrReader(gone)))
	require.ErrorIs(t, err, gone)
	require.Zero(t, s.tables.Calls()["attach/upload"])
	s.tables.SetFaults(xuanxuan.Fault{Method: "upload", Body: []byte("<b>Fatal error</b>")})
	_, err = alice.Upload(t.Context(), up, strings.NewReader("x"))
	require.ErrorContains(t, err, "does not take a file")
	s.tables.SetFaults(xuanxuan.Fault{Method: "upload", Status: 500})
	_, err = alice.Upload(t.Context(), up, strings.NewReader("x"))
	require.ErrorContains(t, err, "status 500")
	s.tables.SetFaults(xuanxuan.Fault{Method: "upload", Body: []byte(`{"result":"success","data":[]}`)})
	_, err = alice.Upload(t.Context(), up, strings.NewReader("x"))
	require.ErrorIs(t, err, legacy.ErrFileTooLarge)
	s.tables.SetFaults()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = alice.Upload(ctx, up, strings.NewReader("x"))
	require.ErrorIs(t, err, context.Canceled)
	left, err := os.ReadDir(os.Getenv("TMPDIR"))
	require.NoError(t, err)
	for _, entry := range left {
		require.NotContains(t, entry.Name(), "xuangate-upload-", "nothing is left of any")
	}
}

func TestASiteThatIsNone(t *testing.T) {
	t.Run("no address", func(t *testing.T) {
		s := start(t)
		alice, _ := s.dial(t, "alice")
		require.Zero(t, alice.UploadLimit())
		require.Contains(t, s.server.Lacks(), model.CapabilityFiles)
		var lacks *legacy.UnsupportedError
		_, err := alice.Upload(t.Context(), legacy.Upload{}, strings.NewReader("x"))
		require.ErrorAs(t, err, &lacks)
		require.ErrorContains(t, err, "legacy.v1.files_url")
		_, _, err = alice.Open(t.Context(), legacy.File{ID: 1})
		require.ErrorAs(t, err, &lacks)
	})
	t.Run("addresses that are none", func(t *testing.T) {
		for _, bad := range []string{"host:80", "ftp://h/", "http://", "/path", "http://%zz/"} {
			_, err := v1.New(v1.Config{Addr: "h:1", FilesURL: bad})
			require.ErrorContains(t, err, "http://HOST/", bad)
		}
	})
	for rule, c := range map[string]struct {
		handler http.HandlerFunc
		want    string
	}{
		"another site":    {func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>") }, "is no site"},
		"no page":         {http.NotFound, "status 404"},
		"it says nothing": {func(_ http.ResponseWriter, req *http.Request) { <-req.Context().Done() }, "deadline"},
		"it does not end": {func(w http.ResponseWriter, req *http.Request) { forever(w, req) }, "is no site"},
		"it goes elsewhere": {func(w http.ResponseWriter, req *http.Request) {
			http.Redirect(w, req, "http://127.0.0.1:1/", http.StatusFound)
		}, "status 302"},
		"a download stalls": {func(w http.ResponseWriter, req *http.Request) {
			if req.URL.Query().Get("mode") != "" {
				_, _ = io.WriteString(w, `{"requestType":"GET","name":"ranzhi"}`)
				return
			}
			<-req.Context().Done()
		}, "does not go on"},
		"a size that is none": {func(w http.ResponseWriter, req *http.Request) {
			if req.URL.Query().Get("mode") != "" {
				_, _ = io.WriteString(w, `{"requestType":"GET","name":"ranzhi"}`)
				return
			}
			w.Header().Set("Content-Disposition", "attachment")
			w.(http.Flusher).Flush()
		}, "does not tell the size"},
	} {
		t.Run(rule, func(t *testing.T) {
			other := httptest.NewServer(c.handler)
			defer other.Close()
			_, alice := withFiles(t, false, func(c *v1.Config) { c.FilesURL, c.Stall = other.URL, 200*time.Millisecond })
			_, _, err := alice.Open(t.Context(), legacy.File{ID: 1, Time: 1, Name: "a"})
			require.ErrorContains(t, err, c.want)
			require.NotContains(t, err.Error(), "sid=", "no session is told")
			other.CloseClientConnections()
		})
	}
}

func forever(w http.ResponseWriter, req *http.Request) {
	for req.Context().Err() == nil {
		if _, err := io.WriteString(w, strings.Repeat("x", 1<<16)); err != nil {
			return
		}
	}
}

// TestFilesOfTheOldClient: it names a file by its number, without a time.
func TestFilesOfTheOldClient(t *testing.T) {
	_, alice := withFiles(t, false)
	for content, dated := range map[string]bool{
		`{"name":"a.txt","size":1,"send":true,"type":"text/plain","id":7}`: true,
		`{"name":"a.txt","size":1,"send":40,"type":"text/plain"}`:          false,
		`{"name":"a.txt","time":5,"id":7}`:                                 false,
		`{"name":"a.txt","time":null,"id":7}`:                              false,
		`[{"id":7}]`:                                                       false, `no JSON`: false, `{"id":-1}`: false, `{"id":"x"}`: false,
	} {
		r := ask(t, alice, "message", draft(content, "file", content))
		row := as[[]legacy.MessageRow](t, r)[0]
		if !dated {
			require.Equal(t, content, string(row.Content))
			continue
		}
		var c legacy.FileContent
		require.NoError(t, json.Unmarshal([]byte(row.Content), &c))
		f, ok := c.Names()
		require.True(t, ok)
		require.Equal(t, legacy.File{ID: 7, Time: row.Date.Unix(time.UTC), Name: "a.txt"}, f)
		require.Contains(t, string(row.Content), strings.TrimPrefix(content, "{"), "and nothing else is changed")
	}
}
