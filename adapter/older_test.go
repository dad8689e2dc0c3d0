package adapter

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/xuangate/xuangate/adapter/legacy"
	"github.com/xuangate/xuangate/gen/model"
)

func TestAnOlderServer(t *testing.T) {
	t.Run("what it cannot do is 10007 and names its version; what does not fit it is 10008", func(t *testing.T) {
		inLink(t, nil, func(t *testing.T, a *Adapter, d *doorway) {
			for failure, want := range map[error]model.Code{
				&legacy.UnsupportedError{Version: "1.0", What: "categories"}: model.Unsupported,
				&legacy.TooLargeError{Limit: "3 bytes"}:                      model.TooLarge,
			} {
				d.answer("message", func(legacy.Call) (legacy.Response, error) {
					return legacy.Response{}, fmt.Errorf("chat/message: %w", failure)
				})
				_, err := send(t, a, model.SendMsgRequest{Content: "x"})
				require.Equal(t, want, code(err))
				require.Contains(t, err.Error(), failure.Error())
			}
		})
	})
	t.Run("one that does not tell of users is asked for them, while somebody is online", func(t *testing.T) {
		asks := func(c *Config) { c.Upstreams.AskUsers = true }
		inLink(t, asks, func(t *testing.T, a *Adapter, d *doorway) {
			d.answer("userGetlist", says(t, strings.Replace(usersFrame, `"account":"bob","realname":"Bob","admin":"no","status":"offline"`,
				`"account":"bob","realname":"Bob","admin":"no","status":"online"`, 1)))
			time.Sleep(11 * time.Second)
			synctest.Wait()
			told := d.told()
			require.Len(t, told, 1)
			require.Equal(t, model.EventKindUser, told[0].Kind)
			require.Equal(t, "online", told[0].Data.(model.User).Status)

			time.Sleep(11 * time.Minute) // the link is given up by now
			synctest.Wait()
			require.Equal(t, model.UpstreamOffline, a.links.state(4))
			dialled := d.times()
			d.answer("userGetlist", func(c legacy.Call) (legacy.Response, error) {
				t.Error("nobody is signed in for it")
				return legacy.Response{}, errDropped
			})
			time.Sleep(time.Minute)
			synctest.Wait()
			require.Equal(t, dialled, d.times())
		})
	})
	t.Run("one that tells of them is not", func(t *testing.T) {
		inLink(t, nil, func(t *testing.T, a *Adapter, d *doorway) {
			d.answer("userGetlist", func(c legacy.Call) (legacy.Response, error) {
				t.Error("it is asked")
				return legacy.Response{}, errDropped
			})
			time.Sleep(30 * time.Second)
			synctest.Wait()
		})
	})
}
