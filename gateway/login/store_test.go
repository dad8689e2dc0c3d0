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
					_, err := m.Create(t.Context(), legacy.UserID(1+u), 1, time.Now().Add(time.Minute))
					require.NoError(t, err)
				}
			}
			time.Sleep(time.Hour)
			_, err := m.Create(t.Context(), 1000, 1, time.Now().Add(time.Minute))
			require.NoError(t, err)
			require.Len(t, m.byHash, 1)
			require.Len(t, m.byUser, 1)
			require.Len(t, m.expiry, 1)
		})
	})

	t.Run("tokens are stored hashed only", func(t *testing.T) {
		m := NewMemory()
		issued, err := m.Create(t.Context(), 4, 1, time.Now().Add(time.Hour))
		require.NoError(t, err)
		secret := strings.TrimPrefix(string(issued.Token), tokenPrefix)
		for h, e := range m.byHash {
			require.NotContains(t, fmt.Sprintf("%v %+v", h, *e), secret)
		}
	})
}

func TestToken(t *testing.T) {
	t.Run("a token never prints itself", func(t *testing.T) {
		token := newToken()
		secret := strings.TrimPrefix(string(token), tokenPrefix)
		var log strings.Builder
		slog.New(slog.NewTextHandler(&log, nil)).Info("x", "token", token)
		issued := Issued{Token: token}
		for _, text := range []string{log.String(), fmt.Sprint(token), fmt.Sprintf("%v %+v %#v %s", issued, issued, issued, token)} {
			require.NotContains(t, text, secret)
		}
	})
}
