package login

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/xuangate/xuangate/test/redisd"
)

const right, wrong = "e10adc3949ba59abbe56e057f20f883e", "00000000000000000000000000000000"

// testStandings is what all Standings promise, and a Guard over them.
func testStandings(t *testing.T, make func(t *testing.T) Standings) {
	plus := func(s Standing) Standing { s.Wrong++; return s }

	t.Run("a change is made to what was there, of one account", func(t *testing.T) {
		s := make(t)
		for n := 1; n <= 3; n++ {
			got, err := s.Update(t.Context(), KeyOf("alice"), plus)
			require.NoError(t, err)
			require.Equal(t, n, got.Wrong)
		}
		got, err := s.Update(t.Context(), KeyOf("bob"), plus)
		require.NoError(t, err)
		require.Equal(t, 1, got.Wrong)
	})

	t.Run("all of a standing comes back", func(t *testing.T) {
		s := make(t)
		at := time.Now().Round(0)
		want := Standing{Wrong: 1, Open: 2, Since: at, Until: at.Add(time.Hour), Spelling: "alice", Proof: []byte("proof"), Doubt: at}
		_, err := s.Update(t.Context(), KeyOf("alice"), func(Standing) Standing { return want })
		require.NoError(t, err)
		got, err := s.Update(t.Context(), KeyOf("alice"), func(s Standing) Standing { return s })
		require.NoError(t, err)
		require.True(t, want.Since.Equal(got.Since) && want.Until.Equal(got.Until) && want.Doubt.Equal(got.Doubt))
		got.Since, got.Until, got.Doubt = want.Since, want.Until, want.Doubt
		require.Equal(t, want, got)
	})

	t.Run("changes at once are made one after the other", func(t *testing.T) {
		s := make(t)
		var all sync.WaitGroup
		var failed atomic.Int64
		for range 20 {
			all.Go(func() {
				if _, err := s.Update(t.Context(), KeyOf("alice"), plus); err != nil {
					failed.Add(1)
				}
			})
		}
		all.Wait()
		require.Zero(t, failed.Load())
		got, err := s.Update(t.Context(), KeyOf("alice"), plus)
		require.NoError(t, err)
		require.Equal(t, 21, got.Wrong)
	})

	enter := func(t *testing.T, g *Guard, account, digest string) *Try {
		try, err := g.Enter(t.Context(), account, digest)
		require.NoError(t, err)
		return try
	}
	refused := func(t *testing.T, g *Guard, account, digest string) {
		_, err := g.Enter(t.Context(), account, digest)
		require.ErrorIs(t, err, ErrTries)
	}

	t.Run("two wrong passwords of an account nobody signed in to get through, others after a good sign-in", func(t *testing.T) {
		g := NewGuard(make(t))
		for range 2 {
			require.NoError(t, enter(t, g, "alice", wrong).Wrong(t.Context()))
		}
		for range 3 {
			refused(t, g, "alice", wrong)
			refused(t, g, "alice", right)
		}
		require.NoError(t, enter(t, g, "bob", wrong).Wrong(t.Context()), "others' accounts have their own")
		require.NoError(t, g.Heard(t.Context(), "alice"))
		require.NoError(t, enter(t, g, "alice", right).Good(t.Context(), "alice"))
	})

	t.Run("the password accepted last gets through always, a single other one meanwhile", func(t *testing.T) {
		g := NewGuard(make(t))
		require.NoError(t, enter(t, g, "alice", right).Good(t.Context(), "alice"))
		require.NoError(t, enter(t, g, "alice", wrong).Wrong(t.Context()))
		refused(t, g, "alice", wrong)
		again := enter(t, g, "ALICE  ", right)
		require.True(t, again.Proven())
		require.Equal(t, "alice", again.Account, "as the chat server compares it")
		require.NoError(t, again.Good(t.Context(), again.Account))
		require.NoError(t, enter(t, g, "alice", wrong).Wrong(t.Context()), "the good one brought the count to zero")
		refused(t, g, "alice", wrong)
	})

	t.Run("tries under way count", func(t *testing.T) {
		g := NewGuard(make(t))
		var all sync.WaitGroup
		var through, not atomic.Int64
		for range 16 {
			all.Go(func() {
				_, err := g.Enter(t.Context(), "alice", wrong)
				if err == nil {
					through.Add(1)
				} else if errors.Is(err, ErrTries) {
					not.Add(1)
				}
			})
		}
		all.Wait()
		require.EqualValues(t, 2, through.Load())
		require.EqualValues(t, 14, not.Load())
	})

	t.Run("a try that was not counted is given back", func(t *testing.T) {
		g := NewGuard(make(t))
		for range 5 {
			require.NoError(t, enter(t, g, "alice", wrong).Back(t.Context()))
		}
	})

	t.Run("a good sign-in does not forget the tries under way", func(t *testing.T) {
		g := NewGuard(make(t))
		require.NoError(t, enter(t, g, "alice", right).Good(t.Context(), "alice"))
		slow := enter(t, g, "alice", wrong)
		require.NoError(t, enter(t, g, "alice", right).Good(t.Context(), "alice"))
		refused(t, g, "alice", wrong)
		require.NoError(t, slow.Wrong(t.Context()))
		refused(t, g, "alice", wrong)
	})

	t.Run("a password that was changed elsewhere makes room for the new one", func(t *testing.T) {
		g := NewGuard(make(t))
		require.NoError(t, enter(t, g, "alice", right).Good(t.Context(), "alice"))
		require.NoError(t, enter(t, g, "alice", right).Wrong(t.Context()))
		changed := strings.Repeat("1", 32)
		require.NoError(t, enter(t, g, "alice", changed).Good(t.Context(), "alice"))
		require.True(t, enter(t, g, "alice", changed).Proven())
		require.False(t, enter(t, g, "alice", right).Proven())
	})

	t.Run("spellings that the chat server takes for one account are one", func(t *testing.T) {
		g := NewGuard(make(t))
		require.NoError(t, enter(t, g, "alice", wrong).Wrong(t.Context()))
		require.NoError(t, enter(t, g, "Álïce ", wrong).Wrong(t.Context()))
		for _, spelling := range []string{"ALICE", "alice   ", "ali\u0301ce", "alic\u200be", "ＡＬＩＣＥ"} {
			refused(t, g, spelling, wrong)
		}
		enter(t, g, " alice", wrong)
		enter(t, g, "alicia", wrong)
	})

	t.Run("another node's guard knows the same", func(t *testing.T) {
		s := make(t)
		one, other := NewGuard(s), NewGuard(s)
		require.NoError(t, enter(t, one, "alice", right).Good(t.Context(), "alice"))
		require.NoError(t, enter(t, other, "alice", wrong).Wrong(t.Context()))
		refused(t, one, "alice", wrong)
		require.True(t, enter(t, other, "alice", right).Proven())
	})

	t.Run("no password, nor its MD5, is kept", func(t *testing.T) {
		s := make(t)
		g := NewGuard(s)
		require.NoError(t, enter(t, g, "alice", right).Good(t.Context(), "alice"))
		require.NoError(t, enter(t, g, "bob", right).Good(t.Context(), "bob"))
		var proofs [][]byte
		for _, account := range []string{"alice", "bob"} {
			got, err := s.Update(t.Context(), KeyOf(account), func(s Standing) Standing { return s })
			require.NoError(t, err)
			require.NotContains(t, fmt.Sprintf("%s %x", got.Proof, got.Proof), right)
			proofs = append(proofs, got.Proof)
		}
		require.NotEqual(t, proofs[0], proofs[1])
	})
}

func TestMemoryStandings(t *testing.T) {
	testStandings(t, func(*testing.T) Standings { return NewMemoryStandings() })

	t.Run("accounts tried longest ago are forgotten first, those with a proof are not among them", func(t *testing.T) {
		s := NewMemoryStandings()
		plus := func(s Standing) Standing { s.Wrong++; return s }
		_, err := s.Update(t.Context(), KeyOf("alice"), func(Standing) Standing { return Standing{Proof: []byte("x")} })
		require.NoError(t, err)
		for i := range maxTried + 1 {
			_, err := s.Update(t.Context(), KeyOf(fmt.Sprint("nobody", i)), plus)
			require.NoError(t, err)
		}
		require.Len(t, s.byKey, maxTried+1)
		require.NotContains(t, s.byKey, KeyOf("nobody0"))
		require.Contains(t, s.byKey, KeyOf("alice"))
	})
}

func TestGuardTime(t *testing.T) {
	in := func(t *testing.T, f func(t *testing.T, g *Guard)) {
		synctest.Test(t, func(t *testing.T) { f(t, NewGuard(NewMemoryStandings())) })
	}
	enter := func(t *testing.T, g *Guard, digest string) *Try {
		try, err := g.Enter(t.Context(), "alice", digest)
		require.NoError(t, err)
		return try
	}

	t.Run("when a lock of the chat server has ended, it counts anew", func(t *testing.T) {
		in(t, func(t *testing.T, g *Guard) {
			require.NoError(t, enter(t, g, wrong).Locked(t.Context()))
			time.Sleep(LockTime - time.Second)
			_, err := g.Enter(t.Context(), "alice", wrong)
			require.ErrorIs(t, err, ErrTries)
			time.Sleep(time.Second)
			require.NoError(t, enter(t, g, right).Good(t.Context(), "alice"))
		})
	})

	t.Run("time alone gives no tries back", func(t *testing.T) {
		in(t, func(t *testing.T, g *Guard) {
			require.NoError(t, enter(t, g, wrong).Wrong(t.Context()))
			require.NoError(t, enter(t, g, wrong).Wrong(t.Context()))
			time.Sleep(1000 * time.Hour)
			_, err := g.Enter(t.Context(), "alice", wrong)
			require.ErrorIs(t, err, ErrTries)
		})
	})

	t.Run("a try whose node died counts as wrong", func(t *testing.T) {
		in(t, func(t *testing.T, g *Guard) {
			require.NoError(t, enter(t, g, right).Good(t.Context(), "alice"))
			enter(t, g, wrong)
			time.Sleep(openTime)
			_, err := g.Enter(t.Context(), "alice", wrong)
			require.ErrorIs(t, err, ErrTries)
			require.NoError(t, enter(t, g, right).Good(t.Context(), "alice"))
			enter(t, g, wrong)
		})
	})

	t.Run("a known password that was refused is tried again once a lock would be over", func(t *testing.T) {
		in(t, func(t *testing.T, g *Guard) {
			require.NoError(t, enter(t, g, right).Good(t.Context(), "alice"))
			require.NoError(t, enter(t, g, right).Wrong(t.Context()))
			require.NoError(t, enter(t, g, right).Wrong(t.Context()), "as any other meanwhile")
			_, err := g.Enter(t.Context(), "alice", right)
			require.ErrorIs(t, err, ErrTries)
			time.Sleep(LockTime)
			require.NoError(t, enter(t, g, right).Good(t.Context(), "alice"))
		})
	})

	t.Run("a client that has gone while its password was to be checked", func(t *testing.T) {
		in(t, func(t *testing.T, g *Guard) {
			require.NoError(t, enter(t, g, right).Good(t.Context(), "alice"))
			for range hashesAtOnce {
				g.hashing <- struct{}{}
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			_, err := g.Enter(ctx, "alice", right)
			require.ErrorIs(t, err, context.DeadlineExceeded)
			g.waiting.Store(hashesWaiting)
			_, err = g.Enter(t.Context(), "alice", right)
			require.ErrorIs(t, err, ErrBusy)
		})
	})
}

func TestRedisStandings(t *testing.T) {
	s := redisd.Start(t)
	fresh := func(t *testing.T) *RedisStandings {
		client := s.Dial()
		t.Cleanup(func() { _ = client.Close() })
		return NewRedisStandings(client, fmt.Sprint("test", stores.Add(1)))
	}
	testStandings(t, func(t *testing.T) Standings { return fresh(t) })

	t.Run("no account's name or password is in a key, and the oldest go first", func(t *testing.T) {
		r := fresh(t)
		g := NewGuard(r)
		try, err := g.Enter(t.Context(), "alice", right)
		require.NoError(t, err)
		require.NoError(t, try.Good(t.Context(), "alice"))
		dump, err := s.Client().HGetAll(t.Context(), r.all).Result()
		require.NoError(t, err)
		require.Len(t, dump, 1)
		for field, value := range dump {
			require.NotContains(t, field, "alice")
			require.NotContains(t, value, right)
		}
		for i, most := range []int{1, 1} { // of one kind, with room for one
			n, err := scriptStanding.Run(t.Context(), s.Client(), []string{r.all, r.tried, r.proven}, fmt.Sprint("x", i), "", `{"w":1}`, 100+i, "tried", most).Int()
			require.NoError(t, err)
			require.Equal(t, 1, n)
		}
		left, err := s.Client().HKeys(t.Context(), r.all).Result()
		require.NoError(t, err)
		require.Len(t, left, 2)
		require.NotContains(t, left, "x0")
	})

	t.Run("without Redis nothing is known, and it is said", func(t *testing.T) {
		client := redisd.NewClient(&redis.UniversalOptions{Addrs: []string{"127.0.0.1:1"}, MaxRetries: -1})
		defer client.Close()
		_, err := NewGuard(NewRedisStandings(client, "gone")).Enter(t.Context(), "alice", right)
		require.ErrorIs(t, err, ErrAway)
	})
}
