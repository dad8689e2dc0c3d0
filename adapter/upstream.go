package adapter

import (
	"context"

	"github.com/xuangate/xuangate/adapter/legacy"
)

// Caller asks the legacy server one thing, on behalf of c.User. It returns an error only when there is no answer: a
// refusal is a Response. It may block as long as ctx allows, sets no deadline of its own, and may be used from any
// goroutine. It never repeats a call that may have reached the server.
type Caller interface {
	Call(ctx context.Context, c legacy.Call) (legacy.Response, error)
}
