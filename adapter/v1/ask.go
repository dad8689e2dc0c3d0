package v1

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/xuangate/xuangate/adapter/legacy"
)

// A request is a call as the 1.0 client sends it. The session says whose it is.
type request struct {
	Module string `json:"module"`
	Method string `json:"method"`
	Params any    `json:"params,omitempty"` // a list, or an object whose values count in their order
	SID    string `json:"sid,omitempty"`
}

// An answer goes to the caller alone.
type answer struct {
	legacy.Response
	SID string `json:"sid"`
}

// A pending call waits for its answer. Until it has come no other one is sent, whoever still waits for it.
type pending struct {
	request request
	own     bool        // its answer is news as well
	limit   *time.Timer // once nobody waits any more; guarded by Conn.mu
	done    chan result
}

type result struct {
	answer answer
	err    error
}

func (p *pending) finish(r result) {
	if p.limit != nil {
		p.limit.Stop()
	}
	p.done <- r
}

// ask makes one 1.0 call of module chat and returns its answer, a refusal too.
func (c *Conn) ask(ctx context.Context, method string, params ...any) (legacy.Response, error) {
	r := request{Module: "chat", Method: method}
	if len(params) > 0 {
		r.Params = params
	}
	return c.exchange(ctx, &pending{request: r})
}

func (c *Conn) exchange(ctx context.Context, p *pending) (legacy.Response, error) {
	p.done = make(chan result, 1)
	p.request.SID = c.sid
	if err := c.send(ctx, p); err != nil {
		return legacy.Response{}, err
	}
	select {
	case got := <-p.done:
		return understood(p.request.Method, got)
	case <-ctx.Done():
		c.abandon(p)
		return legacy.Response{}, ctx.Err()
	}
}

// send writes a call when it is its turn.
func (c *Conn) send(ctx context.Context, p *pending) error {
	if err := c.turn.Take(ctx, c.done, func() error { return c.cause }); err != nil {
		return err
	}
	c.mu.Lock()
	if c.cause != nil {
		defer c.mu.Unlock()
		c.turn.Give()
		return errors.Join(legacy.ErrNotSent, c.cause)
	}
	c.pending = p
	c.mu.Unlock()
	if err := c.write(p.request); err != nil {
		_ = c.tcp.Close() // the reader ends, and with it the call
	}
	return nil
}

// abandon notes that nobody waits for a call any more. Its answer may still come, and is waited for; if it does not, the
// connection is given up.
func (c *Conn) abandon(p *pending) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.pending != p {
		return
	}
	p.limit = time.AfterFunc(c.server.stuck, func() {
		c.end(errors.New("the 1.0 server does not answer"))
		_ = c.tcp.Close()
	})
}

// noDatabase is what the server says while its database is away; nothing was done then.
const noDatabase = "Failed to connect MySQL server."

// understood tells a refusal of the call itself from those of the server as a whole.
func understood(method string, got result) (legacy.Response, error) {
	r := got.answer.Response
	switch {
	case got.err != nil:
		return legacy.Response{}, got.err
	case r.Result == legacy.Fail && r.Message == noDatabase:
		return legacy.Response{}, errors.New("the 1.0 server has lost its database")
	case r.Result == legacy.Fail && strings.HasPrefix(string(r.Message), "method ") && strings.HasSuffix(string(r.Message), " not found."):
		return legacy.Response{}, unsupported("call " + method)
	}
	return r, nil
}

func unsupported(what string) error { return &legacy.UnsupportedError{Version: version, What: what} }

// parsePushes reads an array of pushes.
func parsePushes(line []byte) (list []legacy.Push, err error) {
	if err := json.Unmarshal(line, &list); err != nil {
		return nil, fmt.Errorf("an array that is none of pushes: %w", err)
	}
	return list, nil
}
