package eventlog

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/xuangate/xuangate/adapter/legacy"
)

func TestMemory(t *testing.T) {
	testLog(t, func(_ *testing.T, size int) Log { return NewMemory(MemoryOptions{Size: size}) })

	t.Run("everything is bounded by the ring", func(t *testing.T) {
		const size = 50
		m := NewMemory(MemoryOptions{Size: size})
		l := newFixture(t, m)
		for i := range 5000 {
			u := legacy.UserID(rand.IntN(2000))
			e := message(legacy.ChatGID(fmt.Sprint(rand.IntN(2000))), legacy.MessageID(i), "x", u, u+1)
			e.Once = fmt.Sprint(rand.IntN(5000))
			_, err := l.Append(t.Context(), e)
			require.NoError(t, err)
			if i%10 == 0 {
				l.once(fmt.Sprint("all", i), "all")
			}
		}
		require.LessOrEqual(t, len(m.once), size)
		require.LessOrEqual(t, len(m.chats), size)
		require.LessOrEqual(t, len(m.everyone.entries), size)
		require.LessOrEqual(t, len(m.inboxes), 4*size)
	})

	t.Run("bytes are bounded too, and the newest entry is kept", func(t *testing.T) {
		m := NewMemory(MemoryOptions{Size: 1000, Bytes: 20000})
		l := newFixture(t, m)
		for range 100 {
			l.append(text(strings.Repeat("x", 1000)), 1)
			require.LessOrEqual(t, m.held, 20000)
		}
		require.Less(t, m.end-m.first, uint64(20))
		before := l.end()
		l.append(text(strings.Repeat("y", 50000)), 1)
		require.Len(t, l.read(1, before), 1)
		l.append(text("z"), 1)
		require.LessOrEqual(t, m.held, 20000)
	})

	t.Run("the model: a slow list that forgets nothing says the same", func(t *testing.T) {
		const size, users = 20, 5
		m := NewMemory(MemoryOptions{Size: size})
		l := newFixture(t, m)
		type kept struct {
			at   Position
			text string
			to   []legacy.UserID
		}
		var all []kept
		begin := l.end()
		for i := range 500 {
			to := []legacy.UserID{legacy.UserID(rand.IntN(users)), legacy.UserID(rand.IntN(users))}
			if rand.IntN(10) == 0 {
				to = nil
			}
			all = append(all, kept{l.append(text(fmt.Sprint(i)), to...), fmt.Sprint(i), to})
			from := rand.IntN(min(len(all), 3*size)) // how far back
			after := begin
			if k := len(all) - 1 - from; k > 0 {
				after = all[k-1].at
			}
			u := legacy.UserID(rand.IntN(users))
			var want []string
			missing := false
			for j, k := range all {
				if k.at.Compare(after) > 0 && (k.to == nil || k.to[0] == u || k.to[1] == u) {
					want = append(want, k.text)
					missing = missing || j < len(all)-size
				}
			}
			_, _, err := l.Read(t.Context(), u, after, 1000)
			if missing {
				require.ErrorIs(t, err, ErrPositionLost)
			} else {
				require.Equal(t, want, l.read(u, after))
			}
		}
	})

	t.Run("readers who are gone leave nothing behind", func(t *testing.T) {
		m := NewMemory(MemoryOptions{Size: 10})
		l := newFixture(t, m)
		var stops []func()
		for u := range 200 {
			stops = append(stops, m.Watch(legacy.UserID(u), true, func() {}))
		}
		for _, stop := range stops {
			stop()
		}
		for u := range 500 {
			l.append(text("x"), legacy.UserID(1000+u))
		}
		require.Less(t, len(m.inboxes), 40)
	})
}

func TestParsePosition(t *testing.T) {
	for _, wrong := range []string{
		"", "-", "0", "5e1d0c2b4a69f7e8", "5e1d0c2b4a69f7e8-", "5e1d0c2b4a69f7e8-2a", "5e1d0c2b4a69f7e80000000000000002a",
		"5E1D0C2B4A69F7E8-000000000000002A", "+e1d0c2b4a69f7e8-000000000000002a", "5e1d0c2b4a69f7e8-00000000000_002a",
		"5e1d0c2b4a69f7e8-000000000000002a ", " 5e1d0c2b4a69f7e8-00000000000002a", "5e1d0c2b4a69f7e8-000000000000002g",
	} {
		t.Run("refuses "+wrong, func(t *testing.T) {
			_, err := ParsePosition(wrong)
			require.ErrorIs(t, err, ErrPosition)
		})
	}
	t.Run("text and back", func(t *testing.T) {
		const s = "5e1d0c2b4a69f7e8-000000000000002a"
		p, err := ParsePosition(s)
		require.NoError(t, err)
		require.Equal(t, Position{epoch: 0x5e1d0c2b4a69f7e8, offset: 42}, p)
		require.Equal(t, s, p.String())
	})
}

func FuzzParsePosition(f *testing.F) {
	f.Add("5e1d0c2b4a69f7e8-000000000000002a")
	f.Fuzz(func(t *testing.T, s string) {
		if p, err := ParsePosition(s); err == nil {
			require.Equal(t, s, p.String())
		}
	})
}

func BenchmarkMemory(b *testing.B) {
	to := make([]legacy.UserID, 1000)
	for i := range to {
		to[i] = legacy.UserID(i + 1)
	}
	b.Run("append to 1000", func(b *testing.B) {
		m := NewMemory(MemoryOptions{})
		e := message("c", 1, "hello", to...)
		b.ReportAllocs()
		for b.Loop() {
			if _, err := m.Append(b.Context(), e); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("append to 1 and read", func(b *testing.B) {
		m := NewMemory(MemoryOptions{})
		e := message("c", 1, "hello", 1)
		at, _ := m.End(b.Context())
		b.ReportAllocs()
		for b.Loop() {
			if _, err := m.Append(b.Context(), e); err != nil {
				b.Fatal(err)
			}
			var err error
			if _, at, err = m.Read(b.Context(), 1, at, 10); err != nil {
				b.Fatal(err)
			}
		}
	})
}
