package xuanxuan

import (
	"context"
	"slices"
	"strings"
)

// v1Chat is a chat as 1.0 answers it: unset dates are "", and nothing is ever dismissed.
func (d *V1) v1Chat(c chat) object {
	return append(d.backend.chatFields(c),
		member{"editedDate", d.dateOrNothing(c.edited)},
		member{"lastActiveTime", d.dateOrNothing(c.active)},
	)
}

func (d *V1) dateOrNothing(stored string) any {
	if stored == zeroDate {
		return ""
	}
	return d.backend.unix(stored)
}

// chatsOf lists the system chat and those of one user.
func (d *V1) chatsOf(ctx context.Context, id int64) ([]object, error) {
	b := d.backend
	chats, err := selectRows(ctx, b.store, scanChat, `SELECT `+chatColumns+` FROM im_chat c WHERE c.type = 'system' ORDER BY c.id`)
	if err != nil {
		return nil, err
	}
	list := []ownChat{}
	for _, c := range chats {
		list = append(list, ownChat{c, object{{"star", 0}, {"hide", 0}, {"mute", 0}}})
	}
	own, err := selectRows(ctx, b.store, scanOwnChat, `SELECT `+chatColumns+`, u.star, u.hide, u.mute, u.category
		FROM im_chatuser u JOIN im_chat c ON c.gid = u.cgid WHERE u.user = ? AND u.quit = '`+zeroDate+`' ORDER BY c.id`, id)
	if err != nil {
		return nil, err
	}
	data := []object{}
	for _, c := range append(list, own...) {
		members, err := b.chatMembers(ctx, c.chat)
		if err != nil {
			return nil, err
		}
		data = append(data, append(append(d.v1Chat(c.chat), c.marks[:3]...), member{"members", members})) // it knows no category
	}
	return data, nil
}

// getList lists the chats of the one who asks, or of whomever he names.
func (d *V1) getList(ctx context.Context, r *v1Request) (*answer, error) {
	id, err := userKey(r.param(0, int64(0)))
	if err != nil {
		return nil, err
	}
	if id == 0 {
		id = r.self()
	}
	list, err := d.chatsOf(ctx, id)
	return r.success().set("data", list), err
}

func (d *V1) getPublicList(ctx context.Context, r *v1Request) (*answer, error) {
	list, err := selectRows(ctx, d.backend.store, scanChat, `SELECT `+chatColumns+` FROM im_chat c WHERE c.public = 1 ORDER BY c.id`)
	if err != nil {
		return nil, err
	}
	data := []object{}
	for _, c := range list {
		full, _, err := d.full(ctx, c)
		if err != nil {
			return nil, err
		}
		data = append(data, full)
	}
	return r.success().set("data", data), nil
}

// full is a chat with its members, who are returned too.
func (d *V1) full(ctx context.Context, c chat) (object, []int64, error) {
	members, err := d.backend.chatMembers(ctx, c)
	return append(d.v1Chat(c), member{"members", members}), members, err
}

// reread is full of a chat as it is now, told to its members.
func (d *V1) reread(ctx context.Context, r *v1Request, gid string) (object, []int64, error) {
	c, _, err := d.backend.chatByGID(ctx, gid)
	if err != nil {
		return nil, nil, err
	}
	full, members, err := d.full(ctx, c)
	if err != nil {
		return nil, nil, err
	}
	return full, members, d.tellMembers(ctx, r, members, full)
}

// create makes a chat and tells its members, or answers the one that has this gid already, which nobody is told.
func (d *V1) create(ctx context.Context, r *v1Request) (*answer, error) {
	gid, err := r.text(0)
	if err != nil {
		return nil, err
	}
	c, found, err := d.backend.chatByGID(ctx, gid)
	if err != nil {
		return nil, err
	}
	if found {
		full, _, err := d.full(ctx, c)
		return r.success().set("data", full), err
	}
	in := *r.request
	in.params = append(slices.Clone(r.params), make([]any, 6)...)[:6]
	in.params = append(in.params, r.self())
	if err := d.backend.insertChat(ctx, &in, gid); err != nil {
		return nil, err
	}
	full, _, err := d.reread(ctx, r, gid)
	return r.success().set("data", full), err
}

func (d *V1) members(ctx context.Context, r *v1Request) (*answer, error) {
	gid, err := r.text(0)
	if err != nil {
		return nil, err
	}
	c, found, err := d.backend.chatByGID(ctx, gid)
	if err != nil {
		return nil, err
	}
	list := []int64{}
	if found {
		list, err = d.backend.chatMembers(ctx, c)
	}
	return r.success().set("data", object{{"gid", r.param(0, "")}, {"members", list}}), err
}

// group returns the group that a request names, or the refusal. What does not exist is no group either.
func (d *V1) group(ctx context.Context, r *v1Request) (c chat, refusal *answer, err error) {
	gid, err := r.text(0)
	if err != nil {
		return c, nil, err
	}
	c, found, err := d.backend.chatByGID(ctx, gid)
	if err == nil && (!found || c.kind != "group") {
		refusal = r.fail(textNotGroup.in(r.lang))
	}
	return c, refusal, err
}

// joinChat lets the one who asks into a public group or out of any group.
func (d *V1) joinChat(ctx context.Context, r *v1Request) (*answer, error) {
	c, refusal, err := d.group(ctx, r)
	if err != nil || refusal != nil {
		return refusal, err
	}
	join := r.param(1, true)
	if truthy(join) && c.public == 0 {
		return r.fail(textNotPublic.in(r.lang)), nil
	}
	if err := d.move(ctx, c.gid, r.self(), truthy(join)); err != nil {
		return nil, err
	}
	full, _, err := d.reread(ctx, r, c.gid)
	return r.success().set("data", object{{"gid", r.param(0, "")}, {"join", join}, {"chat", full}}), err
}

// addMember invites users into a group or kicks them out. The kicked are not told.
func (d *V1) addMember(ctx context.Context, r *v1Request) (*answer, error) {
	c, refusal, err := d.group(ctx, r)
	if err != nil || refusal != nil {
		return refusal, err
	}
	ids, _ := r.param(1, nil).([]any)
	for _, id := range ids {
		if err := d.move(ctx, c.gid, id, truthy(r.param(2, true))); err != nil {
			return nil, err
		}
	}
	full, _, err := d.reread(ctx, r, c.gid)
	return r.success().set("data", full), err
}

// move makes a user a member, or no longer one. The published sources of that age let nobody back into a chat who has left
// it, and say success; whether the recorded server did too was not tried.
func (d *V1) move(ctx context.Context, gid string, id any, in bool) error {
	if !in {
		return d.backend.quit(ctx, gid, id)
	}
	n, err := userKey(id)
	if err != nil {
		return err
	}
	_, left, err := selectRow(ctx, d.backend.store, column[int64],
		`SELECT id FROM im_chatuser WHERE cgid = ? AND user = ? AND quit <> '`+zeroDate+`'`, key(gid), n)
	if err != nil || left {
		return err
	}
	return d.backend.join(ctx, gid, id)
}

// edit rewrites a group, which corrupts its dates as in 2.x, and answers the changed field alone.
func (d *V1) edit(ctx context.Context, r *v1Request, failed, field string, val any, change func(*chat) error) (*answer, error) {
	c, refusal, err := d.group(ctx, r)
	if err != nil || refusal != nil {
		return refusal, err
	}
	ended := c.ended
	d.backend.corruptDates(&c)
	c.ended = ended // a column of later versions
	if err := change(&c); err != nil {
		return nil, err
	}
	if strings.TrimSpace(c.name) == "" {
		return r.fail(failed), nil
	}
	if err := d.backend.rewrite(ctx, c, r.self()); err != nil {
		return nil, err
	}
	_, members, err := d.reread(ctx, r, c.gid)
	if err == nil && field == "name" {
		err = d.announceName(ctx, r, c.gid, members, val)
	}
	return r.success().set("data", object{{"gid", r.param(0, "")}, {field, val}}), err
}

// announceName has the server say to all members online, the one who asked as well, that a chat has another name. It is a
// message that is stored nowhere, and so has no number (recorded: v1_daemon).
func (d *V1) announceName(ctx context.Context, r *v1Request, gid string, members []int64, name any) error {
	to, err := d.backend.online(ctx, members)
	if err != nil || len(members) == 0 || r.user == nil {
		return err
	}
	text, err := toString(name)
	if err != nil {
		return err
	}
	who := r.user.realname
	if who == "" {
		who = "@" + r.user.account
	}
	id, err := toString(r.user.id)
	if err != nil {
		return err
	}
	return d.queue(ctx, to, levelNews, "message", object{
		{"cgid", gid},
		{"gid", newSID()},
		{"date", d.backend.date(d.backend.now())},
		{"contentType", "text"},
		{"user", id},
		{"type", "broadcast"},
		{"content", who + "将会话名称更改为" + text},
	})
}

func (d *V1) changeName(ctx context.Context, r *v1Request) (*answer, error) {
	return d.edit(ctx, r, "Change name failed.", "name", r.param(1, ""), func(c *chat) (err error) {
		c.name, err = r.text(1)
		return err
	})
}

func (d *V1) changePublic(ctx context.Context, r *v1Request) (*answer, error) {
	public := r.param(1, true)
	return d.edit(ctx, r, "Change public failed.", "public", public, func(c *chat) error {
		c.public = 0
		if truthy(public) {
			c.public = 1
		}
		return nil
	})
}

func (d *V1) setCommitters(ctx context.Context, r *v1Request) (*answer, error) {
	return d.edit(ctx, r, "Set committers failed.", "committers", r.param(1, ""), func(c *chat) (err error) {
		c.committers, err = r.text(1)
		return err
	})
}

// setAdmin adds administrators to the system chat, who alone may speak there then, or takes them off.
func (d *V1) setAdmin(ctx context.Context, r *v1Request) (*answer, error) {
	gid, err := r.text(0)
	if err != nil {
		return nil, err
	}
	c, found, err := d.backend.chatByGID(ctx, gid)
	switch {
	case err != nil:
		return nil, err
	case r.user == nil || r.user.admin != "super":
		return r.fail(textNotAdmin.in(r.lang)), nil
	case !found || c.kind != "system":
		return r.fail(textNotSystem.in(r.lang)), nil
	}
	in := *r.request
	in.params = append(slices.Clone(r.params), make([]any, 3)...)[:3]
	in.params = append(in.params, r.self())
	if _, err := d.backend.setAdmin(ctx, &in); err != nil {
		return nil, err
	}
	full, _, err := d.reread(ctx, r, c.gid)
	return r.success().set("data", full), err
}

func (d *V1) star(ctx context.Context, r *v1Request) (*answer, error) { return d.mark(ctx, r, "star") }

func (d *V1) hide(ctx context.Context, r *v1Request) (*answer, error) { return d.mark(ctx, r, "hide") }

func (d *V1) mark(ctx context.Context, r *v1Request, name string) (*answer, error) {
	val := r.param(1, true)
	in := *r.request
	in.params = []any{r.param(0, ""), val, r.self()}
	if _, err := d.backend.mark(ctx, &in, name); err != nil {
		return nil, err
	}
	return r.success().set("data", object{{"gid", r.param(0, "")}, {name, val}}), nil
}
