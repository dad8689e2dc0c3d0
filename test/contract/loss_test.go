package contract

import (
	"flag"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/xuangate/xuangate/gen/model"
)

var lossMessages = flag.Int("loss", 200, "how many messages are sent while a desktop comes and goes, once every 40; 1000 takes half a minute")

// A desktop that comes and goes while a web user and a desktop speak hears every message, at the latest when it is back.
func TestNothingIsLostToADesktopThatComesAndGoes(t *testing.T) {
	each, logins := *lossMessages/2, *lossMessages/40
	w := start(t, "inline", patiently, quietly)
	alice, carol := w.signIn("alice"), w.client("carol")
	alice.here()
	team := alice.group("team", w.signIn("bob"), w.signIn("carol"))
	carol.expect("create", 1)

	var sent atomic.Int64
	var speakers sync.WaitGroup
	speakers.Go(func() {
		for i := range each {
			a, err := alice.ask("/send_msg", object{"conversation_id": team, "content": fmt.Sprint("web ", i)})
			if err != nil || a.Code != model.OK {
				t.Errorf("web %d: %v %s", i, err, a.Error)
				return
			}
			sent.Add(1)
		}
	})
	speakers.Go(func() {
		for i := range each {
			carol.says(team, fmt.Sprint("desk-", i), fmt.Sprint("desk ", i))
			if !carol.awaits(fmt.Sprint("desk ", i)) {
				t.Errorf("desk %d was not answered", i)
				return
			}
			sent.Add(1)
		}
	})
	heard := map[string]bool{}
	for n := range logins {
		require.Eventually(t, func() bool { return sent.Load() >= int64(n*2*each/logins) || t.Failed() }, patience, time.Millisecond)
		bob := w.client("bob")
		bob.close()
		for _, c := range bob.contents() {
			heard[c] = true
		}
	}
	speakers.Wait()
	last := w.client("bob")
	require.Eventually(t, func() bool {
		for _, c := range last.contents() {
			heard[c] = true
		}
		return len(heard) == 2*each
	}, patience, 10*time.Millisecond, "not all were heard")
}
