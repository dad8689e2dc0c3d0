package adapter

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/xuangate/xuangate/adapter/legacy"
	"github.com/xuangate/xuangate/gen/model"
)

// FileLimit is the largest file in bytes that u may upload.
func (a *Adapter) FileLimit(ctx context.Context, u legacy.UserID) (int64, error) {
	const op = "file limit"
	if err := a.has(op, model.CapabilityFiles); err != nil {
		return 0, err
	}
	limit, err := a.depot.limit(ctx, u)
	if err != nil {
		return 0, err
	}
	if limit <= 0 {
		return 0, refuse(op, model.Unsupported, "the chat server takes no files: its uploadFileSize is 0")
	}
	return limit, nil
}

// UploadFile keeps a file of u for the members of a conversation, reading body to its end; nobody is told until a message is
// sent about it. All that can be refused without the file is refused before body is read. An error of body is returned, and
// nothing is kept then. body is not read any more once UploadFile has returned.
func (a *Adapter) UploadFile(ctx context.Context, u legacy.UserID, id model.ConversationId, name string, body io.Reader) (model.UploadedFile, error) {
	const op = "upload file"
	var none model.UploadedFile
	chat, err := a.member(ctx, op, u, id)
	if err != nil {
		return none, err
	}
	if dismissed(chat) {
		return none, refuse(op, model.Conflict, "the conversation has been dismissed")
	}
	if !chat.MaySpeak(u) {
		return none, refuse(op, model.NotAllowed, "you may not speak in this conversation")
	}
	if name, err = a.fileName(op, name); err != nil {
		return none, err
	}
	limit, err := a.FileLimit(ctx, u)
	if err != nil {
		return none, err
	}
	counted := &counted{op: op, body: body, limit: limit}
	if body, err = counted.begin(); err != nil {
		return none, err
	}
	f, err := a.depot.store(ctx, legacy.Upload{User: u, Chat: legacy.ChatGID(chat.GID), Name: name}, body)
	switch {
	case counted.err != nil:
		return none, counted.err
	case err != nil:
		return none, fileError(op, err)
	}
	ref, media := a.fileRef(legacy.ChatGID(chat.GID), f, counted.n), mediaType(name)
	up := model.UploadedFile{Id: ref.Id, Name: ref.Name, Size: ref.Size, Time: ref.Time, Url: ref.Url, Type: typeFile}
	if isImage(media) {
		up.Type = typeImage
	}
	up.Content = fileContent{ID: f.ID, Time: f.Time, Name: f.Name, Size: counted.n, Type: media, Send: true, Own: ref.Id}.String()
	return up, nil
}

// counted counts a file and keeps its own error, for depots wrap it in theirs: the file was too large, or could not be read.
type counted struct {
	op    string
	body  io.Reader
	limit int64
	n     int64
	err   error
}

// begin reads the first bytes, and refuses a file that has none: the real xxd cannot take it (LEGACY: "get file size error").
func (c *counted) begin() (io.Reader, error) {
	first := make([]byte, 512)
	n, err := io.ReadAtLeast(c, first, 1)
	switch {
	case c.err != nil:
		return nil, c.err
	case err == io.EOF:
		return nil, refuse(c.op, model.InvalidParameter, "file: is empty")
	case err != nil:
		return nil, err
	}
	return io.MultiReader(bytes.NewReader(first[:n]), c), nil
}

func (c *counted) Read(p []byte) (int, error) {
	if c.err != nil {
		return 0, c.err
	}
	n, err := c.body.Read(p)
	c.n += int64(n)
	switch {
	case c.n > c.limit:
		c.err = refuse(c.op, model.TooLarge, "file: larger than the %d bytes that the chat server takes", c.limit)
	case err != nil && err != io.EOF:
		c.err = err
	default:
		return n, err
	}
	return 0, c.err
}

// fileError is the error for what depots say. What else they say is an *Error, or a fault of our own directory.
func fileError(op string, err error) error {
	switch {
	case errors.Is(err, legacy.ErrNoFile):
		return noFile(op)
	case errors.Is(err, legacy.ErrFileTooLarge):
		return &Error{Code: model.TooLarge, Op: op, Text: "file: larger than the chat server takes", Err: err}
	case errors.Is(err, legacy.ErrNoSession):
		return &Error{Code: model.Unreachable, Op: op, Text: "the chat server has just been started anew; try again", RetryAfter: retryAfter, Err: err}
	}
	return fmt.Errorf("%s: %w", op, err)
}

func noFile(op string) *Error {
	return refuse(op, model.NotFound, "no such file, or you are not a member of its conversation")
}

// A Download is a file that is read as it goes out, from any place in it. One goroutine at a time; whoever opened it closes it.
type Download struct {
	io.ReadSeekCloser
	Name  string
	Media string // its media type; what a browser could run is application/octet-stream
	Size  int64
	Time  int64 // of the upload, in Unix seconds
	ID    int64 // that the chat server gave it; with Time it names this one content
}

// Inline says that a browser may show the file in place.
func (d *Download) Inline() bool { return isImage(d.Media) }

// OpenFile opens a file of a conversation that u is a member of. It is read while ctx lives.
func (a *Adapter) OpenFile(ctx context.Context, u legacy.UserID, id model.FileId) (*Download, error) {
	const op = "open file"
	if err := a.has(op, model.CapabilityFiles); err != nil {
		return nil, err
	}
	chat, f, ok := a.fileKey.parse(id)
	if !ok {
		return nil, noFile(op)
	}
	if _, err := a.member(ctx, op, u, string(chat)); code(err) == model.NotFound {
		return nil, noFile(op)
	} else if err != nil {
		return nil, err
	}
	body, size, err := a.depot.open(ctx, u, f)
	if err != nil {
		return nil, fileError(op, err)
	}
	return &Download{ReadSeekCloser: body, Name: f.Name, Media: mediaType(f.Name), Size: size, Time: f.Time, ID: f.ID}, nil
}

// ConversationFiles returns the files that a conversation's messages are about, newest first: those before a message, or the
// last ones where before is "".
func (a *Adapter) ConversationFiles(ctx context.Context, u legacy.UserID, id model.ConversationId, before model.MsgId, limit int) (model.ConversationFiles, error) {
	const op = "list files"
	page := model.ConversationFiles{Files: []model.ConversationFile{}}
	chat, err := a.member(ctx, op, u, id)
	if err != nil {
		return page, err
	}
	h := a.history(op, u, legacy.ChatGID(chat.GID))
	at := legacy.MessageID(maxMessageID + 1)
	if before == "" {
		err = h.fetch(ctx, 0, filesLook+1)
	} else {
		var m msgID
		if m, err = parseMsgID("before", before, h.chat); err != nil {
			return page, err
		}
		at = m.id
		err = h.around(ctx, m, filesLook+1, 0)
	}
	for n := filesLook; err == nil; n *= 2 {
		if err = h.settle(ctx, at, n+1, 0); err != nil {
			break
		}
		rows := h.older(at, n+1)
		more := len(rows) > n
		if more {
			rows = rows[1:]
		}
		if page = a.filesAmong(h.chat, rows, limit, more); len(page.Files) == limit || !more || n >= maxFilesLook {
			return page, nil
		}
	}
	return page, err
}

const (
	// filesLook is how many messages are looked at first: few calls for a chat with many files.
	filesLook = 200
	// maxFilesLook bounds the messages that one request looks at. Without it a long chat without files is read to its
	// beginning, in memory.
	maxFilesLook = 800
)

// filesAmong finds the newest files in rows, which are given oldest first; more says that there are messages before them.
func (a *Adapter) filesAmong(chat legacy.ChatGID, rows []legacy.MessageRow, limit int, more bool) model.ConversationFiles {
	page := model.ConversationFiles{Files: []model.ConversationFile{}, HasMore: more}
	for _, row := range slices.Backward(rows) {
		if len(page.Files) == limit {
			page.HasMore = true
			break
		}
		m := a.message(chat, row)
		page.Next = m.MsgId
		if f := m.File; f.Id != "" {
			page.Files = append(page.Files, model.ConversationFile{
				Id: f.Id, Name: f.Name, Size: f.Size, Time: f.Time, Url: f.Url, Type: m.Type,
				MsgId: m.MsgId, FromSession: m.FromSession, SendTime: m.SendTime,
			})
		}
	}
	if !page.HasMore {
		page.Next = ""
	}
	return page
}
