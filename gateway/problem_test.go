package gateway

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/stretchr/testify/require"

	"github.com/xuangate/xuangate/adapter"
	"github.com/xuangate/xuangate/adapter/legacy"
	"github.com/xuangate/xuangate/gateway/eventlog"
	"github.com/xuangate/xuangate/gateway/login"
	"github.com/xuangate/xuangate/gen/model"
	"github.com/xuangate/xuangate/gen/server"
)

func TestNewProblem(t *testing.T) {
	for _, c := range []struct {
		rule   string
		err    error
		code   model.Code
		status int
	}{
		{"an unknown token", fmt.Errorf("find: %w", login.ErrUnknown), model.InvalidToken, 401},
		{"a store of tokens that is away", fmt.Errorf("find: %w", login.ErrAway), model.Unreachable, 503},
		{"an event log that is away", fmt.Errorf("read: %w", eventlog.ErrAway), model.Unreachable, 503},
		{"a replaced login", login.ErrReplaced, model.SignedInElsewhere, 401},
		{"an unknown path", echo.ErrNotFound, model.NotFound, 404},
		{"another method", echo.ErrMethodNotAllowed, model.MethodNotAllowed, 405},
		{"another media type", echo.ErrUnsupportedMediaType, model.InvalidParameter, 415},
		{"what the framework calls a bad request", echo.ErrBadRequest, model.InvalidParameter, 400},
		{"what the framework calls anything else", echo.ErrTeapot, model.Internal, 500},
		{"a deadline", fmt.Errorf("read: %w", context.DeadlineExceeded), model.TooSlow, 504},
		{"anything else", errors.New("secret"), model.Internal, 500},
		{"a code that is none", &adapter.Error{Code: 12345, Text: "secret"}, model.Internal, 500},
	} {
		t.Run(c.rule, func(t *testing.T) {
			p := newProblem(c.err)
			require.Equal(t, c.code, p.code)
			require.Equal(t, c.status, p.status)
			require.NotContains(t, p.text, "secret")
		})
	}

	t.Run("every code of the document has the status that the document says", func(t *testing.T) {
		spec, err := server.GetSpec()
		require.NoError(t, err)
		codes := spec.Components.Schemas["Code"].Value
		require.Len(t, statuses, len(codes.Enum))
		for _, code := range codes.Enum {
			code := model.Code(code.(float64))
			require.NotZero(t, statuses[code], code)
			if code != model.OK {
				require.Contains(t, codes.Description, fmt.Sprintf("| %d | %d |", code, statuses[code]))
			}
		}
	})

	t.Run("where trying again helps it is said when", func(t *testing.T) {
		require.Equal(t, retryAfter, newProblem(&adapter.Error{Code: model.Unreachable}).retryAfter)
		require.Equal(t, time.Minute, newProblem(&adapter.Error{Code: model.TooManyRequests, RetryAfter: time.Minute}).retryAfter)
	})
}

// TestEveryCode reaches each code of the document by a request.
func TestEveryCode(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.Streams.Address = 1 })
	token := w.signIn(alice, 1)
	replaced := w.signIn(alice, 2)
	w.signIn(alice, 2)
	post := func(path string, token login.Token, body any) func() answer {
		return func() answer { return w.post(path, token, body) }
	}
	// legacyAnswers makes a call while a method has another answer.
	legacyAnswers := func(method string, f func(legacy.Call) (string, error), call func() answer) func() answer {
		return func() answer {
			w.legacy.mu.Lock()
			before := w.legacy.answers[method]
			w.legacy.mu.Unlock()
			w.legacy.answer(method, f)
			defer w.legacy.answer(method, before)
			return call()
		}
	}
	refusedSignIn := func(why string) func() answer {
		return legacyAnswers("login", func(legacy.Call) (string, error) { return fail("login", why) }, post("/login", "", `{"account":"alice","password":"x"}`))
	}
	lost, err := eventlog.ParsePosition("0000000000000000-0000000000000000")
	require.NoError(t, err)

	ways := map[model.Code]func() answer{
		model.OK:               post("/get_joined_conversation", token, nil),
		model.InvalidParameter: post("/send_msg", token, `{}`),
		model.Unreachable:      legacyAnswers("getlist", down, post("/get_joined_conversation", token, nil)),
		model.NotAllowed:       post("/get_joined_conversation", token, `{"SessionId":"5"}`),
		model.TooSlow: legacyAnswers("getlist", func(legacy.Call) (string, error) { return "", context.DeadlineExceeded },
			post("/get_joined_conversation", token, nil)),
		model.NotFound: post("/send_msg", token, `{"conversation_id":"nope","content":"x"}`),
		model.Conflict: legacyAnswers("message", func(legacy.Call) (string, error) { return success("message", []any{}) },
			post("/send_msg", token, `{"conversation_id":"team","content":"x"}`)),
		model.TooLarge: func() answer { return w.post("/send_msg", token, io.LimitReader(blanks{}, maxBody+1)) },
		model.TooManyRequests: func() answer {
			open := w.open(t, model.ProtocolSse, token, "")
			defer eventually(t, func() bool { return w.server.streams.count() == 0 })
			defer open.close()
			return w.ask(w.request(http.MethodGet, "/notify?protoc=poll", token, nil))
		},
		model.PositionLost: func() answer {
			return w.ask(w.request(http.MethodGet, "/notify?protoc=poll&after="+lost.String(), token, nil))
		},
		model.MethodNotAllowed:  func() answer { return w.ask(w.request(http.MethodGet, "/send_msg", token, nil)) },
		model.InvalidToken:      post("/get_joined_conversation", "xg_unknown", nil),
		model.SignedInElsewhere: post("/get_joined_conversation", replaced, nil),
		model.WrongPassword:     refusedSignIn("登录失败，请检查您的用户名或密码是否填写正确。"),
		model.AccountLocked:     refusedSignIn("密码尝试次数太多，请联系管理员解锁，或10分钟后重试。锁定"),
		model.Internal: legacyAnswers("getlist", func(legacy.Call) (string, error) { panic("x") },
			post("/get_joined_conversation", token, nil)),
	}
	// Mode xxb can do all that is asked for here, and legacy tells a disabled account like a wrong password.
	elsewhere := []model.Code{model.Unsupported, model.AccountDisabled}

	for _, code := range slices.Sorted(maps.Keys(statuses)) {
		way := ways[code]
		if way == nil {
			require.Contains(t, elsewhere, code)
			continue
		}
		t.Run(fmt.Sprint(int(code)), func(t *testing.T) {
			a := way()
			require.Equal(t, code, a.code, a.text)
			require.Equal(t, statuses[code], a.status)
			if code == model.Unreachable || code == model.TooManyRequests {
				require.NotEmpty(t, a.header.Get("Retry-After"))
			}
		})
	}
}
