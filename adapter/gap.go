package adapter

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/xuangate/xuangate/adapter/legacy"
)

const (
	// gapPage is how many messages one look into a chat's history takes.
	gapPage = 100
	// recently is how old a chat's last message may be for one of the same second to have been missed while the user signed
	// in for the first time; our clock and the server's may differ by as much.
	recently = 10 * time.Second
	// disorder is how many seconds later than a message of a higher id one may be delivered, and so be missed though the
	// higher was heard: as long as a server that is slow may take for a message. The log knows what is told twice.
	disorder = int64(doubtful / time.Second)
	// unheard is how many seconds may have passed since the former holder of a link heard something last: claims tell of it for
	// five minutes after its end, and it may have been dead for as long as its lease before.
	unheard = 5*60 + int64(claimLease/time.Second) + disorder
)

// fill tells what the user missed: what waited for him, and what no list holds because it was sent while the connection
// was being lost or made. Legacy keeps neither; its history is the only place to find it (LEGACY: the login window).
func (k *link) fill(ctx context.Context, up Upstream, welcome legacy.Welcome) (err error) {
	a := k.links.a
	to := []legacy.UserID{k.user}
	since := k.since(welcome)
	k.owed.Messages = append(k.owed.Messages, welcome.Messages...)
	k.owed.Notices = append(k.owed.Notices, welcome.Notices...)
	defer func() {
		k.saw(since) // if this fails the next sign-in begins here, too, not where it finds the server then
		if err == nil {
			k.owed = legacy.Welcome{}
		}
	}()

	rows := slices.Clone(k.owed.Messages)
	// The list of the welcome was made before the server began to deliver to us, so chats are asked for once more.
	var chats []legacy.ChatRow
	at := a.chats.moment()
	r, err := k.ask(ctx, up, legacy.Chat(k.user, "getlist"))
	if err == nil {
		err = r.Decode(&chats)
	}
	if err != nil {
		return err
	}
	a.chats.store(at, chats)
	before := map[legacy.Text]legacy.Date{}
	for _, c := range welcome.Chats {
		before[c.GID] = c.LastActiveTime
	}
	for _, c := range chats {
		if !k.mayHaveMissed(c, before[c.GID], since) {
			continue
		}
		missed, err := k.missed(ctx, up, legacy.ChatGID(c.GID), since)
		if err != nil {
			return err
		}
		rows = append(rows, missed...)
	}
	slices.SortFunc(rows, func(x, y legacy.MessageRow) int { return cmp.Compare(x.ID, y.ID) })
	events := a.noticeEvents(k.owed.Notices, to)
	for _, row := range rows {
		gid := spelt(chats, legacy.ChatGID(row.CGID))
		a.compareZone(gid, row)
		a.chats.mark(gid, legacy.MessageID(row.ID))
		k.saw(row.Date.Unix(a.zone))
		events = append(events, messageEvent(a.message(gid, row), gid, row, Recipients{Users: to}))
	}
	for _, e := range events {
		k.keep(e)
		if err := a.sink(ctx, e); err != nil {
			return err
		}
	}
	return nil
}

// since is the second from which on messages may have been missed: that of the newest one heard on this link less disorder, or, the
// first time, that of the newest one anywhere, or so long before it as another holder of the link may not have heard.
func (k *link) since(welcome legacy.Welcome) int64 {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.seen > 0 && !k.handed {
		return max(k.began, k.seen-disorder)
	}
	var newest int64
	for _, c := range welcome.Chats {
		newest = max(newest, c.LastActiveTime.Unix(k.links.a.zone))
	}
	k.began = max(newest, 1) // 0 is nothing heard
	if k.handed {            // it may have been elsewhere since it was here
		k.handed = false
		k.began = max(newest-unheard, 1)
		k.seen = k.began
	}
	return k.began
}

// mayHaveMissed says whether a chat's history has to be looked at. A rename sets the time of the last message to 0.
func (k *link) mayHaveMissed(c legacy.ChatRow, before legacy.Date, since int64) bool {
	active := c.LastActiveTime.Unix(k.links.a.zone)
	k.mu.Lock()
	again := k.seen > 0
	k.mu.Unlock()
	switch {
	case c.Silent():
		return false
	case again:
		return active == 0 || active >= since
	default:
		return c.LastActiveTime != before || (active >= since && time.Since(time.Unix(active, 0)) < recently)
	}
}

// missed reads a chat's messages down to the highest that was told and to those of since: what was told need not have been
// told to this user, nor everything below it.
func (k *link) missed(ctx context.Context, up Upstream, gid legacy.ChatGID, since int64) (rows []legacy.MessageRow, err error) {
	a := k.links.a
	told := a.chats.marked(gid)
	for page := 1; ; page++ {
		r, err := k.ask(ctx, up, legacy.Chat(k.user, "history", gid, gapPage, page, 0, false, 0))
		if err != nil {
			return nil, err
		}
		var list legacy.List[legacy.MessageRow]
		if err := r.Decode(&list); err != nil {
			return nil, err
		}
		for _, row := range list {
			if row.Date.Unix(a.zone) < since && (told == 0 || legacy.MessageID(row.ID) <= told) {
				return rows, nil
			}
			rows = append(rows, row)
		}
		if len(list) < gapPage {
			return rows, nil
		}
	}
}
