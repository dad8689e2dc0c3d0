package adapter

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/xuangate/xuangate/adapter/legacy"
	"github.com/xuangate/xuangate/gen/model"
)

// profileFields are what users may change of themselves; status and password are no profile.
var profileFields = []string{"avatar", "gender", "email", "mobile", "phone", "qq", "site", "address"}

// UpdateProfile changes the fields of r that are given, and tells everybody. Legacy cannot empty a field. Its 2.x versions pass
// a realname over, so that is tried before anything else is changed. Conflict says that legacy stores something else than
// what was sent.
func (a *Adapter) UpdateProfile(ctx context.Context, u legacy.UserID, r model.UpdateMeRequest) (model.User, error) {
	const op = "change profile"
	fields := map[string]string{
		"avatar": r.Avatar, "gender": string(r.Gender), "email": r.Email, "mobile": r.Mobile, "phone": r.Phone, "qq": r.Qq,
		"site": r.Site, "address": r.Address,
	}
	maps.DeleteFunc(fields, func(_, value string) bool { return value == "" })
	for field, value := range fields {
		if err := a.fitsProfile(op, field, value); err != nil {
			return model.User{}, err
		}
	}
	if len(fields) > 0 {
		if err := a.has(op, model.CapabilityProfile); err != nil {
			return model.User{}, err
		}
	}
	me, err := a.userRow(ctx, op, u)
	if err != nil {
		return model.User{}, err
	}
	if r.Realname != "" && r.Realname != string(me.Realname) {
		if err := a.fitsProfile(op, "realname", r.Realname); err != nil {
			return model.User{}, err
		}
		// Alone it could be a change of nothing, which legacy tells everybody as null; gender is never empty.
		if me, err = a.changeUser(ctx, op, u, map[string]string{"realname": r.Realname, "gender": string(me.Gender)}); err != nil {
			return model.User{}, err
		}
	}
	if len(fields) > 0 {
		if me, err = a.changeUser(ctx, op, u, fields); err != nil {
			return model.User{}, err
		}
	}
	return facadeUser(me), nil
}

// fitsProfile refuses what legacy would not store as it is. "0" is empty to PHP, and empty values change nothing.
func (a *Adapter) fitsProfile(op, field, value string) error {
	if value == "0" {
		return refuse(op, model.Conflict, "%s: the chat server takes 0 for empty, and cannot empty a field", field)
	}
	if bad := a.emoji.unfit(value); bad != "" {
		return refuse(op, model.Conflict, "%s: the chat server cannot store %q in a profile", field, bad)
	}
	return nil
}

// ChooseStatus notes what u is to be seen as from now on, at whatever node. ShowStatus shows it to those who are online; where presence
// comes from streams, only while u has one, or legacy would keep nothing for him.
func (a *Adapter) ChooseStatus(ctx context.Context, u legacy.UserID, status model.SetStatusRequestStatus) {
	if err := a.looks.choose(ctx, u, status); err != nil {
		a.log.WarnContext(ctx, "could not keep what a user chose to be seen as; other nodes do not know of it", "session", u.String(), "error", err)
	}
}

// ShowStatus has u, who is online, seen as he chose, and tells everybody.
func (a *Adapter) ShowStatus(ctx context.Context, u legacy.UserID) (model.User, error) {
	row, err := a.changeUser(ctx, "set status", u, map[string]string{"status": string(a.looks.of(ctx, u))})
	return facadeUser(row), err
}

// OnlineByLink says that users are online by their own connection to the server, whether they have a stream or not.
func (a *Adapter) OnlineByLink() bool { return a.links != nil }

// changeUser changes fields of u, tells everybody, and compares what legacy has then with what was sent.
func (a *Adapter) changeUser(ctx context.Context, op string, u legacy.UserID, fields map[string]string) (legacy.UserRow, error) {
	ctx = context.WithoutCancel(ctx) // once it is sent it may be done, and then it must be told
	r, err := a.call(ctx, op, legacy.Chat(u, "userchange", fields))
	var row legacy.UserRow
	switch k := code(err); {
	case (r.Unsure || k == model.Unreachable || k == model.TooSlow) && !errors.Is(err, legacy.ErrNotSent):
		rows, askErr := a.usersByID(ctx, op, []legacy.UserID{u})
		if askErr != nil || len(rows) == 0 {
			return row, cmp.Or(err, askErr, error(noSuchUser(op, u)))
		}
		row = rows[0]
	case err != nil:
		return row, err
	default:
		if err := spoken(op, r, &row); err != nil {
			return row, err
		}
		if legacy.UserID(row.ID) != u {
			return row, refuse(op, model.Conflict, "the chat server changed nothing")
		}
	}
	if err := a.userMayHaveChanged(ctx, row); err != nil {
		return row, err
	}
	for _, field := range slices.Sorted(maps.Keys(fields)) {
		if kept, told := keeps(row, field, fields[field]); !told {
			if err != nil {
				return row, err
			}
			return row, refuse(op, model.Conflict, "%s: the chat server keeps %q instead of what was sent", field, kept)
		}
	}
	return row, nil
}

// keeps compares a field as legacy has it with what was sent, where it tells the field. It answers a picture's path with
// the site's address before it.
func keeps(row legacy.UserRow, field, sent string) (kept string, same bool) {
	switch field {
	case "avatar":
		return string(row.Avatar), strings.HasSuffix(string(row.Avatar), sent)
	case "address":
		return "", true
	}
	kept = string(map[string]legacy.Text{
		"realname": row.Realname, "gender": row.Gender, "email": row.Email, "mobile": row.Mobile, "phone": row.Phone,
		"qq": row.QQ, "site": row.Site, "status": row.Status,
	}[field])
	return kept, kept == sent
}
