package adapter

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/xuangate/xuangate/adapter/legacy"
	"github.com/xuangate/xuangate/gen/model"
)

func TestPushesBecomeEvents(t *testing.T) {
	for name, c := range map[string]struct {
		method, data string
		want         []Event
	}{
		"a message, to the members whoever is online": {"message", "[" + rowJSON(40, "g40", "hi") + "]", []Event{{Kind: model.EventKindMessage, To: Recipients{Users: []legacy.UserID{4, 5}}, Once: "g40", Chat: "team", ID: 40}}},
		"several come newest first":                   {"message", "[" + rowJSON(41, "g41", "b") + "," + rowJSON(40, "g40", "a") + "]", []Event{{Kind: model.EventKindMessage, To: Recipients{Users: []legacy.UserID{4, 5}}, Once: "g40", Chat: "team", ID: 40}, {Kind: model.EventKindMessage, To: Recipients{Users: []legacy.UserID{4, 5}}, Once: "g41", Chat: "team", ID: 41}}},
		"a message of a chat we are not in":           {"message", `[{"id":40,"gid":"g","cgid":"secret","user":5,"date":1,"type":"normal","contentType":"text","content":"x"}]`, nil},
		"a member left: he is told too":               {"joinchat", chatJSON("team", "group", 4), []Event{{Kind: model.EventKindConversation, To: Recipients{Users: []legacy.UserID{4, 5}}}}},
		"a new chat":                                  {"create", chatJSON("new", "group", 4, 6), []Event{{Kind: model.EventKindConversation, To: Recipients{Users: []legacy.UserID{4, 6}}}}},
		"somebody came online":                        {"login", `{"id":5,"account":"bob","realname":"Bob","admin":"no","status":"online"}`, []Event{{Kind: model.EventKindUser, To: Recipients{All: true}}}},
		"somebody who was online already":             {"userchange", `{"id":4,"account":"alice","realname":"Alice","admin":"no","status":"online"}`, nil},
		"a connection that never signed in is gone":   {"logout", `{"status":null}`, nil},
		"a notice":        {"notify", `[{"id":"2","gid":"n2","title":"T","content":"x","contentType":"text","date":1795284504,"users":[4]}]`, []Event{{Kind: model.EventKindNotification, To: Recipients{Users: []legacy.UserID{4}}, Once: "n2"}}},
		"a kind of later": {"nosuchpush", `{"x":1}`, nil},
		"a form of later": {"message", `{"x":1}`, nil},
		"garbage":         {"create", `7`, nil},
	} {
		t.Run(name, func(t *testing.T) {
			inLink(t, nil, func(t *testing.T, _ *Adapter, d *doorway) {
				d.push(c.method, c.data)
				synctest.Wait()
				got := d.told()
				for i := range got {
					got[i].Data = nil
					slices.Sort(got[i].To.Users)
					if got[i].Kind == model.EventKindConversation {
						got[i].Once = ""
					}
				}
				require.Equal(t, c.want, got)
			})
		})
	}
	t.Run("of two changes that come out of order on two links the server's word counts", func(t *testing.T) {
		inLink(t, nil, func(t *testing.T, a *Adapter, d *doorway) {
			d.answer("getlist", says(t, frame("getlist", "["+chatJSON("team", "group", 4)+"]")))
			d.push("addmember", chatJSON("team", "group", 4)) // bob was removed
			synctest.Wait()
			d.push("joinchat", chatJSON("team", "group", 4, 5)) // that he had joined comes late
			synctest.Wait()
			row, ok := a.chats.get("team")
			require.True(t, ok)
			require.False(t, row.Has(5))
			require.Len(t, d.told(), 1)
		})
	})
	t.Run("what legacy said of a chat before a change of ours does not take it back", func(t *testing.T) {
		inLink(t, nil, func(t *testing.T, a *Adapter, d *doorway) {
			var ours legacy.ChatRow
			require.NoError(t, json.Unmarshal([]byte(chatJSON("team", "group", 4)), &ours))
			d.push("addmember", chatJSON("team", "group", 4, 5, 6))
			synctest.Wait()
			d.script.methods()

			leave, err := a.lanes.enter(t.Context(), "team") // bob leaves, through us
			require.NoError(t, err)
			d.push("addmember", chatJSON("team", "group", 4, 5)) // it is unclear whether that was before
			synctest.Wait()
			require.Empty(t, d.script.methods(), "it waits for the change under way")
			d.answer("getlist", func(c legacy.Call) (legacy.Response, error) {
				a.chats.put(ours) // another link tells of it before the answer to this question comes
				d.answers["getlist"] = says(t, frame("getlist", "["+chatJSON("team", "group", 4)+"]"))
				return answer(t, c, frame("getlist", "["+chatJSON("team", "group", 4, 5)+"]")), nil
			})
			leave()
			synctest.Wait()
			row, ok := a.chats.get("team")
			require.True(t, ok)
			require.False(t, row.Has(5))
			require.Equal(t, []string{"getlist", "getlist"}, d.script.methods())
		})
	})
	t.Run("a log that takes nothing ends the connection: the next one asks again", func(t *testing.T) {
		var full atomic.Bool
		failing := func(c *Config) {
			sink := c.Sink
			c.Sink = func(ctx context.Context, e Event) error {
				if full.Load() && e.Kind == model.EventKindMessage {
					return errors.New("log down")
				}
				return sink(ctx, e)
			}
		}
		inLink(t, failing, func(t *testing.T, _ *Adapter, d *doorway) {
			full.Store(true)
			d.push("message", "["+rowJSON(40, "g40", "hi")+"]")
			synctest.Wait()
			full.Store(false)
			d.answer("history", says(t, `{"module":"chat","method":"history","result":"success","data":[`+rowJSON(40, "g40", "hi")+`],"pager":{"recTotal":1}}`))
			d.answer("getlist", says(t, frame("getlist", "["+chatJSON("team", "group", 4, 5)+"]")))
			time.Sleep(time.Minute)
			synctest.Wait()
			require.Equal(t, 2, d.times())
		})
	})
}
