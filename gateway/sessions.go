package gateway

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/xuangate/xuangate/adapter"
	"github.com/xuangate/xuangate/adapter/legacy"
	"github.com/xuangate/xuangate/gateway/login"
	"github.com/xuangate/xuangate/gen/model"
	"github.com/xuangate/xuangate/gen/server"
)

// Login answers POST /login.
func (s rest) Login(ctx context.Context, r server.LoginRequestObject) (server.LoginResponseObject, error) {
	if (r.Body.Password == "") == (r.Body.PasswordMd5 == "") {
		return nil, refuse(model.InvalidParameter, "password: give either password or password_md5")
	}
	digest := strings.ToLower(r.Body.PasswordMd5)
	if r.Body.Password != "" {
		sum := md5.Sum([]byte(r.Body.Password)) // what legacy keeps and compares
		digest = hex.EncodeToString(sum[:])
	}
	user, err := s.checkPassword(ctx, r.Body.Account, digest)
	if err != nil {
		return nil, err
	}
	issued, err := s.issue(ctx, user.Session, r.Body.Platform)
	if err != nil {
		return nil, err
	}
	return server.Login200JSONResponse{Data: model.Login{
		Token: string(issued.Token), Session: user.Session, ExpiresAt: issued.Login.Expires.UnixMicro(), User: user,
	}}, nil
}

// InnerGetToken answers POST /inner/get_token.
func (s rest) InnerGetToken(ctx context.Context, r server.InnerGetTokenRequestObject) (server.InnerGetTokenResponseObject, error) {
	user, err := s.innerUser(ctx, r.Body.Session, r.Body.Account)
	if err != nil {
		return nil, err
	}
	if err := s.vouch(ctx, user); err != nil {
		return nil, err
	}
	issued, err := s.issue(ctx, user.Session, r.Body.Platform)
	if err != nil {
		return nil, err
	}
	return server.InnerGetToken200JSONResponse{Data: string(issued.Token)}, nil
}

// InnerRevokeTokens answers POST /inner/revoke_tokens. A session need not be a user's any more: tokens outlive accounts.
func (s rest) InnerRevokeTokens(ctx context.Context, r server.InnerRevokeTokensRequestObject) (server.InnerRevokeTokensResponseObject, error) {
	session := r.Body.Session
	if session == "" || r.Body.Account != "" {
		user, err := s.innerUser(ctx, session, r.Body.Account)
		if err != nil {
			return nil, err
		}
		session = user.Session
	}
	u, err := adapter.ParseSession(session)
	if err != nil {
		return nil, err
	}
	var platforms []int
	if r.Body.Platform != nil {
		platforms = []int{*r.Body.Platform}
	}
	ended, err := s.logins.Dismiss(ctx, u, platforms...)
	if err != nil {
		return nil, fmt.Errorf("end a user's logins: %w", err)
	}
	for _, l := range ended {
		err = errors.Join(err, s.tellEnd(ctx, model.EventKindRevoked, l))
	}
	if err != nil {
		return nil, err
	}
	return server.InnerRevokeTokens200JSONResponse{Data: model.Revoked{Revoked: len(ended)}}, nil
}

// innerUser is the user that an internal system names, in one of two ways.
func (s *Server) innerUser(ctx context.Context, session model.Session, account string) (model.User, error) {
	if (session == "") == (account == "") {
		return model.User{}, refuse(model.InvalidParameter, "session: give either session or account")
	}
	if account != "" {
		return s.legacy.UserByAccount(ctx, account)
	}
	u, err := adapter.ParseSession(session)
	if err != nil {
		return model.User{}, err
	}
	return s.legacy.User(ctx, u)
}

func (s *Server) vouch(ctx context.Context, user model.User) error {
	u, err := adapter.ParseSession(user.Session)
	if err != nil {
		return err
	}
	return s.legacy.Vouch(ctx, u)
}

// issue signs a session in and tells the streams of the logins that end by it.
func (s *Server) issue(ctx context.Context, session model.Session, platform int) (login.Issued, error) {
	u, err := adapter.ParseSession(session)
	if err != nil {
		return login.Issued{}, err
	}
	issued, err := s.logins.Create(ctx, u, platform, time.Now().Add(s.rules.Load().tokenTTL))
	if err != nil {
		return login.Issued{}, fmt.Errorf("create login: %w", err)
	}
	recordOf(ctx).login = issued.Login
	s.note(ctx, "token_issued", loginAttrs(issued.Login)...)
	for _, ended := range issued.Ended {
		if err := s.tellEnd(ctx, model.EventKindKickoff, ended); err != nil {
			return login.Issued{}, err
		}
	}
	return issued, nil
}

// Logout answers POST /logout.
func (s rest) Logout(ctx context.Context, _ server.LogoutRequestObject) (server.LogoutResponseObject, error) {
	ended, err := s.logins.Revoke(ctx, recordOf(ctx).token)
	if err != nil {
		return nil, fmt.Errorf("revoke login: %w", err)
	}
	if err := s.tellEnd(ctx, model.EventKindRevoked, ended); err != nil {
		return nil, err
	}
	return server.Logout200JSONResponse{}, nil
}

// Kicked ends all logins of a user who signed in at the chat server elsewhere: their streams get kickoff, their tokens
// answer 10103. It may be called from any goroutine.
func (s *Server) Kicked(ctx context.Context, u legacy.UserID) error {
	s.note(ctx, "kick", slog.String("session", u.String()))
	ended, err := s.logins.Replace(ctx, u)
	if err != nil {
		return fmt.Errorf("end a user's logins: %w", err)
	}
	for _, l := range ended {
		err = errors.Join(err, s.tellEnd(ctx, model.EventKindKickoff, l))
	}
	return err
}

// tellEnd ends the streams of a login that the store no longer knows. It is done even when the client does not wait for
// it: the store has forgotten the login already.
func (s *Server) tellEnd(ctx context.Context, why model.EventKind, l login.Login) error {
	s.note(ctx, "token_ended", append(loginAttrs(l), slog.String("why", string(why)))...)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	_, err := s.events.Append(ctx, adapter.Event{Kind: why, To: adapter.Recipients{Users: []legacy.UserID{l.User}, Login: l.ID}})
	if err != nil {
		return fmt.Errorf("tell the end of a login: %w", err)
	}
	return nil
}
