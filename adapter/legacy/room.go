package legacy

import (
	"errors"
	"fmt"
	"io"
	"sync/atomic"
)

const (
	// MaxAnswer bounds in bytes what a server may say in one piece. Without it a server gone mad, or somebody in its place, fills our
	// memory with a single answer. The largest real ones, a page of 500 messages of 65,535 bytes of Chinese, which PHP writes in
	// six bytes for three, stay below.
	MaxAnswer = 64 << 20
	// maxHeld bounds what a server may say on all connections together, while it comes in and until it has been taken. Without it as
	// many connections as there are users each get a piece under way, and MaxAnswer does not help. It is room for four of the largest
	// answers, or for 50 kB on each of 5,000 connections.
	maxHeld = 4 * MaxAnswer
)

var (
	errTooLong = fmt.Errorf("the chat server says more than %d bytes in one piece", MaxAnswer)
	errFlood   = errors.New("the chat server says more at once than there is room for")
)

// Room is the memory for what one server says, shared by all connections to it. The zero value is ready, and it may be used from any
// goroutine.
type Room struct{ held atomic.Int64 }

// Take takes room for n more bytes, or answers an error that ends the connection: a gap must be visible.
func (r *Room) Take(n int) error {
	if r.held.Add(int64(n)) > maxHeld {
		r.Give(n)
		return errFlood
	}
	return nil
}

// Give gives room back that was taken.
func (r *Room) Give(n int) { r.held.Add(-int64(n)) }

// More takes room for n more bytes of a piece that has had bytes so far.
func (r *Room) More(had, n int) error {
	if had+n > MaxAnswer {
		return errTooLong
	}
	return r.Take(n)
}

// ReadAll reads one piece to its end. Its length is to be given back once nothing of it is needed any more; with an error nothing is.
func (r *Room) ReadAll(from io.Reader) (piece []byte, err error) {
	piece = make([]byte, 0, 512)
	defer func() {
		if err != nil {
			r.Give(len(piece))
			piece = nil
		}
	}()
	for {
		if len(piece) == cap(piece) {
			piece = append(piece, 0)[:len(piece)]
		}
		n, err := from.Read(piece[len(piece):cap(piece)])
		if more := r.More(len(piece), n); more != nil {
			return piece, more
		}
		piece = piece[:len(piece)+n]
		switch {
		case err == io.EOF:
			return piece, nil
		case err != nil:
			return piece, err
		}
	}
}
