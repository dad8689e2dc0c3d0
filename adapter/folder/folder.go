// Package folder keeps uploaded files in a directory, the way xxd keeps them in its own: SERVER/2026/11/22/ and a name that
// is made of the file's number, time and name by MD5 (recorded: 15_upload_download). An xxd whose uploads are this directory
// finds them, and no name that a user chose ever becomes a path.
package folder

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/xuangate/xuangate/adapter/legacy"
)

const (
	// incoming is the folder of uploads that are not complete. It is beside the others, on the same file system, so that
	// a complete file moves to its place in one step.
	incoming = ".incoming"
	// leftoverAge is how long an upload may lie there untouched before it counts as left behind by a crash. An upload
	// under way, be it of another node, writes far more often.
	leftoverAge = 6 * time.Hour
	// recorded is how xxd names its own folder to the backend.
	recorded = "tmpfile"
)

// A Folder keeps files. Nodes may share one. It may be used from any goroutine.
type Folder struct{ root, server string }

// New opens the directory, which must exist. server is the backend's name in xxd's configuration.
func New(root, server string) (*Folder, error) {
	info, err := os.Stat(root)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("%s does not exist; make it, writable for this user", root)
	case err != nil:
		return nil, err
	case !info.IsDir():
		return nil, fmt.Errorf("%s is no directory", root)
	}
	return &Folder{root: root, server: server}, nil
}

// Probe tries what uploads need: to make a directory and a file, to move it, and to remove it again.
func (f *Folder) Probe() (err error) {
	in, err := f.Receive(context.Background(), strings.NewReader("probe"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, in.Discard()) }()
	moved := in.path + ".moved"
	if err := os.Rename(in.path, moved); err != nil {
		return fmt.Errorf("files cannot be moved in it: %w", err)
	}
	return os.Remove(moved)
}

// Sweep removes the uploads that a crash has left behind.
func (f *Folder) Sweep() error {
	list, err := os.ReadDir(filepath.Join(f.root, incoming))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	errs := []error{err}
	for _, entry := range list {
		info, err := entry.Info()
		if err == nil && time.Since(info.ModTime()) > leftoverAge {
			err = os.Remove(filepath.Join(f.root, incoming, entry.Name()))
		}
		if !errors.Is(err, fs.ErrNotExist) { // another node may sweep as well
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// An Incoming is an upload that is complete and has no place yet. Keep or Discard it.
type Incoming struct {
	folder *Folder
	path   string
	Size   int64
}

// Receive reads an upload to its end. With an error, of body or of the file system, nothing is left of it.
func (f *Folder) Receive(ctx context.Context, body io.Reader) (_ *Incoming, err error) {
	dir := filepath.Join(f.root, incoming)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	file, err := os.CreateTemp(dir, "upload-")
	if err != nil {
		return nil, err
	}
	in := &Incoming{folder: f, path: file.Name()}
	defer func() {
		if err != nil {
			err = errors.Join(err, in.Discard())
		}
	}()
	in.Size, err = io.Copy(struct{ io.Writer }{file}, body)
	if err == nil {
		err = ctx.Err()
	}
	if err == nil {
		err = file.Sync() // what is answered must outlive a power cut
	}
	if closed := file.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return nil, err
	}
	return in, nil
}

// RecordPath is where the backend is told that a file of this time lies.
func (f *Folder) RecordPath(unix int64) string {
	return recorded + "/" + f.server + "/" + legacy.File{Time: unix}.Day() + "/"
}

// Keep moves the upload to its place. Another file that lies there is not touched: names and numbers together may clash.
func (in *Incoming) Keep(file legacy.File) error {
	place := in.folder.place(file)
	if err := os.MkdirAll(filepath.Dir(place), 0o700); err != nil {
		return err
	}
	if _, err := os.Lstat(place); !errors.Is(err, fs.ErrNotExist) {
		return errors.Join(fmt.Errorf("%s: is taken", place), err)
	}
	return os.Rename(in.path, place)
}

// Discard removes the upload unless it was kept.
func (in *Incoming) Discard() error {
	if err := os.Remove(in.path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func (f *Folder) place(file legacy.File) string {
	return filepath.Join(f.root, f.server, filepath.FromSlash(file.Day()), file.Key())
}

// Open opens a file; whoever opens it closes it. One that is not here is legacy.ErrNoFile.
func (f *Folder) Open(file legacy.File) (*os.File, int64, error) {
	opened, err := os.Open(f.place(file))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, 0, legacy.ErrNoFile
	}
	if err != nil {
		return nil, 0, err
	}
	info, err := opened.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = legacy.ErrNoFile
	}
	if err != nil {
		return nil, 0, errors.Join(err, opened.Close())
	}
	return opened, info.Size(), nil
}
