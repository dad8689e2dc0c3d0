package adapter

import (
	"cmp"
	"context"
	"maps"
	"slices"

	"github.com/xuangate/xuangate/adapter/legacy"
	"github.com/xuangate/xuangate/gen/model"
)

func (a *Adapter) loadUsers(ctx context.Context) ([]legacy.UserRow, legacy.Directory, error) {
	const op = "list users"
	r, err := a.read(ctx, op, legacy.Chat(0, "userGetlist", ""))
	if err != nil {
		return nil, legacy.Directory{}, err
	}
	var rows []legacy.UserRow
	return rows, r.Directory, spoken(op, r, &rows)
}

// usersByID asks legacy for some users, deleted and locked ones too; those it never had are not in the answer.
func (a *Adapter) usersByID(ctx context.Context, op string, list []legacy.UserID) ([]legacy.UserRow, error) {
	r, err := a.read(ctx, op, legacy.Chat(0, "userGetlist", list))
	if err != nil {
		return nil, err
	}
	var rows []legacy.UserRow
	if err := spoken(op, r, &rows); err != nil {
		return nil, err
	}
	return slices.DeleteFunc(rows, func(row legacy.UserRow) bool { return !slices.Contains(list, legacy.UserID(row.ID)) }), nil
}

// Users lists everybody, or those of the given sessions: of these also the ones whose account is deleted or locked, and
// nobody for a session that no user has.
func (a *Adapter) Users(ctx context.Context, list []model.Session) (model.Users, error) {
	const op = "list users"
	wanted, err := parseSessions(list)
	if err != nil {
		return model.Users{}, err
	}
	rows, dir, err := a.users.all(ctx)
	if err != nil {
		return model.Users{}, err
	}
	if len(wanted) > 0 {
		if rows, err = a.pick(ctx, op, rows, wanted); err != nil {
			return model.Users{}, err
		}
	}
	found := model.Users{Users: make([]model.User, len(rows)), Roles: []model.Role{}, Departments: []model.Department{}}
	for i, row := range rows {
		found.Users[i] = facadeUser(row)
	}
	for _, code := range slices.Sorted(maps.Keys(dir.Roles)) {
		if code != "" { // the label of having none
			found.Roles = append(found.Roles, model.Role{Role: code, Name: string(dir.Roles[code])})
		}
	}
	for _, d := range dir.Depts {
		found.Departments = append(found.Departments, model.Department{Dept: int64(d.ID), Name: string(d.Name), Parent: int64(d.Parent), Order: int64(d.Order)})
	}
	slices.SortFunc(found.Departments, func(x, y model.Department) int { return cmp.Compare(x.Dept, y.Dept) })
	return found, nil
}

// pick takes the wanted users from all, and asks for those who are not in it.
func (a *Adapter) pick(ctx context.Context, op string, all []legacy.UserRow, wanted []legacy.UserID) ([]legacy.UserRow, error) {
	rows := slices.DeleteFunc(all, func(row legacy.UserRow) bool { return !slices.Contains(wanted, legacy.UserID(row.ID)) })
	missing := slices.DeleteFunc(wanted, func(u legacy.UserID) bool {
		return slices.ContainsFunc(rows, func(row legacy.UserRow) bool { return legacy.UserID(row.ID) == u })
	})
	if len(missing) == 0 {
		return rows, nil
	}
	gone, err := a.usersByID(ctx, op, missing)
	rows = append(rows, gone...)
	slices.SortFunc(rows, func(x, y legacy.UserRow) int { return cmp.Compare(x.ID, y.ID) })
	return rows, err
}

// User returns a user that legacy knows and has not locked; else NotFound.
func (a *Adapter) User(ctx context.Context, u legacy.UserID) (model.User, error) {
	row, err := a.userRow(ctx, "get user", u)
	return facadeUser(row), err
}

func (a *Adapter) userRow(ctx context.Context, op string, u legacy.UserID) (legacy.UserRow, error) {
	row, ok, err := a.users.get(ctx, u)
	if err == nil && !ok {
		err = noSuchUser(op, u)
	}
	return row, err
}

func noSuchUser(op string, u legacy.UserID) *Error {
	return refuse(op, model.NotFound, "no such user: %s", u)
}

// Me returns a user, and how his connection to the server is.
func (a *Adapter) Me(ctx context.Context, u legacy.UserID) (model.Me, error) {
	m, err := a.User(ctx, u)
	state := model.UpstreamOnline
	if a.links != nil {
		state = a.links.state(u)
	}
	return model.Me{
		Session: m.Session, Account: m.Account, RealName: m.RealName, Avatar: m.Avatar, Role: m.Role, Dept: m.Dept,
		Status: m.Status, Admin: m.Admin, Gender: m.Gender, Email: m.Email, Mobile: m.Mobile, Phone: m.Phone, QQ: m.QQ, Site: m.Site,
		Upstream: state,
	}, err
}

// UserByAccount is User by account name.
func (a *Adapter) UserByAccount(ctx context.Context, account string) (model.User, error) {
	row, ok, err := a.users.getAccount(ctx, account)
	if err == nil && !ok {
		err = refuse("get user", model.NotFound, "no such account: %q", account)
	}
	return facadeUser(row), err
}

// known checks that all of list are users and returns their rows, in the order of list.
func (a *Adapter) known(ctx context.Context, op, param string, list []legacy.UserID) ([]legacy.UserRow, error) {
	rows := make([]legacy.UserRow, len(list))
	for i, u := range list {
		row, ok, err := a.users.get(ctx, u)
		if err != nil {
			return nil, err
		}
		if !ok {
			return nil, refuse(op, model.InvalidParameter, "%s: no such user: %s", param, u)
		}
		rows[i] = row
	}
	return rows, nil
}

// operatorID is the user that /inner and our own questions act as.
func (a *Adapter) operatorID(ctx context.Context) (legacy.UserID, error) {
	row, ok, err := a.users.getAccount(ctx, a.operator)
	if err == nil && !ok {
		err = refuse("find the operator", model.Conflict, "the operator account %q is not a user of the chat server: set inner.operator", a.operator)
	}
	return legacy.UserID(row.ID), err
}

func facadeUser(row legacy.UserRow) model.User {
	return model.User{
		Session: legacy.UserID(row.ID).String(), Account: string(row.Account), RealName: string(row.Realname),
		Avatar: string(row.Avatar), Role: string(row.Role), Dept: int64(row.Dept), Status: string(row.Status),
		Admin: string(row.Admin), Gender: string(row.Gender), Email: string(row.Email), Mobile: string(row.Mobile),
		Phone: string(row.Phone), QQ: string(row.QQ), Site: string(row.Site), Deleted: row.Deleted != 0,
	}
}

// userChanged tells everybody about a user's presence or profile.
func (a *Adapter) userChanged(ctx context.Context, row legacy.UserRow) error {
	return a.sink(ctx, Event{Kind: model.EventKindUser, To: Recipients{All: true}, Data: facadeUser(row)})
}
