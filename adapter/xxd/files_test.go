package xxd_test

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/xuangate/xuangate/adapter/legacy"
	"github.com/xuangate/xuangate/adapter/xxd"
	"github.com/xuangate/xuangate/test/xuanxuan"
)

// uploads are how many files xxd keeps.
func uploads(t *testing.T, dir string) (n int) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(dir, func(_ string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			n++
		}
		return err
	}))
	return n
}

func TestFiles(t *testing.T) {
	dir := t.TempDir()
	s := start(t, xuanxuan.XXDOptions{UploadDir: dir, UploadFileSize: 1000})
	alice, _ := s.dial(t, "alice")
	bob, _ := s.dial(t, "bob")
	group(t, alice, "g", 4, 5)
	up := legacy.Upload{User: 4, Chat: "g", Name: "周报 100%.txt"}
	require.EqualValues(t, 1000, alice.UploadLimit())

	f, err := alice.Upload(t.Context(), up, strings.NewReader("0123456789"))
	require.NoError(t, err)
	require.Equal(t, up.Name, f.Name)
	require.EqualValues(t, 1, f.ID)

	t.Run("it is read from any place", func(t *testing.T) {
		file, size, err := bob.Open(t.Context(), f)
		require.NoError(t, err)
		defer file.Close()
		require.EqualValues(t, 10, size)
		for _, at := range []int64{0, 7, 3} {
			_, err := file.Seek(at, io.SeekStart)
			require.NoError(t, err)
			text, err := io.ReadAll(file)
			require.NoError(t, err)
			require.Equal(t, "0123456789"[at:], string(text))
		}
		n, err := file.Read(make([]byte, 1))
		require.Zero(t, n)
		require.Equal(t, io.EOF, err)
	})
	t.Run("one that is not there", func(t *testing.T) {
		_, _, err := alice.Open(t.Context(), legacy.File{ID: 99, Time: f.Time, Name: f.Name})
		require.ErrorIs(t, err, legacy.ErrNoFile)
	})
	t.Run("an upload whose body breaks off, and one that is given up, leave nothing", func(t *testing.T) {
		gone := errors.New("gone")
		_, err := alice.Upload(t.Context(), up, io.MultiReader(strings.NewReader("half"), iotest.ErrReader(gone)))
		require.ErrorIs(t, err, gone)
		ctx, cancel := context.WithCancel(t.Context())
		_, err = alice.Upload(ctx, up, io.MultiReader(strings.NewReader("half"), readerFunc(func([]byte) (int, error) { cancel(); return 0, ctx.Err() })))
		require.ErrorIs(t, err, context.Canceled)
		require.Equal(t, 1, uploads(t, dir))
	})
	t.Run("one that is too large", func(t *testing.T) {
		_, err := alice.Upload(t.Context(), up, strings.NewReader(strings.Repeat("x", 1001)))
		require.ErrorIs(t, err, legacy.ErrFileTooLarge)
	})
	t.Run("one that the backend does not record", func(t *testing.T) {
		s.xxb.SetFaults(xuanxuan.Fault{Method: "uploadFile", Status: 500})
		defer s.xxb.SetFaults()
		_, err := alice.Upload(t.Context(), up, strings.NewReader("x"))
		require.ErrorContains(t, err, "status 500")
	})
	t.Run("after a restart there is another token and session", func(t *testing.T) {
		again, err := s.xxd.Restart(t.Context())
		require.NoError(t, err)
		s.xxd = again
		t.Cleanup(func() { require.NoError(t, again.Close()) })
		s.server.Close() // connections kept for later are those of the one before
		_, err = alice.Upload(t.Context(), up, strings.NewReader("x"))
		require.ErrorIs(t, err, legacy.ErrNoSession)
		_, _, err = alice.Open(t.Context(), f)
		require.ErrorIs(t, err, legacy.ErrNoSession)
		fresh, _ := s.dial(t, "alice")
		file, _, err := fresh.Open(t.Context(), f)
		require.NoError(t, err)
		require.NoError(t, file.Close())
	})
}

type readerFunc func([]byte) (int, error)

func (r readerFunc) Read(p []byte) (int, error) { return r(p) }

// TestStalledTransfers has a proxy before xxd that begins with files and does not go on.
func TestStalledTransfers(t *testing.T) {
	backend, err := xuanxuan.Start(t.Context(), xuanxuan.Options{}, "127.0.0.1:0")
	require.NoError(t, err)
	defer backend.Close()
	front, err := xuanxuan.StartXXD(t.Context(), xuanxuan.XXDOptions{Backend: backend.URL(), UploadFileSize: 64 << 20}, "127.0.0.1:0")
	require.NoError(t, err)
	defer front.Close()
	inside, err := url.Parse(front.URL())
	require.NoError(t, err)
	through := httputil.NewSingleHostReverseProxy(inside)
	transport := &http.Transport{}
	through.Transport = transport
	defer transport.CloseIdleConnections()
	release := make(chan struct{})
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/download":
			w.Header().Set("Content-Range", "bytes 0-0/1000000")
			w.WriteHeader(http.StatusPartialContent)
			_, _ = w.Write([]byte("x"))
			if r.Header.Get("Range") == "bytes=0-0" {
				return
			}
			_ = http.NewResponseController(w).Flush()
		case "/upload":
		default:
			through.ServeHTTP(w, r)
			return
		}
		<-release
	}))
	defer proxy.Close()
	defer close(release)
	server, err := xxd.New(xxd.Config{URL: proxy.URL, Stall: 100 * time.Millisecond})
	require.NoError(t, err)
	defer server.Close()
	alice, _, err := server.Dial(t.Context(), "alice", md5)
	require.NoError(t, err)
	defer alice.Close()

	t.Run("an upload that xxd does not read is given up", func(t *testing.T) {
		_, err := alice.Upload(t.Context(), legacy.Upload{User: 4, Chat: "g", Name: "a"}, strings.NewReader(strings.Repeat("x", 32<<20)))
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorContains(t, err, "does not go on")
	})
	t.Run("one that xxd does not answer is given up", func(t *testing.T) {
		_, err := alice.Upload(t.Context(), legacy.Upload{User: 4, Chat: "g", Name: "a"}, strings.NewReader("x"))
		require.ErrorIs(t, err, context.DeadlineExceeded)
	})
	t.Run("a download that xxd does not go on with is given up", func(t *testing.T) {
		file, size, err := alice.Open(t.Context(), legacy.File{ID: 1, Time: 1, Name: "a"})
		require.NoError(t, err)
		defer file.Close()
		require.EqualValues(t, 1000000, size)
		n, err := io.Copy(io.Discard, file)
		require.EqualValues(t, 1, n)
		require.ErrorIs(t, err, context.DeadlineExceeded)
	})
}
