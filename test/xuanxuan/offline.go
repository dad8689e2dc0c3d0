package xuanxuan

import (
	"context"
	"strconv"
)

// waiting is a message in the answer to getOfflineMessages: as it lies in the database, with numbers as strings and
// the date in the server's time (recorded: 12_abrupt_disconnect_offline).
func (m message) waiting() object {
	return m.object(strconv.FormatInt(m.id, 10), m.user, m.date, strconv.FormatInt(m.order, 10))
}

// leaveWaiting keeps messages for users who are offline, also those that such a user has had already.
func (b *Backend) leaveWaiting(ctx context.Context, rows []message, users []int64) error {
	if len(users) == 0 {
		return nil
	}
	for _, m := range rows {
		_, err := b.store.exec(ctx,
			`INSERT OR REPLACE INTO im_messagestatus (user, gid, status) SELECT value, ?, 'waiting' FROM json_each(?)`, m.gid, set(users))
		if err != nil {
			return err
		}
	}
	return nil
}

// getOfflineMessages answers what waits for the caller and marks it as sent, the waiting notices along with it; those
// are then lost, unless getOfflineNotify was asked before.
func (b *Backend) getOfflineMessages(ctx context.Context, r *request) (*answer, error) {
	id := r.param(0, int64(0))
	n, err := userKey(id)
	if err != nil {
		return nil, err
	}
	rows, err := selectRows(ctx, b.store, scanMessage, `SELECT `+messageColumns+`
		FROM im_messagestatus s JOIN im_message m ON m.gid = s.gid
		WHERE s.user = ? AND s.status = 'waiting' AND m.type <> 'notify' ORDER BY m."order" DESC, m.id DESC`, n)
	if err != nil {
		return nil, err
	}
	data := make([]object, len(rows))
	for i, m := range rows {
		data[i] = m.waiting()
	}
	if len(rows) > 0 {
		_, err := b.store.exec(ctx, `UPDATE im_messagestatus SET status = 'sent' WHERE user = ? AND status = 'waiting'`, n)
		if err != nil {
			return nil, err
		}
	}
	a := r.success().set("users", []any{id}).set("data", data)
	a.fields[1].val = "message" // the one method that answers under another's name, with getOfflineNotify
	return a, nil
}
