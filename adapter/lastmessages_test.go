package adapter

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/xuangate/xuangate/adapter/legacy"
	"github.com/xuangate/xuangate/gen/model"
)

// manyChats has legacy list n groups of alice, and answer history after a while: a row for each, named after its chat.
func manyChats(t *testing.T, s *script, n int, after time.Duration) (most *atomic.Int64) {
	rows := make([]string, n)
	for i := range rows {
		rows[i] = strings.Replace(chatJSON(fmt.Sprint("g", i), "group", 4), "1795312700", fmt.Sprint(1795312700+i), 1)
	}
	s.answers["getlist"] = says(t, frame("getlist", "["+strings.Join(rows, ",")+"]"))
	var now atomic.Int64
	most = &atomic.Int64{}
	s.slow = func(c legacy.Call) {
		if c.Method != "history" {
			return
		}
		if running := now.Add(1); running > most.Load() {
			most.Store(running)
		}
		time.Sleep(after)
		now.Add(-1)
	}
	s.answers["history"] = func(c legacy.Call) (legacy.Response, error) {
		gid := c.Params.([]any)[0]
		return answer(t, c, fmt.Sprintf(`{"module":"chat","method":"history","result":"success","data":[{"id":7,"gid":"m-%[1]s","cgid":%[1]q,"user":4,"date":1795312700,"type":"normal","content":"in %[1]s","contentType":"text"}],"pager":{"recTotal":1}}`, gid)), nil
	}
	return most
}

func TestLastMessagesOfManyConversations(t *testing.T) {
	found := func(list model.Conversations) (n int) {
		for _, c := range list.Conversations {
			if c.LastMsgID != "" {
				n++
			}
		}
		return n
	}
	t.Run("four at a time", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			a, s := newScripted(t)
			most := manyChats(t, s, 40, 10*time.Millisecond)
			list, err := a.Conversations(t.Context(), 4)
			require.NoError(t, err)
			require.False(t, list.Partial)
			require.Equal(t, 40, found(list))
			require.Equal(t, "in g7", list.Conversations[7].LastMsg.Content)
			require.EqualValues(t, lookups, most.Load())
			s.methods()
			_, err = a.Conversations(t.Context(), 4)
			require.NoError(t, err)
			require.Equal(t, []string{"getlist"}, s.methods(), "and they are known then")
		})
	})
	t.Run("sixteen for all requests together", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			a, s := newScripted(t)
			most := manyChats(t, s, 200, 50*time.Millisecond)
			var all sync.WaitGroup
			for range 10 {
				all.Go(func() { _, _ = a.Conversations(t.Context(), 4) })
			}
			all.Wait()
			require.EqualValues(t, allLookups, most.Load())
		})
	})
	t.Run("what is not found in time is left out, and the newest come first", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			a, s := newScripted(t)
			manyChats(t, s, 40, 300*time.Millisecond)
			start := time.Now()
			list, err := a.Conversations(t.Context(), 4)
			require.NoError(t, err)
			require.True(t, list.Partial)
			require.LessOrEqual(t, time.Since(start), lookupTime+300*time.Millisecond)
			require.Len(t, list.Conversations, 40)
			require.Equal(t, 16, found(list), "four rounds of four")
			require.NotEmpty(t, list.Conversations[39].LastMsgID)
			require.Empty(t, list.Conversations[0].LastMsgID)
			require.EqualValues(t, 1795312700e6, list.Conversations[0].LastSendTime)
			for list.Partial {
				list, err = a.Conversations(t.Context(), 4)
				require.NoError(t, err)
			}
			require.Equal(t, 40, found(list), "the next requests go on")
		})
	})
	t.Run("one that legacy does not tell spoils no list", func(t *testing.T) {
		a, s := newScripted(t)
		s.answers["history"] = func(legacy.Call) (legacy.Response, error) { return legacy.Response{}, errDropped }
		list, err := a.Conversations(t.Context(), 4)
		require.NoError(t, err)
		require.True(t, list.Partial)
		require.Len(t, list.Conversations, 2)
	})
}
