package adapter

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/xuangate/xuangate/adapter/legacy"
	"github.com/xuangate/xuangate/gen/model"
)

func TestSigningInOverALink(t *testing.T) {
	t.Run("another sign-in of an account only asks whether the password is right", func(t *testing.T) {
		inLink(t, nil, func(t *testing.T, a *Adapter, d *doorway) {
			u, err := a.SignIn(t.Context(), "ALICE", "md5")
			require.NoError(t, err)
			require.Equal(t, "alice", u.Account)
			require.Equal(t, 1, d.times())
			d.next(legacy.ErrPassword)
			_, err = a.SignIn(t.Context(), "alice", "wrong")
			require.Equal(t, model.WrongPassword, code(err))
			require.Equal(t, 1, d.times(), "and kicks nobody out")
		})
	})
	t.Run("what keeps a user out is told apart", func(t *testing.T) {
		inLink(t, nil, func(t *testing.T, a *Adapter, d *doorway) {
			for err, want := range map[error]model.Code{
				legacy.ErrPassword: model.WrongPassword, legacy.ErrLocked: model.AccountLocked, legacy.ErrDisabled: model.AccountDisabled,
				legacy.ErrFull: model.Unreachable, errDropped: model.Unreachable, context.DeadlineExceeded: model.TooSlow,
			} {
				d.next(fmt.Errorf("dial: %w", err))
				_, got := a.SignIn(t.Context(), "bob", "md5")
				require.Equal(t, want, code(got), err)
			}
		})
	})
	t.Run("who never signed in cannot be acted for, and no token is issued for him", func(t *testing.T) {
		inLink(t, nil, func(t *testing.T, a *Adapter, _ *doorway) {
			_, err := a.JoinedConversations(t.Context(), 5)
			require.Equal(t, model.Unsupported, code(err))
			require.Equal(t, model.Unsupported, code(a.Vouch(t.Context(), 5)))
			require.NoError(t, a.Vouch(t.Context(), 4))
		})
	})
	t.Run("the operator's link is made when it is needed", func(t *testing.T) {
		inLink(t, func(c *Config) { c.OperatorPassword = "op" }, func(t *testing.T, a *Adapter, d *doorway) {
			d.answer("members", says(t, frame("members", `{"gid":"team","members":[4,5]}`)))
			d.answer("addmember", says(t, frame("addmember", chatJSON("team", "group", 4, 5, 6))))
			d.welcome.User = legacy.UserRow{ID: 1, Account: "admin"}
			require.NoError(t, a.InnerJoin(t.Context(), "team", []string{"6"}))
			require.Equal(t, 2, d.times())
		})
	})
}

func TestLinksAreObserved(t *testing.T) {
	var mu sync.Mutex
	var seen []string
	observed := func() []string {
		mu.Lock()
		defer mu.Unlock()
		list := seen
		seen = nil
		return list
	}
	observe := func(c *Config) {
		c.Observe = func(_ context.Context, c legacy.Call, r legacy.Response, took time.Duration, err error) {
			mu.Lock()
			defer mu.Unlock()
			what := string(r.Result)
			if err != nil {
				what = "no answer"
			}
			seen = append(seen, fmt.Sprintf("%s of %s: %s", c, c.User, what))
		}
	}
	inLink(t, observe, func(t *testing.T, a *Adapter, d *doorway) {
		require.Equal(t, []string{
			"chat/login of 4: success", "chat/getlist of 4: success", "chat/history of 4: success", "chat/history of 4: success",
		}, observed(), "a sign-in, and what looks for its gap")

		d.next(errDropped, legacy.ErrPassword)
		d.open.end(errDropped)
		time.Sleep(time.Minute)
		list := observed()
		require.Equal(t, []string{"chat/login of 0: no answer", "chat/login of 0: fail"}, list[:2], "it comes back by itself, and is refused")

		_, err := a.SignIn(t.Context(), "alice", "md5")
		require.NoError(t, err)
		require.Contains(t, observed(), "chat/login of 4: success")
		d.next(legacy.ErrLocked)
		_, err = a.SignIn(t.Context(), "alice", "md5")
		require.Error(t, err)
		require.Equal(t, []string{"chat/login of 0: fail"}, observed(), "asking about a password is a sign-in, too")
	})
}

func TestALinkComesBack(t *testing.T) {
	t.Run("after a lost connection, with longer and longer pauses while the server is away", func(t *testing.T) {
		inLink(t, nil, func(t *testing.T, a *Adapter, d *doorway) {
			down := make([]error, 8)
			for i := range down {
				down[i] = errDropped
			}
			d.next(down...)
			d.open.end(errDropped)
			time.Sleep(3 * time.Minute)
			synctest.Wait()
			require.Equal(t, 10, d.times(), "eight times in vain")
			states := d.states()
			require.Equal(t, model.UpstreamBackoff, states[1])
			require.Equal(t, model.UpstreamOnline, states[len(states)-1])
			me, err := a.Me(t.Context(), 4)
			require.NoError(t, err)
			require.Equal(t, model.UpstreamOnline, me.Upstream)
		})
	})
	t.Run("calls wait for it", func(t *testing.T) {
		inLink(t, nil, func(t *testing.T, a *Adapter, d *doorway) {
			d.open.end(errDropped)
			synctest.Wait()
			ids, err := a.JoinedConversations(t.Context(), 4)
			require.NoError(t, err)
			require.Len(t, ids, 2)
		})
	})
	t.Run("but not with a password that the server no longer takes", func(t *testing.T) {
		inLink(t, nil, func(t *testing.T, a *Adapter, d *doorway) {
			d.next(legacy.ErrPassword, legacy.ErrPassword)
			d.open.end(errDropped)
			time.Sleep(time.Minute)
			synctest.Wait()
			require.Equal(t, 2, d.times(), "each try counts towards the lock")
			_, err := a.JoinedConversations(t.Context(), 4)
			require.Equal(t, model.InvalidToken, code(err))
			require.Equal(t, model.UpstreamRefused, a.links.state(4))
		})
	})
}

func TestAKickedLink(t *testing.T) {
	t.Run("yields: it tells, and dials no more until the user signs in here again", func(t *testing.T) {
		inLink(t, nil, func(t *testing.T, a *Adapter, d *doorway) {
			d.open.end(legacy.ErrKicked)
			time.Sleep(time.Hour)
			synctest.Wait()
			require.Equal(t, 1, d.times())
			require.Equal(t, []legacy.UserID{4}, d.kicked)
			_, err := a.JoinedConversations(t.Context(), 4)
			require.Equal(t, model.SignedInElsewhere, code(err))
			require.Error(t, a.Vouch(t.Context(), 4))
			_, err = a.SignIn(t.Context(), "alice", "md5")
			require.NoError(t, err)
			require.Equal(t, 2, d.times())
		})
	})
	t.Run("reclaims after a minute, at most once in ten", func(t *testing.T) {
		inLink(t, func(c *Config) { c.Reclaim = true }, func(t *testing.T, a *Adapter, d *doorway) {
			d.open.end(legacy.ErrKicked)
			time.Sleep(reclaimAfter - time.Second)
			synctest.Wait()
			require.Equal(t, 1, d.times())
			time.Sleep(2 * time.Second)
			synctest.Wait()
			require.Equal(t, 2, d.times())
			require.Empty(t, d.kicked)
			d.open.end(legacy.ErrKicked)
			time.Sleep(time.Hour)
			synctest.Wait()
			require.Equal(t, 2, d.times(), "no war")
			require.Equal(t, []legacy.UserID{4}, d.kicked)
		})
	})
}

func TestALinkThatNobodyUses(t *testing.T) {
	t.Run("is given up, and made again for the next call", func(t *testing.T) {
		inLink(t, nil, func(t *testing.T, a *Adapter, d *doorway) {
			time.Sleep(11 * time.Minute)
			synctest.Wait()
			require.Equal(t, model.UpstreamOffline, a.links.state(4))
			_, err := a.JoinedConversations(t.Context(), 4)
			require.NoError(t, err)
			require.Equal(t, 2, d.times())
		})
	})
	t.Run("is made again from what is kept when the process that had it is gone", func(t *testing.T) {
		inLink(t, nil, func(t *testing.T, a *Adapter, d *doorway) {
			k := a.links.byUser[4]
			a.links.mu.Lock()
			delete(a.links.byUser, 4)
			a.links.mu.Unlock()
			k.cancel(errUnwanted)
			require.NoError(t, a.Vouch(t.Context(), 4))
			_, err := a.JoinedConversations(t.Context(), 4)
			require.NoError(t, err)
			require.Equal(t, 2, d.times())
		})
	})
	t.Run("keeps no stream waiting for a server that is away", func(t *testing.T) {
		inLink(t, nil, func(t *testing.T, a *Adapter, d *doorway) {
			d.next(slices.Repeat([]error{legacy.ErrClosed}, 100)...)
			d.open.end(errDropped)
			synctest.Wait()
			asked := time.Now()
			_, err := a.ComeOnline(t.Context(), 4)
			require.NoError(t, err)
			require.Equal(t, a.timeout, time.Since(asked))
			d.next()
			time.Sleep(time.Hour)
			synctest.Wait()
			require.Equal(t, model.UpstreamOnline, a.links.state(4), "it is held, and came back by itself")
		})
	})
	t.Run("is kept while a stream is open", func(t *testing.T) {
		inLink(t, nil, func(t *testing.T, a *Adapter, _ *doorway) {
			_, err := a.ComeOnline(t.Context(), 4)
			require.NoError(t, err)
			time.Sleep(time.Hour)
			synctest.Wait()
			require.Equal(t, model.UpstreamOnline, a.links.state(4))
			require.NoError(t, a.GoOffline(t.Context(), 4))
			time.Sleep(11 * time.Minute)
			synctest.Wait()
			require.Equal(t, model.UpstreamOffline, a.links.state(4))
		})
	})
	t.Run("is forgotten with its password when the last token has gone", func(t *testing.T) {
		var gone atomic.Bool
		alive := func(context.Context, legacy.UserID) (bool, error) { return !gone.Load(), nil }
		inLink(t, func(c *Config) { c.SignedIn = alive }, func(t *testing.T, a *Adapter, d *doorway) {
			gone.Store(true)
			time.Sleep(tokenGrace + lookEvery)
			synctest.Wait()
			require.Empty(t, a.links.byUser)
			_, kept := d.drawer.Load(legacy.UserID(4))
			require.False(t, kept)
			_, err := a.JoinedConversations(t.Context(), 4)
			require.Equal(t, model.Unsupported, code(err))
			require.Equal(t, 1, d.times())
		})
	})
}
