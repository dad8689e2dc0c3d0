package xuanxuan

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"
)

// noticeChat is the chat that no chat is: notices lie in im_message under it.
const noticeChat = "#notification"

// noticeObject is a notice as it is answered. Its text, title and actions come from the JSON in the row's data; a message
// that somebody sent with type "notify" has none, and nulls in their place.
func (b *Backend) noticeObject(m message) object {
	v, _ := decode([]byte(m.data))
	data, _ := v.(object)
	return object{
		{"id", strconv.FormatInt(m.id, 10)},
		{"gid", m.gid},
		{"content", m.content},
		{"date", b.unix(m.date)},
		{"contentType", m.contentType},
		{"title", data.get("title")},
		{"subtitle", data.get("subtitle")},
		{"url", data.get("url")},
		{"actions", data.get("actions")},
		{"sender", data.get("sender")},
		{"users", data.get("target")},
	}
}

// A notice is one on its way into the database. Title and what follows lie as JSON in the row's data.
type notice struct {
	gid                  string // empty: made up
	chat                 string // noticeChat, or the group that it is for
	users                []int64
	content, contentType string
	date                 time.Time
	title, subtitle, url any
	actions, sender      any
}

// leaveNotice keeps a notice until the next poll, or until its users come online.
func (b *Backend) leaveNotice(ctx context.Context, n notice) error {
	target := []any{}
	for _, id := range n.users {
		target = append(target, id)
	}
	data := appendJSON(nil, object{
		{"title", n.title}, {"subtitle", n.subtitle}, {"url", n.url}, {"actions", n.actions}, {"sender", n.sender}, {"target", target},
	})
	gid := b.gid(cmp.Or(n.gid, newGID()))
	if _, err := b.store.exec(ctx, insertMessage, 0, gid, n.chat, 0, b.date(n.date), 0, "notify", b.text(n.content),
		cmp.Or(n.contentType, "text"), b.text(string(data))); err != nil {
		return fmt.Errorf("leave notice: %w", err)
	}
	_, err := b.store.exec(ctx, `INSERT OR REPLACE INTO im_messagestatus (user, gid, status) SELECT value, ?, 'waiting' FROM json_each(?)`, gid, set(n.users))
	if err != nil {
		return fmt.Errorf("leave notice: %w", err)
	}
	return nil
}

// notify is xxd's poll: it sets users offline whom xxd has lost, and answers the waiting notices of everybody online,
// by user, [] if there are none. What xxd reports as not delivered is not repeated: the real server loops over a
// number there and stores nothing.
func (b *Backend) notify(ctx context.Context, r *request) (*answer, error) {
	if offline := r.param(0, nil); truthy(offline) {
		if err := b.setOffline(ctx, offline); err != nil {
			return nil, err
		}
	}
	data, err := b.waitingNotices(ctx)
	if err != nil {
		return nil, err
	}
	return r.success().set("data", data), nil
}

func (b *Backend) setOffline(ctx context.Context, ids any) error {
	for _, v := range commaList(ids) {
		id, err := userKey(v)
		if err != nil {
			return err
		}
		if _, err := b.store.exec(ctx, `UPDATE sys_user SET clientStatus = 'offline' WHERE id = ?`, id); err != nil {
			return err
		}
	}
	return nil
}

// waitingNotices takes each notice that waits for somebody online and gives it to all of those online whom it names;
// one that names nobody is given to everybody online.
func (b *Backend) waitingNotices(ctx context.Context) (any, error) {
	online, err := b.online(ctx, nil)
	if err != nil || len(online) == 0 {
		return []any{}, err
	}
	rows, err := selectRows(ctx, b.store, scanMessage, `SELECT `+messageColumns+` FROM im_message m
		WHERE m.type = 'notify' AND EXISTS (SELECT 1 FROM im_messagestatus s
			WHERE s.user IN (SELECT value FROM json_each(?)) AND s.gid = m.gid AND s.status = 'waiting')
		GROUP BY m.gid ORDER BY m.gid`, set(online))
	if err != nil || len(rows) == 0 {
		return []any{}, err
	}
	given := object{}
	for _, m := range rows {
		n := b.noticeObject(m)
		targets, _ := n.get("users").([]any)
		for _, id := range online {
			if len(targets) > 0 && !slices.ContainsFunc(targets, func(v any) bool { return looselyEqual(v, strconv.FormatInt(id, 10)) }) {
				continue
			}
			if err := b.markSent(ctx, id, m.gid); err != nil {
				return nil, err
			}
			name := strconv.FormatInt(id, 10)
			list, _ := given.get(name).([]object)
			given = given.with(name, append(list, n))
		}
	}
	if len(given) == 0 {
		return []any{}, nil
	}
	return given, nil
}

func (b *Backend) markSent(ctx context.Context, user int64, gid string) error {
	_, err := b.store.exec(ctx, `UPDATE im_messagestatus SET status = 'sent' WHERE user = ? AND gid = ?`, user, gid)
	return err
}

// getOfflineNotify answers the notices that wait for the caller and marks them as sent.
func (b *Backend) getOfflineNotify(ctx context.Context, r *request) (*answer, error) {
	id := r.param(0, int64(0))
	n, err := userKey(id)
	if err != nil {
		return nil, err
	}
	rows, err := selectRows(ctx, b.store, scanMessage, `SELECT `+messageColumns+`
		FROM im_messagestatus s JOIN im_message m ON m.gid = s.gid
		WHERE s.user = ? AND s.status = 'waiting' AND m.type = 'notify' ORDER BY m.gid`, n)
	if err != nil {
		return nil, err
	}
	data := make([]object, len(rows))
	for i, m := range rows {
		data[i] = b.noticeObject(m)
		if err := b.markSent(ctx, n, m.gid); err != nil {
			return nil, err
		}
	}
	a := r.success().set("users", []any{id}).set("data", data)
	a.fields[1].val = "notify"
	return a, nil
}
