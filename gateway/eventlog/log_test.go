package eventlog

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/xuangate/xuangate/adapter"
	"github.com/xuangate/xuangate/adapter/legacy"
	"github.com/xuangate/xuangate/gen/model"
)

func TestMain(m *testing.M) {
	// go-redis looks once a second whether a server that was gone is back, and only then whether its pool has been closed.
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/redis/go-redis/v9/internal/pool.(*ConnPool).tryDial"))
}

// testLog is what every Log promises. make gives an empty one that keeps size entries.
func testLog(t *testing.T, make func(t *testing.T, size int) Log) {
	t.Run("a user reads own entries and those for all, oldest first", func(t *testing.T) {
		l := newFixture(t, make(t, 100))
		begin := l.end()
		l.append(text("to 1"), 1)
		l.append(text("to 2"), 2)
		l.append(text("to all"))
		l.append(text("to both"), 2, 1)
		require.Equal(t, []string{"to 1", "to all", "to both"}, l.read(1, begin))
		require.Equal(t, []string{"to 2", "to all", "to both"}, l.read(2, begin))
		require.Equal(t, []string{"to all"}, l.read(3, begin))
	})

	t.Run("reading goes on from what Append returned, and from what Read looked at", func(t *testing.T) {
		l := newFixture(t, make(t, 100))
		first := l.append(text("a"), 1)
		l.append(text("b"), 1)
		other := l.append(text("c"), 2)
		require.Equal(t, []string{"b"}, l.read(1, first))
		_, next, err := l.Read(t.Context(), 1, first, 10)
		require.NoError(t, err)
		require.Equal(t, other, next, "moves past others' entries")
		require.Equal(t, l.end(), next)
		require.Empty(t, l.read(1, next))
		require.Equal(t, []string{"a", "b"}, l.read(1, first.Before()))
	})

	t.Run("Read gives at most max and says where to go on", func(t *testing.T) {
		l := newFixture(t, make(t, 100))
		at := l.end()
		for i := range 10 {
			if i%2 == 0 {
				l.append(text(fmt.Sprint(i)), 1)
			} else {
				l.append(text(fmt.Sprint(i)))
			}
		}
		var all []string
		for {
			entries, next, err := l.Read(t.Context(), 1, at, 3)
			require.NoError(t, err)
			require.LessOrEqual(t, len(entries), 3)
			if len(entries) == 0 {
				break
			}
			for _, e := range entries {
				all = append(all, content(t, e))
			}
			at = next
		}
		require.Equal(t, []string{"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"}, all)
	})

	t.Run("a position survives its text, and no other text is one", func(t *testing.T) {
		l := newFixture(t, make(t, 100))
		at := l.append(text("a"), 1)
		same, err := ParsePosition(at.String())
		require.NoError(t, err)
		require.Equal(t, at, same)
		require.Len(t, at.String(), 33)
	})

	t.Run("an event for nobody is not kept", func(t *testing.T) {
		l := newFixture(t, make(t, 100))
		end := l.append(text("a"), 1)
		at, err := l.Append(t.Context(), event(text("b"), adapter.Recipients{}))
		require.NoError(t, err)
		require.Equal(t, end, at)
	})

	t.Run("a control entry names its login", func(t *testing.T) {
		l := newFixture(t, make(t, 100))
		begin := l.end()
		at, err := l.Append(t.Context(), adapter.Event{Kind: model.EventKindKickoff, To: adapter.Recipients{Users: []legacy.UserID{1}, Login: "ab"}})
		require.NoError(t, err)
		entries, _, err := l.Read(t.Context(), 1, begin, 10)
		require.NoError(t, err)
		require.Len(t, entries, 1)
		require.Equal(t, "ab", entries[0].Login)
		require.Equal(t, model.EventKindKickoff, entries[0].Kind)
		require.JSONEq(t, `{"Event":"kickoff","Position":"`+at.String()+`"}`, string(entries[0].Append(nil, true)))
	})

	t.Run("both forms of an entry are the data with its position", func(t *testing.T) {
		l := newFixture(t, make(t, 100))
		begin := l.end()
		e := message("c", 5, "<你好>", 1)
		at, err := l.Append(t.Context(), e)
		require.NoError(t, err)
		entries, _, err := l.Read(t.Context(), 1, begin, 10)
		require.NoError(t, err)
		want := e.Data.(model.MsgData)
		want.Position = at.String()
		var got model.MsgData
		require.NoError(t, json.Unmarshal(entries[0].Append([]byte("before"), false)[len("before"):], &got))
		require.Equal(t, want, got)
		var all model.Event
		require.NoError(t, json.Unmarshal(entries[0].Append(nil, true), &all))
		require.Equal(t, model.EventKindMessage, all.Event)
		require.Equal(t, at.String(), all.Position)
		data, err := all.Data.AsMsgData()
		require.NoError(t, err)
		require.Equal(t, e.Data, data)
	})

	t.Run("data that cannot be encoded is an error and leaves no trace", func(t *testing.T) {
		l := newFixture(t, make(t, 100))
		for _, data := range []any{func() {}, "text", []int{1}, struct{}{}} {
			e := event(text(""), adapter.Recipients{All: true})
			e.Data = data
			_, err := l.Append(t.Context(), e)
			require.Error(t, err)
		}
		require.Empty(t, l.read(1, l.end()))
	})

	testOnce(t, make)
	testOrder(t, make)
	testLoss(t, make)
	testWatch(t, make)
	testConcurrency(t, make)
}

func testOnce(t *testing.T, make func(t *testing.T, size int) Log) {
	t.Run("what a user had once is not added again, and its place is told", func(t *testing.T) {
		l := newFixture(t, make(t, 100))
		begin := l.end()
		first := l.once("g1", "a", 1, 2)
		l.append(text("between"), 1)
		require.Equal(t, first, l.once("g1", "again", 2, 1))
		require.Equal(t, first, l.once("g1", "again", 2))
		require.Equal(t, []string{"a", "between"}, l.read(1, begin))
		require.Equal(t, []string{"a"}, l.read(2, begin))
	})

	t.Run("who lacks it gets it, the others do not", func(t *testing.T) {
		l := newFixture(t, make(t, 100))
		begin := l.end()
		first := l.once("g1", "a", 1, 2)
		second := l.once("g1", "b", 3, 1, 4)
		require.Equal(t, 1, second.Compare(first))
		require.Equal(t, []string{"a"}, l.read(1, begin))
		require.Equal(t, []string{"b"}, l.read(3, begin))
		require.Equal(t, []string{"b"}, l.read(4, begin))
		require.Equal(t, second, l.once("g1", "c", 4), "the place of the one that user had")
		require.Equal(t, first, l.once("g1", "c", 1, 2, 3, 4), "the oldest place any of them had")
	})

	t.Run("for all after for some: all but those", func(t *testing.T) {
		l := newFixture(t, make(t, 100))
		begin := l.end()
		l.once("g1", "a", 1)
		second := l.once("g1", "b")
		require.Equal(t, []string{"a"}, l.read(1, begin))
		require.Equal(t, []string{"b"}, l.read(2, begin))
		end := l.end()
		l.once("g1", "c")
		l.once("g1", "c", 1)
		require.Equal(t, second, l.once("g1", "c", 2))
		require.Equal(t, end, l.end())
	})

	t.Run("an event without Once is never taken for another", func(t *testing.T) {
		l := newFixture(t, make(t, 100))
		begin := l.end()
		l.append(text("a"), 1)
		l.append(text("a"), 1)
		require.Equal(t, []string{"a", "a"}, l.read(1, begin))
	})

	t.Run("the memory of Once ends with the entry", func(t *testing.T) {
		l := newFixture(t, make(t, 3))
		l.once("g1", "a", 1)
		l.once("g1", "b", 2)
		for range 3 {
			l.append(text("x"), 3)
		}
		begin := l.end()
		l.once("g1", "again", 1)
		require.Equal(t, []string{"again"}, l.read(1, begin))
	})
}

func testOrder(t *testing.T, make func(t *testing.T, size int) Log) {
	late := func(t *testing.T, l fixture, u legacy.UserID, after Position) (list []bool) {
		entries, _, err := l.Read(t.Context(), u, after, 100)
		require.NoError(t, err)
		for _, e := range entries {
			var plain, wrapped struct {
				Late bool
				Data struct{ Late bool }
			}
			require.NoError(t, json.Unmarshal(e.Append(nil, false), &plain))
			require.NoError(t, json.Unmarshal(e.Append(nil, true), &wrapped))
			require.Equal(t, plain.Late, wrapped.Data.Late)
			list = append(list, plain.Late)
		}
		return list
	}

	t.Run("a message below its conversation's highest is late", func(t *testing.T) {
		l := newFixture(t, make(t, 100))
		begin := l.end()
		for _, e := range []adapter.Event{
			message("c", 5, "", 1), message("d", 2, "", 1), message("c", 4, "", 1), message("c", 5, "", 1), message("c", 6, "", 1), message("c", 1, "", 1),
		} {
			_, err := l.Append(t.Context(), e)
			require.NoError(t, err)
		}
		require.Equal(t, []bool{false, false, true, false, false, true}, late(t, l, 1, begin))
	})

	t.Run("the order is remembered as long as the entry", func(t *testing.T) {
		l := newFixture(t, make(t, 2))
		_, err := l.Append(t.Context(), message("c", 5, "", 1))
		require.NoError(t, err)
		l.append(text(""), 2)
		l.append(text(""), 2)
		begin := l.end()
		_, err = l.Append(t.Context(), message("c", 4, "", 1))
		require.NoError(t, err)
		require.Equal(t, []bool{false}, late(t, l, 1, begin))
	})
}

func testLoss(t *testing.T, make func(t *testing.T, size int) Log) {
	lost := func(t *testing.T, l Log, u legacy.UserID, at Position) {
		t.Helper()
		_, _, err := l.Read(t.Context(), u, at, 10)
		require.ErrorIs(t, err, ErrPositionLost)
	}

	t.Run("a position is lost when one of the user's entries after it was dropped", func(t *testing.T) {
		l := newFixture(t, make(t, 3))
		begin := l.end()
		first := l.append(text("1"), 1)
		for i := range 3 {
			l.append(text(fmt.Sprint(i+2)), 1)
		}
		lost(t, l, 1, begin)
		require.Equal(t, []string{"2", "3", "4"}, l.read(1, first))
	})

	t.Run("so it is when an entry for all was", func(t *testing.T) {
		l := newFixture(t, make(t, 3))
		begin := l.end()
		l.append(text("all"))
		for range 3 {
			l.append(text("x"), 1)
		}
		lost(t, l, 2, begin)
	})

	t.Run("ten rings of others' traffic lose a quiet user nothing", func(t *testing.T) {
		l := newFixture(t, make(t, 3))
		at := l.append(text("1"), 1)
		for range 30 {
			l.append(text("x"), 2)
		}
		l.append(text("2"), 1)
		require.Equal(t, []string{"2"}, l.read(1, at))
	})

	t.Run("positions of another log, and beyond the end, are lost", func(t *testing.T) {
		l, other := newFixture(t, make(t, 100)), newFixture(t, make(t, 100))
		l.append(text("x"), 1)
		lost(t, l, 1, other.end())
		lost(t, l, 1, Position{})
		beyond := l.end()
		beyond.offset++
		_, _, err := l.Read(t.Context(), 1, beyond, 10)
		require.ErrorIs(t, err, ErrPositionLost)
	})
}

func testConcurrency(t *testing.T, make func(t *testing.T, size int) Log) {
	t.Run("many readers and writers at once: each reader has each entry once, in order", func(t *testing.T) {
		const users, writers, each = 8, 4, 200
		l := newFixture(t, make(t, 100000))
		begin := l.end()
		var writing, reading sync.WaitGroup
		for w := range writers {
			writing.Go(func() {
				for i := range each {
					to := []legacy.UserID{1, 2, 3, 4, 5, 6, 7, 8}
					rand.Shuffle(len(to), func(a, b int) { to[a], to[b] = to[b], to[a] })
					e := event(text(fmt.Sprintf("%d/%d", w, i)), adapter.Recipients{Users: to})
					e.Once = fmt.Sprintf("%d/%d", w, i/2) // every second one is a repetition
					if _, err := l.Append(t.Context(), e); err != nil {
						t.Error(err)
					}
				}
			})
		}
		got := [users][]string{}
		for u := range users {
			reading.Go(func() {
				at := begin
				b := watchOf(t, l, legacy.UserID(u+1))
				for len(got[u]) < writers*each/2 {
					entries, next, err := l.Read(t.Context(), legacy.UserID(u+1), at, 7)
					if err != nil {
						t.Error(err)
						return
					}
					for _, e := range entries {
						got[u] = append(got[u], content(t, e))
					}
					if at = next; len(entries) > 0 {
						continue
					}
					<-b
				}
			})
		}
		writing.Wait()
		reading.Wait()
		for u := range users {
			require.Equal(t, got[0], got[u])
			seen := map[string]bool{}
			for _, s := range got[u] {
				require.False(t, seen[s])
				seen[s] = true
			}
		}
	})
}
