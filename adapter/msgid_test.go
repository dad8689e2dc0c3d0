package adapter

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/xuangate/xuangate/adapter/legacy"
	"github.com/xuangate/xuangate/gen/model"
)

func TestMsgID(t *testing.T) {
	t.Run("it has the seed's form", func(t *testing.T) {
		require.Regexp(t, `^[2-9A-HJ-NP-Z]{5}-[2-9A-HJ-NP-Z]{4}-[2-9A-HJ-NP-Z]{4}-[2-9A-HJ-NP-Z]{3}$`, newMsgID(1, 1795313122).format("c"))
	})
	t.Run("ids sort as strings in the order of legacy ids, whatever the dates", func(t *testing.T) {
		last := newMsgID(1, 1).format("c")
		for id := legacy.MessageID(2); id <= maxMessageID; id = id*3/2 + 1 {
			next := newMsgID(id, rand.Int64N(1<<32)).format("c")
			require.Less(t, last, next)
			last = next
		}
	})
	t.Run("a date that does not fit is written as 1", func(t *testing.T) {
		for _, d := range []int64{-62170013143, -1, 0, 1 << 32} {
			require.Equal(t, uint32(1), newMsgID(7, d).date)
		}
	})
	t.Run("garbage, another chat's and impossible ids are refused", func(t *testing.T) {
		good := newMsgID(7, 1795313122).format("c")
		_, err := parseMsgID("msg_id", good, "other")
		require.Equal(t, model.InvalidParameter, code(err))
		for _, s := range []string{
			"", "-", "EDCZL-SY32-243Y-VWQ", "22222-2222-2222-222", good[:18], good + "2", "x" + good[1:],
			good[:5] + good[6:7] + "-" + good[7:], msgID{id: 0, date: 5}.format("c"), msgID{id: 5, date: 0}.format("c"), "0IO1l-0000-0000-000", "ÄÄÄÄÄÄÄÄÄ-",
		} {
			_, err := parseMsgID("msg_id", s, "c")
			require.Equal(t, model.InvalidParameter, code(err), s)
		}
	})
}

func FuzzMsgID(f *testing.F) {
	f.Add("EDCZL-SY32-243Y-VWQ", int64(5), int64(1795313122))
	f.Fuzz(func(t *testing.T, s string, id, date int64) {
		if m, err := parseMsgID("msg_id", s, "c"); err == nil {
			require.Equal(t, s, m.format("c"))
		}
		if id <= 0 || id > maxMessageID {
			return
		}
		m := newMsgID(legacy.MessageID(id), date)
		back, err := parseMsgID("msg_id", m.format("c"), "c")
		require.NoError(t, err)
		require.Equal(t, m, back)
	})
}
