package eventlog

import (
	"cmp"
	"context"
	"math/rand/v2"

	"github.com/xuangate/xuangate/adapter"
	"github.com/xuangate/xuangate/adapter/legacy"
)

// MemoryOptions bound a Memory. The zero value works.
type MemoryOptions struct {
	// Size is the most entries kept. Default 65,536.
	Size int
	// Bytes is about the most memory that entries may take, for one to 1,000 users costs more than one to two.
	// Default 64 MiB. The newest entry is always kept.
	Bytes int
}

const (
	defaultSize  = 1 << 16
	defaultBytes = 64 << 20
)

// Memory is a Log for a single node: a ring. A restart begins another log, so positions of before are lost.
//
// A user's position is lost only when an entry of that user has been dropped after it.
type Memory struct{ ring }

// NewMemory makes an empty log with an epoch of its own.
func NewMemory(o MemoryOptions) *Memory {
	return &Memory{newRing(newEpoch(), cmp.Or(o.Size, defaultSize), cmp.Or(o.Bytes, defaultBytes))}
}

// newEpoch names a log.
func newEpoch() uint64 { return rand.Uint64() | 1 } // the zero Position is of no log

// Append implements Log. It never blocks on a reader.
func (m *Memory) Append(_ context.Context, e adapter.Event) (Position, error) {
	entry, err := newEntry(e)
	if err != nil {
		return Position{}, err
	}
	at, watches := m.append(entry)
	wake(watches)
	return at, nil
}

func (m *Memory) append(e *Entry) (Position, []*watch) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if had := m.dedupe(e); e.to.none() {
		return m.at(cmp.Or(had, m.end)), nil
	}
	m.order(e)
	e.At = m.at(m.end + 1)
	return e.At, m.add(e, nil)
}

// Read implements Log. It costs u's entries, not those of others.
func (m *Memory) Read(_ context.Context, u legacy.UserID, after Position, max int) ([]*Entry, Position, error) {
	list, at, s := m.read(u, after, max)
	if s != within {
		return nil, Position{}, ErrPositionLost
	}
	return list, at, nil
}

// End implements Log.
func (m *Memory) End(context.Context) (Position, error) { return m.endAt(), nil }
