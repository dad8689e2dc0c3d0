package adapter

import (
	"context"
	"strings"

	"github.com/xuangate/xuangate/adapter/legacy"
	"github.com/xuangate/xuangate/gen/model"
)

// SignIn checks an account's password, given as the MD5 in hex that clients send. Over Upstreams the user is then linked,
// which is being online; otherwise nobody is set online. Legacy counts a
// wrong try twice and locks the account at the third for ten minutes, so the call is never repeated.
func (a *Adapter) SignIn(ctx context.Context, account, passwordMD5 string) (model.User, error) {
	const op = "sign in"
	if a.links != nil {
		row, err := a.links.signIn(ctx, account, strings.ToLower(passwordMD5))
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

// Vouch says whether a token may be issued for u without a password: over Upstreams only while the user is signed in, for
// we need the password to act as him.
func (a *Adapter) Vouch(ctx context.Context, u legacy.UserID) error {
	if a.links == nil || a.links.linked(ctx, u) {
		return nil
	}
	return errNotHere
}
