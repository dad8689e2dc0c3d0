package xuanxuan

import (
	"context"
	"crypto/md5"
	"database/sql"
	"encoding/hex"
	"strings"
	"time"
)

// A user is one row of sys_user as the methods answer it.
type user struct {
	id, dept                                       int64
	account, realname, avatar, role, status, admin string
	gender, email, mobile, phone, site, qq         string
	deleted                                        int64
}

const userColumns = `id, account, realname, avatar, role, dept, clientStatus, admin, gender, email, mobile, phone, site, qq, deleted`

func scanUser(rows *sql.Rows) (u user, err error) {
	err = rows.Scan(&u.id, &u.account, &u.realname, &u.avatar, &u.role, &u.dept, &u.status, &u.admin, &u.gender, &u.email,
		&u.mobile, &u.phone, &u.site, &u.qq, &u.deleted)
	return u, err
}

func (u user) object(r *request) object {
	avatar := u.avatar
	if truthy(avatar) {
		avatar = r.baseURL + avatar
	}
	return object{
		{"id", u.id},
		{"account", u.account},
		{"realname", u.realname},
		{"avatar", avatar},
		{"role", u.role},
		{"dept", u.dept},
		{"clientStatus", u.status},
		{"admin", u.admin},
		{"gender", u.gender},
		{"email", u.email},
		{"mobile", u.mobile},
		{"phone", u.phone},
		{"site", u.site},
		{"qq", u.qq},
		{"deleted", u.deleted},
		{"status", u.status},
	}
}

// userByID finds the user that a call's user id names, deleted ones included.
func (b *Backend) userByID(ctx context.Context, id any) (user, bool, error) {
	n, err := userKey(id)
	if err != nil {
		return user{}, false, err
	}
	return selectRow(ctx, b.store, scanUser, `SELECT `+userColumns+` FROM sys_user WHERE id = ?`, n)
}

// A presence is what decides who hears of something.
type presence struct {
	id     int64
	status string
}

func (p presence) online() bool { return p.status != "offline" }

func scanPresence(rows *sql.Rows) (p presence, err error) {
	err = rows.Scan(&p.id, &p.status)
	return p, err
}

// presences returns those of the given users that exist, by id. Without any it returns everybody who is neither
// deleted nor locked: the reason why an emptied chat is told to the whole site (recorded: 08_group_ops).
func (b *Backend) presences(ctx context.Context, ids []int64) ([]presence, error) {
	if len(ids) == 0 {
		return selectRows(ctx, b.store, scanPresence,
			`SELECT id, clientStatus FROM sys_user WHERE deleted = 0 AND (locked = '`+zeroDate+`' OR locked < ?) ORDER BY id`,
			b.date(b.now()))
	}
	return selectRows(ctx, b.store, scanPresence,
		`SELECT id, clientStatus FROM sys_user WHERE id IN (SELECT value FROM json_each(?)) ORDER BY id`, set(ids))
}

// online returns those of the given users, or of everybody, whose status is not "offline".
func (b *Backend) online(ctx context.Context, ids []int64) ([]int64, error) {
	list, err := b.presences(ctx, ids)
	if err != nil {
		return nil, err
	}
	online := make([]int64, 0, len(list))
	for _, p := range list {
		if p.online() {
			online = append(online, p.id)
		}
	}
	return online, nil
}

// userGetList answers all users, with roles and departments; or those of a list of ids, with "partial" instead.
func (b *Backend) userGetList(ctx context.Context, r *request) (*answer, error) {
	wanted := r.param(0, "")
	var list []user
	var err error
	if truthy(wanted) {
		list, err = b.usersIn(ctx, wanted)
	} else {
		list, err = selectRows(ctx, b.store, scanUser,
			`SELECT `+userColumns+` FROM sys_user WHERE deleted = 0 AND (locked = '`+zeroDate+`' OR locked < ?) ORDER BY id`,
			b.date(b.now()))
	}
	if err != nil {
		return nil, err
	}
	data := make([]object, len(list))
	for i, u := range list {
		data[i] = u.object(r)
	}
	users := []any{}
	if id := r.param(1, int64(0)); truthy(id) {
		users = append(users, id)
	}
	a := r.success().set("users", users).set("data", data)
	if truthy(wanted) {
		return a.set("partial", wanted), nil
	}
	depts, err := b.departments(ctx)
	if err != nil {
		return nil, err
	}
	return a.set("roles", roles).set("depts", depts), nil
}

// usersIn finds users by a list of ids: [5,6], "5,6" or 5.
func (b *Backend) usersIn(ctx context.Context, wanted any) ([]user, error) {
	ids := []int64{}
	for _, v := range commaList(wanted) {
		id, err := userKey(v)
		if err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return selectRows(ctx, b.store, scanUser,
		`SELECT `+userColumns+` FROM sys_user WHERE id IN (SELECT value FROM json_each(?)) ORDER BY id`, set(ids))
}

// commaList is what the framework makes of a value in IN (…): a list as it is, a text cut at its commas.
func commaList(v any) []any {
	switch v := v.(type) {
	case []any:
		return v
	case string:
		parts := strings.Split(v, ",")
		list := make([]any, len(parts))
		for i, p := range parts {
			list[i] = p
		}
		return list
	default:
		return []any{v}
	}
}

// departments is an object by id, but [] without any: PHP does not tell an empty map from an empty list.
func (b *Backend) departments(ctx context.Context) (any, error) {
	list, err := selectRows(ctx, b.store, func(rows *sql.Rows) (m member, err error) {
		var name string
		var order, parent int64
		err = rows.Scan(&m.key, &name, &order, &parent)
		m.val = object{{"name", name}, {"order", order}, {"parent", parent}}
		return m, err
	}, `SELECT id, name, "order", parent FROM sys_dept ORDER BY id`)
	if err != nil {
		return nil, err
	}
	if len(list) == 0 {
		return []any{}, nil
	}
	return object(list), nil
}

// editable are the fields of userChange, with what their columns hold.
var editable = []struct {
	field, column string
	size          int
	values        []string
}{
	{"avatar", "avatar", 255, nil},
	{"birthday", "birthday", 10, nil},
	{"gender", "gender", 0, []string{"f", "m", "u"}},
	{"email", "email", 90, nil},
	{"skype", "skype", 90, nil},
	{"qq", "qq", 20, nil},
	{"yahoo", "yahoo", 90, nil},
	{"gtalk", "gtalk", 90, nil},
	{"wangwang", "wangwang", 90, nil},
	{"site", "site", 100, nil},
	{"mobile", "mobile", 11, nil},
	{"phone", "phone", 20, nil},
	{"address", "address", 120, nil},
	{"zipcode", "zipcode", 10, nil},
	{"status", "clientStatus", 0, []string{"online", "away", "busy", "offline"}},
}

// userChange changes the caller's own fields and status. Empty values change nothing, fields that are not editable are
// ignored, and with nothing left the answer's data is null. Account and password together set a new password.
func (b *Backend) userChange(ctx context.Context, r *request) (*answer, error) {
	change, _ := r.param(0, nil).(object)
	u, changed, err := b.editUser(ctx, change, r.param(1, int64(0)))
	if err != nil {
		return nil, err
	}
	online, err := b.online(ctx, nil)
	if err != nil {
		return nil, err
	}
	a := r.success().set("users", online)
	if !changed {
		return a.set("data", nil), nil
	}
	return a.set("data", u.object(r)), nil
}

// editUser writes the editable fields; changed is false if there were none, or no such user.
func (b *Backend) editUser(ctx context.Context, change object, id any) (u user, changed bool, err error) {
	u, ok, err := b.userByID(ctx, id)
	if err != nil || !ok {
		return user{}, false, err
	}
	for _, e := range editable {
		v := change.get(e.field)
		if !truthy(v) {
			continue
		}
		s, err := toString(v)
		if err != nil {
			return user{}, false, err
		}
		if e.values != nil {
			s = enum(s, e.values...)
		} else {
			s = b.varchar(s, e.size)
		}
		if _, err := b.store.exec(ctx, `UPDATE sys_user SET `+e.column+` = ? WHERE id = ?`, s, u.id); err != nil {
			return user{}, false, err
		}
		changed = true
	}
	if account, password := change.get("account"), change.get("password"); truthy(account) && truthy(password) {
		if err := b.setPassword(ctx, u.id, account, password); err != nil {
			return user{}, false, err
		}
		changed = true
	}
	if !changed {
		return user{}, false, nil
	}
	return b.userByID(ctx, id)
}

func (b *Backend) setPassword(ctx context.Context, id int64, account, password any) error {
	name, err := toString(account)
	if err != nil {
		return err
	}
	hash, err := toString(password)
	if err != nil {
		return err
	}
	_, err = b.store.exec(ctx, `UPDATE sys_user SET password = ? WHERE id = ?`, md5Hex(hash+name), id)
	return err
}

// checkUserChange tells whether an administrator created, edited or deleted a user in the last minute. What users
// change themselves does not count.
func (b *Backend) checkUserChange(ctx context.Context, r *request) (*answer, error) {
	since := b.date(b.now().Add(-time.Minute))
	_, found, err := selectRow(ctx, b.store, column[int64],
		`SELECT id FROM sys_action WHERE date > ? AND objectType = 'user' AND action IN ('created', 'edited', 'deleted') LIMIT 1`, since)
	if err != nil {
		return nil, err
	}
	data := "no"
	if found {
		data = "yes"
	}
	return r.success().set("data", data), nil
}

func md5Hex(s string) string {
	sum := md5.Sum([]byte(s))
	return hex.EncodeToString(sum[:])
}
