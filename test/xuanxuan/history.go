package xuanxuan

import (
	"context"
	"math"
	"strconv"
	"time"
)

// pageSize is how many rows a page has when the request names no positive number.
const pageSize = 20

// A pager is where a listing stands. It echoes what it was given, with its type.
type pager struct {
	perPage, page  any // as echoed
	size, number   int64
	total          int64
	limit, skipped int64
}

// newPager reads the paging params as the backend does. A total that is given is believed, and a page beyond it
// becomes page 1; with total 0 the rows are counted and the page is taken as it is (recorded: 07_history).
func newPager(perPage, page, total any, count func() (int64, error)) (p pager, err error) {
	if p.size, err = pagingNumber(perPage); err != nil {
		return pager{}, err
	}
	if p.number, err = pagingNumber(page); err != nil {
		return pager{}, err
	}
	if p.total, err = toInt(total, math.MinInt64, math.MaxInt64); err != nil {
		return pager{}, err
	}
	p.perPage, p.page = perPage, page
	if p.size <= 0 {
		p.perPage, p.size = int64(pageSize), pageSize
	}
	pages := int64(math.Ceil(float64(p.total) / float64(p.size)))
	if p.number <= 0 || pages != 0 && p.number > pages {
		p.page, p.number = int64(1), 1
	}
	if p.total == 0 {
		if p.total, err = count(); err != nil {
			return pager{}, err
		}
	}
	p.limit, p.skipped = p.size, (p.number-1)*p.size
	return p, nil
}

// pagingNumber reads a number that ends up in arithmetic and in LIMIT: what is no whole number kills the call.
func pagingNumber(v any) (int64, error) {
	switch v := v.(type) {
	case nil:
		return 0, nil
	case bool:
		if v {
			return 1, nil
		}
		return 0, nil
	case int64:
		return v, nil
	case string:
		if v == "" {
			return 0, nil
		}
		if n, err := strconv.ParseInt(v, 10, 64); err == nil {
			return n, nil
		}
	}
	return 0, errFatal
}

// history pages through a chat's messages, newest first by id. Nobody's membership is checked; without a gid it goes
// through the messages of everybody, notices included (recorded: 07_history, 17_notify_and_60s_ticks).
func (b *Backend) history(ctx context.Context, r *request) (*answer, error) {
	gid, err := toString(r.param(0, ""))
	if err != nil {
		return nil, err
	}
	since, err := b.startDate(r.param(5, int64(0)))
	if err != nil {
		return nil, err
	}
	data, pager, err := b.historyPage(ctx, r, gid, since, b.live)
	if err != nil {
		return nil, err
	}
	return r.success().set("users", []any{r.param(6, int64(0))}).set("data", data).set("pager", pager), nil
}

// historyPage is what history answers: a page of messages, as show writes one, and the pager.
func (b *Backend) historyPage(ctx context.Context, r *request, gid, since string, show func(message) object) ([]object, object, error) {
	wanted := r.param(0, "")
	where, args := historyWhere(truthy(wanted), key(gid), since)
	p, err := newPager(r.param(1, int64(pageSize)), r.param(2, int64(1)), r.param(3, int64(0)), func() (int64, error) {
		n, _, err := selectRow(ctx, b.store, column[int64], `SELECT count(*) FROM im_message m WHERE `+where, args...)
		return n, err
	})
	if err != nil {
		return nil, nil, err
	}
	rows, err := selectRows(ctx, b.store, scanMessage,
		`SELECT `+messageColumns+` FROM im_message m WHERE `+where+` ORDER BY m.id DESC LIMIT ? OFFSET ?`, append(args, p.limit, p.skipped)...)
	if err != nil {
		return nil, nil, err
	}
	data := make([]object, len(rows))
	for i, m := range rows {
		data[i] = show(m)
	}
	return data, object{
		{"recPerPage", p.perPage}, {"pageID", p.page}, {"recTotal", p.total}, {"gid", wanted}, {"continued", r.param(4, false)},
	}, nil
}

func historyWhere(oneChat bool, gid, since string) (where string, args []any) {
	where = "1"
	if oneChat {
		where, args = "m.cgid = ?", append(args, gid)
	}
	if since != "" {
		where, args = where+" AND m.date >= ?", append(args, since)
	}
	return where, args
}

// startDate is the oldest date wanted, or "" for no bound: zero, negative, not a number, or beyond what a date can say,
// as milliseconds are (recorded: 07_history).
func (b *Backend) startDate(v any) (string, error) {
	if s, ok := v.(string); ok {
		if _, err := strconv.ParseInt(s, 10, 64); err != nil {
			return "", nil
		}
	}
	n, err := toInt(v, math.MinInt64, math.MaxInt64)
	if err != nil || n <= 0 {
		return "", err
	}
	const lastYear = 253402300799 // the last second of the year 9999
	if n > lastYear {
		return "", nil
	}
	return b.date(time.Unix(n, 0)), nil
}
