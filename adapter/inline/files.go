package inline

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/xuangate/xuangate/adapter"
	"github.com/xuangate/xuangate/adapter/legacy"
	"github.com/xuangate/xuangate/adapter/xxd"
)

// errOut says that files cannot be had while the bot is out: it is the bot's session that lets them through.
var errOut = errors.New("not in the chat server at the moment, which keeps the files")

const (
	// filesFor is how long another node believes what the active one told of files: an xxd that starts anew has another token.
	filesFor = 2 * time.Second
	// filesTimeout is how long the active node may take to tell it, where nobody says how long he waits.
	filesTimeout = time.Second
)

// botFiles is what lets files through an xxd, as long as the bot is in.
type botFiles struct {
	Token   string `json:"token"`
	Session string `json:"session"`
	Limit   int64  `json:"limit"` // bytes
}

// Store is where the first xxd keeps its users' files: uploads go there in their names, and downloads over the bot's session, for
// that of a user who is on a desktop is not ours to know (LEGACY: whoever has a session may have any file; whom a file is for
// is decided before). Any node may use it: the active one, whose bot it is, tells the others.
func (s *Server) Store(name string) *adapter.Store {
	b := s.sites[name].bot
	return &adapter.Store{
		UploadLimit: func() int64 {
			ctx, cancel := context.WithTimeout(context.Background(), filesTimeout)
			defer cancel()
			f, err := b.files(ctx)
			if err != nil {
				return b.limit()
			}
			return f.Limit
		},
		Upload: func(ctx context.Context, up legacy.Upload, body io.Reader) (legacy.File, error) {
			f, err := b.files(ctx)
			if err != nil {
				return legacy.File{}, err
			}
			return b.through(f).Upload(ctx, up, body)
		},
		Open: func(ctx context.Context, file legacy.File) (io.ReadSeekCloser, int64, error) {
			f, err := b.files(ctx)
			if err != nil {
				return nil, 0, err
			}
			return b.through(f).Open(ctx, file)
		},
	}
}

func (b *bot) through(f botFiles) xxd.Files {
	return b.server.Files(legacy.UserID(b.id), f.Token, f.Session)
}

// limit is what xxd last said to take, also while the bot is out.
func (b *bot) limit() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.file.Limit
}

func (b *bot) files(ctx context.Context) (f botFiles, err error) {
	if here, _, _ := b.s.lead.where(); here {
		return b.ownFiles()
	}
	b.mu.Lock()
	f, told := b.file, b.told
	b.mu.Unlock()
	if time.Since(told) < filesFor {
		return f, nil
	}
	text, here, err := b.s.askActive(ctx, nodeAsk{Site: b.site.name})
	if here {
		return b.ownFiles()
	}
	if err == nil {
		err = json.Unmarshal(text, &f)
	}
	if err != nil {
		return f, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.file, b.told = f, time.Now()
	return f, nil
}

func (b *bot) ownFiles() (botFiles, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.in {
		return botFiles{}, errOut
	}
	return b.file, nil
}

// tellFiles tells another node what lets files through an xxd.
func (s *Server) tellFiles(name string) (reply, error) {
	at := s.sites[name]
	if at == nil {
		return reply{}, errors.New("it knows another chat server: all gateways need the same legacy.inline.others")
	}
	f, err := at.bot.ownFiles()
	if err != nil {
		return reply{status: http.StatusBadGateway}, nil
	}
	text, err := json.Marshal(f)
	return say(text), err
}

// Drain waits until what the desktops are to hear has been handed out, or ctx ends.
func (s *Server) Drain(ctx context.Context) {
	if here, _, _ := s.lead.where(); !here {
		return
	}
	for _, at := range s.sites {
		at.bot.out.empty(ctx)
	}
}
