package adapter

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/xuangate/xuangate/adapter/legacy"
	"github.com/xuangate/xuangate/gen/model"
)

const (
	// usersFresh is how long the list of users is believed. A user made in the back office is seen after that at the
	// latest; one who is asked for and not in it makes us look again at once.
	usersFresh = time.Minute
	// usersAgain bounds those looks. Without it anybody who guesses sessions makes legacy list its users each time.
	usersAgain = 2 * time.Second
)

// users is the list of users as legacy answered it last; deleted and locked ones are not in it.
type users struct {
	load func(ctx context.Context) ([]legacy.UserRow, error)
	tell func(ctx context.Context, row legacy.UserRow) error // of a user who is new or changed
	once singleflight.Group

	mu   sync.Mutex
	at   time.Time
	byID map[legacy.UserID]legacy.UserRow
}

func (a *Adapter) loadUsers(ctx context.Context) ([]legacy.UserRow, error) {
	const op = "list users"
	r, err := a.read(ctx, op, legacy.Chat(0, "userGetlist", ""))
	if err != nil {
		return nil, err
	}
	var rows []legacy.UserRow
	return rows, spoken(op, r, &rows)
}

// refresh loads the list and tells of those in it that are new or changed; of none the first time.
func (us *users) refresh(ctx context.Context) error {
	// The load is shared, so it must not end with the request that happened to come first.
	_, err, _ := us.once.Do("", func() (any, error) {
		ctx := context.WithoutCancel(ctx)
		rows, err := us.load(ctx)
		if err != nil {
			return nil, err
		}
		for _, row := range us.replace(rows) {
			err = errors.Join(err, us.tell(ctx, row))
		}
		return nil, err
	})
	return err
}

// replace takes a new list and returns what is news in it.
func (us *users) replace(rows []legacy.UserRow) (changed []legacy.UserRow) {
	byID := make(map[legacy.UserID]legacy.UserRow, len(rows))
	us.mu.Lock()
	defer us.mu.Unlock()
	for _, row := range rows {
		u := legacy.UserID(row.ID)
		byID[u] = row
		if old, known := us.byID[u]; us.byID != nil && (!known || old != row) {
			changed = append(changed, row)
		}
	}
	us.byID, us.at = byID, time.Now()
	return changed
}

// find returns the first user for whom match says yes, looking at legacy's list again when need be.
func (us *users) find(ctx context.Context, match func(map[legacy.UserID]legacy.UserRow) (legacy.UserRow, bool)) (legacy.UserRow, bool, error) {
	us.mu.Lock()
	age := time.Since(us.at)
	row, ok := match(us.byID)
	us.mu.Unlock()
	if (ok && age < usersFresh) || (!ok && age < usersAgain) {
		return row, ok, nil
	}
	if err := us.refresh(ctx); err != nil {
		return row, ok, err
	}
	us.mu.Lock()
	defer us.mu.Unlock()
	row, ok = match(us.byID)
	return row, ok, nil
}

func (us *users) get(ctx context.Context, u legacy.UserID) (legacy.UserRow, bool, error) {
	return us.find(ctx, func(m map[legacy.UserID]legacy.UserRow) (legacy.UserRow, bool) {
		row, ok := m[u]
		return row, ok
	})
}

// getAccount finds an account the way legacy's sign-in does: without case and trailing blanks, the exact spelling first.
func (us *users) getAccount(ctx context.Context, account string) (legacy.UserRow, bool, error) {
	account = strings.TrimRight(account, " ")
	return us.find(ctx, func(m map[legacy.UserID]legacy.UserRow) (found legacy.UserRow, ok bool) {
		for _, row := range m {
			if string(row.Account) == account {
				return row, true
			}
			if strings.EqualFold(string(row.Account), account) {
				found, ok = row, true
			}
		}
		return found, ok
	})
}

// put keeps what legacy said of one user, and says whether that is news.
func (us *users) put(row legacy.UserRow) (news bool) {
	us.mu.Lock()
	defer us.mu.Unlock()
	u := legacy.UserID(row.ID)
	if us.byID == nil || us.byID[u] == row {
		return us.byID == nil
	}
	us.byID[u] = row
	return true
}

// fill takes a list that came unasked, where none is known yet.
func (us *users) fill(rows []legacy.UserRow) {
	us.mu.Lock()
	known := us.byID != nil
	us.mu.Unlock()
	if !known {
		us.replace(rows)
	}
}

// User returns a user that legacy knows and has not locked; else NotFound.
func (a *Adapter) User(ctx context.Context, u legacy.UserID) (model.User, error) {
	row, ok, err := a.users.get(ctx, u)
	if err == nil && !ok {
		err = refuse("get user", model.NotFound, "no such user: %s", u)
	}
	return facadeUser(row), err
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
		Phone: string(row.Phone), QQ: string(row.QQ), Site: string(row.Site),
	}
}

// userChanged tells everybody about a user's presence or profile.
func (a *Adapter) userChanged(ctx context.Context, row legacy.UserRow) error {
	return a.sink(ctx, Event{Kind: model.EventKindUser, To: Recipients{All: true}, Data: facadeUser(row)})
}
