package adapter

import (
	"bytes"
	"context"
	"encoding/json"
	"reflect"
	"strings"

	"github.com/xuangate/xuangate/adapter/legacy"
	"github.com/xuangate/xuangate/gen/model"
)

// settingsKey is where our clients' settings lie in a user's. Changing it loses them all.
const settingsKey = "xuangate"

// maxSettings bounds our part, in bytes as the backend stores it. A user's settings share one column, and what does not fit
// reads as nothing at all afterwards; without this our clients could leave the desktop client no room for its own.
const maxSettings = 16 << 10

// Settings returns what our clients keep of u; an empty object for nothing.
func (a *Adapter) Settings(ctx context.Context, u legacy.UserID) (model.Settings, error) {
	const op = "get settings"
	account, err := a.settingsAccount(ctx, op, u)
	if err != nil {
		return model.Settings{}, err
	}
	all, err := a.readSettings(ctx, op, u, account)
	if err != nil {
		return model.Settings{}, err
	}
	own, _ := all[settingsKey].(map[string]any)
	if own == nil {
		own = map[string]any{}
	}
	return model.Settings{Settings: own}, nil
}

// SaveSettings keeps settings of u in the place of those of before. Legacy replaces a user's settings as a whole, so the
// desktop client's are read first and written back with ours; what it writes in the moment between is lost.
func (a *Adapter) SaveSettings(ctx context.Context, u legacy.UserID, own map[string]any) (model.Settings, error) {
	const op = "save settings"
	account, err := a.settingsAccount(ctx, op, u)
	if err != nil {
		return model.Settings{}, err
	}
	if err := legacy.Sendable(own); err != nil {
		return model.Settings{}, refuse(op, model.InvalidParameter, "settings: %s", err)
	}
	if n, err := legacy.StoredSize(own); err != nil || n > maxSettings {
		return model.Settings{}, refuse(op, model.TooLarge, "settings: %d bytes as the chat server stores them, at most %d", n, maxSettings)
	}
	leave, err := a.lanes.enter(ctx, "settings of "+u.String())
	if err != nil {
		return model.Settings{}, noAnswer(op, err)
	}
	defer leave()
	all, err := a.readSettings(ctx, op, u, account)
	if err != nil {
		return model.Settings{}, err
	}
	if a.links != nil { // numbers pass xxd as floats, so one this long may have been another
		if err := legacy.Sendable(all); err != nil {
			return model.Settings{}, refuse(op, model.Conflict, "what the desktop client keeps %s; it is left alone, and so nothing can be kept beside it", err)
		}
	}
	all[settingsKey] = own
	if n, err := legacy.StoredSize(all); err != nil || n > legacy.MaxStored {
		return model.Settings{}, refuse(op, model.TooLarge, "settings: with the desktop client's %d bytes, at most %d; keep less", n, legacy.MaxStored)
	}
	r, err := a.call(ctx, op, legacy.Chat(u, "settings", account, all))
	if err != nil {
		return model.Settings{}, err
	}
	stored, err := settingsIn(op, r)
	if err != nil {
		return model.Settings{}, err
	}
	if r.Unsure || !alike(stored, all) {
		return model.Settings{}, refuse(op, model.Conflict, "the chat server may have changed the settings; read them again")
	}
	return model.Settings{Settings: own}, nil
}

// settingsAccount is the account under which u's settings lie. Legacy takes what is before a dot for another account.
func (a *Adapter) settingsAccount(ctx context.Context, op string, u legacy.UserID) (string, error) {
	row, err := a.userRow(ctx, op, u)
	if err != nil {
		return "", err
	}
	if strings.Contains(string(row.Account), ".") {
		return "", refuse(op, model.Unsupported, "this chat server mixes the settings of accounts with a dot in their name up with others'; ask for an account without one")
	}
	return string(row.Account), nil
}

// readSettings reads all of a user's settings; nil never.
func (a *Adapter) readSettings(ctx context.Context, op string, u legacy.UserID, account string) (map[string]any, error) {
	r, err := a.read(ctx, op, legacy.Chat(u, "settings", account, ""))
	if err != nil {
		return nil, err
	}
	return settingsIn(op, r)
}

// settingsIn reads settings from an answer. Numbers stay as they were written. Anything empty is none; anything else than an
// object was not written by a 2.x client, and what would become of it nobody knows.
func settingsIn(op string, r legacy.Response) (map[string]any, error) {
	all := map[string]any{}
	switch data := bytes.TrimSpace(r.Data); string(data) {
	case "", "null", "[]", `""`, "0", "false":
		return all, nil
	default:
		d := json.NewDecoder(bytes.NewReader(data))
		d.UseNumber()
		if d.Decode(&all) != nil || all == nil {
			return nil, refuse(op, model.Conflict, "the chat server keeps this user's settings in a form of another version; they are left alone")
		}
		return all, nil
	}
}

// alike compares JSON values by what they mean: xxd sorts names, and each server writes numbers in its own way.
func alike(x, y any) bool { return reflect.DeepEqual(decoded(x), decoded(y)) }

func decoded(v any) (plain any) {
	b, err := json.Marshal(v)
	if err != nil || json.Unmarshal(b, &plain) != nil {
		return nil
	}
	return plain
}
