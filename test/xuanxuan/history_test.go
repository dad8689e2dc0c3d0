package xuanxuan

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The recordings show most of paging: 07_history.
func TestHistory(t *testing.T) {
	start := time.Unix(recordedFrom, 0)
	s := newGroup(t, Options{Now: atRecording})
	require.NoError(t, s.InsertMessages(t.Context(), "g", 100, func(i int) Message {
		return Message{User: 4, Content: "x", Date: start.Add(time.Duration(i/10) * time.Minute)}
	}))
	ask := func(t *testing.T, params ...any) reply { return call(t, s, 6, "history", params...) }

	t.Run("a start date counts from its second on", func(t *testing.T) {
		got := ask(t, "g", 5, 1, 0, false, recordedFrom+9*60)
		require.EqualValues(t, 10, got.Pager["recTotal"])
		require.Equal(t, []any{100.0, 99.0, 98.0, 97.0, 96.0}, got.column("id"))
		require.EqualValues(t, 0, ask(t, "g", 5, 1, 0, false, recordedFrom+9*60+1).Pager["recTotal"])
	})
	t.Run("no start date: zero, negative, text, milliseconds", func(t *testing.T) {
		for _, date := range []any{0, -5, "", "yesterday", recordedFrom * 1000} {
			require.EqualValues(t, 100, ask(t, "g", 5, 1, 0, false, date).Pager["recTotal"], "%v", date)
		}
	})
	t.Run("a total is believed", func(t *testing.T) {
		got := ask(t, "g", 10, 3, 25, false, 0)
		require.EqualValues(t, 25, got.Pager["recTotal"])
		require.Equal(t, 80.0, got.rows()[0]["id"])
		beyond := ask(t, "g", 10, 4, 25, false, 0)
		require.EqualValues(t, 1, beyond.Pager["pageID"])
		require.Equal(t, 100.0, beyond.rows()[0]["id"])
	})
	t.Run("with total 0 a page beyond the end is empty", func(t *testing.T) {
		got := ask(t, "g", 10, 11, 0, false, 0)
		require.Empty(t, got.rows())
		require.EqualValues(t, 11, got.Pager["pageID"])
		require.EqualValues(t, 100, got.Pager["recTotal"])
	})
	t.Run("numbers that are none kill the call", func(t *testing.T) {
		for _, params := range []string{`["g","x",1,0,false,0]`, `["g",10,"x",0,false,0]`, `["g",2.5,1,0,false,0]`, `["g",[],1,0,false,0]`} {
			w := post(s, `{"module":"chat","method":"history","params":`+params+`,"userID":4,"v":"2.3.0"}`)
			require.Equal(t, 500, w.Code, params)
		}
	})
	t.Run("no gid reads everybody's messages and notices", func(t *testing.T) {
		call(t, s, 5, "create", "5&7", "", "one2one", []any{5, 7}, 0, false)
		call(t, s, 5, "message", []any{with(textMessage("private", "secret"), "cgid", "5&7")})
		require.NoError(t, s.AddNotice(t.Context(), Notice{Users: []int64{7}, Title: "T"}))
		got := ask(t, "", 2, 1, 0, false, 0)
		require.Equal(t, []any{"#notification", "5&7"}, got.column("cgid"))
		require.EqualValues(t, 102, got.Pager["recTotal"])
	})
}

func TestInsertMessages(t *testing.T) {
	s := newGroup(t, Options{Now: atRecording})
	old := time.Unix(recordedFrom-1000, 0)

	require.NoError(t, s.InsertMessages(t.Context(), "g", 10000, func(i int) Message {
		return Message{User: 5, Content: "x", Date: old.Add(-time.Duration(i/5000) * time.Hour)}
	}))
	last := call(t, s, 4, "history", "g", 3, 1, 0, false, 0)
	require.EqualValues(t, 10000, last.Pager["recTotal"])
	require.Equal(t, []any{10000.0, 9999.0, 9998.0}, last.column("id"))
	require.EqualValues(t, old.Add(-time.Hour).Unix(), last.rows()[0]["date"], "backdated, in spite of the highest id")
	require.EqualValues(t, old.Unix(), getChat(t, s, "g")["lastActiveTime"])
	require.Empty(t, call(t, s, 7, "getOfflineMessages").rows(), "nobody is told")
}
