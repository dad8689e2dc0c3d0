// Package xxb asks an xxb backend directly, the way xxd does: one HTTP POST a call, its body the AES envelope of a JSON
// call, answered on the same connection (recorded: every *.xxb transcript).
package xxb

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/xuangate/xuangate/adapter/legacy"
)

// Config names a backend.
type Config struct {
	URL string     // of xuanxuan.php
	Key legacy.Key // the 32 characters that xxd.conf and the backend share
}

// Client asks one backend. It keeps connections alive, and may be used from any goroutine.
type Client struct {
	url  string
	key  legacy.Key
	http *http.Client
	room legacy.Room
}

// New makes a Client; it does not connect yet.
func New(c Config) *Client {
	return &Client{url: c.URL, key: c.Key, http: &http.Client{
		Transport: &http.Transport{
			DialContext:         (&net.Dialer{Timeout: 3 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
			MaxIdleConns:        64,
			MaxIdleConnsPerHost: 64,
			IdleConnTimeout:     60 * time.Second,
			TLSHandshakeTimeout: 5 * time.Second,
		},
		// A redirect would turn the POST into a GET without a body.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// request is a call as xxd forwards it from a client. The backend appends user and version to positional params itself.
type request struct {
	User    legacy.UserID `json:"userID,omitempty"`
	Module  string        `json:"module"`
	Method  string        `json:"method"`
	Params  any           `json:"params,omitempty"`
	Lang    string        `json:"lang"` // zh-cn: the reasons in adapter are in it
	Version string        `json:"v,omitempty"`
}

// Call implements adapter.Caller. An error means that no answer came: the backend was not reached, answered with another
// status than 200, or with something that is no answer to this call. Whether it acted is then unknown.
func (c *Client) Call(ctx context.Context, call legacy.Call) (legacy.Response, error) {
	r, _, err := c.Exchange(ctx, call)
	return r, err
}

// Exchange is Call that also returns the answer's own text, which names those who are to hear of it.
func (c *Client) Exchange(ctx context.Context, call legacy.Call) (legacy.Response, []byte, error) {
	body, err := json.Marshal(request{
		User: call.User, Module: call.Module, Method: call.Method, Params: call.Params, Lang: "zh-cn", Version: version(call),
	})
	if err != nil {
		return legacy.Response{}, nil, fmt.Errorf("encode %s: %w", call, err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url, bytes.NewReader(c.key.Seal(body)))
	if err != nil {
		return legacy.Response{}, nil, err
	}
	req.Header = http.Header{
		"Content-Type": {"application/x-www-form-urlencoded"},
		"User-Agent":   {"easysoft/xuan.im"},
		"Xxd-Version":  {"v2.2.0"},
	}
	res, err := c.http.Do(req)
	if err != nil {
		return legacy.Response{}, nil, fmt.Errorf("%s: %w", call, err)
	}
	defer res.Body.Close()
	sealed, err := c.room.ReadAll(res.Body)
	if err != nil {
		return legacy.Response{}, nil, fmt.Errorf("%s: read answer: %w", call, err)
	}
	defer c.room.Give(len(sealed))
	return c.open(call, res.StatusCode, sealed)
}

// open reads an answer's body.
func (c *Client) open(call legacy.Call, status int, sealed []byte) (legacy.Response, []byte, error) {
	switch {
	case status != http.StatusOK:
		return legacy.Response{}, nil, fmt.Errorf("%s: backend answered status %d", call, status)
	case len(sealed) == 0 && call.Method == "serverStart": // answered by the status alone (LEGACY)
		return legacy.Response{Module: call.Module, Method: call.Method, Result: legacy.Success}, nil, nil
	case len(sealed) == 0:
		return legacy.Response{}, nil, fmt.Errorf("%s: empty answer", call)
	}
	plain, err := c.key.Open(sealed)
	if err != nil {
		return legacy.Response{}, nil, fmt.Errorf("%s: %w", call, err)
	}
	r, err := legacy.DecodeResponse(call, plain)
	if err != nil && !json.Valid(plain) {
		err = errors.Join(legacy.ErrEnvelope, err) // a wrong key opens one envelope in 256
	}
	return r, plain, err
}

// Close gives up the connections that are kept for later. Calls under way end as they would.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// version is what a client of 2.3 sends. The server's own calls carry none.
func version(call legacy.Call) string {
	if call.User == 0 && call.Method != "login" {
		return ""
	}
	return "2.3.0"
}
