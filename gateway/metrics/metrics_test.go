package metrics

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/xuangate/xuangate/adapter/legacy"
	"github.com/xuangate/xuangate/gen/model"
)

func TestMethod(t *testing.T) {
	require.Equal(t, "chat/getlist", Method(legacy.Chat(4, "getlist", 1)))
	require.Equal(t, "other", Method(legacy.Call{Module: "user", Method: "anything"}))
}

func TestOutcome(t *testing.T) {
	for want, err := range map[string]error{
		"timeout":     fmt.Errorf("call: %w", context.DeadlineExceeded),
		"canceled":    context.Canceled,
		"unreachable": errors.New("refused"),
	} {
		require.Equal(t, want, Outcome(legacy.Response{}, err))
	}
	require.Equal(t, "ok", Outcome(legacy.Response{Result: legacy.Success}, nil))
	require.Equal(t, "refused", Outcome(legacy.Response{Result: "fail"}, nil))
}

func TestSeriesAreFoundOnce(t *testing.T) {
	var made atomic.Int64
	s := newSeries(func(k int) *int { made.Add(1); return &k })
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for k := range 100 {
				require.Equal(t, k, *s.find(k))
				require.Same(t, s.find(k), s.find(k))
			}
		})
	}
	all.Wait()
	require.EqualValues(t, 100, made.Load())
}

// BenchmarkCall is what a request that asks the chat server once pays for being counted (target: a microsecond).
func BenchmarkCall(b *testing.B) {
	m, c := New(), legacy.Chat(4, "getlist")
	for b.Loop() {
		m.LegacyCall(b.Context(), c, legacy.Response{Result: legacy.Success}, time.Millisecond, nil)
		m.Request("GetConversations", model.OK, time.Millisecond)
	}
}
