package eventlog

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/xuangate/xuangate/adapter"
	"github.com/xuangate/xuangate/adapter/legacy"
	"github.com/xuangate/xuangate/gen/model"
)

func testWatch(t *testing.T, make func(t *testing.T, size int) Log) {
	t.Run("each entry of the user, and each for all, wakes all who watch", func(t *testing.T) {
		l := newFixture(t, make(t, 100))
		first, second, other := watchOf(t, l, 1), watchOf(t, l, 1), watchOf(t, l, 2)
		for range 3 {
			l.append(text("x"), 1)
			first.woken(t)
			second.woken(t)
		}
		other.asleep(t)
		l.append(text("x"))
		first.woken(t)
		other.woken(t)
	})

	t.Run("who wants messages only is not woken by what is none", func(t *testing.T) {
		l := newFixture(t, make(t, 100))
		woken := 0
		t.Cleanup(l.Watch(1, false, func() { woken++ }))
		l.append(text("a notification"), 1)
		l.append(text("a notification"))
		require.Zero(t, woken)
		every := watchOf(t, l, 1)
		for _, e := range []adapter.Event{message("c", 1, "", 1), {Kind: model.EventKindReset, To: adapter.Recipients{All: true}}} {
			_, err := l.Append(t.Context(), e)
			require.NoError(t, err)
			every.woken(t)
		}
	})

	t.Run("what is not added wakes nobody", func(t *testing.T) {
		l := newFixture(t, make(t, 100))
		l.once("g", "x", 1)
		w := watchOf(t, l, 1)
		l.once("g", "x", 1)
		w.asleep(t)
	})

	t.Run("once stopped it is not woken, the others are", func(t *testing.T) {
		l := newFixture(t, make(t, 100))
		stays := watchOf(t, l, 1)
		woken := false
		stop := l.Watch(1, true, func() { woken = true })
		stop()
		stop()
		l.append(text("x"), 1)
		stays.woken(t)
		require.False(t, woken)
	})
}

// bell rings when a watch wakes.
type bell chan struct{}

func watchOf(t *testing.T, l Log, u legacy.UserID) bell {
	b := make(bell, 1)
	t.Cleanup(l.Watch(u, true, func() {
		select {
		case b <- struct{}{}:
		default:
		}
	}))
	return b
}

func (b bell) woken(t *testing.T) {
	t.Helper()
	select {
	case <-b:
	case <-time.After(10 * time.Second):
		t.Fatal("not woken")
	}
}

// asleep asserts that nothing has woken it. A log that wakes late is given no time to: that would be slow, and waking
// without need is allowed, only wasteful.
func (b bell) asleep(t *testing.T) {
	t.Helper()
	select {
	case <-b:
		t.Fatal("woken without need")
	default:
	}
}
