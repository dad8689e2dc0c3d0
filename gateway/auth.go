package gateway

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/xuangate/xuangate/gateway/login"
	"github.com/xuangate/xuangate/gen/model"
)

// authenticate lets a request pass that may call its operation, as the document says: with a token, with the inner key,
// or without anything; and not more of them than one address or token may make. Whoever asks for our health always may.
func (s *Server) authenticate(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		r := c.Request()
		op := s.operationOf(c)
		from := arrivalOf(r.Context())
		if from == nil && (op == nil || !op.health) { // what another node forwards was counted there
			if err := s.limits.address(recordOf(r.Context()).client); err != nil {
				return err
			}
		}
		switch {
		case from != nil:
			if err := from.vouch(op); err != nil {
				return err
			}
			recordOf(r.Context()).login = login.Login{ID: from.Login, User: from.User}
		case op == nil:
		case op.innerKey:
			if err := s.checkInner(r); err != nil {
				return err
			}
		case op.bearer:
			if err := s.identify(r, op.queryToken); err != nil {
				return err
			}
			if err := s.limits.token(caller(r.Context()).ID); err != nil {
				return err
			}
		}
		return next(c)
	}
}

// vouch lets a request of another node pass, which has checked who makes it, unless it comes from no node or was checked for
// something else.
func (a *arrival) vouch(op *operation) error {
	switch {
	case a.err != nil:
		return a.err
	case op == nil:
	case op.innerKey && !a.Inner, op.bearer && a.User == 0:
		return refuse(model.NotAllowed, nodeHeader+": does not say who may do this")
	}
	return nil
}

// identify finds the login a request is made for: by the token in its header; from the query, only where the operation allows
// it, by a ticket or a token.
func (s *Server) identify(r *http.Request, inQuery bool) (err error) {
	ctx, rec := r.Context(), recordOf(r.Context())
	if ticket := r.URL.Query().Get("ticket"); inQuery && ticket != "" && r.Header.Get(echo.HeaderAuthorization) == "" {
		rec.login, err = s.logins.Redeem(ctx, login.Ticket(ticket))
		if errors.Is(err, login.ErrUnknown) {
			return refuse(model.InvalidToken, "the ticket is unknown, used or too old; ask /notify_ticket for another")
		}
		return err
	}
	token, err := readToken(r, inQuery)
	if err != nil {
		return err
	}
	if rec.login, err = s.logins.Find(ctx, token); err != nil {
		return err
	}
	rec.token = token
	return nil
}

// caller is the login on whose behalf the request of ctx is made. Operations that need no token have none.
func caller(ctx context.Context) login.Login { return recordOf(ctx).login }

// readToken takes the token from its header; from the query only where the operation allows it.
func readToken(r *http.Request, inQuery bool) (login.Token, error) {
	if h := r.Header.Get(echo.HeaderAuthorization); h != "" {
		scheme, token, _ := strings.Cut(h, " ")
		if !strings.EqualFold(scheme, "Bearer") {
			return "", refuse(model.InvalidToken, "send Authorization: Bearer TOKEN")
		}
		return login.Token(strings.TrimSpace(token)), nil
	}
	if inQuery {
		if token := r.URL.Query().Get("token"); token != "" {
			return login.Token(token), nil
		}
		return "", refuse(model.InvalidToken, "send Authorization: Bearer TOKEN, or ticket=TICKET or token=TOKEN in the query")
	}
	return "", refuse(model.InvalidToken, "send Authorization: Bearer TOKEN")
}

// checkInner guards /inner: a key must be configured, the client's address must be allowed and beyond doubt, and the key
// must be right. The comparison tells nothing by its time, not even the key's length.
func (s *Server) checkInner(r *http.Request) error {
	rules := s.rules.Load()
	if rules.innerKey == "" {
		return refuse(model.NotAllowed, "the inner interface is off: no inner key is configured")
	}
	if s.forwarded(r) || !contains(rules.innerAllow, s.clientAddr(r)) {
		return refuse(model.NotAllowed, "the inner interface is not open to your address")
	}
	given, want := sha256.Sum256([]byte(r.Header.Get("X-Inner-Key"))), sha256.Sum256([]byte(rules.innerKey))
	if subtle.ConstantTimeCompare(given[:], want[:]) != 1 {
		return refuse(model.NotAllowed, "X-Inner-Key is missing or wrong")
	}
	return nil
}
