package login

import (
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/xuangate/xuangate/adapter/legacy"
)

// testStore is what every Store promises. make gives an empty one.
func testStore(t *testing.T, make func(t *testing.T) Store) {
	later := time.Now().Add(time.Hour)

	t.Run("a token finds its login", func(t *testing.T) {
		s := make(t)
		issued, err := s.Create(t.Context(), 4, 1, later)
		require.NoError(t, err)
		require.Empty(t, issued.Ended)
		require.NotEmpty(t, issued.Login.ID)
		l, err := s.Find(t.Context(), issued.Token)
		require.NoError(t, err)
		require.Equal(t, issued.Login.ID, l.ID)
		require.EqualValues(t, 4, l.User)
		require.Equal(t, 1, l.Platform)
		require.WithinDuration(t, later, l.Expires, time.Second)
	})

	t.Run("tokens are 256 random bits and never repeat", func(t *testing.T) {
		s := make(t)
		seen := map[Token]bool{}
		for i := range 100 {
			issued, err := s.Create(t.Context(), 4, i, later)
			require.NoError(t, err)
			require.Regexp(t, `^xg_[A-Za-z0-9_-]{43}$`, string(issued.Token))
			require.False(t, seen[issued.Token])
			seen[issued.Token] = true
		}
	})

	t.Run("what was never a token is unknown", func(t *testing.T) {
		s := make(t)
		issued, err := s.Create(t.Context(), 4, 1, later)
		require.NoError(t, err)
		for _, wrong := range []Token{"", "xg_", "x", issued.Token + "A", issued.Token[:len(issued.Token)-1], Token(strings.Repeat("A", 1<<20)), newToken()} {
			_, err := s.Find(t.Context(), wrong)
			require.ErrorIs(t, err, ErrUnknown)
			_, err = s.Revoke(t.Context(), wrong)
			require.ErrorIs(t, err, ErrUnknown)
		}
	})

	t.Run("a new login on the same platform replaces the older, other platforms and users stay", func(t *testing.T) {
		s := make(t)
		phone, err := s.Create(t.Context(), 4, 1, later)
		require.NoError(t, err)
		desk, err := s.Create(t.Context(), 4, 2, later)
		require.NoError(t, err)
		other, err := s.Create(t.Context(), 5, 1, later)
		require.NoError(t, err)

		again, err := s.Create(t.Context(), 4, 1, later)
		require.NoError(t, err)
		require.Len(t, again.Ended, 1)
		require.Equal(t, phone.Login.ID, again.Ended[0].ID)

		_, err = s.Find(t.Context(), phone.Token)
		require.ErrorIs(t, err, ErrReplaced)
		_, err = s.Revoke(t.Context(), phone.Token)
		require.ErrorIs(t, err, ErrReplaced)
		for _, token := range []Token{desk.Token, other.Token, again.Token} {
			_, err = s.Find(t.Context(), token)
			require.NoError(t, err)
		}
	})

	t.Run("all logins of a user end as by another sign-in; others' stay", func(t *testing.T) {
		s := make(t)
		one, err := s.Create(t.Context(), 4, 1, later)
		require.NoError(t, err)
		two, err := s.Create(t.Context(), 4, 2, later)
		require.NoError(t, err)
		other, err := s.Create(t.Context(), 5, 1, later)
		require.NoError(t, err)
		live, err := s.Live(t.Context(), 4)
		require.NoError(t, err)
		require.True(t, live)

		ended, err := s.Replace(t.Context(), 4)
		require.NoError(t, err)
		require.Len(t, ended, 2)
		for _, token := range []Token{one.Token, two.Token} {
			_, err = s.Find(t.Context(), token)
			require.ErrorIs(t, err, ErrReplaced)
		}
		_, err = s.Find(t.Context(), other.Token)
		require.NoError(t, err)
		live, err = s.Live(t.Context(), 4)
		require.NoError(t, err)
		require.False(t, live)
		ended, err = s.Replace(t.Context(), 4)
		require.NoError(t, err)
		require.Empty(t, ended, "they end once")

		again, err := s.Create(t.Context(), 4, 1, later)
		require.NoError(t, err)
		_, err = s.Find(t.Context(), again.Token)
		require.NoError(t, err)
	})

	t.Run("what is kept for a user comes back as it was, until it is forgotten", func(t *testing.T) {
		s := make(t)
		got, err := s.Kept(t.Context(), 4)
		require.NoError(t, err)
		require.Nil(t, got)
		secret := []byte("sealed\x00")
		require.NoError(t, s.Keep(t.Context(), 4, secret))
		secret[0] = 'X'
		got, err = s.Kept(t.Context(), 4)
		require.NoError(t, err)
		require.Equal(t, "sealed\x00", string(got))
		got, err = s.Kept(t.Context(), 5)
		require.NoError(t, err)
		require.Nil(t, got)
		require.NoError(t, s.Forget(t.Context(), 4))
		got, err = s.Kept(t.Context(), 4)
		require.NoError(t, err)
		require.Nil(t, got)
	})

	t.Run("a revoked token is unknown, and its place is free", func(t *testing.T) {
		s := make(t)
		first, err := s.Create(t.Context(), 4, 1, later)
		require.NoError(t, err)
		l, err := s.Revoke(t.Context(), first.Token)
		require.NoError(t, err)
		require.Equal(t, first.Login.ID, l.ID)
		_, err = s.Find(t.Context(), first.Token)
		require.ErrorIs(t, err, ErrUnknown)
		next, err := s.Create(t.Context(), 4, 1, later)
		require.NoError(t, err)
		require.Empty(t, next.Ended)
	})

	t.Run("an expired token is unknown, be it live or replaced", func(t *testing.T) {
		s := make(t)
		past := time.Now().Add(-time.Second)
		live, err := s.Create(t.Context(), 4, 1, past)
		require.NoError(t, err)
		replaced, err := s.Create(t.Context(), 4, 2, past)
		require.NoError(t, err)
		_, err = s.Create(t.Context(), 4, 2, later)
		require.NoError(t, err)
		for _, token := range []Token{live.Token, replaced.Token} {
			_, err = s.Find(t.Context(), token)
			require.ErrorIs(t, err, ErrUnknown)
		}
	})

	t.Run("one user holds a bounded number of logins, the oldest ends", func(t *testing.T) {
		s := make(t)
		var issued []Issued
		for i := range MaxPerUser + 1 {
			one, err := s.Create(t.Context(), 4, i, later)
			require.NoError(t, err)
			issued = append(issued, one)
		}
		require.Equal(t, []string{issued[0].Login.ID}, ids(issued[MaxPerUser].Ended))
		_, err := s.Find(t.Context(), issued[0].Token)
		require.ErrorIs(t, err, ErrReplaced)
		_, err = s.Find(t.Context(), issued[1].Token)
		require.NoError(t, err)
	})

	t.Run("of replaced logins only the latest are remembered", func(t *testing.T) {
		s := make(t)
		var issued []Issued
		for range MaxPerUser + 2 {
			one, err := s.Create(t.Context(), 4, 1, later)
			require.NoError(t, err)
			issued = append(issued, one)
		}
		_, err := s.Find(t.Context(), issued[0].Token)
		require.ErrorIs(t, err, ErrUnknown)
		_, err = s.Find(t.Context(), issued[1].Token)
		require.ErrorIs(t, err, ErrReplaced)
	})

	t.Run("what ended by a revocation is not ended again by a sign-in", func(t *testing.T) {
		s := make(t)
		first, err := s.Create(t.Context(), 4, 1, later)
		require.NoError(t, err)
		_, err = s.Revoke(t.Context(), first.Token)
		require.NoError(t, err)
		_, err = s.Revoke(t.Context(), first.Token)
		require.ErrorIs(t, err, ErrUnknown)
		ended, err := s.Replace(t.Context(), 4)
		require.NoError(t, err)
		require.Empty(t, ended)
		_, err = s.Find(t.Context(), first.Token)
		require.ErrorIs(t, err, ErrUnknown)
	})

	t.Run("dismissed logins are unknown, of one platform or of all", func(t *testing.T) {
		s := make(t)
		var tokens []Token
		for platform := range 3 {
			issued, err := s.Create(t.Context(), 4, platform, later)
			require.NoError(t, err)
			tokens = append(tokens, issued.Token)
		}
		other, err := s.Create(t.Context(), 5, 1, later)
		require.NoError(t, err)
		ended, err := s.Dismiss(t.Context(), 4, 1)
		require.NoError(t, err)
		require.Len(t, ended, 1)
		require.Equal(t, 1, ended[0].Platform)
		_, err = s.Find(t.Context(), tokens[1])
		require.ErrorIs(t, err, ErrUnknown)
		_, err = s.Find(t.Context(), tokens[0])
		require.NoError(t, err)
		ended, err = s.Dismiss(t.Context(), 4)
		require.NoError(t, err)
		require.Len(t, ended, 2)
		live, err := s.Live(t.Context(), 4)
		require.NoError(t, err)
		require.False(t, live)
		ended, err = s.Dismiss(t.Context(), 4)
		require.NoError(t, err)
		require.Empty(t, ended)
		_, err = s.Find(t.Context(), other.Token)
		require.NoError(t, err)
	})

	t.Run("a login stands until it ends, and then says how", func(t *testing.T) {
		s := make(t)
		for _, c := range []struct {
			end  func(issued Issued)
			want error
		}{
			{func(Issued) {}, nil},
			{func(issued Issued) { _, err := s.Create(t.Context(), 4, 1, later); require.NoError(t, err) }, ErrReplaced},
			{func(issued Issued) { _, err := s.Revoke(t.Context(), issued.Token); require.NoError(t, err) }, ErrUnknown},
		} {
			issued, err := s.Create(t.Context(), 4, 1, later)
			require.NoError(t, err)
			found, err := s.Find(t.Context(), issued.Token)
			require.NoError(t, err)
			c.end(issued)
			require.ErrorIs(t, s.Check(t.Context(), found), c.want)
		}
		require.ErrorIs(t, s.Check(t.Context(), Login{ID: "x", User: 4}), ErrUnknown)
	})

	t.Run("a ticket opens its login once", func(t *testing.T) {
		s := make(t)
		issued, err := s.Create(t.Context(), 4, 1, later)
		require.NoError(t, err)
		ticket, err := s.Ticket(t.Context(), issued.Token, later)
		require.NoError(t, err)
		require.Regexp(t, `^xt_[A-Za-z0-9_-]{43}$`, string(ticket))
		l, err := s.Redeem(t.Context(), ticket)
		require.NoError(t, err)
		require.Equal(t, issued.Login.ID, l.ID)
		require.EqualValues(t, 4, l.User)
		require.Equal(t, 1, l.Platform)
		require.WithinDuration(t, later, l.Expires, time.Second)
		require.NoError(t, s.Check(t.Context(), l))
		_, err = s.Redeem(t.Context(), ticket)
		require.ErrorIs(t, err, ErrUnknown)
	})

	t.Run("of many who redeem a ticket at once one succeeds", func(t *testing.T) {
		s := make(t)
		issued, err := s.Create(t.Context(), 4, 1, later)
		require.NoError(t, err)
		ticket, err := s.Ticket(t.Context(), issued.Token, later)
		require.NoError(t, err)
		var all sync.WaitGroup
		errs := [20]error{}
		for i := range errs {
			all.Go(func() { _, errs[i] = s.Redeem(t.Context(), ticket) })
		}
		all.Wait()
		opened := 0
		for _, err := range errs {
			if err == nil {
				opened++
			} else {
				require.ErrorIs(t, err, ErrUnknown)
			}
		}
		require.Equal(t, 1, opened)
	})

	t.Run("what was never a ticket opens nothing, and a ticket is no token", func(t *testing.T) {
		s := make(t)
		issued, err := s.Create(t.Context(), 4, 1, later)
		require.NoError(t, err)
		ticket, err := s.Ticket(t.Context(), issued.Token, later)
		require.NoError(t, err)
		for _, wrong := range []Ticket{"", "xt_", ticket + "A", ticket[:len(ticket)-1], Ticket(issued.Token), Ticket(strings.Repeat("A", 1<<20)), newTicket()} {
			_, err := s.Redeem(t.Context(), wrong)
			require.ErrorIs(t, err, ErrUnknown)
		}
		for _, wrong := range []Token{"", Token(ticket), newToken()} {
			_, err = s.Ticket(t.Context(), wrong, later)
			require.ErrorIs(t, err, ErrUnknown)
			_, err = s.Find(t.Context(), wrong)
			require.ErrorIs(t, err, ErrUnknown)
		}
		_, err = s.Redeem(t.Context(), ticket)
		require.NoError(t, err, "none of that used it up")
	})

	t.Run("a ticket ends with its time and with its login, however that ends", func(t *testing.T) {
		s := make(t)
		past := time.Now().Add(-time.Second)
		for _, end := range []func(issued Issued) error{
			func(Issued) error { _, err := s.Create(t.Context(), 4, 1, later); return err },
			func(Issued) error { _, err := s.Replace(t.Context(), 4); return err },
			func(issued Issued) error { _, err := s.Revoke(t.Context(), issued.Token); return err },
		} {
			issued, err := s.Create(t.Context(), 4, 1, later)
			require.NoError(t, err)
			expired, err := s.Ticket(t.Context(), issued.Token, past)
			require.NoError(t, err)
			_, err = s.Redeem(t.Context(), expired)
			require.ErrorIs(t, err, ErrUnknown)
			ticket, err := s.Ticket(t.Context(), issued.Token, later)
			require.NoError(t, err)
			require.NoError(t, end(issued))
			_, err = s.Redeem(t.Context(), ticket)
			require.ErrorIs(t, err, ErrUnknown)
		}
	})

	t.Run("a login has a bounded number of tickets, the oldest ends", func(t *testing.T) {
		s := make(t)
		issued, err := s.Create(t.Context(), 4, 1, later)
		require.NoError(t, err)
		var tickets []Ticket
		for range MaxTickets + 1 {
			ticket, err := s.Ticket(t.Context(), issued.Token, later)
			require.NoError(t, err)
			tickets = append(tickets, ticket)
		}
		for i, ticket := range tickets {
			_, err := s.Redeem(t.Context(), ticket)
			if i == 0 {
				require.ErrorIs(t, err, ErrUnknown)
			} else {
				require.NoError(t, err)
			}
		}
	})

	t.Run("of many sign-ins at once on one platform exactly one stays", func(t *testing.T) {
		s := make(t)
		tokens := [20]Token{}
		var all sync.WaitGroup
		for i := range tokens {
			all.Go(func() {
				issued, err := s.Create(t.Context(), 4, 1, later)
				if err == nil {
					tokens[i] = issued.Token
				}
			})
		}
		all.Wait()
		live := 0
		for _, token := range tokens {
			if _, err := s.Find(t.Context(), token); err == nil {
				live++
			} else {
				require.ErrorIs(t, err, ErrReplaced)
			}
		}
		require.Equal(t, 1, live)
	})
}

func ids(logins []Login) []string {
	var list []string
	for _, l := range logins {
		list = append(list, l.ID)
	}
	return list
}

func TestMemory(t *testing.T) {
	testStore(t, func(*testing.T) Store { return NewMemory() })

	t.Run("what has expired is dropped", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			m := NewMemory()
			for u := range 100 {
				for range 3 {
					issued, err := m.Create(t.Context(), legacy.UserID(1+u), 1, time.Now().Add(time.Minute))
					require.NoError(t, err)
					_, err = m.Ticket(t.Context(), issued.Token, time.Now().Add(time.Minute))
					require.NoError(t, err)
				}
			}
			time.Sleep(time.Hour)
			_, err := m.Create(t.Context(), 1000, 1, time.Now().Add(time.Minute))
			require.NoError(t, err)
			require.Len(t, m.byHash, 1)
			require.Len(t, m.byUser, 1)
			require.Len(t, m.expiry, 1)
			require.Empty(t, m.tickets)
		})
	})

	t.Run("tokens are stored hashed only", func(t *testing.T) {
		m := NewMemory()
		issued, err := m.Create(t.Context(), 4, 1, time.Now().Add(time.Hour))
		require.NoError(t, err)
		ticket, err := m.Ticket(t.Context(), issued.Token, time.Now().Add(time.Hour))
		require.NoError(t, err)
		for h, e := range m.byHash {
			kept := fmt.Sprintf("%v %+v %+v", h, *e, m.tickets)
			require.NotContains(t, kept, strings.TrimPrefix(string(issued.Token), tokenPrefix))
			require.NotContains(t, kept, strings.TrimPrefix(string(ticket), ticketPrefix))
		}
	})
}

func TestToken(t *testing.T) {
	t.Run("neither a token nor a ticket prints itself", func(t *testing.T) {
		token, ticket := newToken(), newTicket()
		var log strings.Builder
		slog.New(slog.NewTextHandler(&log, nil)).Info("x", "token", token, "ticket", ticket)
		issued := Issued{Token: token}
		for _, text := range []string{
			log.String(), fmt.Sprint(token, ticket), fmt.Sprintf("%v %+v %#v %s", issued, issued, issued, token), fmt.Sprintf("%v %#v %s", ticket, ticket, ticket),
		} {
			require.NotContains(t, text, strings.TrimPrefix(string(token), tokenPrefix))
			require.NotContains(t, text, strings.TrimPrefix(string(ticket), ticketPrefix))
		}
	})
}
