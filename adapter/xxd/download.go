package xxd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/xuangate/xuangate/adapter/legacy"
)

// Download is a file on xxd that is read as it is asked for, from any place in it. One goroutine at a time; whoever opened it
// closes it.
type Download struct {
	files  Files
	file   legacy.File
	ctx    context.Context // of whoever opened it: an io.Reader takes none
	cancel context.CancelCauseFunc
	watch  *watch
	size   int64
	at     int64         // where the next Read begins
	body   io.ReadCloser // gives what stands at place; nil before the first Read
	place  int64
}

// Open finds a file; the user is the connection's. It is read while ctx lives, and given up when xxd sends nothing for
// Config.Stall. A file that xxd does not have is legacy.ErrNoFile.
func (c *Conn) Open(ctx context.Context, f legacy.File) (io.ReadSeekCloser, int64, error) {
	return c.files.Open(ctx, f)
}

// Open is that of a connection, for as long as its session lasts.
func (f Files) Open(ctx context.Context, file legacy.File) (io.ReadSeekCloser, int64, error) {
	d := &Download{files: f, file: file}
	d.ctx, d.cancel = context.WithCancelCause(ctx)
	d.watch = newWatch(f.server.stall, d.cancel)
	if err := d.measure(); err != nil {
		return nil, 0, errors.Join(err, d.Close())
	}
	return d, d.size, nil
}

// measure asks for the first byte, which comes with the file's size: xxd answers no HEAD.
func (d *Download) measure() error {
	res, err := d.ask("bytes=0-0")
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode == http.StatusOK { // it knows no ranges, or the file is empty
		d.size = res.ContentLength
	} else {
		_, total, _ := strings.Cut(res.Header.Get("Content-Range"), "/")
		if d.size, err = strconv.ParseInt(total, 10, 64); err != nil {
			return fmt.Errorf("xxd gives a part of a file and not its size: %w", err)
		}
		_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, 1)) // so that the connection can be used again
	}
	if d.size < 0 {
		return errors.New("xxd does not tell the size of a file")
	}
	return nil
}

func (d *Download) ask(span string) (*http.Response, error) {
	u := d.files.server.base.JoinPath("/download")
	u.RawQuery = url.Values{
		"fileName": {d.file.Name}, "time": {strconv.FormatInt(d.file.Time, 10)}, "id": {strconv.FormatInt(d.file.ID, 10)},
		"ServerName": {d.files.server.name}, "gid": {d.files.user.String()}, "sid": {d.files.sid(d.file.Name)},
	}.Encode()
	req, err := http.NewRequestWithContext(d.ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Range", span)
	d.watch.start()
	defer d.watch.stop()
	res, err := d.files.server.http.Do(req)
	if err != nil {
		return nil, d.because(fmt.Errorf("download from xxd: %w", withoutQuery(err)))
	}
	switch res.StatusCode {
	case http.StatusOK, http.StatusPartialContent:
		return res, nil
	case http.StatusUnauthorized:
		err = legacy.ErrNoSession
	case http.StatusNotFound:
		err = legacy.ErrNoFile
	default:
		err = fmt.Errorf("download from xxd: status %d", res.StatusCode)
	}
	return nil, errors.Join(err, res.Body.Close())
}

// withoutQuery takes the address out of an error: it holds a session's proof and a file's name, and errors are logged.
func withoutQuery(err error) error {
	if asked, ok := errors.AsType[*url.Error](err); ok {
		return asked.Err
	}
	return err
}

// because is why a request failed that was given up by us.
func (d *Download) because(err error) error {
	if cause := context.Cause(d.ctx); cause != nil {
		return cause
	}
	return err
}

// Read implements io.Reader.
func (d *Download) Read(p []byte) (int, error) {
	if d.at >= d.size {
		return 0, io.EOF
	}
	if d.body == nil || d.place != d.at {
		if err := d.begin(); err != nil {
			return 0, err
		}
	}
	d.watch.start()
	defer d.watch.stop()
	n, err := d.body.Read(p)
	d.at, d.place = d.at+int64(n), d.place+int64(n)
	switch {
	case err == io.EOF && d.at < d.size:
		err = io.ErrUnexpectedEOF
	case err != nil && err != io.EOF:
		err = d.because(err)
	}
	return n, err
}

// begin asks for the file from where the next Read begins.
func (d *Download) begin() error {
	if d.body != nil {
		_ = d.body.Close()
		d.body = nil
	}
	res, err := d.ask(fmt.Sprintf("bytes=%d-", d.at))
	if err != nil {
		return err
	}
	if res.StatusCode == http.StatusOK && d.at > 0 {
		return errors.Join(errors.New("xxd gives a file from its beginning only"), res.Body.Close())
	}
	d.body, d.place = res.Body, d.at
	return nil
}

// Seek implements io.Seeker. It asks nothing.
func (d *Download) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += d.at
	case io.SeekEnd:
		offset += d.size
	}
	if offset < 0 {
		return 0, errors.New("seek before the beginning of a file")
	}
	d.at = offset
	return offset, nil
}

// Close gives the file up.
func (d *Download) Close() error {
	d.watch.stop()
	d.cancel(nil)
	if d.body == nil {
		return nil
	}
	return d.body.Close()
}
