package gateway

import (
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/xuangate/xuangate/adapter/legacy"
	"github.com/xuangate/xuangate/test/redisd"
)

// nodesOf are the presences of two nodes before one legacy server. Nothing runs; the test has done what is due.
func nodesOf(t *testing.T, client redis.UniversalClient, prefix string) (w *world, a, b *presence) {
	w = newWorld(t, nil)
	log := slog.New(slog.DiscardHandler)
	a = newPresence(w.server.legacy, w.events, NewLeases(client, prefix, "a"), nil, log)
	b = newPresence(w.server.legacy, w.events, NewLeases(client, prefix, "b"), nil, log)
	return w, a, b
}

// linger has alice's time at a node run out, and done what is due then.
func (p *presence) lingers(t *testing.T) {
	p.mu.Lock()
	p.users[alice].due = time.Now()
	p.mu.Unlock()
	p.settle(t.Context(), alice)
}

func come(t *testing.T, p *presence) {
	_, err := p.enter(t.Context(), alice)
	require.NoError(t, err)
}

func TestPresenceOfNodes(t *testing.T) {
	s := redisd.Start(t)

	t.Run("the last node that a user leaves sets him offline", func(t *testing.T) {
		w, a, b := nodesOf(t, s.Client(), "last")
		come(t, a)
		come(t, b)
		a.leave(alice, time.Time{})
		a.lingers(t)
		require.Zero(t, w.goings(), "she is at the other node")
		b.leave(alice, time.Time{})
		b.lingers(t)
		require.Equal(t, 1, w.goings())
		anybody, err := a.leases.Anybody(t.Context())
		require.NoError(t, err)
		require.False(t, anybody)
	})

	t.Run("who comes to a node while another sets him offline is online in the end", func(t *testing.T) {
		w, a, b := nodesOf(t, s.Client(), "meanwhile")
		come(t, a)
		a.leave(alice, time.Time{})
		var once sync.Once
		w.legacy.answer("logout", func(c legacy.Call) (string, error) {
			once.Do(func() { come(t, b) })
			return success("logout", userRow(c.User, "offline"))
		})
		a.lingers(t)
		require.Equal(t, 1, w.goings())
		w.legacy.mu.Lock()
		defer w.legacy.mu.Unlock()
		last := ""
		for _, c := range w.legacy.calls {
			if c.Method == "userchange" || c.Method == "logout" {
				last = c.Method
			}
		}
		require.Equal(t, "userchange", last)
	})

	t.Run("the users of a node that died are set offline by another, once", func(t *testing.T) {
		w, a, b := nodesOf(t, s.Client(), "died")
		c := newPresence(w.server.legacy, w.events, NewLeases(s.Client(), "died", "c"), nil, a.log)
		come(t, a)
		require.NoError(t, b.takeOver(t.Context()))
		require.Zero(t, w.goings(), "its lease stands")
		past := float64(time.Now().Add(-3 * presenceLease).UnixMilli())
		require.NoError(t, s.Client().ZAdd(t.Context(), a.leases.key, redis.Z{Score: past, Member: alice.String()}).Err())
		require.NoError(t, b.takeOver(t.Context()))
		require.NoError(t, c.takeOver(t.Context()))
		require.Equal(t, 1, w.goings())
		missing, err := a.leases.here(t.Context(), a.online()...)
		require.NoError(t, err)
		require.Equal(t, []legacy.UserID{alice}, missing, "had it lived, it would know that it must set her online again")
	})

	t.Run("while Redis is away nobody is set offline but at the end", func(t *testing.T) {
		own := redisd.Start(t)
		client := own.Dial()
		defer client.Close()
		w, a, _ := nodesOf(t, client, "away")
		come(t, a)
		a.leave(alice, time.Time{})
		own.Kill()
		a.lingers(t)
		require.Zero(t, w.goings())
		require.NotEmpty(t, a.online())
		a.stop(t.Context())
		require.Equal(t, 1, w.goings())
	})

	t.Run("many are renewed at once", func(t *testing.T) {
		_, a, _ := nodesOf(t, s.Client(), "many")
		var users []legacy.UserID
		for u := range 3*leasesAtOnce + 1 {
			users = append(users, legacy.UserID(u+1))
		}
		missing, err := a.leases.here(t.Context(), users...)
		require.NoError(t, err)
		require.Len(t, missing, len(users))
		missing, err = a.leases.here(t.Context(), users...)
		require.NoError(t, err)
		require.Empty(t, missing)
	})
}
