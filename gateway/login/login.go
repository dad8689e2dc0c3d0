// Package login keeps who is signed in: a login is one user on one platform, and a token stands for it. Stores keep the
// tokens' hashes only, so nobody who reads a store can speak for a user.
package login

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"log/slog"
	"time"

	"github.com/xuangate/xuangate/adapter/legacy"
)

var (
	// ErrUnknown says that a token opens nothing. Never issued, expired and revoked look alike.
	ErrUnknown = errors.New("unknown token")
	// ErrReplaced says that a token ended because its user signed in again on the same platform.
	ErrReplaced = errors.New("signed in elsewhere")
	// ErrAway says that the store cannot be asked at present; nothing is known about the token.
	ErrAway = errors.New("the store of tokens cannot be reached")
)

// A Login is one user on one platform, from sign-in to its end.
type Login struct {
	ID       string // names the login in events and logs; no secret
	User     legacy.UserID
	Platform int
	Expires  time.Time

	hash hash // of its token
}

// Issued is what signing in gives: the new login, its token, and the logins that ended by it.
type Issued struct {
	Token Token
	Login Login
	Ended []Login
}

// A Store remembers logins. All methods may be used from any goroutine. An error that is neither ErrUnknown nor
// ErrReplaced means that the store itself failed and nothing is known about the token; ErrAway, that it may work again soon.
type Store interface {
	// Create signs a user in until expires. The user's earlier login on that platform ends; so does the user's oldest
	// login when there are more than MaxPerUser.
	Create(ctx context.Context, u legacy.UserID, platform int, expires time.Time) (Issued, error)
	// Find returns the login a token stands for. The token of a login that ended by another sign-in is ErrReplaced until
	// it would have expired (of the latest MaxPerUser of them), any other dead one ErrUnknown.
	Find(ctx context.Context, t Token) (Login, error)
	// Check says whether a login that Find or Redeem gave still stands: nil, or the error that Find would give now.
	Check(ctx context.Context, l Login) error
	// Ticket makes a ticket for the login a token stands for: it opens the same, but once, and until expires. A login has
	// MaxTickets at most, the oldest end. Errors as Find.
	Ticket(ctx context.Context, t Token, expires time.Time) (Ticket, error)
	// Redeem uses a ticket up and returns its login. Of many who try at once, on any node, one succeeds. Never issued, used,
	// expired and belonging to a login that has ended, however it did, are ErrUnknown.
	Redeem(ctx context.Context, k Ticket) (Login, error)
	// Revoke ends the login a token stands for and returns it; errors as Find.
	Revoke(ctx context.Context, t Token) (Login, error)
	// Replace ends all of a user's logins as another sign-in would, and returns them.
	Replace(ctx context.Context, u legacy.UserID) ([]Login, error)
	// Dismiss ends a user's logins, or with platforms only those on them, as Revoke would, and returns them.
	Dismiss(ctx context.Context, u legacy.UserID, platforms ...int) ([]Login, error)
	// Live says whether the user has a login.
	Live(ctx context.Context, u legacy.UserID) (bool, error)
	// Keep keeps what a user signs in with at the chat server, sealed: the store could not read it. Kept returns it, nil for
	// none; Forget drops it, which is the caller's to do once the user has no login.
	Keep(ctx context.Context, u legacy.UserID, sealed []byte) error
	Kept(ctx context.Context, u legacy.UserID) ([]byte, error)
	Forget(ctx context.Context, u legacy.UserID) error
}

// MaxPerUser is how many logins a user may have at once, and of how many that were replaced a store remembers why they
// ended. Without it one account could fill the store.
const MaxPerUser = 32

// MaxTickets is how many unused tickets a login may have. Without it a client that asks for tickets and never uses them
// fills the store.
const MaxTickets = 16

// A Token is a bearer's secret. String and LogValue redact it; string(t) is the secret itself.
type Token string

// A Ticket is a secret that stands for a login once, where a token could be seen by others: in an address. It redacts
// itself like a Token.
type Ticket string

const tokenPrefix, ticketPrefix = "xg_", "xt_"

func newToken() Token   { return Token(tokenPrefix + newSecret()) }
func newTicket() Ticket { return Ticket(ticketPrefix + newSecret()) }

// secretLength is that of 256 bits in base64url.
const secretLength = 43

func newSecret() string {
	var secret [32]byte
	rand.Read(secret[:]) // never fails: it ends the process instead
	return base64.RawURLEncoding.EncodeToString(secret[:])
}

func (Token) String() string       { return "[redacted]" }
func (Token) GoString() string     { return "[redacted]" }
func (Token) LogValue() slog.Value { return slog.StringValue("[redacted]") }

func (Ticket) String() string       { return "[redacted]" }
func (Ticket) GoString() string     { return "[redacted]" }
func (Ticket) LogValue() slog.Value { return slog.StringValue("[redacted]") }

// A hash stands for a token or a ticket in a store.
type hash [sha256.Size]byte

func (t Token) hash() (hash, bool)  { return hashOf(tokenPrefix, string(t)) }
func (k Ticket) hash() (hash, bool) { return hashOf(ticketPrefix, string(k)) }

// hashOf hashes what may be a secret of ours. Anything else is neither hashed nor looked up.
func hashOf(prefix, s string) (hash, bool) {
	if len(s) != len(prefix)+secretLength || s[:len(prefix)] != prefix {
		return hash{}, false
	}
	return sha256.Sum256([]byte(s)), true
}

// loginID is the name of the login with this hash: enough of it to be unique, too little to be of use.
func (h hash) loginID() string { return hex.EncodeToString(h[:8]) }
