package v1

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/xuangate/xuangate/adapter/legacy"
)

const (
	// datedPage is how many messages one look for a date takes in.
	datedPage = 50
	// maxLooks bounds the looks for one date. In a chat of n messages it takes 1 + ⌈log2(⌈n/50⌉)⌉ of them, 9 for 10,000, when
	// none are added meanwhile; a chat that grows faster than it is looked through would keep us looking.
	maxLooks = 40
)

// history answers a page of a chat. 1.0 does not look at startDate, so the place where the dates reach it is looked for by
// halving. Where dates follow ids it is exact. Where they do not it is one of the places where they cross it, which is what
// the translation needs: a guess, after which it goes by ids.
func history(c *Conn, ctx context.Context, p params) (legacy.Response, error) {
	since := p.number(5)
	if since <= 0 {
		return c.page(ctx, p.text(0), p.number(1), p.number(2))
	}
	n, newest, err := c.dated(ctx, p.text(0), since)
	if err != nil || newest.Result != legacy.Success {
		return newest, err
	}
	size := max(p.number(1), 1)
	from := (max(p.number(2), 1) - 1) * size
	size = min(size, max(int64(n)-from, 0))
	r := newest
	var rows []json.RawMessage
	if from+size > datedPage {
		if r, err = c.page(ctx, p.text(0), p.number(1), p.number(2)); err != nil || r.Result != legacy.Success {
			return r, err
		}
		from = 0
	}
	if err := r.Decode(&rows); err != nil {
		return r, err
	}
	from = min(from, int64(len(rows)))
	if r.Data, err = json.Marshal(slices.Concat([]json.RawMessage{}, rows[from:min(from+size, int64(len(rows)))])); err != nil {
		return r, err
	}
	r.Pager = legacy.Pager{PageID: legacy.Int(p.number(2)), Total: legacy.Int(n)}
	return r, nil
}

// page asks for one page, newest first. A total that is sent would be believed, so it is 0.
func (c *Conn) page(ctx context.Context, gid string, size, page int64) (legacy.Response, error) {
	r, err := c.ask(ctx, "history", gid, size, page, 0, false)
	r.Data = readContents(r.Data)
	return r, err
}

// dated counts the messages that are dated at or after a second, and returns the newest datedPage of the chat with it. A
// message's rank is its number counted from the oldest, which new messages do not change.
func (c *Conn) dated(ctx context.Context, gid string, since int64) (n int, newest legacy.Response, err error) {
	lo, hi := -1, 0 // the ranks up to lo are dated before, those from hi on are not
	for look, page := 0, 1; look < maxLooks; look++ {
		r, err := c.page(ctx, gid, datedPage, int64(page))
		if err != nil || r.Result != legacy.Success {
			return 0, r, err
		}
		var rows []legacy.MessageRow
		if err := r.Decode(&rows); err != nil {
			return 0, r, err
		}
		total := int(r.Pager.Total)
		if look == 0 {
			newest, hi = r, total
		}
		top := total - 1 - (page-1)*datedPage // the rank of rows[0]
		switch i := slices.IndexFunc(rows, func(m legacy.MessageRow) bool { return m.Date.Unix(time.UTC) < since }); {
		case len(rows) == 0:
			return total - hi, newest, nil
		case i < 0:
			hi = min(hi, top-len(rows)+1)
		case i == 0:
			lo = max(lo, top)
		default:
			return total - (top - i + 1), newest, nil
		}
		n = total - hi
		if hi-lo <= 1 {
			break
		}
		page = (total-1-(lo+hi)/2)/datedPage + 1
	}
	return n, newest, nil
}
