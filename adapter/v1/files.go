package v1

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"os"
	"time"

	"github.com/xuangate/xuangate/adapter/legacy"
	"github.com/xuangate/xuangate/adapter/transfer"
)

// UploadLimit is the largest file in bytes that may be uploaded; 0 where no site is known. A site's PHP may take less.
func (c *Conn) UploadLimit() int64 {
	if c.server.site == nil {
		return 0
	}
	return c.server.site.limit
}

// Upload sends a file, once body has been read to its end into a temporary file: the site wants to know a form's length
// beforehand. An error of body is returned, and then the site has got nothing. It is given up when the site does not read on,
// or does not answer, for Config.Stall. 1.0 knows a file by its number alone: the name that is returned is up's, and the time
// is now.
func (c *Conn) Upload(ctx context.Context, up legacy.Upload, body io.Reader) (_ legacy.File, err error) {
	if c.server.site == nil {
		return legacy.File{}, errNoSite
	}
	f, err := newForm(up, body)
	if err != nil {
		return legacy.File{}, err
	}
	defer func() { err = errors.Join(err, f.discard()) }()
	if err := ctx.Err(); err != nil {
		return legacy.File{}, err
	}
	id, err := c.server.site.upload(ctx, c.sid, f)
	if err != nil {
		return legacy.File{}, fmt.Errorf("upload: %w", err)
	}
	return legacy.File{ID: id, Time: time.Now().Unix(), Name: up.Name}, nil
}

// Open finds a file by its number; f's name and time count for nothing. It is read while ctx lives, and given up when the
// site sends nothing for Config.Stall. A file that the site does not have is legacy.ErrNoFile.
func (c *Conn) Open(ctx context.Context, f legacy.File) (io.ReadSeekCloser, int64, error) {
	if c.server.site == nil {
		return nil, 0, errNoSite
	}
	d, size, err := transfer.Open(ctx, c.server.stall, func(ctx context.Context, span string) (*http.Response, error) {
		return c.server.site.get(ctx, c.sid, f.ID, span)
	})
	if err != nil {
		return nil, 0, fmt.Errorf("download: %w", err)
	}
	return d, size, nil
}

// A form is an upload that is ready to be sent.
type form struct {
	file  *os.File
	size  int64
	media string
}

// newForm writes a form. The fields are those of the 1.0.0 client.
func newForm(up legacy.Upload, body io.Reader) (_ *form, err error) {
	file, err := os.CreateTemp("", "xuangate-upload-")
	if err != nil {
		return nil, fmt.Errorf("make a temporary file: %w", err)
	}
	f := &form{file: file}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.discard())
		}
	}()
	w := multipart.NewWriter(file)
	f.media = w.FormDataContentType()
	part, err := w.CreateFormFile("files[]", up.Name)
	if err != nil {
		return nil, err
	}
	if _, err := io.Copy(part, body); err != nil {
		return nil, err
	}
	if err := w.WriteField("gid", string(up.Chat)); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	if f.size, err = file.Seek(0, io.SeekCurrent); err != nil {
		return nil, err
	}
	_, err = file.Seek(0, io.SeekStart)
	return f, err
}

func (f *form) discard() error { return errors.Join(f.file.Close(), os.Remove(f.file.Name())) }
