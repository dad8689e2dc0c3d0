package stage

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/xuangate/xuangate/adapter/legacy"
	sdk "github.com/xuangate/xuangate/sdk/go"
)

// A step does one thing to a world. Its error says what went wrong, or that what it claims does not hold.
type step func(ctx context.Context, w *world, value json.RawMessage) error

// steps are those of the README, by name.
var steps = map[string]step{
	"say":       reading(say),
	"past":      reading(past),
	"cut":       reading(func(_ context.Context, w *world, _ struct{}) error { w.proxy.cut(); return nil }),
	"down":      reading(func(_ context.Context, w *world, _ struct{}) error { w.proxy.setDown(true); return nil }),
	"up":        reading(func(_ context.Context, w *world, _ struct{}) error { w.proxy.setDown(false); return nil }),
	"stall":     reading(func(_ context.Context, w *world, _ struct{}) error { w.proxy.stall(); return nil }),
	"slow":      reading(func(_ context.Context, w *world, s pace) error { w.proxy.setPace(s); return nil }),
	"block":     reading(func(_ context.Context, w *world, transport string) error { w.proxy.block(transport); return nil }),
	"answer":    reading(func(_ context.Context, w *world, a scripted) error { w.proxy.script(a); return nil }),
	"lose":      reading(func(_ context.Context, w *world, a scripted) error { a.lose = true; w.proxy.script(a); return nil }),
	"rewind":    reading(func(_ context.Context, w *world, _ struct{}) error { w.proxy.rewind(w.Position); return nil }),
	"waited":    reading(waited),
	"asked":     reading(asked),
	"restart":   reading(restart),
	"revoke":    reading(revoke),
	"kickoff":   reading(kickoff),
	"supersede": reading(supersede),
}

// reading makes a step of a function that takes its value decoded.
func reading[T any](do func(context.Context, *world, T) error) step {
	return func(ctx context.Context, w *world, value json.RawMessage) error {
		var v T
		if err := decode(bytes.NewReader(value), &v); err != nil {
			return err
		}
		return do(ctx, w, v)
	}
}

// text is a string, or {"repeat": a string, "times": N}.
type text string

func (t *text) UnmarshalJSON(b []byte) error {
	var plain string
	if json.Unmarshal(b, &plain) == nil {
		*t = text(plain)
		return nil
	}
	var long struct {
		Repeat string
		Times  int
	}
	if err := json.Unmarshal(b, &long); err != nil {
		return err
	}
	*t = text(bytes.Repeat([]byte(long.Repeat), long.Times))
	return nil
}

func say(ctx context.Context, w *world, texts []text) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, one := range texts {
		if _, err := w.bob.Send(ctx, sdk.Draft{ConversationId: w.Conversation, Type: sdk.Plain, Content: string(one)}); err != nil {
			return err
		}
	}
	return nil
}

// past stores messages of bob's in the chat server. It keeps them for whoever is not online, and the gateway hears of them when
// that user comes.
func past(ctx context.Context, w *world, texts []text) error {
	for i, one := range texts {
		r, err := w.caller.Call(ctx, legacy.Chat(bobID, "message", []legacy.DraftRow{{
			GID: legacy.MessageGID(fmt.Sprintf("past-%d-%d", time.Now().UnixNano(), i)), CGID: legacy.ChatGID(w.Conversation),
			User: bobID, Type: "normal", ContentType: "plain", Content: string(one),
		}}))
		if err != nil {
			return err
		}
		if r.Result != legacy.Success {
			return fmt.Errorf("the chat server refused: %s", r.Reason())
		}
	}
	return nil
}

func waited(ctx context.Context, w *world, c struct {
	Path string
	MS   int `json:"ms"`
},
) error {
	took, err := w.proxy.comeback(ctx, c.Path)
	if least := time.Duration(c.MS) * time.Millisecond; err == nil && took < least {
		return fmt.Errorf("%s was asked again after %s, sooner than %s", c.Path, took, least)
	}
	return err
}

func asked(_ context.Context, w *world, c struct {
	Path  string
	Times int
},
) error {
	if n := w.proxy.asked(c.Path); n != c.Times {
		return fmt.Errorf("%s was asked %d times, not %d", c.Path, n, c.Times)
	}
	return nil
}

func restart(_ context.Context, w *world, how struct{ Forget bool }) error {
	return w.restart(how.Forget)
}

func (w *world) alice() (*sdk.Client, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return sdk.New(w.gate.url, sdk.Options{Token: w.Token})
}

func revoke(ctx context.Context, w *world, _ struct{}) error {
	alice, err := w.alice()
	if err != nil {
		return err
	}
	defer alice.Close()
	return alice.Logout(ctx)
}

func kickoff(ctx context.Context, w *world, _ struct{}) error {
	alice, err := w.alice()
	if err != nil {
		return err
	}
	defer alice.Close()
	_, err = alice.Login(ctx, w.Account, w.Password, platform)
	return err
}

// supersede opens streams that stay until the world ends.
func supersede(_ context.Context, w *world, _ struct{}) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	for range w.options.StreamsPerUser {
		r, err := http.NewRequestWithContext(w.ctx, http.MethodGet, w.gate.url+"/notify?protoc=sse", nil)
		if err != nil {
			return err
		}
		r.Header.Set("Authorization", "Bearer "+w.Token)
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			return err
		}
		w.extra.Go(func() {
			defer resp.Body.Close()
			_, _ = io.Copy(io.Discard, resp.Body) // until the world ends
		})
	}
	return nil
}
