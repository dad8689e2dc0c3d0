package sdk

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/xuangate/xuangate/gen/model"
)

// fileServer keeps files as the gateway does: POST /upload_file, a form of conversation_id and then file, and GET /files/ID with ranges.
type fileServer struct {
	content []byte
	etag    string
	cutAt   int // a download breaks after so many bytes of an answer, 0 never
	breaks  int // how often
	asked   []string
}

func (s *fileServer) start(t *testing.T) *Client {
	hs := httptest.NewServer(s)
	c, err := New(hs.URL, Options{Token: "xg_1", MinDelay: time.Millisecond, MaxDelay: time.Millisecond, Tries: 3})
	require.NoError(t, err)
	t.Cleanup(func() {
		c.Close()
		hs.Close()
	})
	return c
}

func (s *fileServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Request-Id", "r")
	s.asked = append(s.asked, r.Method+" "+r.URL.RequestURI()+" "+r.Header.Get("Range"))
	switch {
	case r.Header.Get("Authorization") != "Bearer xg_1":
		refuse(w, http.StatusUnauthorized, model.InvalidToken)
	case r.URL.Path == "/upload_file":
		s.upload(w, r)
	case r.URL.Path == "/files/AQZ":
		w.Header().Set("ETag", s.etag)
		w.Header().Set("Content-Type", "image/png")
		w.Header().Set("Content-Disposition", `inline; filename*=UTF-8''%E5%91%A8.png`)
		if s.breaks > 0 {
			s.breaks--
			w = &breaking{w, s.cutAt}
		}
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(s.content))
	default:
		refuse(w, http.StatusNotFound, model.NotFound)
	}
}

func (s *fileServer) upload(w http.ResponseWriter, r *http.Request) {
	parts, err := r.MultipartReader()
	var part *multipart.Part
	if err == nil {
		part, err = parts.NextPart()
	}
	if err != nil || part.FormName() != "conversation_id" {
		refuse(w, http.StatusBadRequest, model.InvalidParameter)
		return
	}
	conversation, _ := io.ReadAll(part)
	part, err = parts.NextPart()
	if err != nil || part.FormName() != "file" {
		refuse(w, http.StatusBadRequest, model.InvalidParameter)
		return
	}
	name := part.FileName()
	if s.content, err = io.ReadAll(part); err != nil {
		refuse(w, http.StatusBadRequest, model.InvalidParameter)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprintf(w, `{"code":0,"data":{"Id":"AQZ","Name":%q,"Size":%d,"Url":"/files/AQZ","Type":3,"Content":%q}}`, name, len(s.content), conversation)
}

// breaking breaks the connection after some bytes.
type breaking struct {
	http.ResponseWriter
	left int
}

func (b *breaking) Write(p []byte) (int, error) {
	if len(p) > b.left {
		_, _ = b.ResponseWriter.Write(p[:b.left])
		_ = http.NewResponseController(b.ResponseWriter).Flush()
		panic(http.ErrAbortHandler)
	}
	b.left -= len(p)
	return b.ResponseWriter.Write(p)
}

func TestUpload(t *testing.T) {
	content := strings.Repeat("0123456789", 50_000)
	for _, size := range []int64{int64(len(content)), -1} {
		t.Run("the bytes arrive, and progress is told, with a size of "+strconv.FormatInt(size, 10), func(t *testing.T) {
			s := &fileServer{}
			c := s.start(t)
			var done []int64
			f, err := c.Upload(t.Context(), "team", `周"报.png`, strings.NewReader(content), size, func(n, total int64) {
				require.Equal(t, size, total)
				done = append(done, n)
			})
			require.NoError(t, err)
			require.Equal(t, UploadedFile{Id: "AQZ", Name: `周"报.png`, Size: int64(len(content)), Url: "/files/AQZ", Type: 3, Content: "team"}, f)
			require.Equal(t, content, string(s.content))
			require.IsIncreasing(t, done)
			require.EqualValues(t, len(content), done[len(done)-1])
		})
	}
	t.Run("a refusal is an error as elsewhere, and is not repeated", func(t *testing.T) {
		s := &fileServer{}
		c := s.start(t)
		c.SetToken("other")
		_, err := c.Upload(t.Context(), "team", "x", strings.NewReader("x"), 1, nil)
		require.ErrorIs(t, err, ErrInvalidToken)
		require.Len(t, s.asked, 1)
	})
	t.Run("fewer bytes than promised are an error", func(t *testing.T) {
		c := (&fileServer{}).start(t)
		_, err := c.Upload(t.Context(), "team", "x", strings.NewReader("x"), 2, nil)
		require.Error(t, err)
	})
}

func TestDownload(t *testing.T) {
	content := bytes.Repeat([]byte("0123456789"), 50_000)
	t.Run("the bytes arrive, and progress is told", func(t *testing.T) {
		c := (&fileServer{content: content, etag: `"1"`}).start(t)
		var to bytes.Buffer
		last := int64(0)
		f, err := c.Download(t.Context(), "AQZ", &to, func(n, total int64) {
			require.Greater(t, n, last)
			require.EqualValues(t, len(content), total)
			last = n
		})
		require.NoError(t, err)
		require.Equal(t, DownloadedFile{Name: "周.png", Type: "image/png", Size: int64(len(content))}, f)
		require.Equal(t, content, to.Bytes())
		require.EqualValues(t, len(content), last)
	})
	t.Run("a broken download goes on where it was", func(t *testing.T) {
		s := &fileServer{content: content, etag: `"1"`, cutAt: 100_000, breaks: 4}
		var to bytes.Buffer
		_, err := s.start(t).Download(t.Context(), "AQZ", &to, nil)
		require.NoError(t, err)
		require.Equal(t, content, to.Bytes())
		require.Len(t, s.asked, 5)
		require.Equal(t, "GET /files/AQZ bytes=400000-", s.asked[4])
	})
	t.Run("a file that changed meanwhile is not put together of two", func(t *testing.T) {
		s := &fileServer{content: content, etag: `"1"`, cutAt: 100_000, breaks: 1}
		c := s.start(t)
		_, err := c.Download(t.Context(), "AQZ", &bytes.Buffer{}, func(int64, int64) { s.etag = `"2"` })
		require.ErrorContains(t, err, "changed")
	})
	t.Run("what is refused, foreign or cannot be written is an error", func(t *testing.T) {
		s := &fileServer{content: content, etag: `"1"`}
		c := s.start(t)
		_, err := c.Download(t.Context(), "../AQZ", io.Discard, nil)
		require.ErrorIs(t, err, ErrNotFound)
		_, err = c.Download(t.Context(), "AQZ", full{}, nil)
		require.ErrorIs(t, err, errFull)
		portal := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>") }))
		defer portal.Close()
		p, err := New(portal.URL, Options{Tries: 1})
		require.NoError(t, err)
		defer p.Close()
		var to bytes.Buffer
		_, err = p.Download(t.Context(), "AQZ", &to, nil)
		require.ErrorIs(t, err, ErrNotGateway)
		require.Zero(t, to.Len())
	})
}

func TestFilesByTheirOperations(t *testing.T) {
	c := (&fileServer{content: []byte("PNG"), etag: `"1"`}).start(t)
	got, err := c.API().GetFileWithResponse(t.Context(), "AQZ")
	require.NoError(t, err)
	require.Equal(t, "PNG", string(got.Body))
	require.Equal(t, "image/png", got.HTTPResponse.Header.Get("Content-Type"))
	head, err := c.API().HeadFileWithResponse(t.Context(), "AQZ")
	require.NoError(t, err)
	require.Equal(t, "3", head.HTTPResponse.Header.Get("Content-Length"))
	_, err = c.API().GetFileWithResponse(t.Context(), "nosuch")
	require.ErrorIs(t, err, ErrNotFound)
}

var errFull = errors.New("disk full")

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errFull }
