package contract

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/xuangate/xuangate/adapter/legacy"
	"github.com/xuangate/xuangate/gen/model"
)

// TestALinkKilledAtRandom has desktop users talk, of whom no link but the killed one hears, and the streams stay open.
func TestALinkKilledAtRandom(t *testing.T) {
	const all = 1000
	for name, open := range transports {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			seed := uint64(time.Now().UnixNano())
			t.Logf("seed %d", seed)
			w := start(t, "xxd")
			bob, talkers := w.signIn("bob"), []*desk{w.desk("alice"), w.desk("carol")}
			const team = "killed"
			_, err := talkers[0].call("create", team, "team", legacy.TypeGroup, []int{aliceID, bobID, 6}, 0, false)
			require.NoError(t, err)
			ctx, cancel := context.WithCancel(t.Context())
			stream := open(ctx, bob, bob.here())

			var talking errgroup.Group
			for i, d := range talkers {
				r := rand.New(rand.NewPCG(seed, uint64(i)))
				talking.Go(func() error {
					for n := i; n < all; n += len(talkers) {
						if err := d.say(team, fmt.Sprint(n)); err != nil {
							return err
						}
						if r.IntN(20) == 0 {
							w.xxd.Drop(bobID)
						}
						if r.IntN(100) == 0 { // let the link come back, and be killed again
							if err := bob.awaitOnline(); err != nil {
								return err
							}
						}
					}
					return nil
				})
			}
			require.NoError(t, talking.Wait())
			require.NoError(t, bob.awaitOnline()) // it is dropped no more
			heard := map[string]string{}
			for range all {
				m := next(t, stream)
				require.NotContains(t, heard, m.MsgId, "told twice")
				heard[m.MsgId] = m.Content
			}
			rows := slices.SortedFunc(slices.Values(talkers[1].hears(all)), func(x, y legacy.MessageRow) int { return int(x.ID - y.ID) })
			byID := make([]string, 0, all)
			for _, id := range slices.Sorted(maps.Keys(heard)) {
				byID = append(byID, heard[id])
			}
			require.Equal(t, rowContents(rows), byID)
			t.Logf("%d sign-ins", w.xxd.Stats().Logins-int64(len(talkers)))
			require.NoError(t, talkers[0].say(team, "last"))
			require.Equal(t, "last", next(t, stream).Content, "and no more than these")
			cancel()
			for range stream {
			}
		})
	}
}

// comesBack is how long a link may take: between two tries it waits for 20 seconds at most, and on a busy machine more than one fails.
const comesBack = 2 * time.Minute

// awaitOnline waits until the user's link is up, and asks again and again.
func (u *user) awaitOnline() error {
	for end := time.Now().Add(comesBack); time.Now().Before(end); {
		a, err := u.ask("/get_me", object{})
		if err != nil {
			return err
		}
		if a.Code == model.Unreachable {
			continue // the link does not come back within the time of one call
		}
		me, err := decoded[model.Me](a)
		if err != nil || me.Upstream == model.UpstreamOnline {
			return err
		}
	}
	return fmt.Errorf("the link of %s does not come back", u.account)
}
