package adapter

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/xuangate/xuangate/adapter/legacy"
)

func TestTheGap(t *testing.T) {
	// historyOf answers history with rows, newest first, 100 a page.
	historyOf := func(t *testing.T, rows ...string) func(legacy.Call) (legacy.Response, error) {
		return func(c legacy.Call) (legacy.Response, error) {
			p := c.Params.([]any)
			size, page := p[1].(int), p[2].(int)
			lo := min((page-1)*size, len(rows))
			data := "["
			for i, r := range rows[lo:min(lo+size, len(rows))] {
				if i > 0 {
					data += ","
				}
				data += r
			}
			return answer(t, c, fmt.Sprintf(`{"module":"chat","method":"history","result":"success","data":%s],"pager":{"recTotal":%d}}`, data, len(rows))), nil
		}
	}
	active := func(t *testing.T, at int) func(legacy.Call) (legacy.Response, error) {
		return says(t, frame("getlist", fmt.Sprintf(`[{"gid":"team","type":"group","createdBy":"alice","editedBy":"x","lastActiveTime":%d,"members":[4,5]}]`, at)))
	}
	ids := func(events []Event) (list []legacy.MessageID) {
		for _, e := range events {
			list = append(list, e.ID)
		}
		return list
	}
	t.Run("after a lost connection everything since just before the last message heard is told, oldest first", func(t *testing.T) {
		inLink(t, nil, func(t *testing.T, _ *Adapter, d *doorway) {
			d.push("message", "["+rowJSON(140, "g140", "heard")+"]")
			synctest.Wait()
			var rows []string
			for id := 300; id > 0; id-- {
				rows = append(rows, rowJSON(id, fmt.Sprint("g", id), "x"))
			}
			d.answer("history", historyOf(t, rows...))
			d.answer("getlist", active(t, 1795312700+300))
			d.open.end(errDropped)
			time.Sleep(time.Minute)
			synctest.Wait()
			got := ids(d.told())
			require.Equal(t, []legacy.MessageID{140, 80, 81, 82, 83, 84}, got[:6], "140 was heard; a slow legacy may have delivered it before 80")
			require.Len(t, got, 221)
			require.True(t, slices.IsSorted(got[1:]))
			require.Equal(t, []legacy.UserID{4}, d.told()[5].To.Users, "the others fill their own gaps")
		})
	})
	t.Run("a rename wipes when a chat was active, so it is looked at", func(t *testing.T) {
		inLink(t, nil, func(t *testing.T, _ *Adapter, d *doorway) {
			d.push("message", "["+rowJSON(40, "g40", "heard")+"]")
			synctest.Wait()
			d.answer("history", historyOf(t, rowJSON(41, "g41", "missed"), rowJSON(40, "g40", "heard")))
			d.answer("getlist", active(t, 0))
			d.open.end(errDropped)
			time.Sleep(time.Minute)
			synctest.Wait()
			require.Equal(t, []legacy.MessageID{40, 41}, ids(d.told()))
		})
	})
	t.Run("chats at rest cost nothing", func(t *testing.T) {
		inLink(t, nil, func(t *testing.T, _ *Adapter, d *doorway) {
			d.push("message", "["+rowJSON(400, "g400", "heard")+"]")
			synctest.Wait()
			d.methods()
			d.open.end(errDropped)
			time.Sleep(time.Minute)
			synctest.Wait()
			require.Equal(t, []string{"getlist"}, d.methods())
		})
	})
	t.Run("what waited is told to its user alone and kept for the first stream", func(t *testing.T) {
		inLink(t, nil, func(t *testing.T, a *Adapter, d *doorway) {
			d.mu.Lock()
			d.welcome.Messages = []legacy.MessageRow{
				{ID: 9, GID: "g9", CGID: "TEAM ", User: 5, Date: legacy.UnixDate(1795312709), Type: "normal", ContentType: "text", Content: "two"},
				{ID: 8, GID: "g8", CGID: "team", User: 5, Date: legacy.UnixDate(1795312708), Type: "normal", ContentType: "text", Content: "one"},
			}
			d.welcome.Notices = []legacy.NoticeRow{{ID: 1, GID: "n1", Title: "T"}}
			d.mu.Unlock()
			d.open.end(errDropped)
			time.Sleep(time.Minute)
			synctest.Wait()
			d.push("message", "["+rowJSON(40, "g40", "live")+"]")
			synctest.Wait()
			waiting, err := a.ComeOnline(t.Context(), 4)
			require.NoError(t, err)
			require.Equal(t, []legacy.MessageID{0, 8, 9, 40}, ids(waiting))
			require.Equal(t, legacy.ChatGID("team"), waiting[2].Chat, "in legacy's own spelling")
			waiting, err = a.ComeOnline(t.Context(), 4)
			require.NoError(t, err)
			require.Empty(t, waiting, "once")
		})
	})
	t.Run("a sign-in whose gap could not be filled has lost nothing when the next one's is", func(t *testing.T) {
		inLink(t, nil, func(t *testing.T, a *Adapter, d *doorway) {
			chats := func(at int64) []legacy.ChatRow {
				return []legacy.ChatRow{{GID: "team", Type: "group", LastActiveTime: legacy.UnixDate(at)}}
			}
			d.mu.Lock()
			d.welcome.User = legacy.UserRow{ID: 5, Account: "bob"}
			d.welcome.Chats = chats(1795312708)
			d.welcome.Messages = []legacy.MessageRow{
				{ID: 8, GID: "g8", CGID: "team", User: 4, Date: legacy.UnixDate(1795312708), Type: "normal", ContentType: "text", Content: "waited"},
			}
			d.mu.Unlock()
			d.answer("getlist", func(legacy.Call) (legacy.Response, error) {
				d.mu.Lock()
				d.welcome.Chats, d.welcome.Messages = chats(1795312710), nil
				d.mu.Unlock()
				d.answers["getlist"] = active(t, 1795312710)
				return legacy.Response{}, errDropped
			})
			d.answer("history", historyOf(t, rowJSON(10, "g10", "after both"), rowJSON(9, "g9", "between the two"), rowJSON(7, "g7", "old")))
			_, err := a.SignIn(t.Context(), "bob", "md5")
			require.NoError(t, err)
			require.Equal(t, []legacy.MessageID{8, 9, 10}, ids(d.told()))
		})
	})
	t.Run("what fell into the login window is told", func(t *testing.T) {
		inLink(t, nil, func(t *testing.T, a *Adapter, d *doorway) {
			d.mu.Lock()
			d.welcome.User = legacy.UserRow{ID: 5, Account: "bob"}
			d.mu.Unlock()
			d.answer("getlist", active(t, 1795312705))
			d.answer("history", historyOf(t, rowJSON(5, "g5", "in the window"), `{"id":4,"gid":"old","cgid":"team","user":5,"date":1795300000,"type":"normal","contentType":"text","content":"old"}`))
			_, err := a.SignIn(t.Context(), "bob", "md5")
			require.NoError(t, err)
			require.Equal(t, []legacy.MessageID{5}, ids(d.told()))
		})
	})
}
