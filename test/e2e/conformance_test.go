// Package e2e has journeys through the whole of it, as an SDK's user sees them. README.md says what the list of cases means.
package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/xuangate/xuangate/gen/model"
	sdk "github.com/xuangate/xuangate/sdk/go"
	"github.com/xuangate/xuangate/test/e2e/stage"
	"github.com/xuangate/xuangate/test/redisd"
)

// parallel is how many cases are under way at a time: they wait more than they work.
const parallel = "6"

func TestMain(m *testing.M) {
	if err := flag.Set("test.parallel", parallel); err != nil {
		panic(err) // testing has no such flag any more
	}
	// net/http waits half a second before it closes a connection whose request it has not read to the end.
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("net/http.(*conn).closeWriteAndWait"))
}

// patience is how long a thing that should happen may take. It is never waited out where all is well.
const patience = 20 * time.Second

// A testCase is one of conformance.json.
type testCase struct {
	Name       string
	Transports []string
	Stages     []string // left out: all
	World      json.RawMessage
	SDK        struct {
		SilenceMS int `json:"silence_ms"`
		Renew     bool
	}
	Steps []map[string]json.RawMessage
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
	err := json.Unmarshal(b, &long)
	*t = text(strings.Repeat(long.Repeat, long.Times))
	return err
}

func TestConformance(t *testing.T) {
	file, err := os.ReadFile("conformance.json")
	require.NoError(t, err)
	var list struct{ Cases []testCase }
	require.NoError(t, json.Unmarshal(file, &list))
	for name, redis := range map[string]string{"xxb": "", "xxd": redisd.Start(t).Addr} {
		t.Run(name, func(t *testing.T) {
			s := stage.New(redis)
			server := httptest.NewServer(s)
			t.Cleanup(func() {
				server.Close()
				require.NoError(t, s.Close())
				http.DefaultClient.CloseIdleConnections()
			})
			t.Run("cases", func(t *testing.T) {
				for _, c := range list.Cases {
					if c.Stages != nil && !slices.Contains(c.Stages, name) {
						continue
					}
					for _, transport := range c.Transports {
						t.Run(c.Name+"/"+transport, func(t *testing.T) {
							t.Parallel()
							newRunner(t, server.URL, c, transport).run(c.Steps)
						})
					}
				}
			})
		})
	}
}

// A runner does one case with the SDK.
type runner struct {
	t      *testing.T
	stage  string // address of the world
	world  struct{ Id, Url, Account, Password, Token, Conversation, Position string }
	client *sdk.Client

	listening bool
	ctx       context.Context

	mu      sync.Mutex
	phases  map[sdk.Phase]bool // since the last step that looked
	now     sdk.State
	changed chan struct{} // closed and replaced with each state
	events  chan heard
}

type heard struct {
	event sdk.Event
	err   error
}

func newRunner(t *testing.T, stage string, c testCase, transport string) *runner {
	r := &runner{t: t, phases: map[sdk.Phase]bool{}, changed: make(chan struct{}), events: make(chan heard, 1000)}
	if c.World == nil {
		c.World = json.RawMessage("{}")
	}
	require.NoError(t, json.Unmarshal(r.post(stage+"/worlds", c.World), &r.world))
	r.stage = stage + "/worlds/" + r.world.Id
	if transport == "auto" {
		transport = ""
	}
	var renew func(context.Context, string) (string, error)
	if c.SDK.Renew {
		renew = func(ctx context.Context, _ string) (string, error) {
			signedIn, err := r.client.Login(ctx, r.world.Account, r.world.Password, 1)
			return signedIn.Token, err
		}
	}
	var err error
	r.client, err = sdk.New(r.world.Url, sdk.Options{
		NewToken: renew,
		Token:    r.world.Token, Transport: sdk.Transport(transport), OnState: r.hear,
		MinDelay: 10 * time.Millisecond, MaxDelay: 50 * time.Millisecond, Silence: time.Duration(c.SDK.SilenceMS) * time.Millisecond,
	})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	r.ctx = ctx
	t.Cleanup(func() {
		cancel()
		if r.listening {
			for range r.events { // until the iteration has ended
			}
		}
		r.client.Close()
		req, err := http.NewRequest(http.MethodDelete, r.stage, nil)
		require.NoError(t, err)
		resp, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		require.Equal(t, http.StatusOK, resp.StatusCode)
	})
	return r
}

// post does a request to the stage, which must succeed.
func (r *runner) post(url string, body json.RawMessage) []byte {
	r.t.Helper()
	resp, err := http.Post(url, "application/json", bytes.NewReader(body))
	require.NoError(r.t, err)
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	require.NoError(r.t, err)
	require.Equal(r.t, http.StatusOK, resp.StatusCode, "%s: %s", body, b)
	return b
}

// hear is told the connection's state.
func (r *runner) hear(s sdk.State) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.phases[s.Phase], r.now = true, s
	close(r.changed)
	r.changed = make(chan struct{})
}

// is waits for a phase that is, or was since the last call.
func (r *runner) is(phase sdk.Phase) {
	r.t.Helper()
	enough := time.After(patience)
	for {
		r.mu.Lock()
		was, changed, now := r.phases[phase], r.changed, r.now
		if was {
			clear(r.phases)
			r.phases[now.Phase] = true
		}
		r.mu.Unlock()
		if was {
			return
		}
		select {
		case <-changed:
		case <-enough:
			r.t.Fatalf("not %s but %+v", phase, now)
		}
	}
}

func (r *runner) run(steps []map[string]json.RawMessage) {
	actions := map[string]func(json.RawMessage){
		"listen": r.listen, "hear": r.hears, "reset": r.reset, "state": r.state, "using": r.using, "end": r.end, "send": r.send, "call": r.call,
	}
	for i, step := range steps {
		for name, value := range step {
			if action := actions[name]; action != nil {
				r.t.Logf("step %d: %s", i, name)
				action(value)
				continue
			}
			b, err := json.Marshal(step)
			require.NoError(r.t, err)
			r.t.Logf("step %d: %.100s", i, b)
			r.post(r.stage+"/do", b)
		}
	}
	for {
		select {
		case h, open := <-r.events:
			if !open {
				return
			}
			require.True(r.t, h.err != nil || passedOver(h.event), "heard beyond what was expected: %s %s", h.event.Kind, h.event.Data)
			continue
		default:
		}
		return
	}
}

func read[T any](r *runner, value json.RawMessage) (v T) {
	r.t.Helper()
	require.NoError(r.t, json.Unmarshal(value, &v))
	return v
}

func (r *runner) listen(value json.RawMessage) {
	r.t.Helper()
	o := read[struct{ Wait *bool }](r, value)
	r.listening = true
	go follow(r.client.Events(r.ctx, r.world.Position), r.events)
	if o.Wait == nil || *o.Wait {
		r.is(sdk.Online)
	}
}

// follow passes a sequence on until it ends.
func follow(events iter.Seq2[sdk.Event, error], to chan<- heard) {
	defer close(to)
	for e, err := range events {
		to <- heard{e, err}
	}
}

func passedOver(e sdk.Event) bool {
	switch e.Kind {
	case model.EventKindConversation, model.EventKindUser, model.EventKindNotification, model.EventKindUpstream:
		return true
	}
	return false
}

// event is the next that counts, or the end.
func (r *runner) event() heard {
	r.t.Helper()
	enough := time.After(patience)
	for {
		select {
		case h, open := <-r.events:
			require.True(r.t, open, "the events have ended")
			if h.err != nil || !passedOver(h.event) {
				return h
			}
		case <-enough:
			r.t.Fatal("nothing heard")
		}
	}
}

func (r *runner) hears(value json.RawMessage) {
	r.t.Helper()
	for _, one := range read[[]json.RawMessage](r, value) {
		var want struct {
			Content text
			Late    bool
		}
		if json.Unmarshal(one, &want) != nil || want.Content == "" {
			want.Content = read[text](r, one)
		}
		h := r.event()
		require.NoError(r.t, h.err)
		require.NotNil(r.t, h.event.Message, "%s %s", h.event.Kind, h.event.Data)
		require.Equal(r.t, string(want.Content), h.event.Message.Content)
		require.Equal(r.t, want.Late, h.event.Message.Late)
		require.NotEmpty(r.t, h.event.Position)
	}
}

func (r *runner) reset(json.RawMessage) {
	r.t.Helper()
	h := r.event()
	require.NoError(r.t, h.err)
	require.Equal(r.t, sdk.Reset, h.event.Kind)
	require.NotEmpty(r.t, h.event.Position)
}

func (r *runner) state(value json.RawMessage) {
	r.t.Helper()
	r.is(sdk.Phase(read[string](r, value)))
}

func (r *runner) using(value json.RawMessage) {
	r.t.Helper()
	r.is(sdk.Online)
	r.mu.Lock()
	defer r.mu.Unlock()
	require.Equal(r.t, sdk.Transport(read[string](r, value)), r.now.Transport)
}

// errs are the errors that cases name.
var errs = map[string]error{
	"InvalidToken": sdk.ErrInvalidToken, "SignedInElsewhere": sdk.ErrSignedInElsewhere, "Superseded": sdk.ErrSuperseded,
	"TooLarge": sdk.ErrTooLarge, "NotAllowed": sdk.ErrNotAllowed,
}

func (r *runner) end(value json.RawMessage) {
	r.t.Helper()
	h := r.event()
	require.ErrorIs(r.t, h.err, errs[read[string](r, value)])
	r.is(sdk.Ended)
}

func (r *runner) send(value json.RawMessage) {
	r.t.Helper()
	m := read[struct {
		Content     text
		ClientMsgID string `json:"client_msg_id"`
		Error       string
	}](r, value)
	id, err := r.client.Send(r.ctx, sdk.Draft{ConversationId: r.world.Conversation, Type: sdk.Plain, Content: string(m.Content), ClientMsgId: m.ClientMsgID})
	r.came(err, m.Error)
	require.Equal(r.t, err == nil, id != "")
}

func (r *runner) call(value json.RawMessage) {
	r.t.Helper()
	_, err := r.client.LastMessages(r.ctx, r.world.Conversation)
	r.came(err, read[struct{ Error string }](r, value).Error)
}

// came checks what came of a call.
func (r *runner) came(err error, want string) {
	r.t.Helper()
	if want == "" {
		require.NoError(r.t, err)
		return
	}
	require.NotNil(r.t, errs[want], "no error %s", want)
	require.ErrorIs(r.t, err, errs[want])
	var e *sdk.Error
	require.True(r.t, errors.As(err, &e))
	require.NotEmpty(r.t, e.Text)
	require.NotEmpty(r.t, e.RequestID, fmt.Sprint(e))
}
