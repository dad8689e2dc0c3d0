package xuanxuan

import (
	"context"
	"database/sql"
	"strconv"
)

// The levels of what waits in the queue: lower ones are told first. A login makes one each of the first two (seed 001).
const (
	levelUsers = iota
	levelChats
	levelNews = 3
)

// queue leaves a push for each of the users, who gets it with the next emptying of the queue, or, offline as he may be,
// with his next login.
func (d *V1) queue(ctx context.Context, to []int64, level int, method string, data any) error {
	if len(to) == 0 {
		return nil
	}
	_, err := d.backend.store.exec(ctx, `INSERT INTO im_usermessage (level, user, module, method, data)
		SELECT ?, value, 'chat', ?, ? FROM json_each(?)`, level, method, string(appendJSON(nil, data)), set(to))
	return err
}

// hearers are those of the users who exist, by id, without the one who asks; only those online unless all is set.
func (d *V1) hearers(ctx context.Context, r *v1Request, ids []int64, all bool) ([]int64, error) {
	list, err := selectRows(ctx, d.backend.store, scanPresence,
		`SELECT id, clientStatus FROM sys_user WHERE deleted = 0 AND id IN (SELECT value FROM json_each(?)) ORDER BY id`, set(ids))
	if err != nil {
		return nil, err
	}
	var to []int64
	for _, p := range list {
		if p.id != r.self() && (all || p.online()) {
			to = append(to, p.id)
		}
	}
	return to, nil
}

// everybody are all users' ids.
func (d *V1) everybody(ctx context.Context) ([]int64, error) {
	return selectRows(ctx, d.backend.store, column[int64], `SELECT id FROM sys_user WHERE deleted = 0 ORDER BY id`)
}

// tellOthers queues news of the asked method for everybody online but the one who asks.
func (d *V1) tellOthers(ctx context.Context, r *v1Request, data any) error {
	ids, err := d.everybody(ctx)
	if err != nil {
		return err
	}
	return d.tellMembers(ctx, r, ids, data)
}

// tellMembers queues news of the asked method for those of a chat's members who are online, but the one who asks.
func (d *V1) tellMembers(ctx context.Context, r *v1Request, members []int64, data any) error {
	to, err := d.hearers(ctx, r, members, false)
	if err != nil {
		return err
	}
	return d.queue(ctx, to, levelNews, r.method, data)
}

// flush writes what waits for users who are bound to a connection, one array for each, and forgets it, whether or not it
// arrives.
func (d *V1) flush(ctx context.Context) error {
	if len(d.online) == 0 {
		return nil
	}
	ids := make([]int64, 0, len(d.online))
	for id := range d.online {
		ids = append(ids, id)
	}
	type row struct {
		id, user     int64
		method, data string
	}
	rows, err := selectRows(ctx, d.backend.store, func(rows *sql.Rows) (r row, err error) {
		err = rows.Scan(&r.id, &r.user, &r.method, &r.data)
		return r, err
	}, `SELECT id, user, method, data FROM im_usermessage WHERE user IN (SELECT value FROM json_each(?)) ORDER BY level, id`, set(ids))
	if err != nil || len(rows) == 0 {
		return err
	}
	lines := map[int64][]byte{}
	told := make([]int64, len(rows))
	for i, r := range rows {
		line := lines[r.user]
		if line == nil {
			line = []byte{'['}
		} else {
			line = append(line, ',')
		}
		line = append(line, `{"id":`+strconv.FormatInt(r.id, 10)+`,"module":"chat","method":"`+r.method+`","data":`+r.data+`}`...)
		lines[r.user], told[i] = line, r.id
	}
	for user, line := range lines {
		d.online[user].say(append(line, ']'))
	}
	_, err = d.backend.store.exec(ctx, `DELETE FROM im_usermessage WHERE id IN (SELECT value FROM json_each(?))`, set(told))
	return err
}
