package legacy

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
)

func TestMessageRowDecodesLiveAndWaitingAlike(t *testing.T) {
	shanghai, err := time.LoadLocation("Asia/Shanghai")
	require.NoError(t, err)
	var live, waiting MessageRow
	require.NoError(t, json.Unmarshal([]byte(`{"id":4,"gid":"g","cgid":"c","user":5,"date":1795313122,"order":1,"type":"normal","content":"x","contentType":"text","data":""}`), &live))
	require.NoError(t, json.Unmarshal([]byte(`{"id":"4","gid":"g","cgid":"c","user":"5","date":"2026-11-22 10:05:22","order":"1","type":"normal","content":"x","contentType":"text","data":null}`), &waiting))
	require.Equal(t, live.Date.Unix(shanghai), waiting.Date.Unix(shanghai))
	live.Date, waiting.Date = Date{}, Date{}
	require.Equal(t, live, waiting)
}

func TestScalars(t *testing.T) {
	t.Run("Int", func(t *testing.T) {
		for in, want := range map[string]Int{`4`: 4, `"4"`: 4, `" 4 "`: 4, `4.0`: 4, `1e3`: 1000, `true`: 1, `false`: 0, `null`: 0, `""`: 0, `-62170013143`: -62170013143} {
			var got Int
			require.NoError(t, json.Unmarshal([]byte(in), &got), in)
			require.Equal(t, want, got, in)
		}
		var i Int
		require.Error(t, json.Unmarshal([]byte(`"4x"`), &i))
	})
	t.Run("Date: none, corrupted and unreadable are all 0", func(t *testing.T) {
		for in, want := range map[string]int64{`1795313122`: 1795313122, `"1795313122"`: 1795313122, `-62170013143`: 0, `""`: 0, `0`: 0, `null`: 0, `"0000-00-00 00:00:00"`: 0, `"2026-11-22 02:05:22"`: 1795313122} {
			var d Date
			require.NoError(t, json.Unmarshal([]byte(in), &d), in)
			require.Equal(t, want, d.Unix(time.UTC), in)
		}
	})
	t.Run("Users", func(t *testing.T) {
		for in, want := range map[string]Users{`[4,"5"]`: {4, 5}, `[{"id":4},{"id":"5"}]`: {4, 5}, `[]`: nil, `{}`: nil, `null`: nil, `""`: nil} {
			var got Users
			require.NoError(t, json.Unmarshal([]byte(in), &got), in)
			require.Empty(t, cmp.Diff(want, got), in)
		}
	})
	t.Run("List and sender", func(t *testing.T) {
		var n NoticeRow
		require.NoError(t, json.Unmarshal([]byte(`{"actions":{},"sender":[]}`), &n))
		require.Empty(t, n.Actions)
		require.NoError(t, json.Unmarshal([]byte(`{"actions":[{"label":"Open","url":"u","type":"primary"}],"sender":{"id":7,"name":"Todo"}}`), &n))
		require.Equal(t, Text("Open"), n.Actions[0].Label)
		require.Equal(t, Text("7"), n.Sender.ID)
	})
}

func TestDecodeResponse(t *testing.T) {
	t.Run("an answer of another method is an error", func(t *testing.T) {
		_, err := DecodeResponse(Chat(4, "history"), []byte(`{"module":"chat","method":"kickoff","data":"Illegal Requset."}`))
		require.ErrorContains(t, err, `answer to chat/history is one to "chat"/"kickoff"`)
	})
	t.Run("what is asked as getOffline… is answered under another name", func(t *testing.T) {
		_, err := DecodeResponse(Chat(4, "getOfflineMessages"), []byte(`{"module":"chat","method":"message","result":"success","data":[]}`))
		require.NoError(t, err)
		_, err = DecodeResponse(Chat(4, "getOfflineNotify"), []byte(`{"module":"chat","method":"notify","result":"success","data":[]}`))
		require.NoError(t, err)
	})
	t.Run("garbage is an error", func(t *testing.T) {
		for _, s := range []string{"", "null", "[]", "<br/>Fatal error", `"x"`} {
			_, err := DecodeResponse(Chat(4, "ping"), []byte(s))
			require.Error(t, err, s)
		}
	})
	t.Run("reasons are found wherever they stand", func(t *testing.T) {
		for _, s := range []string{`{"message":"why"}`, `{"data":"why"}`, `{"data":[{"gid":"g","messages":"why"}]}`} {
			var r Response
			require.NoError(t, json.Unmarshal([]byte(s), &r))
			require.Equal(t, "why", r.Reason())
		}
	})
}

func TestChatRow(t *testing.T) {
	t.Run("committers", func(t *testing.T) {
		for committers, may := range map[Text]bool{"": true, ",": true, "4,5": true, ",4,7": true, "5,6": false, "44": false, "$ADMINS": true} {
			require.Equal(t, may, ChatRow{Committers: committers, Admins: ",4"}.MaySpeak(4), committers)
		}
	})
	t.Run("an edited chat is not silent: the edit wiped when it was last active", func(t *testing.T) {
		require.True(t, ChatRow{}.Silent())
		require.False(t, ChatRow{EditedBy: "alice"}.Silent())
		require.False(t, ChatRow{LastActiveTime: UnixDate(5)}.Silent())
	})
}
