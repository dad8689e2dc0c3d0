package xuanxuan

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"time"
)

// ticks asks the backend what nobody calls for, from time to time until ctx ends.
func (x *XXD) ticks(ctx context.Context) {
	ticker := time.NewTicker(x.options.TickInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			x.Tick(ctx)
		case <-ctx.Done():
			return
		}
	}
}

// Tick does at once what is due at every TickInterval. It is done once for each language that somebody has signed in
// with so far: nothing happens before the first login.
func (x *XXD) Tick(ctx context.Context) {
	for _, lang := range x.hub.languages() {
		if err := errors.Join(x.tellNotices(ctx, lang), x.tellUserChange(ctx, lang)); err != nil {
			x.options.Logger.Debug("tick failed", "err", err)
		}
	}
}

// tellNotices reports who is gone and what was not sent, and hands out the notices that wait for users online. Their
// frames have neither result nor language nor version (recorded: 17_notify_and_60s_ticks).
func (x *XXD) tellNotices(ctx context.Context, lang string) error {
	offline, unsent := x.hub.losses()
	request, err := json.Marshal(fields{
		"module": "chat", "method": "notify", "lang": lang,
		"params": fields{"offline": offline, "sendfail": unsent},
	})
	if err != nil {
		return err
	}
	answer, err := x.backend.call(ctx, request)
	if err != nil {
		return err
	}
	out, err := toFields(answer)
	if err != nil {
		return err
	}
	x.hub.reported(offline, unsent)
	given, _ := out["data"].(map[string]any) // [] if there are none
	for name, list := range given {
		user, err := strconv.ParseInt(name, 10, 64)
		if err != nil {
			continue
		}
		f, err := x.frame(fields{"module": "chat", "method": "notify", "data": list})
		if err != nil {
			return err
		}
		x.hub.deliver([]int64{user}, f)
	}
	return nil
}

// tellUserChange gives everybody the list of users when an administrator has changed one.
func (x *XXD) tellUserChange(ctx context.Context, lang string) error {
	answer, err := x.backend.own(ctx, lang, "checkUserChange", nil, "")
	if err != nil {
		return err
	}
	out, err := toFields(answer)
	if err != nil || out["result"] != "success" || out["data"] == "no" {
		return err
	}
	var nobody int64
	list, err := x.backend.own(ctx, lang, "userGetlist", &nobody, "")
	if err != nil {
		return err
	}
	x.hub.deliver(nil, x.seal("usergetlist", list))
	return nil
}
