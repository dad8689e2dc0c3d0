package gateway

import (
	"context"
	"encoding/json"
	"log/slog"
	"slices"

	"github.com/labstack/echo/v4"

	"github.com/xuangate/xuangate/gateway/login"
	"github.com/xuangate/xuangate/gen/model"
	"github.com/xuangate/xuangate/gen/server"
)

// The audit log tells who got in, by which token, and what internal systems did: each record has audit=true, an event, and where it
// came from. README.md names the fields. Nothing that a client sends gets into it but targets.

// targets are the fields of requests that name what is acted on. No others are told: they may hold what people say.
var targets = []string{
	"session", "sessions", "account", "platform", "owner", "members", "users", "conversation_id", "conversation_ids",
	"group", "groups", "module", "method",
}

// maxTarget bounds a target in bytes. Without it a list of thousands of members is a line of the log.
const maxTarget = 256

// audit writes a record of each sign-in and sign-out and of each request to /inner, however it ended. Events in between are
// noted where they happen.
func (s *Server) audit(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		err := next(c)
		op := s.operationOf(c)
		if op == nil || !op.innerKey && op.id != "Login" && op.id != "Logout" {
			return err
		}
		rec := recordOf(c.Request().Context())
		event := map[string]string{"Login": "sign_in", "Logout": "sign_out"}[op.id]
		if op.innerKey {
			event = "inner"
		}
		attrs := append([]slog.Attr{slog.String("operation", op.id)}, rec.target...)
		if rec.login.ID != "" {
			attrs = append(attrs, loginAttrs(rec.login)...)
		}
		code := model.OK
		if err != nil {
			p := newProblem(err)
			code = p.code
			attrs = append(attrs, slog.String("why", p.text))
		}
		s.note(c.Request().Context(), event, append(attrs, slog.Bool("ok", err == nil), slog.Int("code", int(code)))...)
		return err
	}
}

// note writes a record of the audit log, with the request it belongs to if there is one.
func (s *Server) note(ctx context.Context, event string, attrs ...slog.Attr) {
	all := []slog.Attr{slog.Bool("audit", true), slog.String("event", event)}
	if rec := recordOf(ctx); rec != nil {
		all = append(all, slog.String("request", rec.id), slog.String("client", rec.client.String()))
	}
	s.auditLog.LogAttrs(ctx, slog.LevelInfo, "audit", append(all, attrs...)...)
}

// loginAttrs name a login.
func loginAttrs(l login.Login) []slog.Attr {
	return []slog.Attr{slog.String("login", l.ID), slog.String("user", l.User.String()), slog.Int("on", l.Platform)}
}

// noteTarget keeps what a request acts on for its record.
func noteTarget(next server.StrictHandlerFunc, _ string) server.StrictHandlerFunc {
	return func(c echo.Context, request any) (any, error) {
		if rec := recordOf(c.Request().Context()); rec != nil {
			if op := c.Path(); op == "/login" || len(op) > 7 && op[:7] == "/inner/" {
				rec.target = targetsOf(request)
			}
		}
		return next(c, request)
	}
}

// targetsOf reads the targets from an operation's request, which has its body as Body.
func targetsOf(request any) (attrs []slog.Attr) {
	text, err := json.Marshal(request)
	if err != nil {
		return nil
	}
	var fields struct{ Body map[string]json.RawMessage }
	if json.Unmarshal(text, &fields) != nil {
		return nil
	}
	for name, value := range fields.Body {
		if !slices.Contains(targets, name) {
			continue
		}
		var one string
		if json.Unmarshal(value, &one) != nil {
			one = string(value)
		}
		if len(one) > maxTarget {
			one = one[:maxTarget] + "…"
		}
		attrs = append(attrs, slog.String(name, one))
	}
	slices.SortFunc(attrs, func(a, b slog.Attr) int { return slices.Index(targets, a.Key) - slices.Index(targets, b.Key) })
	return attrs
}
