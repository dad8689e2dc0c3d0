package gateway

import (
	"context"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/xuangate/xuangate/adapter/legacy"
	"github.com/xuangate/xuangate/gateway/eventlog"
	"github.com/xuangate/xuangate/gateway/login"
	"github.com/xuangate/xuangate/gen/model"
)

// inTime runs a promise about time, in a world whose clock jumps when everybody waits.
func inTime(t *testing.T, rule string, promise func(t *testing.T, w *world)) {
	t.Run(rule, func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) { promise(t, newWorldOn(t, nil, newPipes)) })
	})
}

// comings and goings are what legacy was told of alice so far.
func (w *world) comings() int { return w.legacy.count("userchange", alice) }
func (w *world) goings() int  { return w.legacy.count("logout", alice) }

// forgotten asserts that presence keeps nothing of anybody.
func (w *world) forgotten(t *testing.T) {
	t.Helper()
	w.server.presence.mu.Lock()
	defer w.server.presence.mu.Unlock()
	require.Empty(t, w.server.presence.users)
	require.Empty(t, w.server.presence.pending)
}

func TestPresence(t *testing.T) {
	inTime(t, "online with the first stream, offline 30 seconds after the last has closed", func(t *testing.T, w *world) {
		token := w.signIn(alice, 1)
		require.Zero(t, w.comings(), "a sign-in alone sets nobody online")
		first := w.open(t, model.ProtocolSse, token, "")
		second := w.open(t, model.ProtocolWs, token, "")
		synctest.Wait()
		require.Equal(t, 1, w.comings())
		first.close()
		time.Sleep(time.Hour)
		require.Zero(t, w.goings(), "one stream is still open")
		second.close()
		time.Sleep(29 * time.Second)
		require.Zero(t, w.goings())
		time.Sleep(3 * time.Second)
		require.Equal(t, 1, w.goings())
		time.Sleep(time.Hour)
		require.Equal(t, 1, w.goings())
		w.forgotten(t)
	})

	inTime(t, "a stream that comes back in time is neither a coming nor a going", func(t *testing.T, w *world) {
		token := w.signIn(alice, 1)
		for range 5 {
			w.open(t, model.ProtocolSse, token, "").close()
			time.Sleep(25 * time.Second)
		}
		w.open(t, model.ProtocolSse, token, "")
		time.Sleep(time.Hour)
		require.Equal(t, 1, w.comings())
		require.Zero(t, w.goings())
	})

	inTime(t, "a poll counts for its timeout and 30 seconds, even when it was answered at once", func(t *testing.T, w *world) {
		token := w.signIn(alice, 1)
		w.legacy.keep(alice, 1, "g1", "waiting")
		a := w.ask(w.request(http.MethodGet, "/notify?protoc=poll&timeout=20", token, nil))
		require.Contains(t, string(a.data), "waiting")
		time.Sleep(49 * time.Second)
		require.Zero(t, w.goings())
		time.Sleep(3 * time.Second)
		require.Equal(t, 1, w.goings())
	})

	inTime(t, "a poll's promise holds beside a stream that closes before", func(t *testing.T, w *world) {
		token := w.signIn(alice, 1)
		l := w.open(t, model.ProtocolSse, token, "")
		w.tell("x", alice)
		at := l.hears(t, "x").position
		w.tell("y", alice)
		w.ask(w.request(http.MethodGet, "/notify?protoc=poll&timeout=60&after="+at, token, nil)) // answered at once
		l.close()
		time.Sleep(80 * time.Second)
		require.Zero(t, w.goings())
		time.Sleep(15 * time.Second)
		require.Equal(t, 1, w.goings())
	})

	inTime(t, "polls one after the other are one presence", func(t *testing.T, w *world) {
		token := w.signIn(alice, 1)
		for range 5 {
			require.Equal(t, model.OK, w.ask(w.request(http.MethodGet, "/notify?protoc=poll", token, nil)).code)
			time.Sleep(10 * time.Second)
		}
		require.Equal(t, 1, w.comings())
		require.Zero(t, w.goings())
	})

	inTime(t, "many streams at once are one coming, and all begin before what waited", func(t *testing.T, w *world) {
		token := w.signIn(alice, 1)
		w.legacy.keep(alice, 1, "g1", "waiting")
		w.legacy.answer("userchange", func(c legacy.Call) (string, error) {
			time.Sleep(500 * time.Millisecond)
			return success("userchange", userRow(c.User, "online"))
		})
		var all sync.WaitGroup
		for i := range 30 {
			all.Go(func() { w.open(t, transports[i%3], token, "").hears(t, "waiting") })
		}
		all.Wait()
		require.Equal(t, 1, w.comings())
	})

	inTime(t, "a stream that opens while its user is being set offline sets the user online again", func(t *testing.T, w *world) {
		token := w.signIn(alice, 1)
		w.legacy.answer("logout", func(c legacy.Call) (string, error) {
			time.Sleep(900 * time.Millisecond)
			return success("logout", userRow(c.User, "offline"))
		})
		w.open(t, model.ProtocolSse, token, "").close()
		for w.goings() == 0 {
			time.Sleep(100 * time.Millisecond)
		}
		w.open(t, model.ProtocolSse, token, "")
		require.Equal(t, 2, w.comings())
		time.Sleep(time.Hour)
		require.Equal(t, 1, w.goings())
	})
}

func TestWaiting(t *testing.T) {
	t.Run("a stream without after begins before the oldest waiting message, in the log or not", func(t *testing.T) {
		w := newWorld(t, nil)
		b := w.signIn(bob, 1)
		w.say(b, "told while alice was away") // which the log holds for her
		w.tell("between", alice)
		w.legacy.mu.Lock()
		gid := w.legacy.lastGID
		w.legacy.mu.Unlock()
		w.legacy.keep(alice, 1, gid, "told while alice was away")
		w.legacy.keep(alice, 9, "g9", "from a desktop")
		l := w.open(t, model.ProtocolSse, w.signIn(alice, 1), "")
		l.hears(t, "told while alice was away", "between", "from a desktop")
		w.say(b, "live")
		l.hears(t, "live")
	})

	t.Run("a stream with after gets what the log did not hold, and nothing twice", func(t *testing.T) {
		w := newWorld(t, nil)
		w.say(w.signIn(bob, 1), "held")
		w.legacy.mu.Lock()
		gid := w.legacy.lastGID
		w.legacy.mu.Unlock()
		at, err := w.events.End(t.Context())
		require.NoError(t, err)
		w.legacy.keep(alice, 1, gid, "held")
		w.legacy.keep(alice, 2, "g2", "new")
		l := w.open(t, model.ProtocolSse, w.signIn(alice, 1), "after="+at.String())
		l.hears(t, "new")
	})

	t.Run("what comes while the user is being set online is not lost", func(t *testing.T) {
		w := newWorld(t, nil)
		token := w.signIn(alice, 1)
		w.legacy.answer("getOfflineMessages", func(legacy.Call) (string, error) {
			w.tell("in between", alice)
			return success("message", []any{})
		})
		w.open(t, model.ProtocolSse, token, "").hears(t, "in between")
	})
}

func TestPresenceFailure(t *testing.T) {
	inTime(t, "a stream opens although legacy is down; presence is tried again, ever more rarely, and then the client reloads", func(t *testing.T, w *world) {
		token := w.signIn(alice, 1)
		w.legacy.answer("userchange", down)
		l := w.open(t, model.ProtocolSse, token, "")
		w.open(t, model.ProtocolSse, token, "")
		w.tell("live", alice)
		l.hears(t, "live")
		require.Equal(t, 1, w.comings(), "the second stream does not ask again at once")
		time.Sleep(10 * time.Minute)
		tries := w.comings()
		require.InDelta(t, 15, tries, 3)

		w.legacy.keep(alice, 1, "g1", "waiting")
		w.legacy.answer("userchange", func(c legacy.Call) (string, error) { return success("userchange", userRow(c.User, "online")) })
		l.hears(t, "waiting")
		require.Equal(t, "reset", l.next(t).kind)
		require.Equal(t, tries+1, w.comings())
		w.tell("live again", alice)
		l.hears(t, "live again")
		require.Contains(t, w.log.String(), "could not set a user online")
	})

	inTime(t, "a user who cannot be set offline is tried again: legacy keeps no messages for whom it believes online", func(t *testing.T, w *world) {
		w.legacy.answer("logout", down)
		w.open(t, model.ProtocolSse, w.signIn(alice, 1), "").close()
		time.Sleep(2 * time.Minute)
		require.GreaterOrEqual(t, w.goings(), 3)
		w.legacy.answer("logout", func(c legacy.Call) (string, error) { return success("logout", userRow(c.User, "offline")) })
		time.Sleep(time.Minute)
		n := w.goings()
		time.Sleep(time.Hour)
		require.Equal(t, n, w.goings())
		w.forgotten(t)
	})

	inTime(t, "a stream whose client leaves while it waits for legacy leaves nothing behind", func(t *testing.T, w *world) {
		token := w.signIn(alice, 1)
		w.legacy.answer("userchange", func(c legacy.Call) (string, error) {
			time.Sleep(900 * time.Millisecond)
			return success("userchange", userRow(c.User, "online"))
		})
		for range 3 {
			ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			_, err := w.http.Do(w.request(http.MethodGet, "/notify?protoc=sse", token, nil).WithContext(ctx))
			require.Error(t, err)
			cancel()
		}
		time.Sleep(time.Hour)
		require.Zero(t, w.server.streams.count())
		w.forgotten(t)
		require.Equal(t, 1, w.goings())
	})
}

func TestShutdown(t *testing.T) {
	inTime(t, "users who are online are set offline, with streams open or lately closed", func(t *testing.T, w *world) {
		w.open(t, model.ProtocolSse, w.signIn(alice, 1), "")
		w.open(t, model.ProtocolSse, w.signIn(bob, 1), "").close()
		synctest.Wait()
		start := time.Now()
		w.stop()
		require.Equal(t, 1, w.goings())
		require.Equal(t, 1, w.legacy.count("logout", bob))
		require.Zero(t, w.server.streams.count())
		require.Less(t, time.Since(start), time.Second)
	})

	inTime(t, "a legacy server that hangs delays the end by two seconds at most", func(t *testing.T, w *world) {
		w.legacy.answer("logout", func(legacy.Call) (string, error) {
			time.Sleep(900 * time.Millisecond)
			return "", errDown
		})
		for i, u := range []legacy.UserID{alice, bob, carol} {
			w.open(t, model.ProtocolSse, w.signIn(u, i), "")
		}
		start := time.Now()
		w.stop()
		require.LessOrEqual(t, time.Since(start), shutdownTimeout)
		require.Contains(t, w.log.String(), "could not set users offline")
	})
}

func TestSubscribe(t *testing.T) {
	t.Run("a position is checked before the login, so that no end of a login falls between", func(t *testing.T) {
		// A client that guesses a position to come could otherwise skip the entry that ends its login.
		w := newWorld(t, nil)
		token := w.signIn(alice, 1)
		w.open(t, model.ProtocolSse, token, "")
		end, err := w.events.End(t.Context())
		require.NoError(t, err)
		future, err := eventlog.ParsePosition(end.String()[:17] + "00000000000fffff")
		require.NoError(t, err)
		rec := &record{token: token}
		rec.login, err = w.logins.Find(t.Context(), token)
		require.NoError(t, err)
		sub, err := w.server.subscribe(t.Context(), rec, future.String(), false)
		require.NoError(t, err)
		defer w.server.presence.leave(alice, time.Time{})
		require.True(t, sub.lost)
	})
}

func TestChosenStatus(t *testing.T) {
	choose := func(w *world, token login.Token, status string) answer {
		return w.ask(w.request(http.MethodPost, "/set_status", token, map[string]string{"status": status}))
	}
	// The statuses that legacy was told of alice.
	statuses := func(w *world) (list []string) {
		w.legacy.mu.Lock()
		defer w.legacy.mu.Unlock()
		for _, c := range w.legacy.calls {
			if c.Method == "userchange" && c.User == alice {
				list = append(list, c.Params.([]any)[0].(map[string]string)["status"])
			}
		}
		return list
	}
	echo := func(w *world) {
		w.legacy.answer("userchange", func(c legacy.Call) (string, error) {
			return success("userchange", userRow(c.User, c.Params.([]any)[0].(map[string]string)["status"]))
		})
	}
	inTime(t, "shown at once with a stream, and again when the user comes back", func(t *testing.T, w *world) {
		echo(w)
		token := w.signIn(alice, 1)
		l := w.open(t, model.ProtocolSse, token, "")
		require.Equal(t, model.OK, choose(w, token, "busy").code)
		l.close()
		time.Sleep(time.Hour)
		require.Equal(t, 1, w.goings())
		w.open(t, model.ProtocolSse, token, "")
		synctest.Wait()
		require.Equal(t, []string{"online", "busy", "busy"}, statuses(w))
	})
	inTime(t, "without a stream nothing is told until one opens", func(t *testing.T, w *world) {
		echo(w)
		token := w.signIn(alice, 1)
		require.Equal(t, model.OK, choose(w, token, "away").code)
		require.Empty(t, statuses(w))
		w.open(t, model.ProtocolSse, token, "")
		synctest.Wait()
		require.Equal(t, []string{"away"}, statuses(w))
	})
	inTime(t, "going offline waits for it, or the user would be online for good", func(t *testing.T, w *world) {
		token := w.signIn(alice, 1)
		w.open(t, model.ProtocolSse, token, "").close()
		time.Sleep(linger - time.Second)
		w.legacy.answer("userchange", func(c legacy.Call) (string, error) {
			time.Sleep(900 * time.Millisecond)
			require.Zero(t, w.goings())
			time.Sleep(50 * time.Millisecond)
			return success("userchange", userRow(c.User, "busy"))
		})
		time.Sleep(500 * time.Millisecond)
		require.Equal(t, model.OK, choose(w, token, "busy").code)
		time.Sleep(5 * time.Second)
		require.Equal(t, 1, w.goings())
	})
}
