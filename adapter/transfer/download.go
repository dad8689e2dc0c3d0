package transfer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// An Ask makes the request for a part of a file, such as bytes=7-, and returns the answer where its status is 200 or 206. A
// server that knows no parts answers the whole file.
type Ask func(ctx context.Context, span string) (*http.Response, error)

// Download is a file on a server that is read as it is asked for, from any place in it. One goroutine at a time; whoever
// opened it closes it.
type Download struct {
	request Ask
	ctx     context.Context // of whoever opened it: an io.Reader takes none
	cancel  context.CancelCauseFunc
	watch   *Watch
	size    int64
	at      int64         // where the next Read begins
	body    io.ReadCloser // gives what stands at place; nil before the first Read
	place   int64
}

// Open finds a file, and tells its size. It is read while ctx lives, and given up when the server sends nothing for stall.
func Open(ctx context.Context, stall time.Duration, request Ask) (*Download, int64, error) {
	d := &Download{request: request}
	d.ctx, d.cancel = context.WithCancelCause(ctx)
	d.watch = NewWatch(stall, d.cancel)
	if err := d.measure(); err != nil {
		return nil, 0, errors.Join(err, d.Close())
	}
	return d, d.size, nil
}

// measure asks for the first byte, which comes with the file's size: not every server answers HEAD.
func (d *Download) measure() error {
	res, err := d.ask("bytes=0-0")
	if err != nil {
		return err
	}
	if res.StatusCode == http.StatusOK { // it knows no parts, or the file is empty
		d.size, d.body = res.ContentLength, res.Body
	} else {
		defer res.Body.Close()
		_, total, _ := strings.Cut(res.Header.Get("Content-Range"), "/")
		if d.size, err = strconv.ParseInt(total, 10, 64); err != nil {
			return fmt.Errorf("the server gives a part of a file and not its size: %w", err)
		}
		_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, 1)) // so that the connection can be used again
	}
	if d.size < 0 {
		return errors.New("the server does not tell the size of a file")
	}
	return nil
}

func (d *Download) ask(span string) (*http.Response, error) {
	d.watch.Start()
	defer d.watch.Stop()
	res, err := d.request(d.ctx, span)
	if err != nil {
		return nil, d.because(err)
	}
	return res, nil
}

// because is why a request failed that was given up by us.
func (d *Download) because(err error) error {
	if cause := context.Cause(d.ctx); cause != nil {
		return cause
	}
	return err
}

// WithoutQuery takes the address out of an error: it holds a session's proof and a file's name, and errors are logged.
func WithoutQuery(err error) error {
	if asked, ok := errors.AsType[*url.Error](err); ok {
		return asked.Err
	}
	return err
}

// Read implements io.Reader.
func (d *Download) Read(p []byte) (int, error) {
	if d.at >= d.size {
		return 0, io.EOF
	}
	if d.body == nil || d.place > d.at {
		if err := d.begin(); err != nil {
			return 0, err
		}
	}
	for d.place < d.at { // what comes before is read and thrown away
		n, err := d.next(p[:min(int64(len(p)), d.at-d.place)])
		if err != nil || n == 0 {
			return 0, err
		}
	}
	n, err := d.next(p)
	d.at = d.place
	return n, err
}

// next reads on in the body.
func (d *Download) next(p []byte) (int, error) {
	d.watch.Start()
	defer d.watch.Stop()
	n, err := d.body.Read(p)
	d.place += int64(n)
	switch {
	case err == io.EOF && d.place < d.size:
		err = io.ErrUnexpectedEOF
	case err == io.EOF:
		err = nil // the next Read says so
	case err != nil:
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
	d.body, d.place = res.Body, d.at
	if res.StatusCode == http.StatusOK {
		d.place = 0
	}
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
	d.watch.Stop()
	d.cancel(nil)
	if d.body == nil {
		return nil
	}
	return d.body.Close()
}
