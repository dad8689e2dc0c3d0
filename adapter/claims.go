package adapter

import (
	"context"
	"errors"
	"time"
)

var (
	// ErrHeld says that another holds a claim.
	ErrHeld = errors.New("another node holds the claim")
	// ErrLost says that a claim is no longer held: it ran out, or another took it since.
	ErrLost = errors.New("the claim is lost")
)

// A Claim is one holder's right to something that one may do at a time, for as long as its lease lasts.
type Claim struct {
	Key    string
	Holder string // the node's name
	// Fence is above that of every earlier claim of the key, whoever held it.
	Fence int64
	// Former is who held it last, the same holder perhaps; "" where nobody has for a while, or it is not known.
	Former string
	// Note is what the holder wrote there for whoever finds the claim abandoned.
	Note string
}

// LinkClaim begins the keys of users' links. Those that died with their holder are found by Abandoned; of all others only who needs
// them looks.
const LinkClaim = "link:"

// Claims give out claims, among all nodes that share them. The holder is the one whom a Claims was made for. All methods may
// be used from any goroutine. An error that is neither ErrHeld nor ErrLost means that nothing is known, and no claim is held.
type Claims interface {
	// Take claims a key for a time. The holder's own earlier claim of the key ends by it. ErrHeld comes with the claim that
	// stands in the way.
	Take(ctx context.Context, key string, lease time.Duration) (Claim, error)
	// Renew has a claim that is still held last for that time from now on, with its Note; else ErrLost. For no time it is abandoned
	// at once.
	Renew(ctx context.Context, c Claim, lease time.Duration) error
	// Release gives a claim up. One that is not held any more stays whose it is.
	Release(ctx context.Context, c Claim) error
	// Abandoned names some claims of links, as they were, whose time ran out without a Release, and whom nobody has taken since:
	// at most max, those first that ran out first. Each is named to one of all who ask; to the next one only after a while in which it
	// was not taken. After some minutes it is forgotten.
	Abandoned(ctx context.Context, max int) ([]Claim, error)
}
