package legacy

import "errors"

// The reasons for which a server lets a user not in, or not stay. They come wrapped.
var (
	// ErrPassword is wrong account or password; 2.x says the same of a locked account.
	ErrPassword = errors.New("wrong account or password")
	// ErrLocked is an account that is locked for now: 402 of sysGetServerInfo.
	ErrLocked = errors.New("account locked for now")
	// ErrDisabled is an account that is disabled for good: 403 of sysGetServerInfo.
	ErrDisabled = errors.New("account disabled")
	// ErrFull is a site with as many users online as it takes.
	ErrFull = errors.New("the server has as many users online as it takes")
	// ErrKicked is a sign-in of the same user elsewhere.
	ErrKicked = errors.New("signed in elsewhere")
	// ErrClosed is a connection that we closed.
	ErrClosed = errors.New("connection closed")
)
