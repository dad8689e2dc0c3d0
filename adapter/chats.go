package adapter

import (
	"reflect"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/xuangate/xuangate/adapter/legacy"
)

// chatFresh is how long a chat is believed. Whatever happens to it through us is put in at once; this bounds what we do
// not hear of.
const chatFresh = 30 * time.Second

// maxChats bounds what is remembered of chats, of their last messages, and of how far each was told. Beyond it the memory starts
// again: an entry costs one call to get back. Without it every chat that was ever spoken in stays.
const maxChats = 20000

// chats is what we know of chats: their rows as legacy answered them last, under legacy's own spelling, and each one's
// last message. Legacy checks nobody's membership, so every read and every send asks here first.
type chats struct {
	loads singleflight.Group

	mu   sync.Mutex
	tick uint64 // counts changes; see store
	rows map[legacy.ChatGID]chatEntry
	last map[legacy.ChatGID]lastMessage
	told map[legacy.ChatGID]legacy.MessageID // the highest message told of each chat
}

type chatEntry struct {
	row     legacy.ChatRow
	at      time.Time       // when it was last confirmed
	changed time.Time       // when row became another
	tick    uint64          // of that change: the version of row
	gone    []legacy.UserID // who were members before it
}

// lastMessage is a chat's newest message, as of a stamp of the chat.
type lastMessage struct {
	row legacy.MessageRow
	as  stamp
}

// stamp is what tells whether somebody has spoken in a chat since: when it was last active; or, where an edit has wiped
// that (LEGACY: the date corruption), when it was edited. The zero stamp tells nothing.
type stamp struct{ active, edited int64 }

func newChats() *chats {
	return &chats{rows: map[legacy.ChatGID]chatEntry{}, last: map[legacy.ChatGID]lastMessage{}, told: map[legacy.ChatGID]legacy.MessageID{}}
}

// get returns what is known of a chat and still believed.
func (c *chats) get(gid legacy.ChatGID) (legacy.ChatRow, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.rows[gid]
	if !ok || time.Since(e.at) > chatFresh {
		return legacy.ChatRow{}, false
	}
	return e.row, true
}

// forget has a chat asked for anew: another node may have changed it.
func (c *chats) forget(gid legacy.ChatGID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tick++ // nobody shares answers to questions that are out
	delete(c.rows, gid)
}

// moment is the time before a question to legacy: what store then gets is older than every put after it.
func (c *chats) moment() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.tick
}

// pass makes the questions that are out older than now, so that nobody shares their answers any more.
func (c *chats) pass() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tick++
}

// store keeps the answer to a question asked at a moment, but for chats that changed since: the answer may not know of it.
func (c *chats) store(at uint64, rows []legacy.ChatRow) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.rows)+len(rows) > maxChats {
		clear(c.rows)
		clear(c.last)
	}
	for _, row := range rows {
		gid := legacy.ChatGID(row.GID)
		switch e, known := c.rows[gid]; {
		case !known:
			c.rows[gid] = chatEntry{row: row, at: time.Now(), tick: at}
		case e.tick <= at:
			c.replace(row)
		}
	}
}

// put keeps a chat after a change to it. The same change may be heard of several times, on as many links, and be seen in a
// list before: version numbers the state it led to, and gone are those who were members before.
func (c *chats) put(row legacy.ChatRow) (version uint64, gone []legacy.UserID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.replace(row)
}

// hear is put for a row that came unasked. Where it may be older than the one we have it is not kept, and sure is false:
// only legacy can tell.
func (c *chats) hear(row legacy.ChatRow) (version uint64, gone []legacy.UserID, sure bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, known := c.rows[legacy.ChatGID(row.GID)]
	if known && time.Since(e.changed) < contestFor && !same(e.row, row) {
		return 0, nil, false
	}
	version, gone = c.replace(row)
	return version, gone, true
}

// contestFor is how far one link may be behind another, in telling of a change.
const contestFor = 15 * time.Second

// changedSince says whether a chat has changed since a moment, into another than row.
func (c *chats) changedSince(at uint64, row legacy.ChatRow) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.rows[legacy.ChatGID(row.GID)]
	return e.tick > at && !same(e.row, row)
}

// steady asks how a chat is until nothing is heard of it while the question is out: the answer may be older than that.
func (c *chats) steady(ask func() (legacy.ChatRow, error)) (legacy.ChatRow, error) {
	for {
		at := c.moment()
		row, err := ask()
		if err != nil || !c.changedSince(at, row) {
			return row, err
		}
	}
}

// replace does put's work; c.mu is held.
func (c *chats) replace(row legacy.ChatRow) (version uint64, gone []legacy.UserID) {
	gid := legacy.ChatGID(row.GID)
	e, known := c.rows[gid]
	if !known || !same(e.row, row) {
		c.tick++
		was := e.row.Members
		e = chatEntry{changed: time.Now(), tick: c.tick}
		for _, u := range was {
			if !slices.Contains(row.Members, u) {
				e.gone = append(e.gone, u)
			}
		}
	}
	e.row, e.at = row, time.Now()
	c.rows[gid] = e
	return e.tick, slices.Clone(e.gone)
}

// same compares what members may know of a chat: not a user's own marks, nor when somebody last spoke or edited it.
func same(x, y legacy.ChatRow) bool {
	for _, c := range []*legacy.ChatRow{&x, &y} {
		c.Star, c.Hide, c.Mute, c.Category = 0, 0, 0, ""
		c.LastActiveTime, c.EditedDate = legacy.Date{}, legacy.Date{}
		c.Members = slices.Sorted(slices.Values(c.Members))
	}
	return reflect.DeepEqual(x, y)
}

// mark notes that a message was told.
func (c *chats) mark(gid legacy.ChatGID, id legacy.MessageID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, known := c.told[gid]; !known && len(c.told) >= maxChats {
		clear(c.told)
	}
	c.told[gid] = max(c.told[gid], id)
}

func (c *chats) marked(gid legacy.ChatGID) legacy.MessageID {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.told[gid]
}

// putLast keeps a message if it is the chat's newest so far.
func (c *chats) putLast(gid legacy.ChatGID, row legacy.MessageRow, as stamp) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, known := c.last[gid]; !known && len(c.last) >= maxChats {
		clear(c.last)
	}
	if c.last[gid].row.ID <= row.ID {
		c.last[gid] = lastMessage{row: row, as: as}
	}
}

func (c *chats) getLast(gid legacy.ChatGID, as stamp) (legacy.MessageRow, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	l, ok := c.last[gid]
	return l.row, ok && as != stamp{} && l.as == as
}

// lastIf is the chat's newest message if it has that id.
func (c *chats) lastIf(gid legacy.ChatGID, id legacy.Int) (row legacy.MessageRow, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	row = c.last[gid].row
	return row, id > 0 && row.ID == id
}
