package v1

import (
	"context"
	"io"

	"github.com/xuangate/xuangate/adapter/legacy"
)

// A 1.0 server keeps files on the web server beside it. Seed 001 tells neither where that is nor what a request to it looks
// like, and its answers have no time, by which a file is found in 2.x; so there are none here. Files that desktop clients
// have sent are listed, for that goes by messages.

// UploadLimit says that no file can be uploaded.
func (c *Conn) UploadLimit() int64 { return 0 }

// Upload says that no file can be uploaded. It does not read body.
func (c *Conn) Upload(context.Context, legacy.Upload, io.Reader) (legacy.File, error) {
	return legacy.File{}, unsupported(noFiles)
}

// Open says that there are no files.
func (c *Conn) Open(context.Context, legacy.File) (io.ReadSeekCloser, int64, error) {
	return nil, 0, unsupported(noFiles)
}
