package gateway

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/xuangate/xuangate/adapter"
	"github.com/xuangate/xuangate/gateway/eventlog"
	"github.com/xuangate/xuangate/gateway/login"
	"github.com/xuangate/xuangate/gen/model"
)

// statuses is the HTTP status of every code.
var statuses = map[model.Code]int{
	model.OK:                http.StatusOK,
	model.InvalidParameter:  http.StatusBadRequest,
	model.Unreachable:       http.StatusServiceUnavailable,
	model.NotAllowed:        http.StatusForbidden,
	model.TooSlow:           http.StatusGatewayTimeout,
	model.NotFound:          http.StatusNotFound,
	model.Conflict:          http.StatusConflict,
	model.Unsupported:       http.StatusNotImplemented,
	model.TooLarge:          http.StatusRequestEntityTooLarge,
	model.TooManyRequests:   http.StatusTooManyRequests,
	model.PositionLost:      http.StatusGone,
	model.MethodNotAllowed:  http.StatusMethodNotAllowed,
	model.InvalidToken:      http.StatusUnauthorized,
	model.SignedInElsewhere: http.StatusUnauthorized,
	model.WrongPassword:     http.StatusUnauthorized,
	model.AccountLocked:     http.StatusForbidden,
	model.AccountDisabled:   http.StatusForbidden,
	model.Internal:          http.StatusInternalServerError,
}

// A problem is an error as the client sees it.
type problem struct {
	status     int
	code       model.Code
	text       string
	retryAfter time.Duration
}

// retryAfter is what a client is told to wait where the error does not say.
const retryAfter = 2 * time.Second

// refuse is an error of the gateway's own. Nothing lies behind it: text is all there is to say.
func refuse(code model.Code, format string, args ...any) *adapter.Error {
	return &adapter.Error{Code: code, Op: "gateway", Text: fmt.Sprintf(format, args...)}
}

// newProblem is the only place where an error becomes HTTP. What it does not know is our fault: the client gets a fixed
// sentence, the log the whole error.
func newProblem(err error) problem {
	var ours *adapter.Error
	var framework *echo.HTTPError
	switch {
	case errors.As(err, &ours) && statuses[ours.Code] != 0:
		p := problem{status: statuses[ours.Code], code: ours.Code, text: ours.Text, retryAfter: ours.RetryAfter}
		if (p.code == model.Unreachable || p.code == model.TooManyRequests) && p.retryAfter <= 0 {
			p.retryAfter = retryAfter
		}
		return p
	case errors.Is(err, login.ErrUnknown):
		return of(model.InvalidToken, "the token is unknown, expired or revoked; sign in again")
	case errors.Is(err, login.ErrReplaced):
		return of(model.SignedInElsewhere, "signed in elsewhere on the same platform; sign in again to continue here")
	case errors.Is(err, login.ErrAway), errors.Is(err, eventlog.ErrAway):
		p := of(model.Unreachable, "what the gateway's nodes share cannot be reached; try again")
		p.retryAfter = retryAfter
		return p
	case errors.As(err, &framework):
		return frameworkProblem(framework)
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return of(model.TooSlow, "this took too long; try again")
	}
	return of(model.Internal, "something went wrong on our side; the request id finds it in our logs")
}

// frameworkProblem is for what the router and we ourselves refuse in HTTP's own words.
func frameworkProblem(err *echo.HTTPError) problem {
	switch err.Code {
	case http.StatusNotFound:
		return of(model.NotFound, "no such operation; /openapi.json lists them")
	case http.StatusMethodNotAllowed:
		return of(model.MethodNotAllowed, "method not allowed; the header Allow lists those that are")
	case http.StatusUnsupportedMediaType, http.StatusRequestedRangeNotSatisfiable:
		p := of(model.InvalidParameter, fmt.Sprint(err.Message))
		p.status = err.Code
		return p
	case http.StatusBadRequest:
		return of(model.InvalidParameter, fmt.Sprint(err.Message))
	}
	return of(model.Internal, "something went wrong on our side; the request id finds it in our logs")
}

func of(code model.Code, text string) problem {
	return problem{status: statuses[code], code: code, text: text}
}

// write answers with the problem's envelope. Once an answer has begun nothing more can be said, and nothing is.
func (p problem) write(c echo.Context) error {
	if c.Response().Committed {
		return nil
	}
	h := c.Response().Header()
	if p.retryAfter > 0 {
		h.Set(echo.HeaderRetryAfter, strconv.Itoa(int(math.Ceil(p.retryAfter.Seconds()))))
	}
	if p.code == model.InvalidToken || p.code == model.SignedInElsewhere {
		h.Set(echo.HeaderWWWAuthenticate, "Bearer")
	}
	return c.JSON(p.status, model.Problem{Code: p.code, Error: p.text})
}
