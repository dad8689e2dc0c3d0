package chaos

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/xuangate/xuangate/gen/model"
	sdk "github.com/xuangate/xuangate/sdk/go"
	"github.com/xuangate/xuangate/test/xuanxuan"
)

// What people speak through: the wire itself, or one of the SDKs. Then the checker judges what an SDK's user saw.
var ways = []string{"wire", "go", "typescript"}

// apart is added to the platforms of those who write through an SDK: they sign in for themselves.
const apart = 100

// reader has a reader listen in a way of the seed's choice.
func (in *round) reader(r *reader) *reader {
	r.via = pick(in.rand, ways)
	if r.via == "wire" {
		return r
	}
	r.line = newLine(in.t, in.site, in.dice())
	if r.via == "go" {
		r.listens = r.throughGo
	} else {
		r.listens = in.typescript().reads(r)
	}
	return r
}

// writer has a writer send in a way of the seed's choice.
func (in *round) writer(w *writer) {
	via := pick(in.rand, ways)
	if via == "wire" {
		return
	}
	l := newLine(in.t, in.site, in.dice())
	if via == "go" {
		c := w.sdk(l, sdk.Options{}, w.platform+apart)
		in.t.Cleanup(c.Close)
		w.send = func(ctx context.Context, d model.SendMsgRequest) (model.MsgId, error) { return w.throughGo(ctx, c, d) }
	} else {
		w.send = in.typescript().writes(w, l)
	}
}

func (in *round) dice() *rand.Rand { return rand.New(rand.NewPCG(in.rand.Uint64(), 0)) }

// sdk is a Client that signs in by itself, as often as it takes.
func (c *client) sdk(l *line, o sdk.Options, platform int) *sdk.Client {
	o.MinDelay, o.MaxDelay = 20*time.Millisecond, again
	o.HTTPClient = &http.Client{Timeout: callTimeout, Transport: &http.Transport{}}
	var made *sdk.Client
	o.NewToken = func(ctx context.Context, _ string) (string, error) {
		for {
			signedIn, err := made.Login(ctx, c.account, xuanxuan.DemoPassword, platform)
			if err == nil || ctx.Err() != nil {
				return signedIn.Token, err
			}
			c.pause(ctx)
		}
	}
	made, err := sdk.New(l.url(), o)
	if err != nil {
		panic(err) // the address or the transport is wrong
	}
	return made
}

// throughGo listens with sdk/go until ctx ends.
func (r *reader) throughGo(ctx context.Context) {
	c := r.sdk(r.line, sdk.Options{Transport: sdk.Transport(r.protocol), OnState: func(s sdk.State) {
		if s.Phase == sdk.Online {
			r.begins()
		}
	}}, r.platform)
	defer c.Close()
	for after := ""; ctx.Err() == nil; r.pause(ctx) {
		for e, err := range c.Events(ctx, after) {
			switch {
			case err != nil:
				// Whoever listens begins again where he was, or is judged by what he misses.
			case e.Kind == sdk.Reset:
				r.startsOver()
				if err = r.reloadThroughGo(ctx, c); err == nil {
					after = e.Position
				}
			case e.Message != nil:
				r.hears(*e.Message)
				after = e.Position
			default:
				after = e.Position
			}
			if err != nil {
				break
			}
		}
	}
}

// reloadThroughGo reads all that its conversations hold.
func (r *reader) reloadThroughGo(ctx context.Context, c *sdk.Client) error {
	for _, room := range r.rooms {
		for end := ""; ; {
			page, err := c.LastMessages(ctx, room)
			if end != "" {
				page, err = c.MessagesBefore(ctx, room, end)
			}
			if err != nil {
				if ctx.Err() != nil {
					return err
				}
				r.pause(ctx)
				continue
			}
			r.reads(page)
			if len(page) < 30 {
				break
			}
			end = page[0].MsgId
		}
	}
	return nil
}

// throughGo sends with sdk/go.
func (w *writer) throughGo(ctx context.Context, c *sdk.Client, d model.SendMsgRequest) (model.MsgId, error) {
	for {
		id, err := c.Send(ctx, d)
		var refused *sdk.Error
		switch {
		case err == nil:
			return id, nil
		case errors.Is(err, sdk.ErrConflict) && errors.As(err, &refused):
			return "", &errRefused{refused.Code, refused.Text}
		case ctx.Err() != nil:
			return "", err
		}
		w.pause(ctx)
	}
}
