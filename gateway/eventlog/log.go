// Package eventlog keeps the latest events in one order for everybody. A position is a place in that order and means the
// same for every user; a reader is a position and nothing else, so a slow one costs nobody.
package eventlog

import (
	"context"
	"errors"

	"github.com/xuangate/xuangate/adapter"
	"github.com/xuangate/xuangate/adapter/legacy"
)

// ErrPositionLost says that a log cannot tell what came after a position: something has been dropped since, or the
// position belongs to another log. The reader goes on from End, and knows that it missed something.
var ErrPositionLost = errors.New("position lost")

// ErrAway says that a log cannot be asked at present; trying again may help.
var ErrAway = errors.New("the event log cannot be reached")

// A Log takes events and gives them back to those they are for. All methods may be used from any goroutine.
type Log interface {
	// Append adds an event and returns its place. An event whose Once all its recipients have had, as far as the log
	// reaches back, is not added again: the place of the one they had is returned. Recipients that have not had it get
	// it, the others do not. An event for nobody is not added; the log's end is returned. A message of a lower ID than
	// one of its Chat before it is marked late. The log keeps e.Data encoded and does not touch e afterwards.
	Append(ctx context.Context, e adapter.Event) (Position, error)
	// Read returns at most max of u's entries after a position, oldest first, and how far it looked: the position to go
	// on from, which moves past other users' entries too. It does not wait. ErrPositionLost: see there.
	Read(ctx context.Context, u legacy.UserID, after Position, max int) ([]*Entry, Position, error)
	// Watch has wake called after each entry for u that is appended from now on, and possibly without one, until stop is
	// called. Entries that only those hear of who asked for every kind wake those only that ask for it here. wake must not
	// block and may be called from any goroutine; a call under way when stop is called may still come. One who watches
	// first and then reads to the end misses nothing.
	Watch(u legacy.UserID, everyKind bool, wake func()) (stop func())
	// End is the place of the newest entry: what is appended from now on comes after it.
	End(ctx context.Context) (Position, error)
}
