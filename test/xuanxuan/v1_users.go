package xuanxuan

import (
	"context"
)

// v1Object is a user as login answers him.
func (u user) v1Object() object {
	return object{
		{"id", u.id},
		{"account", u.account},
		{"realname", u.realname},
		{"avatar", u.avatar},
		{"role", u.role},
		{"dept", u.dept},
		{"status", u.status},
		{"admin", u.admin},
		{"gender", u.gender},
		{"email", u.email},
		{"mobile", u.mobile},
		{"site", u.site},
		{"phone", u.phone},
	}
}

// v1Row is a user as he stands in the list.
func (u user) v1Row() object {
	return object{
		{"id", u.id},
		{"realname", u.realname},
		{"avatar", u.avatar},
		{"status", u.status},
		{"admin", u.admin},
		{"account", u.account},
		{"role", u.role},
		{"dept", u.dept},
		{"gender", u.gender},
		{"email", u.email},
		{"mobile", u.mobile},
		{"phone", u.phone},
		{"site", u.site},
	}
}

// login signs a user in and queues the lists of users and chats for him, behind which comes what waited. Its sentence for
// a refusal is always the same one. How many wrong tries lock an account was not measured here, so it is as in 2.x.
func (d *V1) login(ctx context.Context, r *v1Request) (*answer, error) {
	account, err := r.text(0)
	if err != nil {
		return nil, err
	}
	password, err := r.text(1)
	if err != nil {
		return nil, err
	}
	status, err := toString(r.param(2, "online"))
	if err != nil {
		return nil, err
	}
	id, refusal, err := d.backend.authenticate(ctx, r.request, account, password)
	if err != nil {
		return nil, err
	}
	if refusal != "" {
		return &answer{object{{"result", "fail"}, {"data", textLoginFailed.in(r.lang)}}}, nil
	}
	u, err := d.setStatus(ctx, id, status)
	if err != nil {
		return nil, err
	}
	d.sessions[r.sid], r.user = &u, &u
	if err := d.tellOthers(ctx, r, u.v1Object()); err != nil {
		return nil, err
	}
	users, err := d.userRows(ctx)
	if err != nil {
		return nil, err
	}
	if err := d.queue(ctx, []int64{id}, levelUsers, "userGetlist", users); err != nil {
		return nil, err
	}
	chats, err := d.chatsOf(ctx, id)
	if err != nil {
		return nil, err
	}
	if len(chats) > 0 {
		err = d.queue(ctx, []int64{id}, levelChats, "getList", chats)
	}
	return r.success().set("data", u.v1Object()), err
}

func (d *V1) setStatus(ctx context.Context, id int64, status string) (user, error) {
	if _, err := d.backend.store.exec(ctx, `UPDATE sys_user SET clientStatus = ? WHERE id = ?`,
		enum(status, "online", "away", "busy", "offline"), id); err != nil {
		return user{}, err
	}
	u, _, err := d.backend.userByID(ctx, id)
	return u, err
}

// logout tells the others and destroys the session; bind ends the connection. On a session that nobody signed in on, as
// that of a garbled line is, it tells everybody that false has gone (recorded: v1_daemon).
func (d *V1) logout(ctx context.Context, r *v1Request) (*answer, error) {
	var data any = false
	if r.user != nil {
		u, err := d.setStatus(ctx, r.user.id, "offline")
		if err != nil {
			return nil, err
		}
		data = u.v1Object()
	}
	if err := d.tellOthers(ctx, r, data); err != nil {
		return nil, err
	}
	delete(d.sessions, r.sid)
	r.sid = ""
	return r.success().set("data", data), nil
}

func (d *V1) userRows(ctx context.Context) ([]object, error) {
	list, err := selectRows(ctx, d.backend.store, scanUser, `SELECT `+userColumns+` FROM sys_user WHERE deleted = 0 ORDER BY id`)
	rows := make([]object, len(list))
	for i, u := range list {
		rows[i] = u.v1Row()
	}
	return rows, err
}

func (d *V1) userGetList(ctx context.Context, r *v1Request) (*answer, error) {
	rows, err := d.userRows(ctx)
	return r.success().set("data", rows), err
}

func (d *V1) userChangeName(ctx context.Context, r *v1Request) (*answer, error) {
	name, err := r.text(0)
	if err != nil || r.user == nil {
		return r.fail("Change name failed."), err
	}
	if _, err := d.backend.store.exec(ctx, `UPDATE sys_user SET realname = ? WHERE id = ?`, d.backend.varchar(name, 30), r.user.id); err != nil {
		return nil, err
	}
	u, _, err := d.backend.userByID(ctx, r.user.id)
	if err != nil {
		return nil, err
	}
	if err := d.tellOthers(ctx, r, u.v1Object()); err != nil {
		return nil, err
	}
	return r.success().set("data", object{{"id", u.id}, {"name", name}}), nil
}

// userChangeStatus echoes the status as it was asked for; what the column made of it the others are told.
func (d *V1) userChangeStatus(ctx context.Context, r *v1Request) (*answer, error) {
	status, err := toString(r.param(0, "online"))
	if err != nil || r.user == nil {
		return r.fail("Change status failed."), err
	}
	u, err := d.setStatus(ctx, r.user.id, status)
	if err != nil {
		return nil, err
	}
	if err := d.tellOthers(ctx, r, u.v1Object()); err != nil {
		return nil, err
	}
	return r.success().set("data", object{{"id", u.id}, {"status", status}}), nil
}

// settings stores a text under an account, anybody's, or answers what is stored, null if nothing is.
func (d *V1) settings(ctx context.Context, r *v1Request) (*answer, error) {
	account, err := r.text(0)
	if err != nil {
		return nil, err
	}
	item := "system.sys.chat.settings." + key(account)
	if data := r.param(1, ""); truthy(data) {
		text, err := toString(data)
		if err != nil {
			return nil, err
		}
		_, err = d.backend.store.exec(ctx, `INSERT OR REPLACE INTO sys_config ("key", value) VALUES (?, ?)`, item, d.backend.columns.text(text))
		return r.success(), err
	}
	stored, found, err := selectRow(ctx, d.backend.store, column[string], `SELECT value FROM sys_config WHERE "key" = ?`, item)
	if !found {
		return r.success().set("data", nil), err
	}
	return r.success().set("data", stored), err
}
