package adapter

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/xuangate/xuangate/adapter/legacy"
	"github.com/xuangate/xuangate/gen/model"
)

// SignIn checks an account's password, given as the MD5 in hex that clients send. Over Upstreams the user is then linked,
// which is being online; otherwise nobody is set online. Legacy counts a
// wrong try twice and locks the account at the third for ten minutes, so the call is never repeated.
func (a *Adapter) SignIn(ctx context.Context, account, passwordMD5 string) (model.User, error) {
	const op = "sign in"
	if a.links != nil {
		row, err := a.links.signIn(ctx, account, strings.ToLower(passwordMD5), true)
		return facadeUser(row), signInError(op, err)
	}
	// serverName "" is the default backend; status "" checks and marks nothing (recorded: 01_login_sequence).
	_, err := a.call(ctx, op, legacy.Chat(0, "login", "", account, strings.ToLower(passwordMD5), ""))
	if e, ok := err.(*Error); ok && e.Code == model.Conflict {
		// The words say why (recorded: 02_login_wrong_password); only "locked" is told apart by them.
		if strings.Contains(e.Text, "锁定") {
			return model.User{}, refuse(op, model.AccountLocked, "the account is locked after wrong passwords; try again in ten minutes")
		}
		return model.User{}, refuse(op, model.WrongPassword, "wrong account or password; the chat server locks the account after three wrong tries")
	}
	if err != nil {
		return model.User{}, err
	}
	return a.UserByAccount(ctx, account)
}

// signedInBy tells of a sign-in that was not by SignIn.
func (a *Adapter) signedInBy(ctx context.Context, account string, good bool) {
	if a.onSignIn != nil && account != "" {
		a.onSignIn(ctx, account, good)
	}
}

// Vouch says whether a token may be issued for u without a password: over Upstreams only while the user is signed in, for
// we need the password to act as him.
func (a *Adapter) Vouch(ctx context.Context, u legacy.UserID) error {
	if a.links == nil || a.links.linked(ctx, u) {
		return nil
	}
	return errNotHere
}

// signInError is what a client is told of a sign-in that failed.
func signInError(op string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, legacy.ErrPassword):
		return &Error{Code: model.WrongPassword, Op: op, Err: err, Text: "wrong account or password, or the account is locked for ten minutes after three wrong tries; this chat server does not tell which"}
	case errors.Is(err, legacy.ErrLocked):
		return &Error{Code: model.AccountLocked, Op: op, Err: err, Text: "the account is locked for now; try again later"}
	case errors.Is(err, legacy.ErrDisabled):
		return &Error{Code: model.AccountDisabled, Op: op, Err: err, Text: "the account is disabled"}
	case errors.Is(err, legacy.ErrFull):
		return &Error{Code: model.Unreachable, Op: op, Err: err, Text: "the chat server has as many users online as it takes; try again later", RetryAfter: 30 * time.Second}
	case errors.Is(err, legacy.ErrKicked):
		return &Error{Code: model.SignedInElsewhere, Op: op, Err: err, Text: "you signed in elsewhere at the same moment; try again"}
	}
	return noAnswer(op, fmt.Errorf("sign in: %w", err))
}
