package adapter

import (
	"context"
	"maps"
	"slices"

	"github.com/xuangate/xuangate/adapter/legacy"
	"github.com/xuangate/xuangate/gen/model"
)

const (
	// sameSecond is how many messages may share a second before finding one by its date takes more than one look.
	sameSecond = 100
	// spare rows make up for those dropped because they share a gid with another.
	spare = 4
	// maxPages bounds the calls of one request. Halving a chat of a billion messages takes 30; a server whose totals and
	// rows contradict each other would keep us asking for ever.
	maxPages = 50
)

// history reads one chat's messages for one request. chat/history pages newest first and strictly by id, but new
// messages push older ones onto later pages between two calls. So rows are kept by rank, their number counted from the
// chat's oldest message, which never changes: a row on page p of size s, i-th on it, has rank total-1-((p-1)*s+i).
// Used by one goroutine.
type history struct {
	a     *Adapter
	op    string
	user  legacy.UserID
	chat  legacy.ChatGID
	pages int                       // asked for so far
	total int                       // messages in the chat when last asked
	grown int                       // how many of them came since the time before
	rows  map[int]legacy.MessageRow // by rank
}

func (a *Adapter) history(op string, u legacy.UserID, chat legacy.ChatGID) *history {
	return &history{a: a, op: op, user: u, chat: chat, rows: map[int]legacy.MessageRow{}}
}

// page asks for one page. recTotal is always sent as 0: a number would be believed, and a page beyond the end would then
// be the first one (recorded: 07_history). The chat is never "": that would be everybody's messages.
func (h *history) page(ctx context.Context, size, page int, since int64) (rows []legacy.MessageRow, total int, err error) {
	if h.pages++; h.pages > maxPages {
		return nil, 0, refuse(h.op, model.Unreachable, "the chat server's history contradicts itself")
	}
	c := legacy.Chat(h.user, "history", h.chat, size, page, 0, false, since)
	r, err := h.a.read(ctx, h.op, c)
	if err != nil {
		return nil, 0, err
	}
	return rows, int(r.Pager.Total), spoken(h.op, r, &rows)
}

// count returns how many messages are dated at or after a Unix second.
func (h *history) count(ctx context.Context, since int64) (int, error) {
	_, n, err := h.page(ctx, 1, 1, since)
	return n, err
}

// fetch gets the rows whose places counted from the newest are from…to-1, and perhaps some around them, in one call. As
// many as came since the last call will have come until this one is answered, and have pushed them on.
func (h *history) fetch(ctx context.Context, from, to int) error {
	from = max(from, 0)
	size, page := pageFor(from, max(to, from+1)+h.grown)
	rows, total, err := h.page(ctx, size, page, 0)
	if err != nil {
		return err
	}
	if h.total > 0 {
		h.grown = max(total-h.total, 0)
	}
	h.total = total
	for i, row := range rows {
		h.rows[total-1-((page-1)*size+i)] = row
	}
	return nil
}

// pageFor finds a page size for which one page holds the places from…to-1.
func pageFor(from, to int) (size, page int) {
	width := to - from + spare
	for size = width; size < 4*width; size++ {
		if from%size+width <= size {
			return size, from/size + 1
		}
	}
	return from + width, 1 // the first page, as large as need be; correct for every place
}

// span is the known rows as one unbroken run of ranks around the place of id: lo and hi are the lowest and highest rank of
// it. placed says that every message of the chat below lo is older than id, and every one above hi newer.
func (h *history) span(id legacy.MessageID) (lo, hi int, placed bool) {
	ranks := slices.Sorted(maps.Keys(h.rows))
	for i := 0; i < len(ranks); {
		j := i
		for j+1 < len(ranks) && ranks[j+1] == ranks[j]+1 {
			j++
		}
		lo, hi = ranks[i], ranks[j]
		if (lo == 0 || h.id(lo) <= id) && (hi == h.total-1 || h.id(hi) >= id) {
			return lo, hi, true
		}
		i = j + 1
	}
	return 0, 0, false
}

func (h *history) id(rank int) legacy.MessageID { return legacy.MessageID(h.rows[rank].ID) }

// around gets the rows around the place of m: at least before older and after newer ones, as far as there are any. The
// date in m says where to look first. That takes two calls where dates follow ids and fewer than sameSecond messages
// share the second; else the place is found by halving, log2(total/100) calls more.
func (h *history) around(ctx context.Context, m msgID, before, after int) error {
	n, err := h.count(ctx, int64(m.date))
	if err != nil {
		return err
	}
	// n messages are dated at or after m, so m is the n-th newest, or one of those of its second above it.
	if err := h.fetch(ctx, n-sameSecond-after-spare, n+before+spare); err != nil {
		return err
	}
	return h.settle(ctx, m.id, before, after)
}

// between gets the rows from one message on to another, up to limit of them.
func (h *history) between(ctx context.Context, from, to msgID, limit int) error {
	n, err := h.count(ctx, int64(from.date))
	if err != nil {
		return err
	}
	k := 0 // how many are newer than the range
	if n > limit {
		k, err = h.count(ctx, int64(to.date))
		if err != nil {
			return err
		}
	}
	// The rows of the range, but no more than limit above from.
	if err := h.fetch(ctx, max(k-sameSecond, n-sameSecond-limit), n+spare); err != nil {
		return err
	}
	// Dates may lie, so look until the range is all there: up to its newer end, or limit rows of it.
	if err := h.settle(ctx, from.id, 1, 0); err != nil {
		return err
	}
	for {
		_, hi, _ := h.span(from.id)
		have := len(h.newer(from.id-1, limit))
		if hi >= h.total-1 || have >= limit || h.id(hi) >= to.id {
			return nil
		}
		top := h.total - 1 - hi // places above hi
		if err := h.fetch(ctx, top-limit, top); err != nil {
			return err
		}
	}
}

// settle makes sure that the place of id is found and has before older and after newer rows around it.
func (h *history) settle(ctx context.Context, id legacy.MessageID, before, after int) error {
	if err := h.find(ctx, id, before, after); err != nil {
		return err
	}
	for {
		lo, hi, placed := h.span(id)
		if !placed {
			return nil // an empty chat
		}
		switch {
		case lo > 0 && len(h.older(id, before)) < before:
			place := h.total - lo // just older than lo
			if err := h.fetch(ctx, place, place+before); err != nil {
				return err
			}
		case hi < h.total-1 && len(h.newer(id, after)) < after:
			place := h.total - 1 - hi
			if err := h.fetch(ctx, place-after, place); err != nil {
				return err
			}
		default:
			return nil
		}
	}
}

// find halves the chat until the place of id is known, and looks wide enough to have its neighbours with it.
func (h *history) find(ctx context.Context, id legacy.MessageID, before, after int) error {
	for {
		if _, _, placed := h.span(id); placed || h.total == 0 {
			return nil
		}
		lo, hi := h.bracket(id)
		mid := h.total - 1 - (lo+hi)/2
		if err := h.fetch(ctx, mid-sameSecond/2-after, mid+sameSecond/2+before); err != nil {
			return err
		}
	}
}

// bracket returns the ranks between which id must lie: above lo, below hi.
func (h *history) bracket(id legacy.MessageID) (lo, hi int) {
	lo, hi = -1, h.total
	for rank := range h.rows {
		switch at := h.id(rank); {
		case at < id:
			lo = max(lo, rank)
		case at > id:
			hi = min(hi, rank)
		default:
			return rank, rank
		}
	}
	return lo, hi
}

// older returns up to n messages just below id, oldest first, as far as they are known without a gap.
func (h *history) older(id legacy.MessageID, n int) []legacy.MessageRow {
	rows := h.run(id, func(at legacy.MessageID) bool { return at < id })
	return rows[max(0, len(rows)-n):]
}

// newer returns up to n messages just above id, oldest first, as far as they are known without a gap.
func (h *history) newer(id legacy.MessageID, n int) []legacy.MessageRow {
	rows := h.run(id, func(at legacy.MessageID) bool { return at > id })
	return rows[:min(n, len(rows))]
}

// run returns those rows around id that keep wants, by id. Of rows that share a gid the lowest id is the message: legacy
// stores a gid twice that comes twice at once.
func (h *history) run(id legacy.MessageID, keep func(legacy.MessageID) bool) []legacy.MessageRow {
	lo, hi, placed := h.span(id)
	if !placed {
		return nil
	}
	seen := make(map[legacy.Text]bool, hi-lo+1)
	var rows []legacy.MessageRow
	for rank := lo; rank <= hi; rank++ {
		row := h.rows[rank]
		if seen[row.GID] {
			continue
		}
		seen[row.GID] = true
		if keep(legacy.MessageID(row.ID)) {
			rows = append(rows, row)
		}
	}
	return rows
}
