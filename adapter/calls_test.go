package adapter

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/xuangate/xuangate/gen/model"
)

func TestGoldenCalls(t *testing.T) {
	for name, c := range map[string]struct {
		answers map[string]string
		do      func(context.Context, *Adapter) (any, error)
	}{
		"inner_call": {
			map[string]string{"members": frame("members", `{"gid":"team","members":[4,5]}`)},
			func(ctx context.Context, a *Adapter) (any, error) {
				return a.Call(ctx, model.CallRequest{Call: "chat/MEMBERS", Params: []any{"team"}})
			},
		},
		"inner_call_as_user": {
			map[string]string{"addmember": frame("addmember", chatJSON("team", "group", 4))},
			func(ctx context.Context, a *Adapter) (any, error) {
				return a.Call(ctx, model.CallRequest{Call: "chat/addmember", Session: "4", Params: []any{"team", []any{5.0}, false}})
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			pin(t, name, c.answers, func(ctx context.Context, a *Adapter) (any, error) {
				a.calls = map[string]bool{"chat/members": true, "chat/addmember": true}
				return c.do(ctx, a)
			})
		})
	}
}

func TestCallsAreRefusedBeforeTheCall(t *testing.T) {
	for name, c := range map[string]struct {
		r    model.CallRequest
		want model.Code
	}{
		"kicks everybody out":  {model.CallRequest{Call: "chat/nosuch"}, model.NotAllowed},
		"never for others":     {model.CallRequest{Call: "chat/serverStart"}, model.NotAllowed},
		"not listed":           {model.CallRequest{Call: "chat/getlist"}, model.NotAllowed},
		"one param too few":    {model.CallRequest{Call: "chat/history", Params: []any{"team", 5.0, 1.0, 0.0, false}}, model.InvalidParameter},
		"one param too many":   {model.CallRequest{Call: "chat/history", Params: []any{"team", 5.0, 1.0, 0.0, false, 0.0, 5.0}}, model.InvalidParameter},
		"everybody's messages": {model.CallRequest{Call: "chat/history", Params: []any{"", 5.0, 1.0, 0.0, false, 0.0}}, model.InvalidParameter},
		"a password":           {model.CallRequest{Call: "chat/userchange", Params: []any{map[string]any{"account": "alice", "password": "x"}}}, model.InvalidParameter},
		"what PHP cannot read": {model.CallRequest{Call: "chat/userchange", Params: []any{map[string]any{"\x00": "x"}}}, model.InvalidParameter},
		"nobody to act as":     {model.CallRequest{Call: "chat/userchange", Session: "99", Params: []any{map[string]any{"qq": "1"}}}, model.InvalidParameter},
	} {
		t.Run(name, func(t *testing.T) {
			a, s := newScripted(t)
			a.calls = map[string]bool{"chat/history": true, "chat/userchange": true}
			_, err := a.Call(t.Context(), c.r)
			require.Equal(t, c.want, code(err))
			require.Empty(t, s.methods())
		})
	}
	for name := range callables {
		require.NoError(t, CheckCall(name))
		require.NotContains(t, uncallable, name)
		require.True(t, strings.HasPrefix(name, "chat/"), "Call knows no other module")
	}
}
