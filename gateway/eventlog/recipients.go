package eventlog

import (
	"slices"

	"github.com/xuangate/xuangate/adapter"
	"github.com/xuangate/xuangate/adapter/legacy"
)

// recipients says whom an entry is for. Both lists are sorted and without repetition.
type recipients struct {
	all    bool
	users  []legacy.UserID // when not all
	except []legacy.UserID // when all: those who had the event before
}

func newRecipients(to adapter.Recipients) recipients {
	if to.All {
		return recipients{all: true}
	}
	users := slices.Clone(to.Users)
	slices.Sort(users)
	return recipients{users: slices.Compact(users)}
}

func (r recipients) none() bool { return !r.all && len(r.users) == 0 }

func (r recipients) includes(u legacy.UserID) bool {
	if r.all {
		_, excepted := slices.BinarySearch(r.except, u)
		return !excepted
	}
	_, found := slices.BinarySearch(r.users, u)
	return found
}

// without is r less those who are in had.
func (r recipients) without(had recipients) recipients {
	switch {
	case had.all && r.all:
		return recipients{users: minus(had.except, r.except)}
	case had.all:
		return recipients{users: both(r.users, had.except)}
	case r.all:
		return recipients{all: true, except: either(r.except, had.users)}
	}
	return recipients{users: minus(r.users, had.users)}
}

func (r recipients) count() int { return len(r.users) + len(r.except) }

func minus(a, b []legacy.UserID) []legacy.UserID {
	var rest []legacy.UserID
	for _, u := range a {
		for len(b) > 0 && b[0] < u {
			b = b[1:]
		}
		if len(b) == 0 || b[0] != u {
			rest = append(rest, u)
		}
	}
	return rest
}

func both(a, b []legacy.UserID) []legacy.UserID { return minus(a, minus(a, b)) }

func either(a, b []legacy.UserID) []legacy.UserID {
	list := slices.Concat(a, b)
	slices.Sort(list)
	return slices.Compact(list)
}
