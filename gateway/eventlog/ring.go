package eventlog

import (
	"slices"
	"sync"

	"github.com/xuangate/xuangate/adapter/legacy"
)

// A ring keeps the newest entries of a log, and for each user the places of those that are for that user. Offsets ascend
// from entry to entry, with or without gaps. Its methods lock it themselves, unless they say otherwise.
//
// What it has dropped it knows by user: others' traffic, however much, costs a quiet user nothing.
type ring struct {
	bytes int

	mu          sync.RWMutex
	epoch       uint64
	earlier     Position // positions of that log up to here are places of this one too; zero for none
	end         uint64   // offset of the newest entry, or where the log begins
	slots       []*Entry // entry number n stands at n % len(slots)
	first, last uint64   // numbers of the entries kept; first is last+1 when there is none
	held        int      // bytes of them
	everyone    inbox    // entries for all
	inboxes     map[legacy.UserID]*inbox
	sweepAt     int    // how many inboxes make a sweep worth while
	forgotten   uint64 // entries up to this offset may have been for a user who has no inbox
	once        map[string][]uint64
	chats       map[legacy.ChatGID]highest
}

// An inbox knows which entries are for one user, and who wants to hear of the next. Guarded by ring.mu.
type inbox struct {
	entries []uint64 // their numbers, ascending
	lost    uint64   // offset of the last that was dropped
	watches []*watch
}

// A watch is one call of Watch.
type watch struct {
	everyKind bool
	wake      func()
}

// highest is the highest message of a chat and the number of the entry that told it.
type highest struct {
	id     legacy.MessageID
	number uint64
}

func newRing(epoch uint64, size, bytes int) ring {
	return ring{
		epoch: epoch, bytes: bytes, slots: make([]*Entry, size), first: 1,
		inboxes: map[legacy.UserID]*inbox{}, sweepAt: size,
		once: map[string][]uint64{}, chats: map[legacy.ChatGID]highest{},
	}
}

func (r *ring) at(offset uint64) Position { return Position{epoch: r.epoch, offset: offset} }

func (r *ring) entry(number uint64) *Entry { return r.slots[number%uint64(len(r.slots))] }

// dedupe takes from e's recipients those who have had its Once. It returns the offset of the entry by which one of them
// first had it, or 0. The ring is locked.
func (r *ring) dedupe(e *Entry) (had uint64) {
	if e.once == "" {
		return 0
	}
	for _, number := range r.once[e.once] {
		earlier := r.entry(number)
		rest := e.to.without(earlier.to)
		if had == 0 && (rest.all != e.to.all || rest.count() != e.to.count()) {
			had = earlier.At.offset
		}
		e.to = rest
	}
	return had
}

// order marks a message late that is below one of its chat. The ring is locked.
func (r *ring) order(e *Entry) { e.late = e.chat != "" && e.id < r.chats[e.chat].id }

// add puts an entry at the end, where its At says, and adds to wake whom to wake: doing that under the lock would have them
// run into it. The ring is locked.
func (r *ring) add(e *Entry, wake []*watch) []*watch {
	for r.last-r.first+1 == uint64(len(r.slots)) || r.held > 0 && r.held+e.size() > r.bytes {
		r.dropFirst()
	}
	r.last++
	r.end = e.At.offset
	r.slots[r.last%uint64(len(r.slots))] = e
	r.held += e.size()
	if e.once != "" {
		r.once[e.once] = append(r.once[e.once], r.last)
	}
	if e.chat != "" && !e.late {
		r.chats[e.chat] = highest{id: e.id, number: r.last}
	}
	if e.to.all {
		r.everyone.entries = append(r.everyone.entries, r.last)
		for _, in := range r.inboxes {
			wake = in.whom(e, wake)
		}
		return wake
	}
	for _, u := range e.to.users {
		in := r.inbox(u)
		in.entries = append(in.entries, r.last)
		wake = in.whom(e, wake)
	}
	return wake
}

func (r *ring) dropFirst() {
	e, number := r.entry(r.first), r.first
	r.slots[number%uint64(len(r.slots))] = nil
	r.first++
	r.held -= e.size()
	if e.to.all {
		r.everyone.dropFirst(e.At.offset)
	}
	for _, u := range e.to.users {
		r.inboxes[u].dropFirst(e.At.offset)
	}
	if e.once != "" {
		// The oldest entry of all is the oldest of its Once.
		if rest := r.once[e.once][1:]; len(rest) > 0 {
			r.once[e.once] = rest
		} else {
			delete(r.once, e.once)
		}
	}
	if r.chats[e.chat].number == number {
		delete(r.chats, e.chat)
	}
}

// A standing is what a position is to a ring.
type standing int

const (
	within  standing = iota // whatever came after it for the user is here
	older                   // something of the user's that came after it may have been dropped here
	beyond                  // it is of this log, and newer than all that is here
	foreign                 // it is of another log
)

// read returns at most max of u's entries after a position, oldest first, and how far it looked; or why it cannot. It costs
// u's entries, not those of others.
func (r *ring) read(u legacy.UserID, after Position, max int) ([]*Entry, Position, standing) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	var own []uint64
	lost := r.forgotten
	if in := r.inboxes[u]; in != nil {
		own, lost = in.entries, in.lost
	}
	switch {
	case !r.knows(after):
		return nil, Position{}, foreign
	case after.offset > r.end:
		return nil, Position{}, beyond
	case after.offset < lost || after.offset < r.everyone.lost:
		return nil, Position{}, older
	}
	own, all := r.later(own, after.offset), r.later(r.everyone.entries, after.offset)
	var list []*Entry
	for len(own)+len(all) > 0 {
		if len(list) == max {
			return list, list[max-1].At, within
		}
		var e *Entry
		if len(all) == 0 || len(own) > 0 && own[0] < all[0] {
			e, own = r.entry(own[0]), own[1:]
		} else {
			e, all = r.entry(all[0]), all[1:]
		}
		if e.to.includes(u) {
			list = append(list, e)
		}
	}
	return list, r.at(r.end), within
}

// knows says whether a position is of this log, or of the one that it goes on from. The ring is locked.
func (r *ring) knows(p Position) bool {
	return p.epoch == r.epoch || p.epoch != 0 && p.epoch == r.earlier.epoch && p.offset <= r.earlier.offset
}

// later is the part of ascending numbers whose entries stand after an offset.
func (r *ring) later(numbers []uint64, after uint64) []uint64 {
	i, _ := slices.BinarySearchFunc(numbers, after, func(number, after uint64) int {
		if r.entry(number).At.offset > after {
			return 1
		}
		return -1
	})
	return numbers[i:]
}

// Watch implements Log.
func (r *ring) Watch(u legacy.UserID, everyKind bool, wake func()) (stop func()) {
	w := &watch{everyKind: everyKind, wake: wake}
	r.mu.Lock()
	defer r.mu.Unlock()
	in := r.inbox(u)
	in.watches = append(in.watches, w)
	return func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		in.watches = slices.DeleteFunc(in.watches, func(other *watch) bool { return other == w })
	}
}

// restart empties the ring, for another log or for another part of one: what came up to at is not here. Those who watch stay.
// The ring is locked.
func (r *ring) restart(at Position) {
	clear(r.slots)
	r.epoch, r.end, r.earlier, r.first, r.held, r.forgotten = at.epoch, at.offset, Position{}, r.last+1, 0, at.offset
	r.everyone = inbox{lost: at.offset}
	for _, in := range r.inboxes {
		in.entries, in.lost = nil, at.offset
	}
	clear(r.once)
	clear(r.chats)
}

// turn begins a log of the ring's own that goes on from the one it holds, as if there had been no other. The ring is locked.
func (r *ring) turn() {
	r.earlier = r.at(r.end)
	r.epoch = newEpoch()
}

// turnBack undoes turn: what was added since is no longer there. The ring is locked.
func (r *ring) turnBack() {
	kept := make([]*Entry, 0, r.last-r.first+1)
	for n := r.first; n <= r.last; n++ {
		if e := r.entry(n); e.At.epoch == r.earlier.epoch {
			kept = append(kept, e)
		}
	}
	at := r.earlier
	if len(kept) > 0 {
		at = kept[0].At.Before()
	}
	end := r.earlier.offset
	r.restart(at)
	for _, e := range kept {
		r.add(e, nil)
	}
	r.end = end
}

// watchers is everybody who watches. The ring is locked.
func (r *ring) watchers() (all []*watch) {
	for _, in := range r.inboxes {
		all = append(all, in.watches...)
	}
	return all
}

func (r *ring) endAt() Position {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.at(r.end)
}

// inbox finds or makes a user's inbox. When there are many it first drops those that neither hold an entry nor are
// watched: it then remembers of their users only that something may have been dropped. The ring is locked.
func (r *ring) inbox(u legacy.UserID) *inbox {
	if in := r.inboxes[u]; in != nil {
		return in
	}
	if len(r.inboxes) >= r.sweepAt {
		for u, in := range r.inboxes {
			if len(in.entries)+len(in.watches) == 0 {
				r.forgotten = max(r.forgotten, in.lost)
				delete(r.inboxes, u)
			}
		}
		r.sweepAt = max(len(r.slots), 2*len(r.inboxes))
	}
	in := &inbox{lost: r.forgotten}
	r.inboxes[u] = in
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

func (in *inbox) dropFirst(offset uint64) {
	in.lost = offset
	if in.entries = in.entries[1:]; len(in.entries) == 0 {
		in.entries = nil
	}
}

// wake wakes those whom add returned. The ring is not locked.
func wake(list []*watch) {
	for _, w := range list {
		w.wake()
	}
}
