package contract

import (
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/netip"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/xuangate/xuangate/adapter/legacy"
	"github.com/xuangate/xuangate/adapter/xxb"
	"github.com/xuangate/xuangate/gen/model"
	"github.com/xuangate/xuangate/test/xuanxuan"
)

// signInFrom signs in as a client at an address, that a trusted proxy tells.
func (w *world) signInFrom(address, account, password string) (answer, error) {
	return w.ask("/login", http.Header{"X-Forwarded-For": {address}}, object{"account": account, "password": password, "platform": 3})
}

// letsIn says whether the chat server would let a user in, past the gateway.
func (w *world) letsIn(account, password string) bool {
	w.t.Helper()
	key, err := legacy.NewKey(xuanxuan.DefaultKey)
	require.NoError(w.t, err)
	client := xxb.New(xxb.Config{URL: w.legacy.URL(), Key: key})
	defer client.Close()
	sum := md5.Sum([]byte(password))
	r, err := client.Call(w.t.Context(), legacy.Chat(0, "login", "", account, hex.EncodeToString(sum[:]), ""))
	require.NoError(w.t, err)
	return r.Result == legacy.Success
}

// Wrong passwords for an account, however many and wherever from, never lock it, and he whose account it is gets in meanwhile.
func TestGuessing(t *testing.T) {
	const tries, atOnce = 1000, 16
	inModes(t, []string{"xxb", "xxd"}, func(t *testing.T, w *world) { // the guard stands before all modes; these are the two ways a password goes
		w.signIn("alice")
		for _, addresses := range []int{1, 100} {
			before := w.logins()
			var codes [2]atomic.Int64 // refused by the gateway, by the chat server
			var all errgroup.Group
			all.SetLimit(atOnce)
			for i := range tries {
				all.Go(func() error {
					a, err := w.signInFrom(fmt.Sprint("203.0.113.", i%addresses), []string{"alice", "ALICE", "alice ", "álice"}[i%4], fmt.Sprint("guess ", i))
					switch a.Code {
					case model.TooManyRequests:
						codes[0].Add(1)
					case model.WrongPassword:
						codes[1].Add(1)
					default:
						return fmt.Errorf("try %d: %v %+v", i, err, a)
					}
					return err
				})
				if i%200 == 100 {
					all.Go(func() error {
						a, err := w.signInFrom("198.51.100.7", "alice", xuanxuan.DemoPassword)
						if a.Code != model.OK {
							return fmt.Errorf("alice does not get in: %v %+v", err, a)
						}
						return err
					})
				}
			}
			require.NoError(t, all.Wait())
			require.EqualValues(t, tries, codes[0].Load()+codes[1].Load())
			// Each of alice's own sign-ins forgives one wrong one.
			require.LessOrEqual(t, codes[1].Load(), int64(1+tries/200))
			require.Less(t, w.logins()-before, 40, "what reached the chat server")
			require.True(t, w.letsIn("alice", xuanxuan.DemoPassword), "and a desktop client still gets in")
		}
		// Of one who never signed in here a little more gets through, and no lock either.
		for i := range 50 {
			a, err := w.signInFrom("203.0.113.200", "carol", fmt.Sprint("guess ", i))
			require.NoError(t, err)
			require.Equal(t, i < 2, a.Code == model.WrongPassword, "%d %+v", i, a)
			if i >= 2 {
				require.Equal(t, model.TooManyRequests, a.Code)
				require.Contains(t, a.Error, "/inner/get_token")
			}
		}
	}, func(s *site) {
		s.node.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
		s.node.Legacy.Timeout = patience
	})
}

// logins is how often the chat server's backend was asked to check a password.
func (w *world) logins() int { return w.legacy.Calls()["chat/login"] }

// A good sign-in with the desktop client, which a user's connection here hears of, brings the count to zero.
func TestGoodSignInElsewhere(t *testing.T) {
	w := start(t, "xxd", patiently)
	alice := w.signIn("alice")
	guess := func() answer {
		a, err := w.signInFrom("127.0.0.1", "carol", "no")
		require.NoError(t, err)
		return a
	}
	require.Equal(t, model.WrongPassword, guess().Code)
	at := alice.here()
	w.desk("carol")
	alice.until(at, count(model.EventKindUser, 1))
	require.Equal(t, model.WrongPassword, guess().Code)
	require.Equal(t, model.WrongPassword, guess().Code)
	require.Equal(t, model.TooManyRequests, guess().Code)
}
