package chaos

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"github.com/xuangate/xuangate/gen/model"
	"github.com/xuangate/xuangate/test/xuanxuan"
)

// A site is what a round runs on: the addresses of its nodes, of which a client takes any.
type site struct {
	nodes []string // URLs
	http  *http.Client
}

// A client is one sign-in of one user. It signs in again when its token has been lost.
type client struct {
	*site
	account  string
	platform int

	mu    sync.Mutex
	token string
	rand  *rand.Rand
}

// errRefused is an answer that is no good, with its code.
type errRefused struct {
	code model.Code
	text string
}

func (e *errRefused) Error() string { return fmt.Sprintf("%d %s", e.code, e.text) }

// dead says that a token is no longer of use.
func (e *errRefused) dead() bool {
	return e.code == model.InvalidToken || e.code == model.SignedInElsewhere
}

// again is how long a client waits before it tries once more, at most.
const again = 300 * time.Millisecond

func (c *client) pause(ctx context.Context) {
	c.mu.Lock()
	d := 20*time.Millisecond + time.Duration(c.rand.Int64N(int64(again)))
	c.mu.Unlock()
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

func (c *client) node() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.nodes[c.rand.IntN(len(c.nodes))]
}

// signedIn returns a token, signing in as often as it takes.
func (c *client) signedIn(ctx context.Context) (string, error) {
	for {
		c.mu.Lock()
		token := c.token
		c.mu.Unlock()
		if token != "" {
			return token, nil
		}
		var l model.Login
		err := c.ask(ctx, "/login", "", map[string]any{"account": c.account, "password": xuanxuan.DemoPassword, "platform": c.platform}, &l)
		if err == nil {
			c.mu.Lock()
			c.token = l.Token
			c.mu.Unlock()
			continue
		}
		if ctx.Err() != nil {
			return "", fmt.Errorf("%s signs in: %w", c.account, err)
		}
		c.pause(ctx)
	}
}

// lost takes note of a token that is no longer of use.
func (c *client) lost(token string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.token == token {
		c.token = ""
	}
}

// call calls an operation on any node, again and again until it is answered with a success or final says that there will be
// none.
func (c *client) call(ctx context.Context, path string, in, out any, final func(*errRefused) bool) error {
	for {
		token, err := c.signedIn(ctx)
		if err != nil {
			return err
		}
		err = c.ask(ctx, path, token, in, out)
		refused, ok := err.(*errRefused)
		switch {
		case err == nil:
			return nil
		case ok && refused.dead():
			c.lost(token)
		case ok && final != nil && final(refused):
			return err
		}
		if ctx.Err() != nil {
			return fmt.Errorf("%s %s: %w", c.account, path, err)
		}
		c.pause(ctx)
	}
}

// callTimeout is how long a client waits for one answer. A node that is paused gives none.
const callTimeout = 5 * time.Second

// ask calls an operation once.
func (c *client) ask(ctx context.Context, path, token string, in, out any) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.node()+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	res, err := c.http.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	var a struct {
		Code  model.Code
		Error string
		Data  json.RawMessage
	}
	if err := json.NewDecoder(res.Body).Decode(&a); err != nil {
		return err
	}
	if a.Code != model.OK {
		return &errRefused{a.Code, a.Error}
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(a.Data, out)
}
