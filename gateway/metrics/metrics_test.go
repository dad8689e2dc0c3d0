package metrics

import (
	"context"
	"errors"
	"fmt"
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

// BenchmarkCall is what a request that asks the chat server once pays for being counted.
func BenchmarkCall(b *testing.B) {
	m, c := New(), legacy.Chat(4, "getlist")
	for b.Loop() {
		m.LegacyCall(b.Context(), c, legacy.Response{Result: legacy.Success}, time.Millisecond, nil)
		m.Request("GetConversations", model.OK, time.Millisecond)
	}
}
