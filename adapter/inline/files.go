package inline

import (
	"context"
	"errors"
	"io"

	"github.com/xuangate/xuangate/adapter"
	"github.com/xuangate/xuangate/adapter/legacy"
	"github.com/xuangate/xuangate/adapter/xxd"
)

// errOut says that files cannot be had while the bot is out: it is the bot's session that lets them through.
var errOut = errors.New("not in the chat server at the moment, which keeps the files")

// Store is where the first xxd keeps its users' files: uploads go there in their names, and downloads over the bot's session, for
// that of a user who is on a desktop is not ours to know (LEGACY: whoever has a session may have any file; whom a file is for
// is decided before).
func (s *Server) Store(name string) *adapter.Store {
	b := s.sites[name].bot
	return &adapter.Store{
		UploadLimit: func() int64 {
			b.mu.Lock()
			defer b.mu.Unlock()
			return b.file.limit
		},
		Upload: func(ctx context.Context, up legacy.Upload, body io.Reader) (legacy.File, error) {
			files, err := b.files()
			if err != nil {
				return legacy.File{}, err
			}
			return files.Upload(ctx, up, body)
		},
		Open: func(ctx context.Context, f legacy.File) (io.ReadSeekCloser, int64, error) {
			files, err := b.files()
			if err != nil {
				return nil, 0, err
			}
			return files.Open(ctx, f)
		},
	}
}

func (b *bot) files() (xxd.Files, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.in {
		return xxd.Files{}, errOut
	}
	return b.server.Files(legacy.UserID(b.id), b.file.token, b.file.session), nil
}

// Drain waits until what the desktops are to hear has been handed out, or ctx ends.
func (s *Server) Drain(ctx context.Context) {
	for _, at := range s.sites {
		at.bot.out.empty(ctx)
	}
}
