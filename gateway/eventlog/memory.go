package eventlog

import (
	"cmp"
	"context"
	"math/rand/v2"
	"slices"
	"sync"

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

// Memory is a Log for a single node: a ring of entries, and for each user the places of those that are for that user. A
// restart begins another log, so positions of before are lost.
//
// A user's position is lost only when an entry of that user has been dropped after it: others' traffic, however much,
// costs a quiet user nothing.
type Memory struct {
	epoch uint64
	bytes int

	mu         sync.RWMutex
	ring       []*Entry // entry n stands at n % len(ring)
	first, end uint64   // the entries kept; first is end+1 when there is none
	held       int      // bytes of them
	everyone   inbox    // entries for all
	inboxes    map[legacy.UserID]*inbox
	sweepAt    int    // how many inboxes make a sweep worth while
	forgotten  uint64 // entries up to here may have been for a user who has no inbox
	once       map[string][]uint64
	chats      map[legacy.ChatGID]highest
}

// An inbox knows which entries are for one user, and who wants to hear of the next. Guarded by Memory.mu.
type inbox struct {
	entries []uint64 // ascending
	lost    uint64   // the last that was dropped
	watches []*watch
}

// A watch is one call of Watch.
type watch struct {
	everyKind bool
	wake      func()
}

// highest is the highest message of a chat and the entry that told it.
type highest struct {
	id     legacy.MessageID
	offset uint64
}

// NewMemory makes an empty log with an epoch of its own.
func NewMemory(o MemoryOptions) *Memory {
	size := cmp.Or(o.Size, 1<<16)
	return &Memory{
		epoch:   rand.Uint64() | 1, // the zero Position is of no log
		bytes:   cmp.Or(o.Bytes, 64<<20),
		ring:    make([]*Entry, size),
		first:   1,
		inboxes: map[legacy.UserID]*inbox{},
		sweepAt: size,
		once:    map[string][]uint64{},
		chats:   map[legacy.ChatGID]highest{},
	}
}

// Append implements Log. It never blocks on a reader.
func (m *Memory) Append(_ context.Context, e adapter.Event) (Position, error) {
	entry, err := newEntry(e)
	if err != nil {
		return Position{}, err
	}
	at, watches := m.add(entry, e.ID)
	for _, w := range watches {
		w.wake()
	}
	return at, nil
}

// add gives the entry its place and returns whom to wake: doing that under the lock would have them run into it.
func (m *Memory) add(e *Entry, id legacy.MessageID) (at Position, wake []*watch) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if had := m.dedupe(e); e.to.none() {
		return m.at(cmp.Or(had, m.end)), nil
	}
	for m.end-m.first+1 == uint64(len(m.ring)) || m.held > 0 && m.held+e.size() > m.bytes {
		m.dropFirst()
	}
	m.end++
	e.At = m.at(m.end)
	m.ring[m.end%uint64(len(m.ring))] = e
	m.held += e.size()
	if e.once != "" {
		m.once[e.once] = append(m.once[e.once], m.end)
	}
	if e.chat != "" {
		top := m.chats[e.chat]
		if e.late = id < top.id; !e.late {
			m.chats[e.chat] = highest{id: id, offset: m.end}
		}
	}
	if e.to.all {
		m.everyone.entries = append(m.everyone.entries, m.end)
		for _, in := range m.inboxes {
			wake = in.whom(e, wake)
		}
		return e.At, wake
	}
	for _, u := range e.to.users {
		in := m.inbox(u)
		in.entries = append(in.entries, m.end)
		wake = in.whom(e, wake)
	}
	return e.At, wake
}

// dedupe takes from e's recipients those who have had its Once. It returns the entry by which one of them first had it,
// or 0.
func (m *Memory) dedupe(e *Entry) (had uint64) {
	if e.once == "" {
		return 0
	}
	for _, offset := range m.once[e.once] {
		rest := e.to.without(m.entry(offset).to)
		if had == 0 && (rest.all != e.to.all || rest.count() != e.to.count()) {
			had = offset
		}
		e.to = rest
	}
	return had
}

func (m *Memory) dropFirst() {
	e, offset := m.entry(m.first), m.first
	m.ring[offset%uint64(len(m.ring))] = nil
	m.first++
	m.held -= e.size()
	if e.to.all {
		m.everyone.dropFirst()
	}
	for _, u := range e.to.users {
		m.inboxes[u].dropFirst()
	}
	if e.once != "" {
		// The oldest entry of all is the oldest of its Once.
		if rest := m.once[e.once][1:]; len(rest) > 0 {
			m.once[e.once] = rest
		} else {
			delete(m.once, e.once)
		}
	}
	if m.chats[e.chat].offset == offset {
		delete(m.chats, e.chat)
	}
}

// Read implements Log. It costs u's entries, not those of others.
func (m *Memory) Read(_ context.Context, u legacy.UserID, after Position, max int) ([]*Entry, Position, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	var own []uint64
	lost := m.forgotten
	if in := m.inboxes[u]; in != nil {
		own, lost = in.entries, in.lost
	}
	if after.epoch != m.epoch || after.offset > m.end || after.offset < lost || after.offset < m.everyone.lost {
		return nil, Position{}, ErrPositionLost
	}
	own, all := later(own, after.offset), later(m.everyone.entries, after.offset)
	var list []*Entry
	for len(own)+len(all) > 0 {
		if len(list) == max {
			return list, list[max-1].At, nil
		}
		var e *Entry
		if len(all) == 0 || len(own) > 0 && own[0] < all[0] {
			e, own = m.entry(own[0]), own[1:]
		} else {
			e, all = m.entry(all[0]), all[1:]
		}
		if e.to.includes(u) {
			list = append(list, e)
		}
	}
	return list, m.at(m.end), nil
}

// Watch implements Log.
func (m *Memory) Watch(u legacy.UserID, everyKind bool, wake func()) (stop func()) {
	w := &watch{everyKind: everyKind, wake: wake}
	m.mu.Lock()
	defer m.mu.Unlock()
	in := m.inbox(u)
	in.watches = append(in.watches, w)
	return func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		in.watches = slices.DeleteFunc(in.watches, func(other *watch) bool { return other == w })
	}
}

// End implements Log.
func (m *Memory) End(context.Context) (Position, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.at(m.end), nil
}

func (m *Memory) at(offset uint64) Position { return Position{epoch: m.epoch, offset: offset} }

func (m *Memory) entry(offset uint64) *Entry { return m.ring[offset%uint64(len(m.ring))] }

// inbox finds or makes a user's inbox. When there are many it first drops those that neither hold an entry nor are
// watched: it then remembers of their users only that something may have been dropped.
func (m *Memory) inbox(u legacy.UserID) *inbox {
	if in := m.inboxes[u]; in != nil {
		return in
	}
	if len(m.inboxes) >= m.sweepAt {
		for u, in := range m.inboxes {
			if len(in.entries)+len(in.watches) == 0 {
				delete(m.inboxes, u)
			}
		}
		m.forgotten = m.first - 1
		m.sweepAt = max(len(m.ring), 2*len(m.inboxes))
	}
	in := &inbox{lost: m.forgotten}
	m.inboxes[u] = in
	return in
}

// whom adds to wake those who watch for an entry like e. Without the choice each user's coming online would wake everybody
// for nothing: most have asked for messages only.
func (in *inbox) whom(e *Entry, wake []*watch) []*watch {
	for _, w := range in.watches {
		if w.everyKind || e.ForAllStreams() {
			wake = append(wake, w)
		}
	}
	return wake
}

func (in *inbox) dropFirst() {
	in.lost = in.entries[0]
	if in.entries = in.entries[1:]; len(in.entries) == 0 {
		in.entries = nil
	}
}

// later is the part of ascending offsets above one of them.
func later(offsets []uint64, after uint64) []uint64 {
	i, found := slices.BinarySearch(offsets, after)
	if found {
		i++
	}
	return offsets[i:]
}
