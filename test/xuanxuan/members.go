package xuanxuan

import (
	"context"
	"database/sql"
)

// members answers who is in a chat, to anybody who asks.
func (b *Backend) members(ctx context.Context, r *request) (*answer, error) {
	wanted := r.param(0, "")
	gid, err := toString(wanted)
	if err != nil {
		return nil, err
	}
	list := []int64{}
	if c, found, err := b.chatByGID(ctx, gid); err != nil {
		return nil, err
	} else if found {
		if list, err = b.chatMembers(ctx, c); err != nil {
			return nil, err
		}
	}
	return r.success().set("users", []any{r.param(1, int64(0))}).set("data", object{{"gid", wanted}, {"members", list}}), nil
}

// joinChat lets the caller into a public group or out of any group. The caller is told once more than he is a member
// (recorded: 08_group_ops).
func (b *Backend) joinChat(ctx context.Context, r *request) (*answer, error) {
	gid, err := r.text(0)
	if err != nil {
		return nil, err
	}
	c, found, err := b.chatByGID(ctx, gid)
	if err != nil {
		return nil, err
	}
	joining, id := truthy(r.param(1, true)), r.param(2, int64(0))
	switch {
	case !found:
		return r.fail(textNotExist.in(r.lang)), nil
	case c.kind != "group":
		return r.fail(textNotGroup.in(r.lang)), nil
	case joining && c.public == 0:
		return r.fail(textNotPublic.in(r.lang)), nil
	case joining:
		err = b.join(ctx, gid, id)
	default:
		err = b.quit(ctx, gid, id)
	}
	if err != nil {
		return nil, err
	}
	members, err := b.chatMembers(ctx, c)
	if err != nil {
		return nil, err
	}
	online, err := b.online(ctx, members)
	if err != nil {
		return nil, err
	}
	users := make([]any, 0, len(online)+1)
	for _, id := range online {
		users = append(users, id)
	}
	return r.success().set("users", append(users, id)).set("data", b.withMembers(c, members)), nil
}

// addMember invites users into a group or kicks them out. The kicked are not told.
func (b *Backend) addMember(ctx context.Context, r *request) (*answer, error) {
	gid, err := r.text(0)
	if err != nil {
		return nil, err
	}
	c, found, err := b.chatByGID(ctx, gid)
	if err != nil {
		return nil, err
	}
	if !found {
		return r.fail(textNotExist.in(r.lang)), nil
	}
	if c.kind != "group" {
		return r.fail(textNotGroup.in(r.lang)), nil
	}
	change := b.quit
	if truthy(r.param(2, true)) {
		change = b.join
	}
	ids, _ := r.param(1, nil).([]any)
	for _, id := range ids {
		if err := change(ctx, gid, id); err != nil {
			return nil, err
		}
	}
	return b.toldToMembers(ctx, r, c)
}

// join adds a member, or lets a former one back in.
func (b *Backend) join(ctx context.Context, gid string, id any) error {
	n, err := userKey(id)
	if err != nil {
		return err
	}
	now := b.date(b.now())
	quit, found, err := selectRow(ctx, b.store, func(rows *sql.Rows) (q string, err error) {
		err = rows.Scan(&q)
		return q, err
	}, `SELECT quit FROM im_chatuser WHERE cgid = ? AND user = ?`, key(gid), n)
	if err != nil {
		return err
	}
	if found {
		if quit == zeroDate {
			return nil
		}
		_, err = b.store.exec(ctx, `UPDATE im_chatuser SET "join" = ?, quit = '`+zeroDate+`' WHERE cgid = ? AND user = ?`, now, key(gid), n)
		return err
	}
	stored, err := toInt(id, -maxMediumint-1, maxMediumint)
	if err != nil {
		return err
	}
	// The unique key refuses a member who came at the same time, and the real one does not mind.
	_, err = b.store.exec(ctx, `INSERT OR IGNORE INTO im_chatuser (cgid, user, "join", "order")
		VALUES (?, ?, ?, (SELECT coalesce(max(id), 0) + 1 FROM im_chatuser))`, b.gid(gid), stored, now)
	return err
}

func (b *Backend) quit(ctx context.Context, gid string, id any) error {
	n, err := userKey(id)
	if err != nil {
		return err
	}
	_, err = b.store.exec(ctx, `UPDATE im_chatuser SET quit = ? WHERE cgid = ? AND user = ?`, b.date(b.now()), key(gid), n)
	return err
}
