package xuanxuan

import (
	"context"
	"strings"
)

// v1Message is a message in answers and pushes: it has no order and no data.
func (d *V1) v1Message(m message) object {
	user, _ := toInt(m.user, -1<<62, 1<<62) // a string converts without fail
	return object{
		{"id", m.id},
		{"gid", m.gid},
		{"cgid", m.cgid},
		{"user", user},
		{"date", d.backend.unix(m.date)},
		{"type", m.kind},
		{"content", m.content},
		{"contentType", m.contentType},
	}
}

// message stores messages, of several chats if need be, and queues each one for all members of its chat but the one who
// asks, also for those offline. Those that are refused are named; the others are stored all the same.
func (d *V1) message(ctx context.Context, r *v1Request) (*answer, error) {
	list, _ := r.param(0, nil).([]any)
	refused, fit := []object{}, []any{}
	for _, v := range list {
		why, err := d.mayChat(ctx, r, v)
		if err != nil {
			return nil, err
		}
		if why == "" {
			fit = append(fit, v)
		} else {
			refused = append(refused, object{{"gid", property(v, "cgid")}, {"messages", why}})
		}
	}
	rows, err := d.createMessages(ctx, r, fit)
	if err != nil {
		return nil, err
	}
	data := make([]object, len(rows))
	for i, m := range rows {
		data[i] = d.v1Message(m)
		if err := d.tellMessage(ctx, r, m.cgid, data[i]); err != nil {
			return nil, err
		}
	}
	if len(refused) > 0 {
		return &answer{object{{"result", "fail"}, {"data", refused}}}, nil
	}
	return r.success().set("data", data), nil
}

// mayChat returns the reason why a message is refused, or "". In 1.0 a chat's admins alone may speak where there are any;
// committers count for nothing.
func (d *V1) mayChat(ctx context.Context, r *v1Request, v any) (string, error) {
	gid, err := toString(property(v, "cgid"))
	if err != nil {
		return "", err
	}
	c, found, err := d.backend.chatByGID(ctx, gid)
	switch {
	case err != nil:
		return "", err
	case !found:
		return textNotExist.in(r.lang), nil
	case !truthy(c.admins):
		return "", nil
	}
	for _, s := range strings.Split(c.admins, ",") {
		if looselyEqual(r.self(), s) {
			return "", nil
		}
	}
	return textCannotChat.in(r.lang), nil
}

func (d *V1) tellMessage(ctx context.Context, r *v1Request, gid string, data object) error {
	c, found, err := d.backend.chatByGID(ctx, gid)
	if err != nil || !found {
		return err
	}
	members, err := d.backend.chatMembers(ctx, c)
	if err != nil {
		return err
	}
	to, err := d.hearers(ctx, r, members, true)
	if err != nil {
		return err
	}
	return d.queue(ctx, to, levelNews, "message", data)
}

// createMessages stores each message whose gid is new and returns their rows, newest first. One with a known gid is
// answered by nothing, unless the stored one is an image or a file, whose content it replaces (recorded: v1_daemon).
func (d *V1) createMessages(ctx context.Context, r *v1Request, list []any) ([]message, error) {
	b := d.backend
	ids, chats := []int64{}, []string{}
	for _, v := range list {
		in, ok := v.(object)
		if !ok {
			return nil, errFatal
		}
		gid, err := toString(in.get("gid"))
		if err != nil {
			return nil, err
		}
		cgid, err := toString(in.get("cgid"))
		if err != nil {
			return nil, err
		}
		chats = append(chats, key(cgid))
		old, found, err := selectRow(ctx, b.store, scanMessage,
			`SELECT `+messageColumns+` FROM im_message m WHERE m.gid = ? ORDER BY m.id LIMIT 1`, key(gid))
		switch {
		case err != nil:
			return nil, err
		case found && old.contentType != "image" && old.contentType != "file":
			continue
		case found:
			content, err := toString(in.get("content"))
			if err != nil {
				return nil, err
			}
			if _, err := b.store.exec(ctx, `UPDATE im_message SET content = ? WHERE id = ?`, b.text(content), old.id); err != nil {
				return nil, err
			}
			ids = append(ids, old.id)
		default:
			id, err := d.storeMessage(ctx, r, in)
			if err != nil {
				return nil, err
			}
			ids = append(ids, id)
		}
	}
	return b.created(ctx, ids, chats)
}

// storeMessage returns the id of the row, or 0 where the message was lost: a field that the table does not have makes the
// statement fail in silence. Its columns know fewer words than those of 2.x (seed 001); others are stored as "".
func (d *V1) storeMessage(ctx context.Context, r *v1Request, in object) (int64, error) {
	if !truthy(in.get("user")) {
		in = in.with("user", r.self())
	}
	if !truthy(in.get("date")) {
		in = in.with("date", d.backend.date(d.backend.now()))
	}
	for i, f := range in {
		switch strings.ToLower(f.key) {
		case "contenttype":
			s, err := toString(f.val)
			if err != nil {
				return 0, err
			}
			in[i].val = enum(s, "text", "emotion", "image", "file")
		case "type":
			s, err := toString(f.val)
			if err != nil {
				return 0, err
			}
			in[i].val = enum(s, "normal", "broadcast")
		case "order", "data": // columns of later versions
			return 0, nil
		}
	}
	return d.backend.storeMessage(ctx, r.request, in)
}

// history pages through a chat's messages as in 2.x, but from no date on.
func (d *V1) history(ctx context.Context, r *v1Request) (*answer, error) {
	gid, err := toString(r.param(0, ""))
	if err != nil {
		return nil, err
	}
	data, pager, err := d.backend.historyPage(ctx, r.request, gid, "", d.v1Message)
	return r.success().set("data", data).set("pager", pager), err
}
