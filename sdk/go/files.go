package sdk

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
)

// Progress is told how many bytes have gone over so far, and how many there are, -1 where that is unknown. It is called often, in the
// goroutine that moves the bytes.
type Progress func(done, total int64)

// An UploadedFile is a file that the chat server keeps, and what to send for others to hear of it: a Draft with its Type and Content.
type UploadedFile struct {
	Id      string
	Name    string
	Size    int64 // bytes
	Time    int64 // Unix microseconds
	Url     string
	Type    int64
	Content string
}

// A DownloadedFile is what a download says about its file.
type DownloadedFile struct {
	Name string // empty where the server says none
	Type string // media type
	Size int64  // bytes
}

// maxUploadAnswer bounds the answer to an upload.
const maxUploadAnswer = 1 << 20

// Upload uploads a file for a conversation: what content has, size bytes of it or, with -1, all. Nobody hears of the file before a message is sent
// about it. The file is never held in memory, and so the upload is tried once. progress may be nil.
func (c *Client) Upload(ctx context.Context, conversation, name string, content io.Reader, size int64, progress Progress) (UploadedFile, error) {
	head, tail, kind, err := form(conversation, name)
	if err != nil {
		return UploadedFile{}, err
	}
	length := int64(-1)
	if size >= 0 {
		content = io.LimitReader(content, size)
		length = int64(len(head)) + size + int64(len(tail))
	}
	body := io.MultiReader(bytes.NewReader(head), &counted{Reader: content, total: size, progress: progress}, bytes.NewReader(tail))
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, c.base.JoinPath("upload_file").String(), io.NopCloser(body))
	if err != nil {
		return UploadedFile{}, err
	}
	r.ContentLength = length
	r.Header.Set("Content-Type", kind)
	c.sign(r)
	resp, err := c.streams.Do(r)
	if err != nil {
		return UploadedFile{}, cut(ctx, err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxUploadAnswer))
	if err != nil {
		return UploadedFile{}, cut(ctx, err)
	}
	if e := refusal(resp, answer); e != nil {
		return UploadedFile{}, e
	}
	var envelope struct{ Data UploadedFile }
	if err := json.Unmarshal(answer, &envelope); err != nil {
		return UploadedFile{}, fmt.Errorf("xuangate: the answer to an upload: %w", err)
	}
	return envelope.Data, nil
}

// form is what stands around a file's bytes in a form, whose parts the server wants in this order.
func form(conversation, name string) (head, tail []byte, kind string, err error) {
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	if err = w.WriteField("conversation_id", conversation); err == nil {
		_, err = w.CreateFormFile("file", name)
	}
	cutAt := b.Len()
	if err = errors.Join(err, w.Close()); err != nil {
		return nil, nil, "", err
	}
	return b.Bytes()[:cutAt], b.Bytes()[cutAt:], w.FormDataContentType(), nil
}

// counted tells how far a reader has been read.
type counted struct {
	io.Reader
	done, total int64
	progress    Progress
}

func (r *counted) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	r.done += int64(n)
	if n > 0 && r.progress != nil {
		r.progress(r.done, r.total)
	}
	return n, err
}

// Download writes a file to w, by the Id that an upload or a message gives it. Where the connection breaks it goes on from there, if
// the file is still the same. What was written when it fails is the file's beginning. progress may be nil.
func (c *Client) Download(ctx context.Context, id string, w io.Writer, progress Progress) (DownloadedFile, error) {
	renewed := false
	d := &download{Client: c, to: w, progress: progress, total: -1, address: c.base.JoinPath("files", url.PathEscape(id)).String()}
	for try := 1; ; try++ {
		before := d.done
		again, err := d.once(ctx)
		if err == nil {
			return d.file, nil
		}
		if d.done > before {
			try = 1 // it gets on
		}
		wait := c.jitter(try - 1)
		if refuses(err) && !renewed {
			renewed = true
			fresh, failed := c.renew(ctx, d.sent)
			if failed != nil {
				return d.file, failed
			}
			again, wait = fresh != "", 0
		}
		var e *Error
		if errors.As(err, &e) {
			again = again || transient(err) && e.RetryAfter <= maxWait
			wait = later(wait, e.RetryAfter)
		}
		if !again || try >= c.options.Tries || sleep(ctx, wait) != nil {
			return d.file, err
		}
	}
}

// A download is one file on its way.
type download struct {
	*Client
	to          io.Writer
	progress    Progress
	address     string
	done, total int64
	sent        string // the token of the request under way
	etag        string // of what is written so far
	file        DownloadedFile
}

// once makes one request for what is missing. again says that the network failed, and another may have it.
func (d *download) once(ctx context.Context) (again bool, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	watch := newWatch(cancel, 3*margin, 3*margin)
	defer watch.stop()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, d.address, nil)
	if err != nil {
		return false, err
	}
	r.Header.Set("Accept-Encoding", "identity") // lengths and ranges are those of the file
	if d.done > 0 {
		r.Header.Set("Range", fmt.Sprintf("bytes=%d-", d.done))
		r.Header.Set("If-Range", d.etag)
	}
	d.sent = d.sign(r)
	resp, err := d.streams.Do(r)
	if err != nil {
		return true, cut(ctx, err)
	}
	defer resp.Body.Close()
	switch {
	case resp.StatusCode < http.StatusMultipleChoices && resp.Header.Get("X-Request-Id") == "": // every answer of the gateway has one
		return false, &Error{Status: resp.StatusCode, Text: "what answered is not the gateway, but " + orNothing(resp.Header.Get("Content-Type"))}
	case resp.StatusCode == http.StatusOK && d.done == 0:
		d.begin(resp)
	case resp.StatusCode == http.StatusOK:
		return false, errors.New("xuangate: the file changed while it was downloaded; begin again")
	case resp.StatusCode == http.StatusPartialContent && d.done > 0:
	default:
		body, _ := io.ReadAll(io.LimitReader(resp.Body, maxRefusal))
		if e := refusal(resp, body); e != nil {
			return false, e
		}
		return false, &Error{Status: resp.StatusCode, Text: "what answered is no file"}
	}
	return d.copy(ctx, watchedBody{resp.Body, watch})
}

// begin reads from the head of the answer what the file is.
func (d *download) begin(resp *http.Response) {
	d.etag, d.total = resp.Header.Get("ETag"), resp.ContentLength
	_, disposition, _ := mime.ParseMediaType(resp.Header.Get("Content-Disposition"))
	d.file = DownloadedFile{Name: disposition["filename"], Type: resp.Header.Get("Content-Type"), Size: resp.ContentLength}
}

// copy writes what comes.
func (d *download) copy(ctx context.Context, from io.Reader) (again bool, err error) {
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		if n > 0 {
			if _, err := d.to.Write(buf[:n]); err != nil {
				return false, fmt.Errorf("xuangate: write the file: %w", err)
			}
			d.done += int64(n)
			if d.progress != nil {
				d.progress(d.done, d.total)
			}
		}
		switch {
		case err == io.EOF:
			d.file.Size = d.done
			return false, nil
		case err != nil:
			return d.etag != "" || d.done == 0, cut(ctx, err)
		}
	}
}
