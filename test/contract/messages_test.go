package contract

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/xuangate/xuangate/gen/model"
	"github.com/xuangate/xuangate/test/xuanxuan"
)

func TestContentSurvives(t *testing.T) {
	inEachMode(t, func(t *testing.T, w *world) {
		alice, bob := w.signIn("alice"), w.signIn("bob")
		team, at := alice.group("team", bob), bob.here()
		var sent []model.MsgData
		for _, typ := range []int64{0, 1, 2, 3, 4, 5, 6, 99, -1, 1 << 53} {
			for _, status := range []int64{0, 1, 2, -5} {
				for _, content := range []string{"", "消息 <&> \"'\\ \u2028", "😄 and 👨‍👩‍👧", `{"type":"xuangate","t":9,"s":1,"c":"x"}`, `{"name":"猫😄.png"}`} {
					id := get[model.SentMsg](alice, "/send_msg", object{"conversation_id": team, "type": typ, "status": status, "content": content}).MsgID
					sent = append(sent, model.MsgData{MsgId: id, ConversationID: team, FromSession: alice.session, Type: typ, Status: status, Content: content})
				}
			}
		}
		heard, _ := bob.until(at, count(model.EventKindMessage, len(sent)))
		for i, e := range only(heard, model.EventKindMessage) {
			m := e.message(t)
			require.InDelta(t, time.Now().UnixMicro(), m.SendTime, 60e6)
			m.SendTime = 0
			require.Equal(t, sent[i], m)
		}
		history := get[model.Messages](bob, "/get_conversation_msg_by_range", object{"conversation_id": team, "start_msg_id": sent[0].MsgId, "end_msg_id": sent[len(sent)-1].MsgId}).Msg
		require.Len(t, history, len(sent))
		for i, m := range history {
			m.SendTime = 0
			require.Equal(t, sent[i], m)
		}
	}, patiently)
}

func TestContentThatLegacyCannotStoreIsRefused(t *testing.T) {
	inEachMode(t, func(t *testing.T, w *world) {
		alice, bob := w.signIn("alice"), w.signIn("bob")
		team, at := alice.group("team", bob), bob.here()
		fits := strings.Repeat("猫", 21845) // 65,535 bytes, the table's column
		if w.mode == "xxd" {
			fits = strings.Repeat("猫", 6700) // 20,479 bytes, a frame with everything around the content
		}
		alice.say(team, fits)
		require.Equal(t, fits, alice.last30(team)[0].Content)
		alice.fails(model.TooLarge, "/send_msg", object{"conversation_id": team, "content": fits + strings.Repeat("x", len(fits)/50)})
		require.Contains(t, alice.fails(model.Conflict, "/send_msg", object{"conversation_id": team, "content": "古 𠀀"}), "𠀀")
		require.Contains(t, alice.fails(model.Conflict, "/create_conversation", object{"conversation_type": 0, "name": "😄"}), "😄")
		heard, _ := bob.until(at, count(model.EventKindMessage, 1))
		require.Len(t, heard, 1, "what is refused is nobody's news: %s", kinds(heard))
	})
}

func TestRepeatedSendIsOneMessage(t *testing.T) {
	inEachMode(t, func(t *testing.T, w *world) {
		alice, bob := w.signIn("alice"), w.signIn("bob")
		team, other, at := alice.group("team", bob), alice.group("other", bob), bob.here()
		w.legacy.SetFaults(xuanxuan.Fault{Method: "message", TwinWindow: 5 * time.Millisecond})
		ids := make([]string, 10)
		var wg sync.WaitGroup
		for i := range ids {
			wg.Go(func() {
				ids[i] = get[model.SentMsg](alice, "/send_msg", object{"conversation_id": team, "content": "once", "client_msg_id": "a-1"}).MsgID
			})
		}
		wg.Wait()
		require.Len(t, slices.Compact(ids), 1)
		require.Len(t, alice.last30(team), 1)

		alice.fails(model.Conflict, "/send_msg", object{"conversation_id": team, "content": "other words", "client_msg_id": "a-1"})
		elsewhere := get[model.SentMsg](alice, "/send_msg", object{"conversation_id": other, "content": "once", "client_msg_id": "a-1"}).MsgID
		require.NotEqual(t, ids[0], elsewhere, "a client_msg_id is the user's own within one conversation")

		heard, _ := bob.until(at, count(model.EventKindMessage, 2))
		require.Len(t, only(heard, model.EventKindMessage), 2)
	})
}

func TestAForeignGidReachesNoForeignMessage(t *testing.T) {
	inEachMode(t, func(t *testing.T, w *world) {
		alice, bob, carol := w.signIn("alice"), w.signIn("bob"), w.signIn("carol")
		secret, team := alice.group("secret", bob), carol.group("team")
		require.NoError(t, w.legacy.InsertMessages(t.Context(), secret, 1, func(int) xuanxuan.Message {
			return xuanxuan.Message{GID: "known-gid", User: 4, ContentType: "image", Content: `{"name":"secret.png"}`}
		}))
		get[model.SentMsg](carol, "/send_msg", object{"conversation_id": team, "type": 3, "content": `{"name":"evil.png"}`, "client_msg_id": "known-gid"})
		require.Equal(t, []string{`{"name":"secret.png"}`}, contents(alice.last30(secret)))
		require.Equal(t, []string{`{"name":"evil.png"}`}, contents(carol.last30(team)))
	})
}

func TestOnlyMembersSendAndRead(t *testing.T) {
	inEachMode(t, func(t *testing.T, w *world) {
		alice, bob, carol := w.signIn("alice"), w.signIn("bob"), w.signIn("carol")
		team := alice.group("team", bob)
		first := alice.say(team, "hello")
		at := bob.here()
		for _, id := range []string{team, strings.ToUpper(team), team + " ", "nosuch", "4&5", "'; DROP TABLE im_chat; --", "猫", strings.Repeat("x", 41)} {
			body := func(more ...object) object {
				o := object{"conversation_id": id}
				for _, m := range more {
					for k, v := range m {
						o[k] = v
					}
				}
				return o
			}
			carol.fails(model.NotFound, "/send_msg", body(object{"content": "x"}))
			carol.fails(model.NotFound, "/get_conversation_detail", body())
			carol.fails(model.NotFound, "/get_lastone_msgid", body())
			carol.fails(model.NotFound, "/get_conversation_last_30_msg", body())
			carol.fails(model.NotFound, "/get_conversation_lastone_msg", body())
			carol.fails(model.NotFound, "/get_conversation_30msg_before_the_id", body(object{"msg_id": first}))
			carol.fails(model.NotFound, "/get_conversation_30msg_after_the_id", body(object{"msg_id": first}))
			carol.fails(model.NotFound, "/get_conversation_msg_by_range", body(object{"start_msg_id": first, "end_msg_id": first}))
			carol.fails(model.NotFound, "/leave_conversation", body())
			carol.fails(model.NotFound, "/join_conversation", body())
			require.False(t, get[model.Joined](carol, "/check_joined_conversation", body()).Joined)
			if id != team { // another spelling of his own conversation is not his either
				bob.fails(model.NotFound, "/send_msg", body(object{"content": "x"}))
				require.False(t, get[model.Joined](bob, "/check_joined_conversation", body()).Joined)
			}
		}
		bob.fails(model.InvalidParameter, "/send_msg", object{"conversation_id": "", "content": "x"})
		require.True(t, get[model.Joined](bob, "/check_joined_conversation", object{"conversation_id": team}).Joined)
		bob.say(team, "still here")
		heard, _ := bob.until(at, count(model.EventKindMessage, 1))
		require.Len(t, heard, 1, "calls that fail are nobody's news: %s", kinds(heard))
	})
}

func TestReadingHistory(t *testing.T) {
	inEachMode(t, func(t *testing.T, w *world) {
		alice := w.signIn("alice")
		start := time.Now().Add(-24 * time.Hour)
		for name, date := range map[string]func(i int) time.Time{
			"one a second":      func(i int) time.Time { return start.Add(time.Duration(i) * time.Second) },
			"all in one second": func(int) time.Time { return start },
			"backdated":         func(i int) time.Time { return start.Add(-time.Duration(i*7919%5000) * time.Second) },
		} {
			for _, n := range []int{0, 1, 29, 30, 31, 3000} {
				id := alice.group(fmt.Sprint(name, n))
				alice.fill(id, n, date)
				last := alice.last30(id)
				require.Equal(t, numbers(n-30, n), contents(last), "%s %d", name, n)
				newest := get[model.Messages](alice, "/get_conversation_lastone_msg", object{"conversation_id": id, "desc": true}).Msg
				require.Equal(t, numbers(n-1, n), contents(newest))
				msgid := get[model.MsgIdData](alice, "/get_lastone_msgid", object{"conversation_id": id}).MsgId
				if n == 0 {
					require.Empty(t, msgid)
					continue
				}
				require.Equal(t, last[len(last)-1].MsgId, msgid)

				// Walk back to the beginning, page by page, then forward again.
				at, seen := last[0].MsgId, contents(last)
				for pages := 0; ; pages++ {
					require.Less(t, pages, n/30+2)
					m := get[model.Messages](alice, "/get_conversation_30msg_before_the_id", object{"conversation_id": id, "msg_id": at}).Msg
					if len(m) == 0 {
						break
					}
					at, seen = m[0].MsgId, append(contents(m), seen...)
					if n == 3000 && len(seen) > 200 {
						break // the rest is like it
					}
				}
				require.Equal(t, numbers(n-len(seen), n), seen, "%s %d", name, n)
				after := get[model.Messages](alice, "/get_conversation_30msg_after_the_id", object{"conversation_id": id, "msg_id": at, "desc": true}).Msg
				want := numbers(n-len(seen)+1, min(n, n-len(seen)+31))
				slices.Reverse(want)
				require.Equal(t, want, contents(after), "%s %d", name, n)
			}
		}
	}, patiently)
}

func TestHistoryCostsFewCalls(t *testing.T) {
	inEachMode(t, func(t *testing.T, w *world) {
		alice := w.signIn("alice")
		n := 10000
		if w.mode != "xxb" {
			n = 2000 // the calls are the same, but that in mode v1 each date costs more of them
		}
		start := time.Now().Add(-24 * time.Hour)
		for name, c := range map[string]struct {
			date  func(i int) time.Time
			calls int
		}{
			"dates follow ids":  {func(i int) time.Time { return start.Add(time.Duration(i) * time.Second) }, 4},
			"2,500 a second":    {func(i int) time.Time { return start.Add(time.Duration(i/2500) * time.Second) }, 4 + int(math.Log2(float64(n)/100))},
			"all in one second": {func(int) time.Time { return start }, 4 + int(math.Log2(float64(n)/100))},
			"backdated":         {func(i int) time.Time { return start.Add(-time.Duration(i*7919%n) * time.Second) }, 4 + int(math.Log2(float64(n)/100))},
		} {
			id := alice.group(name)
			first := alice.say(id, "first")
			alice.fill(id, n, c.date)
			ids := alice.msgIDs(id, first)[1:]
			require.Len(t, ids, n)
			for _, i := range []int{0, n / 2, n - 1} {
				before := w.legacyCalls()
				m := get[model.Messages](alice, "/get_conversation_30msg_before_the_id", object{"conversation_id": id, "msg_id": ids[i]}).Msg
				if i == 0 {
					require.Equal(t, []string{"first"}, contents(m), name)
				} else {
					require.Equal(t, numbers(i-30, i), contents(m), "%s, before %d", name, i)
				}
				require.LessOrEqual(t, w.legacyCalls()-before, c.calls-1+w.countsDates(n), "%s, before %d", name, i)
			}
		}
	}, patiently)
}

// legacyCalls is how many calls the server answered, without those that the gateway makes by the clock.
func (w *world) legacyCalls() (n int) {
	for method, k := range w.legacy.Calls() {
		switch method {
		case "chat/notify", "chat/checkuserchange", "chat/usergetlist", "fence":
		default:
			n += k
		}
	}
	return n
}

// msgIDs reads the ids of a conversation's messages from one on, through the API.
func (u *user) msgIDs(conversation, from string) []string {
	u.w.t.Helper()
	last := get[model.MsgIdData](u, "/get_lastone_msgid", object{"conversation_id": conversation}).MsgId
	ids := []string{from}
	for ids[len(ids)-1] != last {
		m := get[model.Messages](u, "/get_conversation_msg_by_range", object{"conversation_id": conversation, "start_msg_id": ids[len(ids)-1], "end_msg_id": last}).Msg
		require.Greater(u.w.t, len(m), 1)
		for _, one := range m[1:] {
			ids = append(ids, one.MsgId)
		}
	}
	require.True(u.w.t, slices.IsSorted(ids), "MsgIds sort in the order of storing")
	return ids
}

func TestRange(t *testing.T) {
	inEachMode(t, func(t *testing.T, w *world) {
		alice := w.signIn("alice")
		id, other := alice.group("team"), alice.group("other")
		first := alice.say(id, "first")
		alice.fill(id, 600, func(i int) time.Time { return time.Now().Add(time.Duration(i-1000) * time.Second) })
		ids := alice.msgIDs(id, first)[1:]
		require.Len(t, ids, 600)
		ask := func(from, to string, desc bool) model.Messages {
			return get[model.Messages](alice, "/get_conversation_msg_by_range", object{"conversation_id": id, "start_msg_id": from, "end_msg_id": to, "desc": desc})
		}
		m := ask(ids[10], ids[14], false)
		require.Equal(t, numbers(10, 15), contents(m.Msg))
		require.False(t, m.HasMore)
		require.Equal(t, m, ask(ids[14], ids[10], false), "given the other way round")
		require.Equal(t, []string{"14", "13", "12", "11", "10"}, contents(ask(ids[10], ids[14], true).Msg))
		require.Equal(t, []string{"7"}, contents(ask(ids[7], ids[7], false).Msg))
		m = ask(ids[0], ids[599], false)
		require.Equal(t, numbers(0, 500), contents(m.Msg))
		require.True(t, m.HasMore)

		for _, bad := range []string{"", "garbage", "EDCZL-SY32-243Y-VWQ", alice.say(other, "elsewhere")} {
			for _, c := range []struct {
				path string
				body object
			}{
				{"/get_conversation_msg_by_range", object{"start_msg_id": bad, "end_msg_id": ids[0]}},
				{"/get_conversation_msg_by_range", object{"start_msg_id": ids[0], "end_msg_id": bad}},
				{"/get_conversation_30msg_before_the_id", object{"msg_id": bad}},
				{"/get_conversation_30msg_after_the_id", object{"msg_id": bad}},
			} {
				c.body["conversation_id"] = id
				alice.fails(model.InvalidParameter, c.path, c.body)
			}
		}
	}, patiently)
}

func TestWhatLegacyLosesIsAnError(t *testing.T) {
	inEachMode(t, func(t *testing.T, w *world) {
		alice, bob := w.signIn("alice"), w.signIn("bob")
		team, at := alice.group("team", bob), bob.here()
		w.legacy.SetFaults(xuanxuan.Fault{LoseMessages: true})
		require.Contains(t, alice.fails(model.Conflict, "/send_msg", object{"conversation_id": team, "content": "x"}), "lost")
		w.legacy.SetFaults()
		alice.say(team, "second")
		heard, _ := bob.until(at, count(model.EventKindMessage, 1))
		require.Len(t, heard, 1)
		require.Equal(t, "second", heard[0].message(t).Content)
	})
}

func TestLegacyInTrouble(t *testing.T) {
	inEachMode(t, func(t *testing.T, w *world) {
		alice, bob := w.signIn("alice"), w.signIn("bob")
		team, at := alice.group("team", bob), bob.here()
		read := object{"conversation_id": team}
		for name, c := range map[string]struct {
			fault xuanxuan.Fault
			want  model.Code
		}{
			"down":    {xuanxuan.Fault{Drop: true}, model.Unreachable},
			"broken":  {xuanxuan.Fault{Status: 500}, model.Unreachable},
			"garbage": {xuanxuan.Fault{Status: 200, Body: []byte("<br/>Fatal error")}, model.Unreachable},
		} {
			if w.mode == "xxd" && name == "garbage" {
				continue // xxd keeps that to itself: its clients hear nothing at all
			}
			w.legacy.SetFaults(c.fault)
			// On a link calls queue up, so that some give up before they are refused.
			want := []model.Code{c.want}
			if w.linked() {
				want = append(want, model.TooSlow)
			}
			require.Contains(t, want, alice.post("/get_conversation_last_30_msg", read).Code, name)
			require.Contains(t, want, alice.post("/send_msg", object{"conversation_id": team, "content": name}).Code, name)
			w.legacy.SetFaults()
			alice.recovers("/get_conversation_last_30_msg", read)
			require.Empty(t, alice.last30(team), name)
		}
		t.Run("too slow: the sender is told it is unknown; what was stored all the same is told once", func(t *testing.T) {
			w.legacy.SetFaults(xuanxuan.Fault{Delay: 3 * time.Second})
			alice.fails(model.TooSlow, "/send_msg", object{"conversation_id": team, "content": "slow"})
			alice.fails(model.TooSlow, "/get_conversation_last_30_msg", read)
			w.legacy.SetFaults()
			heard, next := bob.until(at, count(model.EventKindMessage, 1))
			require.Equal(t, "slow", only(heard, model.EventKindMessage)[0].message(t).Content)
			require.Equal(t, []string{"slow"}, contents(alice.last30(team)))
			at = next
		})
		t.Run("the answer alone is lost: the message is found, sent once and told once", func(t *testing.T) {
			w.legacy.SetFaults(xuanxuan.Fault{Method: "message", Times: 1, CarryOut: true, Drop: true})
			id := alice.say(team, "kept")
			w.legacy.SetFaults()
			require.Equal(t, []string{"slow", "kept"}, contents(alice.last30(team)))
			heard, next := bob.until(at, count(model.EventKindMessage, 1))
			require.Equal(t, id, only(heard, model.EventKindMessage)[0].message(t).MsgId)
			at = next
		})
		t.Run("answers are lost until later: the sender is told it is unknown, the members hear of it then", func(t *testing.T) {
			w.legacy.SetFaults(xuanxuan.Fault{Method: "message", CarryOut: true, Drop: true}, xuanxuan.Fault{Method: "history", Drop: true})
			alice.fails(model.Unreachable, "/send_msg", object{"conversation_id": team, "content": "found later"})
			w.legacy.SetFaults()
			heard, _ := bob.until(at, count(model.EventKindMessage, 1))
			require.Equal(t, "found later", only(heard, model.EventKindMessage)[0].message(t).Content)
		})
		t.Run("a lost connection to a reader costs nothing", func(t *testing.T) {
			w.legacy.SetFaults(xuanxuan.Fault{Method: "history", Times: 1, Drop: true})
			require.Len(t, alice.last30(team), 3)
		})
	})
}

func TestBroadcastsOfTheServerKeepTheirMark(t *testing.T) {
	inEachMode(t, func(t *testing.T, w *world) {
		alice := w.signIn("alice")
		team := alice.group("team")
		require.NoError(t, w.legacy.InsertMessages(t.Context(), team, 1, func(int) xuanxuan.Message {
			return xuanxuan.Message{Type: "broadcast", Content: "@alice joined"}
		}))
		m := alice.last30(team)[0]
		require.Equal(t, model.MsgStatus(1), m.Status)
		require.Equal(t, "0", m.FromSession)
		b, err := json.Marshal(m)
		require.NoError(t, err)
		require.NotContains(t, string(b), "Late")
	})
}
