package adapter

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/xuangate/xuangate/adapter/legacy"
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
	load func(ctx context.Context) ([]legacy.UserRow, legacy.Directory, error)
	tell func(ctx context.Context, row legacy.UserRow) error // of a user who is new or changed
	once singleflight.Group

	mu   sync.Mutex
	at   time.Time
	byID map[legacy.UserID]legacy.UserRow
	dir  legacy.Directory
}

// refresh loads the list and tells of those in it that are new or changed; of none the first time.
func (us *users) refresh(ctx context.Context) error {
	// The load is shared, so it must not end with the request that happened to come first.
	_, err, _ := us.once.Do("", func() (any, error) {
		ctx := context.WithoutCancel(ctx)
		rows, dir, err := us.load(ctx)
		if err != nil {
			return nil, err
		}
		for _, row := range us.replace(rows, dir) {
			err = errors.Join(err, us.tell(ctx, row))
		}
		return nil, err
	})
	return err
}

// replace takes a new list and returns what is news in it.
func (us *users) replace(rows []legacy.UserRow, dir legacy.Directory) (changed []legacy.UserRow) {
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
	us.byID, us.dir, us.at = byID, dir, time.Now()
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

// all returns everybody, by id, and the roles and departments.
func (us *users) all(ctx context.Context) ([]legacy.UserRow, legacy.Directory, error) {
	us.mu.Lock()
	fresh := time.Since(us.at) < usersFresh
	us.mu.Unlock()
	if !fresh {
		if err := us.refresh(ctx); err != nil {
			return nil, legacy.Directory{}, err
		}
	}
	us.mu.Lock()
	defer us.mu.Unlock()
	rows := slices.SortedFunc(maps.Values(us.byID), func(x, y legacy.UserRow) int { return cmp.Compare(x.ID, y.ID) })
	return rows, us.dir, nil
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

// knows says whether a user is on the list.
func (us *users) knows(row legacy.UserRow) bool {
	us.mu.Lock()
	defer us.mu.Unlock()
	_, ok := us.byID[legacy.UserID(row.ID)]
	return ok
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
func (us *users) fill(rows []legacy.UserRow, dir legacy.Directory) {
	us.mu.Lock()
	known := us.byID != nil
	us.mu.Unlock()
	if !known {
		us.replace(rows, dir)
	}
}
