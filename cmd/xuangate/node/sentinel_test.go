package node_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/xuangate/xuangate/cmd/xuangate/node"
	"github.com/xuangate/xuangate/gen/model"
	"github.com/xuangate/xuangate/test/redisd"
	"github.com/xuangate/xuangate/test/xuanxuan"
)

// TestSentinel has two nodes go through the end of the master that sentinels watch over: who was signed in stays so, links stand where
// they stood, and events go on.
func TestSentinel(t *testing.T) {
	w := redisd.StartWatched(t)
	x := front(t, backend(t))
	watched := func(to *record) func(*node.Config) {
		return func(c *node.Config) {
			c.Redis.Addr, c.Redis.MasterName, c.LogTo = w.Sentinels, w.Name, to
		}
	}
	onA, onB := &record{}, &record{}
	a, _ := linked(t, w.Master, x, watched(onA))
	b, _ := linked(t, w.Master, x, watched(onB))
	alice, bob := a.signIn(t, "alice"), b.signIn(t, "bob")
	group := a.group(t, alice, "5")
	stream := b.listen(t, bob)
	next(t, stream, "id")
	a.say(t, alice, group, "before")
	require.Contains(t, next(t, stream, "data"), "before")
	w.Replicated()

	w.Master.Kill()
	a.say(t, alice, group, "meanwhile") // his own link hears it, whatever is with Redis
	for !strings.Contains(next(t, stream, "data"), "meanwhile") {
	}
	w.Promoted()
	for _, n := range []*running{a, b} {
		redisd.Until(t, "the node has found the new master", func(context.Context) error {
			if state := n.ready(t); !strings.Contains(state, `"ok"`) {
				return errors.New(state)
			}
			return nil
		})
	}
	redisd.Until(t, "users can sign in", func(ctx context.Context) error {
		got, err := ask(ctx, b.api+"/login", http.Header{}, model.LoginRequest{Account: "carol", Password: xuanxuan.DemoPassword})
		if err == nil && got.Code != model.OK {
			err = errors.New(got.Error)
		}
		return err
	})
	b.say(t, alice, group, "after") // forwarded: a holds her link still
	for !strings.Contains(next(t, stream, "data"), "after") {
	}
	require.Equal(t, 1, strings.Count(onA.String(), linkedNow("4")), "her link stood all the time")
	require.NotContains(t, onB.String(), linkedNow("4"))
	require.Equal(t, 1, strings.Count(onB.String(), linkedNow("5")))
}
