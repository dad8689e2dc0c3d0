package adapter

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/xuangate/xuangate/adapter/folder"
	"github.com/xuangate/xuangate/adapter/legacy"
	"github.com/xuangate/xuangate/gen/model"
)

// The server keeps the files: they go over the link of the user in whose name it is.

func (l *links) limit(ctx context.Context, u legacy.UserID) (int64, error) {
	up, err := l.upstream(ctx, u)
	if err != nil {
		return 0, noAnswer("file limit", err)
	}
	return up.UploadLimit(), nil
}

func (l *links) store(ctx context.Context, f legacy.Upload, body io.Reader) (legacy.File, error) {
	up, err := l.upstream(ctx, f.User)
	if err != nil {
		return legacy.File{}, noAnswer("upload file", err)
	}
	file, err := up.Upload(ctx, f, body)
	return judged(f, file, err)
}

// judged is what an upload came to.
func judged(f legacy.Upload, file legacy.File, err error) (legacy.File, error) {
	const op = "upload file"
	switch {
	case err != nil:
		return file, notTransferred(op, err)
	case file.Name != f.Name:
		return file, refuse(op, model.Conflict, "the chat server changed the file's name to %q", file.Name)
	}
	return file, nil
}

// notTransferred is noAnswer for a file, but for what fileError knows.
func notTransferred(op string, err error) error {
	for _, known := range []error{legacy.ErrNoFile, legacy.ErrFileTooLarge, legacy.ErrNoSession} {
		if errors.Is(err, known) {
			return err
		}
	}
	return noAnswer(op, err)
}

func (l *links) open(ctx context.Context, u legacy.UserID, f legacy.File) (io.ReadSeekCloser, int64, error) {
	const op = "open file"
	up, err := l.upstream(ctx, u)
	if err != nil {
		return nil, 0, noAnswer(op, err)
	}
	file, size, err := up.Open(ctx, f)
	if err != nil {
		return nil, 0, notTransferred(op, err)
	}
	return file, size, nil
}

// Store is where a chat server keeps the files of all its users, for whoever may act for them. The functions may be used from any
// goroutine and mean what those of an Upstream do.
type Store struct {
	UploadLimit func() int64
	Upload      func(ctx context.Context, up legacy.Upload, body io.Reader) (legacy.File, error)
	Open        func(ctx context.Context, f legacy.File) (io.ReadSeekCloser, int64, error)
}

// shelf keeps the files with the chat server beside us, where desktop clients find them.
type shelf struct{ with *Store }

func (s *shelf) limit(context.Context, legacy.UserID) (int64, error) {
	return s.with.UploadLimit(), nil
}

func (s *shelf) store(ctx context.Context, f legacy.Upload, body io.Reader) (legacy.File, error) {
	file, err := s.with.Upload(ctx, f, body)
	return judged(f, file, err)
}

func (s *shelf) open(ctx context.Context, _ legacy.UserID, f legacy.File) (io.ReadSeekCloser, int64, error) {
	file, size, err := s.with.Open(ctx, f)
	if err != nil {
		return nil, 0, notTransferred("open file", err)
	}
	return file, size, nil
}

// cellar keeps the files in a directory of our own, for a server that has none: it stands in for xxd, whose backend keeps
// the record of each file and numbers it (recorded: 15_upload_download.xxb).
type cellar struct {
	a      *Adapter
	folder *folder.Folder
	max    int64
}

func (c *cellar) limit(context.Context, legacy.UserID) (int64, error) { return c.max, nil }

func (c *cellar) store(ctx context.Context, up legacy.Upload, body io.Reader) (_ legacy.File, err error) {
	const op = "upload file"
	in, err := c.folder.Receive(ctx, body)
	if err != nil {
		return legacy.File{}, err
	}
	defer func() { err = errors.Join(err, in.Discard()) }()
	file := legacy.File{Time: time.Now().Unix(), Name: up.Name}
	// From here on it is seen through, whoever gives up: what is recorded must be there.
	r, err := c.a.call(context.WithoutCancel(ctx), op, legacy.Chat(up.User, "uploadFile", up.Name, c.folder.RecordPath(file.Time), in.Size, file.Time, up.Chat))
	if err != nil {
		return legacy.File{}, err
	}
	var id legacy.Int
	if err := spoken(op, r, &id); err != nil {
		return legacy.File{}, err
	}
	if id <= 0 {
		return legacy.File{}, refuse(op, model.Conflict, "the chat server gave the file no number; nothing was kept")
	}
	file.ID = int64(id)
	return file, in.Keep(file)
}

func (c *cellar) open(_ context.Context, _ legacy.UserID, f legacy.File) (io.ReadSeekCloser, int64, error) {
	file, size, err := c.folder.Open(f)
	if err != nil {
		return nil, 0, err // not a nil *os.File in an interface
	}
	return file, size, nil
}

// noDepot is where files are while files.dir is not set.
type noDepot struct{}

var errNoDepot = refuse("files", model.Unsupported, "this gateway has no place for files: set files.dir to a directory that it may write to")

func (noDepot) limit(context.Context, legacy.UserID) (int64, error) { return 0, errNoDepot }

func (noDepot) store(context.Context, legacy.Upload, io.Reader) (legacy.File, error) {
	return legacy.File{}, errNoDepot
}

func (noDepot) open(context.Context, legacy.UserID, legacy.File) (io.ReadSeekCloser, int64, error) {
	return nil, 0, errNoDepot
}
