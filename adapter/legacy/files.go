package legacy

import (
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"errors"
	"strconv"
	"time"
)

// File is what an uploaded file is found by. Who uploaded it, and into which chat, the server does not look at again
// (recorded: 15_upload_download).
type File struct {
	ID   int64 // that the backend gave it
	Time int64 // of the upload, in Unix seconds
	Name string
}

// Key is the name under which the server keeps the file: no user chooses it.
func (f File) Key() string {
	sum := md5.Sum([]byte(f.Name + strconv.FormatInt(f.ID, 10) + strconv.FormatInt(f.Time, 10)))
	return hex.EncodeToString(sum[:])
}

// Day is the folder in which the server keeps it, such as 2026/11/22.
func (f File) Day() string { return time.Unix(f.Time, 0).UTC().Format("2006/01/02") }

// Upload is a file on its way to the server.
type Upload struct {
	User UserID
	Chat ChatGID
	// Name is put into texts as it is by the real server, so it must have no quotation mark, backslash or control character.
	Name string
}

// The reasons for which a server does not take or give a file. They come wrapped.
var (
	// ErrFileTooLarge is a file larger than the server's uploadFileSize.
	ErrFileTooLarge = errors.New("the file is larger than the server takes")
	// ErrNoFile is a file that the server does not have.
	ErrNoFile = errors.New("the server has no such file")
	// ErrNoSession is a session of files that has ended: the server was started anew, or the user signed in again.
	ErrNoSession = errors.New("the server does not know the session any more")
)

// FileContent is the content of an image or file message, as the desktop client writes and reads it. While it uploads, Send
// is a number of percent and there is no ID (recorded: 05_message; the desktop client opens a file only once Send is true).
type FileContent struct {
	ID   Int             `json:"id"`
	Time Int             `json:"time"`
	Name Text            `json:"name"`
	Size Int             `json:"size"`
	Type Text            `json:"type"` // a media type
	Send json.RawMessage `json:"send"`
}

// Names says which file the content is about; ok is false while there is none.
func (c FileContent) Names() (f File, ok bool) {
	f = File{ID: int64(c.ID), Time: int64(c.Time), Name: string(c.Name)}
	return f, f.ID > 0 && f.Time > 0 && f.Name != ""
}
