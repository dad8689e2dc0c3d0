package sdk

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/xuangate/xuangate/gen/model"
)

// A Code is what the server says came of a call; 0 is success. The API's description lists them.
type Code = model.Code

// What a call may fail with, for errors.Is. Each but the last two stands for one code of the API.
var (
	ErrInvalidParameter  error = codeError(model.InvalidParameter)
	ErrUnreachable       error = codeError(model.Unreachable) // the chat server behind the gateway
	ErrNotAllowed        error = codeError(model.NotAllowed)
	ErrTooSlow           error = codeError(model.TooSlow)
	ErrNotFound          error = codeError(model.NotFound) // or not a member
	ErrConflict          error = codeError(model.Conflict)
	ErrUnsupported       error = codeError(model.Unsupported)
	ErrTooLarge          error = codeError(model.TooLarge)
	ErrTooManyRequests   error = codeError(model.TooManyRequests)
	ErrPositionLost      error = codeError(model.PositionLost)
	ErrMethodNotAllowed  error = codeError(model.MethodNotAllowed)
	ErrInvalidToken      error = codeError(model.InvalidToken) // unknown, expired or revoked
	ErrSignedInElsewhere error = codeError(model.SignedInElsewhere)
	ErrWrongPassword     error = codeError(model.WrongPassword)
	ErrAccountLocked     error = codeError(model.AccountLocked)
	ErrAccountDisabled   error = codeError(model.AccountDisabled)
	ErrInternal          error = codeError(model.Internal)

	// ErrSuperseded ends events whose user has opened more streams than one may have: this was the oldest.
	ErrSuperseded = errors.New("xuangate: gave way to a newer stream of the same user")
	// ErrNotGateway says that what answered is not the gateway: a proxy's error page, a captive portal, another server.
	ErrNotGateway = errors.New("xuangate: the answer is not the gateway's")
)

// codeError is a code as an error to compare with.
type codeError model.Code

func (e codeError) Error() string { return fmt.Sprintf("xuangate: code %d", int(e)) }

// An Error is a call that did not work, or the end of events.
type Error struct {
	// Code is the API's; 0 where the answer was not the gateway's, and for ErrSuperseded.
	Code Code
	// Text is the server's sentence: what is wrong and what to do.
	Text string
	// Status is the HTTP status, 0 where there was none.
	Status int
	// RetryAfter is how long the server asks to wait before the next try, 0 if it does not.
	RetryAfter time.Duration
	// RequestID names the request in the server's log.
	RequestID string
	// Ended is how events ended: kickoff, revoked, expired or superseded. Empty for anything else.
	Ended EventKind
}

func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("xuangate: ")
	b.WriteString(e.Text)
	if e.Code != 0 {
		fmt.Fprintf(&b, " (code %d", e.Code)
		if e.RequestID != "" {
			fmt.Fprintf(&b, ", request %s", e.RequestID)
		}
		b.WriteString(")")
	}
	return b.String()
}

// Is makes errors.Is work with the Err… values.
func (e *Error) Is(target error) bool {
	switch target {
	case ErrSuperseded:
		return e.Ended == model.EventKindSuperseded
	case ErrNotGateway:
		return e.Code == 0 && e.Ended == ""
	}
	code, ok := target.(codeError)
	return ok && e.Code != 0 && Code(code) == e.Code
}

// refusal reads the error out of an answer, of which body is all, or the beginning. It is nil for an answer that says all is well.
func refusal(resp *http.Response, body []byte) *Error {
	e := &Error{Status: resp.StatusCode, RequestID: resp.Header.Get("X-Request-Id"), RetryAfter: retryAfter(resp.Header)}
	var p struct {
		Code  *Code
		Error string
	}
	if json.Unmarshal(body, &p) != nil || p.Code == nil {
		e.Text = fmt.Sprintf("what answered is not the gateway: HTTP %d, %s", resp.StatusCode, orNothing(resp.Header.Get("Content-Type")))
		return e
	}
	if *p.Code == model.OK && resp.StatusCode == http.StatusOK {
		return nil
	}
	e.Code, e.Text = *p.Code, p.Error
	if e.Code == model.OK {
		e.Text = fmt.Sprintf("HTTP %d with code 0, which the gateway never says", resp.StatusCode)
	}
	return e
}

func orNothing(contentType string) string {
	if contentType == "" {
		return "without a content type"
	}
	return contentType
}

// retryAfter reads Retry-After, in seconds or as a date.
func retryAfter(h http.Header) time.Duration {
	text := h.Get("Retry-After")
	if seconds, err := strconv.Atoi(text); err == nil && seconds > 0 {
		return time.Duration(seconds) * time.Second
	}
	if at, err := http.ParseTime(text); err == nil {
		return max(0, time.Until(at))
	}
	return 0
}

// ended is the error of events that are over for good.
func ended(why EventKind) *Error {
	e := &Error{Ended: why}
	switch why {
	case model.EventKindKickoff:
		e.Code, e.Text = model.SignedInElsewhere, "signed in elsewhere on the same platform; sign in again to continue here"
	case model.EventKindSuperseded:
		e.Text = "the user has opened more streams than he may have, and this was the oldest"
	case model.EventKindExpired:
		e.Code, e.Text = model.InvalidToken, "the token has expired; sign in again"
	default:
		e.Code, e.Text = model.InvalidToken, "the token was revoked; sign in again"
	}
	return e
}
