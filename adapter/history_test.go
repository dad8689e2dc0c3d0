package adapter

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/xuangate/xuangate/adapter/legacy"
	"github.com/xuangate/xuangate/gen/model"
)

// stored is a chat's messages, oldest first, that answers chat/history as legacy does.
type stored struct {
	t     *testing.T
	rows  []storedRow
	calls int
	grow  int // messages that arrive before each call
}

type storedRow struct {
	ID   int64  `json:"id"`
	GID  string `json:"gid"`
	CGID string `json:"cgid"`
	User int    `json:"user"`
	Date int64  `json:"date"`
	Type string `json:"type"`
	Kind string `json:"contentType"`
	Text string `json:"content"`
}

func newStored(t *testing.T, n int, date func(i int) int64) *stored {
	s := &stored{t: t}
	for i := range n {
		s.add(date(i))
	}
	return s
}

// add stores one more; ids have gaps, for legacy numbers messages across all chats.
func (s *stored) add(date int64) {
	id := int64(1)
	if n := len(s.rows); n > 0 {
		id = s.rows[n-1].ID + 1 + rand.Int64N(3)
	}
	s.rows = append(s.rows, storedRow{ID: id, GID: fmt.Sprint("g", id), CGID: "team", User: 4, Date: date, Type: "normal", Kind: "text", Text: fmt.Sprint(id)})
}

func (s *stored) history(c legacy.Call) (legacy.Response, error) {
	p := c.Params.([]any)
	require.Len(s.t, p, 6)
	require.Equal(s.t, legacy.ChatGID("team"), p[0])
	require.Equal(s.t, 0, p[3], "recTotal")
	size, page, since := p[1].(int), p[2].(int), p[5].(int64)
	s.calls++
	for range s.grow {
		s.add(s.rows[len(s.rows)-1].Date + 1)
	}
	var match []storedRow
	for _, r := range slices.Backward(s.rows) {
		if since <= 0 || r.Date >= since {
			match = append(match, r)
		}
	}
	lo := min((page-1)*size, len(match))
	data, err := json.Marshal(match[lo:min(lo+size, len(match))])
	require.NoError(s.t, err)
	return answer(s.t, c, fmt.Sprintf(`{"module":"chat","method":"history","result":"success","data":%s,"pager":{"recPerPage":%d,"pageID":%d,"recTotal":%d}}`, data, size, page, len(match))), nil
}

func (s *stored) msgID(i int) model.MsgId {
	return newMsgID(legacy.MessageID(s.rows[i].ID), s.rows[i].Date).format("team")
}

// texts are the contents of rows lo…hi-1.
func (s *stored) texts(lo, hi int) []string {
	list := []string{}
	for _, r := range s.rows[max(lo, 0):min(hi, len(s.rows))] {
		list = append(list, r.Text)
	}
	return list
}

func texts(m model.Messages) []string {
	list := []string{}
	for _, one := range m.Msg {
		list = append(list, one.Content)
	}
	return list
}

const day = int64(1795313000)

// shapes are the ways in which dates lie in a chat.
var shapes = map[string]func(n int) func(i int) int64{
	"one a second":        func(int) func(int) int64 { return func(i int) int64 { return day + int64(i) } },
	"90 a second":         func(int) func(int) int64 { return func(i int) int64 { return day + int64(i/90) } },
	"all in one second":   func(int) func(int) int64 { return func(i int) int64 { return day } },
	"3,000 a second":      func(int) func(int) int64 { return func(i int) int64 { return day + int64(i/3000) } },
	"backdated at random": func(int) func(int) int64 { return func(i int) int64 { return day + rand.Int64N(100000) } },
	"dates run backwards": func(n int) func(int) int64 { return func(i int) int64 { return day + int64(n-i) } },
	"no dates at all":     func(int) func(int) int64 { return func(i int) int64 { return -62170013143 } },
}

// cheap are those shapes whose dates follow the ids, with fewer than 100 messages a second.
var cheap = map[string]bool{"one a second": true, "90 a second": true}

func TestHistoryAroundAMessage(t *testing.T) {
	for name, shape := range shapes {
		t.Run(name, func(t *testing.T) {
			for _, n := range []int{1, 29, 30, 31, 250, 10000} {
				s := newStored(t, n, shape(n))
				a, scripted := newScripted(t)
				scripted.answers["history"] = s.history
				limit := 4 + int(math.Max(0, math.Log2(float64(n)/100)))
				if cheap[name] {
					limit = 4
				}
				for _, i := range []int{0, n / 3, n / 2, n - 2, n - 1} {
					if i < 0 {
						continue
					}
					s.calls = 0
					m, err := a.MessagesBefore(t.Context(), 4, "team", s.msgID(i), false)
					require.NoError(t, err)
					require.Equal(t, s.texts(i-30, i), texts(m), "before %d of %d", i, n)
					require.LessOrEqual(t, s.calls, limit, "calls for before %d of %d", i, n)

					s.calls = 0
					m, err = a.MessagesAfter(t.Context(), 4, "team", s.msgID(i), true)
					require.NoError(t, err)
					want := s.texts(i+1, i+31)
					slices.Reverse(want)
					require.Equal(t, want, texts(m), "after %d of %d", i, n)
					require.LessOrEqual(t, s.calls, limit, "calls for after %d of %d", i, n)
				}
			}
		})
	}
}

func TestHistoryRange(t *testing.T) {
	for name, shape := range shapes {
		t.Run(name, func(t *testing.T) {
			const n = 3000
			s := newStored(t, n, shape(n))
			a, scripted := newScripted(t)
			scripted.answers["history"] = s.history
			for _, r := range [][2]int{{0, 0}, {5, 9}, {0, 499}, {0, 500}, {100, 2999}, {2990, 2999}, {1500, 1400}} {
				m, err := a.MessagesInRange(t.Context(), 4, "team", s.msgID(r[0]), s.msgID(r[1]), false)
				require.NoError(t, err)
				lo, hi := min(r[0], r[1]), max(r[0], r[1])
				require.Equal(t, s.texts(lo, min(hi+1, lo+500)), texts(m), "%v", r)
				require.Equal(t, hi-lo >= 500, m.HasMore, "%v", r)
			}
		})
	}
}

func TestHistoryEdges(t *testing.T) {
	start := func(t *testing.T, s *stored) *Adapter {
		a, scripted := newScripted(t)
		scripted.answers["history"] = s.history
		return a
	}
	t.Run("an empty conversation has no last message", func(t *testing.T) {
		a := start(t, newStored(t, 0, nil))
		m, err := a.LastMessages(t.Context(), 4, "team", false)
		require.NoError(t, err)
		require.NotNil(t, m.Msg)
		require.Empty(t, m.Msg)
		id, err := a.LastMessageID(t.Context(), 4, "team")
		require.NoError(t, err)
		require.Empty(t, id)
	})
	t.Run("the last 30 cost one call", func(t *testing.T) {
		for _, n := range []int{1, 29, 30, 31, 1000} {
			s := newStored(t, n, shapes["one a second"](n))
			a := start(t, s)
			m, err := a.LastMessages(t.Context(), 4, "team", false)
			require.NoError(t, err)
			require.Equal(t, s.texts(n-30, n), texts(m))
			require.Equal(t, 1, s.calls)
		}
	})
	t.Run("an id that is not there is a place", func(t *testing.T) {
		s := newStored(t, 200, shapes["one a second"](200))
		s.rows = append(s.rows[:100], s.rows[101:]...)
		gone := newMsgID(legacy.MessageID(s.rows[99].ID+1), s.rows[99].Date+1).format("team")
		m, err := start(t, s).MessagesBefore(t.Context(), 4, "team", gone, false)
		require.NoError(t, err)
		require.Equal(t, s.texts(70, 100), texts(m))
		beyond := newMsgID(maxMessageID, day+5000).format("team")
		m, err = start(t, s).MessagesBefore(t.Context(), 4, "team", beyond, false)
		require.NoError(t, err)
		require.Equal(t, s.texts(169, 199), texts(m))
		m, err = start(t, s).MessagesAfter(t.Context(), 4, "team", beyond, false)
		require.NoError(t, err)
		require.Empty(t, m.Msg)
	})
	t.Run("messages that arrive while we read leave no gap", func(t *testing.T) {
		for _, grow := range []int{1, 7, 30, 200} {
			for name, shape := range shapes {
				s := newStored(t, 5000, shape(5000))
				id, want := s.msgID(2500), s.texts(2470, 2500)
				after := s.texts(2501, 2531)
				s.grow = grow
				m, err := start(t, s).MessagesBefore(t.Context(), 4, "team", id, false)
				require.NoError(t, err, "%s, %d", name, grow)
				require.Equal(t, want, texts(m), "%s, %d", name, grow)
				m, err = start(t, s).MessagesAfter(t.Context(), 4, "team", id, false)
				require.NoError(t, err, "%s, %d", name, grow)
				require.Equal(t, after, texts(m), "%s, %d", name, grow)
			}
		}
	})
	t.Run("of twins that share a gid the lowest id is the message", func(t *testing.T) {
		s := newStored(t, 40, shapes["one a second"](40))
		s.rows[20].GID = s.rows[19].GID
		m, err := start(t, s).LastMessages(t.Context(), 4, "team", false)
		require.NoError(t, err)
		require.Equal(t, append(s.texts(9, 20), s.texts(21, 40)...), texts(m))
	})
	t.Run("a message id of another conversation or garbage costs no history call", func(t *testing.T) {
		s := newStored(t, 5, shapes["one a second"](5))
		a := start(t, s)
		_, err := a.MessagesBefore(t.Context(), 4, "team", newMsgID(1, day).format("sys"), false)
		require.Equal(t, model.InvalidParameter, code(err))
		_, err = a.MessagesInRange(t.Context(), 4, "team", s.msgID(0), "garbage", false)
		require.Equal(t, model.InvalidParameter, code(err))
		require.Zero(t, s.calls)
	})
	t.Run("a server that contradicts itself ends in an error, not in an endless loop", func(t *testing.T) {
		a, scripted := newScripted(t)
		scripted.answers["history"] = says(t, `{"module":"chat","method":"history","result":"success","data":[],"pager":{"recTotal":1000}}`)
		_, err := a.MessagesBefore(t.Context(), 4, "team", newMsgID(5, day).format("team"), false)
		require.Equal(t, model.Unreachable, code(err))
	})
}
