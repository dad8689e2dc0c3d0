package xxd

import (
	"cmp"
	"context"
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"strconv"

	"github.com/xuangate/xuangate/adapter/legacy"
	"github.com/xuangate/xuangate/adapter/transfer"
)

// maxUploadAnswer bounds what xxd may say to an upload, a line of JSON. Without it a server that went mad fills our memory.
const maxUploadAnswer = 64 << 10

// files is what a connection needs for files, which travel over HTTP. It never changes once the user is signed in: another
// token or session comes with another connection.
type files struct {
	server  *Server
	token   string // lets upload, as anybody
	session string // lets download, as the connection's user
	limit   int64
}

// UploadLimit is the largest file in bytes that xxd takes; 0 where it takes none (seed 004).
func (c *Conn) UploadLimit() int64 { return c.files.limit }

// Upload sends a file, as body gives it, and returns what it is found by. An error of body is returned, and then xxd keeps
// nothing: the form that it gets has no end. It is given up when xxd does not read on, or does not answer, for Config.Stall.
// body is read by the caller's goroutine, and no longer once Upload has returned.
func (c *Conn) Upload(ctx context.Context, up legacy.Upload, body io.Reader) (legacy.File, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	watch := transfer.NewWatch(c.files.server.stall, cancel)
	defer watch.Stop()
	out, in := io.Pipe()
	to := &watched{to: in, watch: watch}
	form := multipart.NewWriter(to)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.files.server.base.JoinPath("/upload").String(), out)
	if err != nil {
		return legacy.File{}, err
	}
	req.Header.Set("ServerName", c.files.server.name)
	req.Header.Set("Authorization", c.files.token)
	req.Header.Set("Content-Type", form.FormDataContentType())

	type answer struct {
		file legacy.File
		err  error
	}
	answered := make(chan answer, 1)
	go func() {
		file, err := c.files.send(req)
		_ = out.Close() // frees the writer: xxd may answer before it has read all
		answered <- answer{file, err}
	}()
	err = fill(form, up, body)
	if err != nil && !to.broken { // the body's own
		cancel(err)
	}
	_ = in.CloseWithError(err) // nil ends the form
	watch.Start()
	a := <-answered
	switch {
	case err != nil && !to.broken:
		return legacy.File{}, err
	case a.err != nil:
		return legacy.File{}, cmp.Or(context.Cause(ctx), a.err)
	case err != nil:
		return legacy.File{}, errors.New("xxd answered an upload before it had all of it")
	}
	return a.file, nil
}

// fill writes the form. Its fields go first, as the desktop client sends them.
func fill(form *multipart.Writer, up legacy.Upload, body io.Reader) error {
	for _, field := range [][2]string{{"gid", string(up.Chat)}, {"userID", up.User.String()}} {
		if err := form.WriteField(field[0], field[1]); err != nil {
			return err
		}
	}
	part, err := form.CreateFormFile("file", up.Name)
	if err != nil {
		return err
	}
	if _, err := io.Copy(part, body); err != nil {
		return err
	}
	return form.Close()
}

// send makes the request and reads the answer (recorded: 15_upload_download).
func (f files) send(req *http.Request) (legacy.File, error) {
	res, err := f.server.http.Do(req)
	if err != nil {
		return legacy.File{}, fmt.Errorf("upload to xxd: %w", err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(io.LimitReader(res.Body, maxUploadAnswer))
	if err != nil {
		return legacy.File{}, fmt.Errorf("upload to xxd: %w", err)
	}
	switch res.StatusCode {
	case http.StatusOK:
	case http.StatusUnauthorized:
		return legacy.File{}, legacy.ErrNoSession
	case http.StatusBadRequest:
		return legacy.File{}, fmt.Errorf("%w: %.100q", legacy.ErrFileTooLarge, text)
	default:
		return legacy.File{}, fmt.Errorf("upload to xxd: status %d, %.100q", res.StatusCode, text)
	}
	var a struct {
		Result legacy.Result `json:"result"`
		Data   struct {
			ID   legacy.Int  `json:"id"`
			Time legacy.Int  `json:"time"`
			Name legacy.Text `json:"name"`
		} `json:"data"`
	}
	// What is no JSON is a sentence, or that of a backend that has refused: xxd puts it where the id belongs.
	if err := json.Unmarshal(text, &a); err != nil || a.Result != legacy.Success || a.Data.ID <= 0 {
		return legacy.File{}, fmt.Errorf("xxd did not take an upload: %.100q", text)
	}
	return legacy.File{ID: int64(a.Data.ID), Time: int64(a.Data.Time), Name: string(a.Data.Name)}, nil
}

// watched writes under a watch, and notes when that failed.
type watched struct {
	to     io.Writer
	watch  *transfer.Watch
	broken bool
}

func (w *watched) Write(p []byte) (int, error) {
	w.watch.Start()
	defer w.watch.Stop()
	n, err := w.to.Write(p)
	w.broken = w.broken || err != nil
	return n, err
}

// Open finds a file; the user is the connection's. It is read while ctx lives, and given up when xxd sends nothing for
// Config.Stall. A file that xxd does not have is legacy.ErrNoFile.
func (c *Conn) Open(ctx context.Context, f legacy.File) (io.ReadSeekCloser, int64, error) {
	d, size, err := transfer.Open(ctx, c.files.server.stall, func(ctx context.Context, span string) (*http.Response, error) {
		return c.files.get(ctx, c.user, f, span)
	})
	if err != nil {
		return nil, 0, fmt.Errorf("download from xxd: %w", err)
	}
	return d, size, nil
}

// get asks for a part of a file (recorded: 15_upload_download).
func (f files) get(ctx context.Context, u legacy.UserID, file legacy.File, span string) (*http.Response, error) {
	at := f.server.base.JoinPath("/download")
	at.RawQuery = url.Values{
		"fileName": {file.Name}, "time": {strconv.FormatInt(file.Time, 10)}, "id": {strconv.FormatInt(file.ID, 10)},
		"ServerName": {f.server.name}, "gid": {u.String()}, "sid": {f.sid(file.Name)},
	}.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, at.String(), nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Range", span)
	res, err := f.server.http.Do(req)
	if err != nil {
		return nil, transfer.WithoutQuery(err)
	}
	switch res.StatusCode {
	case http.StatusOK, http.StatusPartialContent:
		return res, nil
	case http.StatusUnauthorized:
		err = legacy.ErrNoSession
	case http.StatusNotFound:
		err = legacy.ErrNoFile
	default:
		err = fmt.Errorf("status %d", res.StatusCode)
	}
	return nil, errors.Join(err, res.Body.Close())
}

// sid is what xxd lets download by: it knows the session of each user, and no file's chat.
func (f files) sid(name string) string {
	sum := md5.Sum([]byte(f.session + name))
	return hex.EncodeToString(sum[:])
}
