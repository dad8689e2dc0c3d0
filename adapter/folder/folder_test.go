package folder

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/xuangate/xuangate/adapter/legacy"
)

// files are those in a folder and below it.
func files(t *testing.T, dir string) []string {
	t.Helper()
	var list []string
	require.NoError(t, filepath.WalkDir(dir, func(name string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			list = append(list, strings.TrimPrefix(name, dir+"/"))
		}
		return err
	}))
	return list
}

func TestFolder(t *testing.T) {
	dir := t.TempDir()
	f, err := New(dir, "xuanxuan")
	require.NoError(t, err)
	// As the real xxd keeps it (recorded: 15_upload_download, sys_file).
	pic := legacy.File{ID: 2, Time: 1795313274, Name: "pic.png"}
	const place = "xuanxuan/2026/11/22/782ac48dba2f1da8544cfca9b2c177aa"

	t.Run("a file lies where xxd looks for it", func(t *testing.T) {
		in, err := f.Receive(t.Context(), strings.NewReader("hello"))
		require.NoError(t, err)
		require.EqualValues(t, 5, in.Size)
		require.NoError(t, in.Keep(pic))
		require.NoError(t, in.Discard(), "it is kept")
		require.Equal(t, []string{place}, files(t, dir))
		require.Equal(t, "tmpfile/xuanxuan/2026/11/22/", f.RecordPath(pic.Time))
		file, size, err := f.Open(pic)
		require.NoError(t, err)
		defer file.Close()
		text, err := io.ReadAll(file)
		require.NoError(t, err)
		require.Equal(t, "hello", string(text))
		require.EqualValues(t, 5, size)
	})
	t.Run("a file whose place is taken does not replace the other", func(t *testing.T) {
		in, err := f.Receive(t.Context(), strings.NewReader("another"))
		require.NoError(t, err)
		require.ErrorContains(t, in.Keep(pic), "is taken")
		require.NoError(t, in.Discard())
		text, err := os.ReadFile(filepath.Join(dir, place))
		require.NoError(t, err)
		require.Equal(t, "hello", string(text))
		require.Len(t, files(t, dir), 1)
	})
	t.Run("an upload that breaks off leaves nothing", func(t *testing.T) {
		gone := errors.New("gone")
		_, err := f.Receive(t.Context(), io.MultiReader(strings.NewReader("half"), iotest.ErrReader(gone)))
		require.ErrorIs(t, err, gone)
		require.Len(t, files(t, dir), 1)
	})
	t.Run("what is not there is no file", func(t *testing.T) {
		for _, other := range []legacy.File{{ID: 3, Time: pic.Time, Name: pic.Name}, {ID: 2, Time: pic.Time + 1, Name: pic.Name}, {ID: 2, Time: pic.Time, Name: "../pic.png"}} {
			_, _, err := f.Open(other)
			require.ErrorIs(t, err, legacy.ErrNoFile)
		}
	})
	t.Run("a sweep takes what a crash left, and nothing that is under way", func(t *testing.T) {
		fresh, err := f.Receive(t.Context(), strings.NewReader("under way"))
		require.NoError(t, err)
		left, err := f.Receive(t.Context(), strings.NewReader("left behind"))
		require.NoError(t, err)
		old := time.Now().Add(-leftoverAge - time.Minute)
		require.NoError(t, os.Chtimes(left.path, old, old))
		require.NoError(t, f.Sweep())
		require.Len(t, files(t, dir), 2)
		require.FileExists(t, fresh.path)
		require.NoError(t, fresh.Discard())
	})
	t.Run("a probe leaves nothing", func(t *testing.T) {
		require.NoError(t, f.Probe())
		require.Equal(t, []string{place}, files(t, dir))
	})
}

func TestNoFolder(t *testing.T) {
	_, err := New(filepath.Join(t.TempDir(), "nowhere"), "xuanxuan")
	require.ErrorContains(t, err, "does not exist")
	f, err := New(t.TempDir(), "xuanxuan")
	require.NoError(t, err)
	require.NoError(t, f.Sweep(), "there was never an upload")
	require.NoError(t, os.WriteFile(filepath.Join(f.root, incoming), nil, 0o600))
	require.Error(t, f.Probe(), "uploads have no place")
}
