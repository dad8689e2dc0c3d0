package gateway

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/xuangate/xuangate/adapter"
	"github.com/xuangate/xuangate/gen/model"
	"github.com/xuangate/xuangate/gen/server"
)

const (
	// transferIdle is how long a client may neither send nor take a byte of a file. Without it one that stands still holds a
	// connection, here and to the chat server, for ever; a limit on the whole would cut those that are merely slow.
	transferIdle = 30 * time.Second
	// cacheFor is how long a browser may show a file without asking again. The file never changes, but its user may leave the
	// conversation.
	cacheFor = time.Hour
)

// GetConversationFiles answers POST /get_conversation_files.
func (s rest) GetConversationFiles(ctx context.Context, r server.GetConversationFilesRequestObject) (server.GetConversationFilesResponseObject, error) {
	list, err := s.legacy.ConversationFiles(ctx, caller(ctx).User, r.Body.ConversationId, r.Body.Before, r.Body.Limit)
	if err != nil {
		return nil, err
	}
	return server.GetConversationFiles200JSONResponse{Data: list}, nil
}

// UploadFile answers POST /upload_file.
func (h handlers) UploadFile(c echo.Context) error {
	read := false
	file, err := h.server.upload(c, &read)
	// The way of the file may have taken longer than the server allows an answer.
	_ = http.NewResponseController(c.Response()).SetWriteDeadline(time.Now().Add(transferIdle))
	if err != nil {
		if read || c.Request().Header.Get("Expect") == "" { // else the client waits for our word before it sends
			drain(c)
		}
		return err
	}
	return c.JSON(http.StatusOK, model.UploadedFileAnswer{Data: file})
}

// upload reads the form; read says whether it has begun to.
func (s *Server) upload(c echo.Context, read *bool) (none model.UploadedFile, err error) {
	r := c.Request()
	ctx := r.Context()
	u := caller(ctx).User
	leave, err := s.uploads.enter(u)
	if err != nil {
		return none, err
	}
	defer leave()
	limit, err := s.legacy.FileLimit(ctx, u)
	if err != nil {
		return none, err
	}
	if r.ContentLength > limit+maxFormHead {
		return none, refuse(model.TooLarge, "file: larger than the %d bytes that the chat server takes", limit)
	}
	form, err := newUploadForm(c)
	if err != nil {
		return none, err
	}
	*read = true
	conversation, name, err := form.head()
	if err != nil {
		return none, err
	}
	return s.legacy.UploadFile(ctx, u, conversation, name, form)
}

// GetFile answers GET /files/{id}.
func (h handlers) GetFile(c echo.Context, id model.FileId) error { return h.server.download(c, id) }

// HeadFile answers HEAD /files/{id}.
func (h handlers) HeadFile(c echo.Context, id model.FileId) error { return h.server.download(c, id) }

func (s *Server) download(c echo.Context, id model.FileId) (err error) {
	r := c.Request()
	u := caller(r.Context()).User
	leave, err := s.downloads.enter(u)
	if err != nil {
		return err
	}
	defer leave()
	file, err := s.legacy.OpenFile(r.Context(), u, id)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	tag := fmt.Sprintf(`"%d-%d"`, file.ID, file.Time)
	if err := chooseRange(c, tag, file.Size); err != nil {
		return err
	}
	h := c.Response().Header()
	h.Set(echo.HeaderContentType, file.Media)
	h.Set(echo.HeaderContentDisposition, disposition(file.Name, file.Inline()))
	h.Set(echo.HeaderXContentTypeOptions, "nosniff")
	h.Set(echo.HeaderContentSecurityPolicy, "sandbox; default-src 'none'")
	h.Set(echo.HeaderCacheControl, fmt.Sprintf("private, max-age=%d", int(cacheFor.Seconds())))
	h.Add(echo.HeaderVary, echo.HeaderAuthorization)
	h.Set("ETag", tag)
	reading := &reading{Download: file}
	http.ServeContent(newPacedWriter(c), r, "", time.Unix(file.Time, 0), reading)
	if reading.err != nil {
		return &adapter.Error{Code: model.Unreachable, Op: "download", Text: "the chat server broke the file off; try again", Err: reading.err}
	}
	return nil
}

// reading is a file that remembers why it could not be read to its end: http.ServeContent tells nobody.
type reading struct {
	*adapter.Download
	err error
}

func (r *reading) Read(p []byte) (int, error) {
	n, err := r.Download.Read(p)
	if err != nil && err != io.EOF {
		r.err = err
	}
	return n, err
}

// A pacedWriter gives the client time for each piece of a file instead of for all of it.
type pacedWriter struct {
	http.ResponseWriter
	control *http.ResponseController
}

func newPacedWriter(c echo.Context) *pacedWriter {
	return &pacedWriter{c.Response(), http.NewResponseController(c.Response())}
}

func (w *pacedWriter) Write(p []byte) (int, error) {
	_ = w.control.SetWriteDeadline(time.Now().Add(transferIdle))
	return w.ResponseWriter.Write(p)
}

// chooseRange leaves in the request the one range that is to be answered, or none: for several, for what is no range, and
// where If-Range names another content, the whole file is right. A range beyond the end is refused.
func chooseRange(c echo.Context, tag string, size int64) error {
	h := c.Request().Header
	asked := h.Get("Range")
	if asked == "" {
		return nil
	}
	keep, beyond := span(asked, size)
	if condition := h.Get("If-Range"); condition != "" && condition != tag {
		keep, beyond = false, false
	}
	if beyond {
		c.Response().Header().Set("Content-Range", fmt.Sprintf("bytes */%d", size))
		return echo.NewHTTPError(http.StatusRequestedRangeNotSatisfiable, fmt.Sprintf("Range: begins beyond the end of the file, which has %d bytes", size))
	}
	if !keep {
		h.Del("Range")
	}
	return nil
}

// span reads a Range header: whether it is one range that we honour, or one beyond the end.
func span(header string, size int64) (keep, beyond bool) {
	spec, ok := strings.CutPrefix(header, "bytes=")
	first, last, dash := strings.Cut(strings.TrimSpace(spec), "-")
	if !ok || !dash || strings.Contains(spec, ",") {
		return false, false
	}
	if first == "" { // the last so many bytes
		n, err := strconv.ParseUint(last, 10, 63)
		return err == nil && n > 0 && size > 0, err == nil && (n == 0 || size == 0)
	}
	from, err := strconv.ParseUint(first, 10, 63)
	if err != nil {
		return false, false
	}
	if last != "" {
		to, err := strconv.ParseUint(last, 10, 63)
		if err != nil || to < from {
			return false, false
		}
	}
	return int64(from) < size, int64(from) >= size
}
