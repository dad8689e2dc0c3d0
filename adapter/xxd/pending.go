package xxd

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/xuangate/xuangate/adapter/legacy"
)

// A pending call waits between its own frame and the answer to a question behind it, its fence. What xxd sends in between
// is all that the call was going to cause: its answer, if the caller is among those who are told; a failure, which is told
// to everybody, so that none having come means success; and other users' answers and failures of the same method.
//
// An answer that can be nobody else's settles a call without its fence, which is then not sent at all: it costs xxd a call
// of its own.
//
// Whatever a connection before this one still had under way is answered to this one (LEGACY, presence), for as long as xxd
// reads what that one had sent. So a fence is known by a name of its own, an answer by what it says of its question, and
// one that says nothing is not believed without a fence while the connection is young.
type pending struct {
	call    legacy.Call
	method  string // as its answer names it
	certain bool   // its answer is nobody else's: it carries the call's own gid, or the caller alone is told
	answers []legacy.Push
	fails   []legacy.Push
	failed  bool          // xxd got no answer for it from its backend
	settled chan struct{} // closed once it is no longer pending
	fence   *time.Timer   // sends the fence of a call whose certain answer does not come
	name    string        // of its fence, once that is sent
	empty   bool          // an answer to a message came that holds none
	limit   *time.Timer   // once abandoned
	done    chan result
}

// fenceAfter is how long a certain answer may take before the fence is sent; a failure sends it at once.
const fenceAfter = 50 * time.Millisecond

// young is how long answers to a connection before this one may come. Only a backend that takes longer for what was under
// way could have a list, or a setting, of that long ago taken for one of now.
const young = time.Minute

type result struct {
	r   legacy.Response
	err error
}

// request is a call as the desktop client sends it.
type request struct {
	Module  string        `json:"module"`
	Method  string        `json:"method"`
	Params  any           `json:"params,omitempty"`
	User    legacy.UserID `json:"userID"`
	Version string        `json:"v"`
	Lang    string        `json:"lang"`
}

// Call asks xxd one thing in the name of the connection's user, whatever c.User says. Calls may overlap; xxd carries them
// out one after the other. Where the answer may be somebody else's, or there was none, it is Unsure. A frame over the
// limit is a legacy.TooLargeError and nothing was sent.
func (c *Conn) Call(ctx context.Context, call legacy.Call) (legacy.Response, error) {
	call.User = c.user
	frame, err := encode(request{Module: call.Module, Method: call.Method, Params: call.Params, User: c.user, Version: clientVersion, Lang: lang})
	if err != nil {
		return legacy.Response{}, fmt.Errorf("encode %s: %w", call, err)
	}
	if len(frame) > legacy.MaxFrame {
		return legacy.Response{}, fmt.Errorf("%s: %d bytes: %w", call, len(frame), errTooLarge)
	}
	p := &pending{call: call, method: answerName(call.Method), settled: make(chan struct{}), done: make(chan result, 1)}
	p.certain = slices.Contains(telling, p.method) || slices.Contains(callerOnly, p.method) && time.Since(c.begun) > young
	if _, one := p.draft(); p.method == "message" && !one {
		p.certain = false // the offline messages, or several
	}
	if err := c.send(ctx, p, frame); err != nil {
		return legacy.Response{}, fmt.Errorf("%s: %w", call, err)
	}
	select {
	case got := <-p.done:
		if got.err != nil {
			return got.r, fmt.Errorf("%s: %w", call, got.err)
		}
		return got.r, nil
	case <-ctx.Done():
		c.abandon(p)
		return legacy.Response{}, fmt.Errorf("%s: %w", call, ctx.Err())
	}
}

var errTooLarge = &legacy.TooLargeError{Limit: "20,479 bytes with everything around it"} // maxFrame

// stuck is how long the answer to an abandoned call may still come. Until it has, no other call is sent: were it lost, the
// next answer would be taken for it. After that the connection is given up.
const stuck = 10 * time.Second

// abandon notes that nobody waits for a call any more.
func (c *Conn) abandon(p *pending) {
	c.mu.Lock()
	defer c.mu.Unlock()
	select {
	case <-p.settled:
		return
	default:
	}
	c.abandoned = p
	p.limit = time.AfterFunc(stuck, func() {
		c.end(errors.New("xxd does not answer"))
		_ = c.ws.Close()
	})
}

// awaitAbandoned waits until no abandoned call is pending.
func (c *Conn) awaitAbandoned(ctx context.Context) error {
	c.mu.Lock()
	p := c.abandoned
	c.mu.Unlock()
	if p == nil {
		return nil
	}
	select {
	case <-p.settled:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// send writes a call, with its fence unless that can wait, and queues it where the reader looks for whom an answer is.
func (c *Conn) send(ctx context.Context, p *pending, frame []byte) error {
	if err := c.turn.Take(ctx, c.done, func() error { return c.cause }); err != nil {
		return err
	}
	defer c.turn.Give()
	if err := c.awaitAbandoned(ctx); err != nil {
		return errors.Join(legacy.ErrNotSent, err)
	}
	c.mu.Lock()
	if c.cause != nil {
		defer c.mu.Unlock()
		return errors.Join(legacy.ErrNotSent, c.cause)
	}
	c.pending = append(c.pending, p)
	frames := []any{frame}
	if p.certain {
		p.fence = time.AfterFunc(fenceAfter, func() { c.sendFence(p) })
	} else {
		frames = append(frames, c.fence(p))
	}
	c.mu.Unlock()
	return c.writeOrEnd(frames...)
}

// fence makes the question behind a call: for the history of a chat that there is not, whose name the answer repeats
// (recorded: 07_history). c.mu is held.
func (c *Conn) fence(p *pending) request {
	c.named++
	p.name = c.nonce + strconv.FormatUint(c.named, 36)
	c.fences = append(c.fences, p)
	return request{Module: "chat", Method: "history", Params: []any{p.name, 1, 1, 0, false, 0}, User: c.user, Version: clientVersion, Lang: lang}
}

// fenceName begins the name of every fence, of whatever connection.
const fenceName = "xuangate-fence-"

// sendFence sends the fence of a call that is still pending, once.
func (c *Conn) sendFence(p *pending) {
	select {
	case <-c.turn:
	case <-c.done:
		return
	}
	defer c.turn.Give()
	c.mu.Lock()
	if p.name != "" || !slices.Contains(c.pending, p) {
		c.mu.Unlock()
		return
	}
	fence := c.fence(p)
	c.mu.Unlock()
	_ = c.writeOrEnd(fence)
}

// writeOrEnd writes frames; when that fails the reader ends, and with it every call.
func (c *Conn) writeOrEnd(frames ...any) error {
	err := c.write(frames...)
	if err != nil {
		_ = c.ws.Close()
	}
	return err
}

// draft is the message that the call sends, if it sends one.
func (p *pending) draft() (legacy.DraftRow, bool) {
	params, _ := p.call.Params.([]any)
	if p.method != "message" || len(params) != 1 {
		return legacy.DraftRow{}, false
	}
	drafts, _ := params[0].([]legacy.DraftRow)
	if len(drafts) != 1 {
		return legacy.DraftRow{}, false
	}
	return drafts[0], true
}

// gid is the chat that a call about a chat names, its first param.
func (p *pending) gid() string {
	params, _ := p.call.Params.([]any)
	if len(params) == 0 {
		return ""
	}
	return fmt.Sprint(params[0])
}

// settle answers the call once its fence has come.
func (p *pending) settle() {
	_, isMessage := p.draft()
	r := legacy.Response{Module: p.call.Module, Method: p.method, Result: legacy.Success}
	switch {
	case p.failed:
		p.fail(errors.New("xxd's backend did not answer"))
		return
	case len(p.answers) > 1 && slices.Contains(callerOnly, p.method):
		r.Unsure = true // one is an earlier connection's
	case len(p.answers) > 0 && (len(p.fails) == 0 || isMessage): // a message's gid is nobody else's
		f := p.answers[len(p.answers)-1]
		r.Data, r.Message = f.Data, f.Message
		r.Pager, r.Directory = f.Pager, f.Directory
	case len(p.fails) > 0:
		f := p.fails[0]
		r.Result, r.Data, r.Message, r.Unsure = f.Result, f.Data, f.Message, true
	default:
		r.Unsure = true // nothing failed, but nobody told us
		if p.empty {
			r.Data = json.RawMessage("[]")
		}
	}
	p.finish(result{r: r})
}

func (p *pending) fail(err error) { p.finish(result{err: err}) }

func (p *pending) finish(r result) {
	for _, t := range []*time.Timer{p.fence, p.limit} {
		if t != nil {
			t.Stop()
		}
	}
	close(p.settled)
	p.done <- r
}
