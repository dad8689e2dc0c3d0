package gateway

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/xuangate/xuangate/adapter"
	"github.com/xuangate/xuangate/adapter/legacy"
	"github.com/xuangate/xuangate/gateway/login"
	"github.com/xuangate/xuangate/gen/model"
)

// checkPassword has the chat server check a password, given as the MD5 in hex, where limits and Guard let it get there.
func (s *Server) checkPassword(ctx context.Context, account, digest string) (model.User, error) {
	if err := s.limits.signIn(recordOf(ctx).client, account); err != nil {
		return model.User{}, err
	}
	try, err := s.guard.Enter(ctx, account, digest)
	switch {
	case errors.Is(err, login.ErrTries):
		s.metrics.LimitHit("wrong_passwords")
		e := refuse(model.TooManyRequests, "too many wrong passwords for this account; the one it was last signed in with here still works at once. "+
			"For another, sign in with the desktop client first, or ask for a token by /inner/get_token")
		e.Err, e.RetryAfter = err, login.LockTime
		return model.User{}, e
	case errors.Is(err, login.ErrBusy):
		s.metrics.LimitHit("password_checks")
		return model.User{}, refuse(model.TooManyRequests, "too many sign-ins at once; try again")
	case err != nil:
		return model.User{}, fmt.Errorf("let a sign-in through: %w", err)
	}
	user, err := s.legacy.SignIn(ctx, try.Account, digest)
	if settled := settle(ctx, try, err); settled != nil {
		// Standings that cannot be written let nobody in: they would forget what the chat server counts.
		return model.User{}, errors.Join(err, fmt.Errorf("note how a sign-in went: %w", settled))
	}
	return user, err
}

// settleTimeout bounds noting how a sign-in went, which is done even when the client has gone.
const settleTimeout = 5 * time.Second

// settle tells the Guard how a sign-in went. What may have been counted by the chat server is: else whoever makes it slow could try
// for as long as it is.
func settle(ctx context.Context, try *login.Try, err error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTimeout)
	defer cancel()
	if err == nil {
		return try.Good(ctx, try.Account)
	}
	if errors.Is(err, legacy.ErrNotSent) {
		return try.Back(ctx)
	}
	var known *adapter.Error
	if !errors.As(err, &known) {
		return try.Wrong(ctx)
	}
	switch known.Code {
	case model.AccountLocked:
		return try.Locked(ctx)
	case model.AccountDisabled, model.Unreachable: // counted for nobody
		return try.Back(ctx)
	case model.SignedInElsewhere: // the password was right
		return try.Good(ctx, try.Account)
	case model.WrongPassword:
		return try.Wrong(ctx)
	}
	if try.Proven() {
		return try.Back(ctx) // no answer says nothing against the password
	}
	return try.Wrong(ctx)
}
