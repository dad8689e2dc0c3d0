package gateway

import (
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/xuangate/xuangate/gen/model"
)

const (
	// maxFormHead bounds what comes before the file. Without it a part with a header of megabytes is kept in memory.
	maxFormHead = 64 << 10
	// maxFormField bounds one field, in bytes; no conversation's id is as long.
	maxFormField = 1024
)

// An uploadForm is the form of POST /upload_file, read in the order in which its parts come. After head it is a Reader of the
// file, whose end is the form's end: anything behind the file is an error. Used by one goroutine.
type uploadForm struct {
	parts *multipart.Reader
	body  *pacedBody
	file  *multipart.Part
	err   error // why there is no more of the file; io.EOF is its good end
}

func newUploadForm(c echo.Context) (*uploadForm, error) {
	r := c.Request()
	_, params, err := mime.ParseMediaType(r.Header.Get(echo.HeaderContentType))
	if err != nil || params["boundary"] == "" {
		return nil, refuse(model.InvalidParameter, "body: Content-Type names no boundary of the form's parts")
	}
	body := &pacedBody{body: r.Body, control: http.NewResponseController(c.Response()), left: maxFormHead}
	return &uploadForm{parts: multipart.NewReader(body, params["boundary"]), body: body}, nil
}

// head reads up to the file: the conversation that it is for, and the file's name.
func (f *uploadForm) head() (conversation model.ConversationId, name string, err error) {
	seen := false
	for {
		part, err := f.parts.NextPart()
		switch {
		case err == io.EOF:
			return "", "", refuse(model.InvalidParameter, "file: is missing")
		case err != nil:
			return "", "", f.broken(err)
		}
		switch field := part.FormName(); {
		case field == "conversation_id" && seen:
			return "", "", refuse(model.InvalidParameter, "conversation_id: stands in the form twice")
		case field == "conversation_id":
			text, err := io.ReadAll(io.LimitReader(part, maxFormField+1))
			if err != nil {
				return "", "", f.broken(err)
			}
			if len(text) > maxFormField {
				return "", "", refuse(model.InvalidParameter, "conversation_id: longer than %d bytes", maxFormField)
			}
			conversation, seen = model.ConversationId(text), true
		case field != "file":
			return "", "", refuse(model.InvalidParameter, "body: has an unknown field %.60q", field)
		case !seen:
			return "", "", refuse(model.InvalidParameter, "conversation_id: must come before file in the form, for the file goes on as it comes")
		default:
			f.file, f.body.left = part, unlimited
			return conversation, part.FileName(), nil
		}
	}
}

// Read reads the file.
func (f *uploadForm) Read(p []byte) (n int, err error) {
	if f.err != nil {
		return 0, f.err
	}
	n, f.err = f.file.Read(p)
	switch {
	case f.err == io.EOF:
		f.body.left = maxFormHead
		if _, behind := f.parts.NextPart(); behind == nil {
			f.err = refuse(model.InvalidParameter, "file: must be the only one, and the last part of the form")
		} else if behind != io.EOF {
			f.err = f.broken(behind)
		}
	case f.err != nil:
		f.err = f.broken(f.err)
	}
	return n, f.err
}

// broken is the error for a form that cannot be read on.
func (f *uploadForm) broken(err error) error {
	e := refuse(model.InvalidParameter, "body: is no form to its end, or did not arrive")
	if f.body.left == 0 {
		e = refuse(model.InvalidParameter, "body: more than %d bytes beside the file", maxFormHead)
	}
	e.Err = fmt.Errorf("read form: %w", err)
	return e
}

// A pacedBody is a request's body that may take as long as it keeps coming. Of left bytes no more are read, unless unlimited.
type pacedBody struct {
	body    io.Reader
	control *http.ResponseController
	left    int64
}

const unlimited = -1

func (b *pacedBody) Read(p []byte) (int, error) {
	if b.left >= 0 && int64(len(p)) > b.left {
		p = p[:b.left]
	}
	if b.left == 0 {
		return 0, io.ErrUnexpectedEOF
	}
	_ = b.control.SetReadDeadline(time.Now().Add(transferIdle))
	n, err := b.body.Read(p)
	if b.left > 0 {
		b.left -= int64(n)
	}
	return n, err
}
