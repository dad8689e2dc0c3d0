package adapter

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/xuangate/xuangate/adapter/legacy"
	"github.com/xuangate/xuangate/gen/model"
)

// chatFresh is how long a chat is believed. Whatever happens to it through us is put in at once; this bounds what we do
// not hear of.
const chatFresh = 30 * time.Second

// maxChats bounds what is remembered of chats and their last messages. Beyond it the memory starts again: an entry costs
// one call to get back.
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

// lastMessage is a chat's newest message; active is the chat's lastActiveTime for which it was found to be the newest.
type lastMessage struct {
	row    legacy.MessageRow
	active int64
}

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

// moment is the time before a question to legacy: what store then gets is older than every put after it.
func (c *chats) moment() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.tick
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

// same compares what members may know of a chat: not a user's own marks, nor when somebody last spoke.
func same(x, y legacy.ChatRow) bool {
	for _, c := range []*legacy.ChatRow{&x, &y} {
		c.Star, c.Hide, c.Mute, c.LastActiveTime = 0, 0, 0, legacy.Date{}
		c.Members = slices.Sorted(slices.Values(c.Members))
	}
	return reflect.DeepEqual(x, y)
}

// mark notes that a message was told.
func (c *chats) mark(gid legacy.ChatGID, id legacy.MessageID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.told[gid] = max(c.told[gid], id)
}

func (c *chats) marked(gid legacy.ChatGID) legacy.MessageID {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.told[gid]
}

// putLast keeps a message if it is the chat's newest so far.
func (c *chats) putLast(gid legacy.ChatGID, row legacy.MessageRow, active int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.last[gid].row.ID <= row.ID {
		c.last[gid] = lastMessage{row: row, active: active}
	}
}

func (c *chats) getLast(gid legacy.ChatGID, active int64) (legacy.MessageRow, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	l, ok := c.last[gid]
	return l.row, ok && active != 0 && l.active == active
}

// list asks legacy for u's chats: the system chat, and those he is in, dismissed ones too.
func (a *Adapter) list(ctx context.Context, op string, u legacy.UserID) ([]legacy.ChatRow, error) {
	// Callers that come while the question is out share its answer, unless a chat has changed since it was asked. It must
	// not end with the first one's request.
	at := a.chats.moment()
	v, err, _ := a.chats.loads.Do(fmt.Sprint(u, "@", at), func() (any, error) {
		rows, err := a.listNow(context.WithoutCancel(ctx), op, u)
		if err == nil {
			a.chats.store(at, rows)
		}
		return rows, err
	})
	if err != nil {
		return nil, err
	}
	return v.([]legacy.ChatRow), nil
}

// listNow is list by a question of its own: nobody's that is out already, which may not know of what has just happened.
func (a *Adapter) listNow(ctx context.Context, op string, u legacy.UserID) (rows []legacy.ChatRow, err error) {
	r, err := a.read(ctx, op, legacy.Chat(u, "getlist"))
	if err != nil {
		return nil, err
	}
	return rows, spoken(op, r, &rows)
}

// member returns the chat that id names, if u is a member of it and id is legacy's own spelling; else NotFound, which
// looks the same from outside for a chat that does not exist.
func (a *Adapter) member(ctx context.Context, op string, u legacy.UserID, id string) (legacy.ChatRow, error) {
	gid, err := parseChatGID(op, id)
	if err != nil {
		return legacy.ChatRow{}, err
	}
	if row, ok := a.chats.get(gid); ok && row.Has(u) {
		return row, nil
	}
	return a.own(ctx, op, u, gid)
}

// own is member by asking legacy, with u's own marks (star, hide, mute) in the row.
func (a *Adapter) own(ctx context.Context, op string, u legacy.UserID, gid legacy.ChatGID) (legacy.ChatRow, error) {
	rows, err := a.list(ctx, op, u)
	if err != nil {
		return legacy.ChatRow{}, err
	}
	if row, ok := among(rows, u, gid); ok {
		return row, nil
	}
	return legacy.ChatRow{}, notMember(op)
}

// among finds a chat that u may read among rows.
func among(rows []legacy.ChatRow, u legacy.UserID, gid legacy.ChatGID) (legacy.ChatRow, bool) {
	for _, row := range rows {
		if legacy.ChatGID(row.GID) == gid && row.Has(u) {
			return row, true
		}
	}
	return legacy.ChatRow{}, false
}

// spelling returns legacy's own spelling of a chat of u that a desktop may have written in another: its SQL ignores case
// and trailing blanks. A chat that u has left keeps the spelling given.
func (a *Adapter) spelling(ctx context.Context, u legacy.UserID, gid legacy.ChatGID) legacy.ChatGID {
	if _, ok := a.chats.get(gid); ok {
		return gid
	}
	rows, err := a.list(ctx, "list conversations", u)
	if err != nil {
		return gid
	}
	return spelt(rows, gid)
}

// spelt finds gid among rows as legacy compares it, or gives it back as it is.
func spelt(rows []legacy.ChatRow, gid legacy.ChatGID) legacy.ChatGID {
	for _, row := range rows {
		if strings.EqualFold(string(row.GID), strings.TrimRight(string(gid), " ")) {
			return legacy.ChatGID(row.GID)
		}
	}
	return gid
}

// any returns a chat whoever asks, for /inner. Legacy answers a chat's row to its members only, so one of them is asked
// for; a chat without members cannot be found.
func (a *Adapter) any(ctx context.Context, op string, id string) (legacy.ChatRow, error) {
	gid, err := parseChatGID(op, id)
	if err != nil {
		return legacy.ChatRow{}, err
	}
	if row, ok := a.chats.get(gid); ok {
		return row, nil
	}
	operator, err := a.operatorID(ctx)
	if err != nil {
		return legacy.ChatRow{}, err
	}
	members, err := a.members(ctx, op, operator, gid)
	if err != nil {
		return legacy.ChatRow{}, err
	}
	if len(members) == 0 {
		return legacy.ChatRow{}, refuse(op, model.NotFound, "no such conversation, or nobody is in it")
	}
	return a.own(ctx, op, members[0], gid)
}
