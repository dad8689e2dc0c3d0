// Package api asks what a backend answers other applications by itself: api.php of seed 002, over plain HTTP, with the code
// and token of an application registered in the back office. No user stands behind such a call.
package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/xuangate/xuangate/adapter/legacy"
)

// maxAnswer bounds one answer. Without it a backend that went mad could fill our memory; the list of all users of a large
// site stays below.
const maxAnswer = 16 << 20

// Config names a backend and the application that asks it.
type Config struct {
	URL   string // of api.php
	Code  string // the application's, as registered
	Token string // the application's; a secret
}

// Client asks one backend. It may be used from any goroutine.
type Client struct {
	base        *url.URL
	code, token string
	http        *http.Client
}

// New makes a Client; it does not connect yet.
func New(c Config) (*Client, error) {
	base, err := url.Parse(c.URL)
	if err != nil || base.Host == "" {
		return nil, errors.New("the address of api.php is no web address")
	}
	return &Client{base: base, code: c.Code, token: c.Token, http: &http.Client{
		Transport: &http.Transport{
			DialContext:         (&net.Dialer{Timeout: 3 * time.Second}).DialContext,
			MaxIdleConnsPerHost: 8,
			IdleConnTimeout:     60 * time.Second,
			TLSHandshakeTimeout: 5 * time.Second,
		},
		// Following one would hand the token to whoever is named there.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

// Call implements adapter.Caller. Params is nil, a map[string]string that goes into the query, or, of notifyMSG, what goes into
// the form field data as JSON. An error means that no answer came; whether the backend acted is then unknown. No error
// holds the address, for the token is in it.
func (c *Client) Call(ctx context.Context, call legacy.Call) (legacy.Response, error) {
	req, err := c.request(ctx, call)
	if err != nil {
		return legacy.Response{}, fmt.Errorf("%s: %w", call, err)
	}
	res, err := c.http.Do(req)
	if err != nil {
		if ask, ok := errors.AsType[*url.Error](err); ok {
			err = ask.Err
		}
		return legacy.Response{}, fmt.Errorf("%s: %w", call, err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer+1))
	switch {
	case err != nil:
		return legacy.Response{}, fmt.Errorf("%s: read answer: %w", call, err)
	case res.StatusCode != http.StatusOK:
		return legacy.Response{}, fmt.Errorf("%s: api.php answered status %d", call, res.StatusCode)
	case len(body) > maxAnswer:
		return legacy.Response{}, fmt.Errorf("%s: answer over %d bytes", call, maxAnswer)
	}
	var r legacy.Response
	if err := json.Unmarshal(body, &r); err != nil || r.Result == "" {
		return legacy.Response{}, fmt.Errorf("%s: what answers is no api.php: no JSON object with a result", call)
	}
	r.Module, r.Method = call.Module, call.Method
	return r, nil
}

func (c *Client) request(ctx context.Context, call legacy.Call) (*http.Request, error) {
	at := *c.base
	q := at.Query()
	for name, value := range map[string]string{"m": call.Module, "f": call.Method, "code": c.code, "token": c.token} {
		q.Set(name, value)
	}
	method, body, kind := http.MethodGet, &bytes.Buffer{}, ""
	switch params := call.Params.(type) {
	case nil:
	case map[string]string:
		for name, value := range params {
			q.Set(name, value)
		}
	default:
		text, err := json.Marshal(params)
		if err != nil {
			return nil, err
		}
		form := multipart.NewWriter(body) // as the seed's FormData
		if err := errors.Join(form.WriteField("data", string(text)), form.Close()); err != nil {
			return nil, err
		}
		method, kind = http.MethodPost, form.FormDataContentType()
	}
	at.RawQuery = q.Encode()
	req, err := http.NewRequestWithContext(ctx, method, at.String(), body)
	if err != nil {
		return nil, errors.New("cannot make the request")
	}
	if kind != "" {
		req.Header.Set("Content-Type", kind)
	}
	return req, nil
}

// Close gives up idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }
