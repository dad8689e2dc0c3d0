package adapter

import (
	"context"
	"io"

	"github.com/xuangate/xuangate/adapter/legacy"
	"github.com/xuangate/xuangate/gen/model"
)

// Caller asks the legacy server one thing, on behalf of c.User. It returns an error only when there is no answer: a
// refusal is a Response. It may block as long as ctx allows, sets no deadline of its own, and may be used from any
// goroutine. It never repeats a call that may have reached the server.
type Caller interface {
	Call(ctx context.Context, c legacy.Call) (legacy.Response, error)
}

// Upstream is one user's connection: a Caller that also hears what the server says unasked. Pushes wait in a bounded
// queue; overflow ends the connection, for a gap must be visible.
type Upstream interface {
	Caller
	// Next returns the next push in the order in which the server sent it, waiting for one if need be. One goroutine at a
	// time. Once the connection is gone it returns the reason, every time.
	Next(ctx context.Context) (legacy.Push, error)
	// UploadLimit is the largest file in bytes that the server takes; 0 where it takes none.
	UploadLimit() int64
	// Upload sends a file as body gives it. An error of body is returned, and then the server keeps nothing. body is not read
	// any more once Upload has returned.
	Upload(ctx context.Context, up legacy.Upload, body io.Reader) (legacy.File, error)
	// Open finds a file, which is read while ctx lives, and tells its size. Whoever opens it closes it.
	Open(ctx context.Context, f legacy.File) (io.ReadSeekCloser, int64, error)
	// Close hangs up and waits until nothing of the connection is left. It may be called again.
	Close() error
}

// Upstreams is how users sign in to a server that wants a connection of each: xxd, or one of 1.0. The functions may be used from any
// goroutine; their errors wrap those of legacy where a user is not let in.
type Upstreams struct {
	Mode     model.ServerInfoMode // what users are told of the server's kind
	MaxFrame int                  // the most bytes that one call may hold; 0: no limit of its own
	// Lacks are what the server does not have of what can be done elsewhere, each with a legacy.UnsupportedError that says so.
	Lacks map[model.Capability]error
	// Dial signs a user in. Where the server knows one connection a user, it ends the one before.
	Dial func(ctx context.Context, account, passwordMD5 string) (Upstream, legacy.Welcome, error)
	// Verify asks whether the server would let a user in.
	Verify func(ctx context.Context, account, passwordMD5 string) error
	// Probe asks whether the server is there.
	Probe func(ctx context.Context) error
	// AskUsers says that the server does not tell of all that changes about users; every Poll it is asked for them.
	AskUsers bool
}

// depot is where uploaded files are: with the server itself, or in a directory of our own. It may be used from any
// goroutine.
type depot interface {
	// limit is the largest file in bytes that u may upload; 0 where none may be.
	limit(ctx context.Context, u legacy.UserID) (int64, error)
	// store keeps a file as body gives it, all of it or nothing. body is not read any more once store has returned.
	store(ctx context.Context, up legacy.Upload, body io.Reader) (legacy.File, error)
	// open finds a file for u, which is read while ctx lives, and tells its size. Whoever opens it closes it.
	open(ctx context.Context, u legacy.UserID, f legacy.File) (io.ReadSeekCloser, int64, error)
}
