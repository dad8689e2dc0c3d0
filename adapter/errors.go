package adapter

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/xuangate/xuangate/adapter/legacy"
	"github.com/xuangate/xuangate/gen/model"
)

// Error is why an operation did not work. Code and Text are for the client, Op and Err for the operator's log.
type Error struct {
	Code       model.Code
	Op         string        // what was being done
	Text       string        // a sentence that says what to do; never a secret, never another user's data
	RetryAfter time.Duration // with Unreachable, when to try again; 0 otherwise
	Holder     string        // with Unreachable, the node that could: the one that holds the user's link; else ""
	Err        error         // what lay behind it, or nil
}

// HolderOf names the node that could do what failed with err; "" where none is known.
func HolderOf(err error) string {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Holder
	}
	return ""
}

func (e *Error) Error() string {
	s := fmt.Sprintf("%s: %s (%d)", e.Op, e.Text, e.Code)
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

func (e *Error) Unwrap() error { return e.Err }

// retryAfter is what a client is told to wait when the chat server does not answer. Without it clients come back at once
// and keep a struggling server down.
const retryAfter = 2 * time.Second

func refuse(op string, code model.Code, format string, args ...any) *Error {
	return &Error{Code: code, Op: op, Text: fmt.Sprintf(format, args...)}
}

func notMember(op string) *Error {
	return refuse(op, model.NotFound, "no such conversation, or you are not a member of it")
}

// code is the facade's code of an error: OK for none, Internal for a fault of our own.
func code(err error) model.Code {
	if err == nil {
		return model.OK
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Code
	}
	return model.Internal
}

// noAnswer is the error for a call that got none.
func noAnswer(op string, err error) *Error {
	if known, ok := errors.AsType[*Error](err); ok {
		return known
	}
	e := &Error{Op: op, Err: err}
	if large, ok := errors.AsType[*legacy.TooLargeError](err); ok {
		e.Code, e.Text = model.TooLarge, large.Error()
		return e
	}
	if lacks, ok := errors.AsType[*legacy.UnsupportedError](err); ok {
		e.Code, e.Text = model.Unsupported, lacks.Error()
		return e
	}
	switch {
	case errors.Is(err, legacy.ErrKicked):
		e.Code, e.Text = model.SignedInElsewhere, "you signed in to the chat server elsewhere; sign in again to continue here"
	case errors.Is(err, context.DeadlineExceeded):
		e.Code, e.Text = model.TooSlow, "the chat server took too long; whether it was done is unknown"
	case errors.Is(err, context.Canceled):
		e.Code, e.Text = model.TooSlow, "the request was given up before the chat server answered"
	default:
		e.Code, e.Text, e.RetryAfter = model.Unreachable, "the chat server does not answer; try again", retryAfter
	}
	if errors.Is(err, legacy.ErrNotSent) && e.Code == model.TooSlow {
		e.Text = "the chat server is too slow; nothing was sent to it, try again"
	}
	return e
}

// reasons maps the words with which legacy refuses (zh-cn, the language all our calls ask for; recorded: 13_errors,
// 08_group_ops) to our codes. Words that are not here are a conflict.
var reasons = map[string]struct {
	code model.Code
	text string
}{
	"会话不存在。":   {model.NotFound, "no such conversation, or you are not a member of it"},
	"不是多人会话。":  {model.Conflict, "the conversation is not a group"},
	"不是公开会话。":  {model.NotAllowed, "the conversation is not public"},
	"没有发言权限。":  {model.NotAllowed, "you may not speak in this conversation"},
	"讨论组已被解散":  {model.Conflict, "the conversation has been dismissed"},
	"不是系统管理员。": {model.NotAllowed, "only a super admin may do this"},
	"不是系统会话。":  {model.Conflict, "this works on the system conversation only"},
}

// refused is the error for a call that legacy answered with fail or denied.
func refused(op string, r legacy.Response) *Error {
	if r.Result == legacy.Denied {
		return refuse(op, model.InvalidToken, "the chat server asks for a new sign-in; sign in again")
	}
	said := r.Reason()
	if known, ok := reasons[said]; ok {
		return refuse(op, known.code, "%s", known.text)
	}
	return refuse(op, model.Conflict, "the chat server refused: %q", said)
}
