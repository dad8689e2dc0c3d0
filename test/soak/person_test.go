package soak

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/xuangate/xuangate/gen/model"
	"github.com/xuangate/xuangate/sdk/go"
)

type object = map[string]any

// A person is somebody signed in, with connections of his own.
type person struct {
	*site
	account  string
	platform int
	session  string
	http     *http.Client
	sdk      *sdk.Client
	online   chan struct{} // closed when his events are heard for the first time

	mu    sync.Mutex
	since time.Time // the last sign-in
}

// signIn signs an account in. Its events will come over a transport.
func (s *site) signIn(ctx context.Context, account string, platform int, over sdk.Transport) (*person, error) {
	p := &person{site: s, account: account, platform: platform, online: make(chan struct{})}
	p.http = &http.Client{Transport: http.DefaultTransport.(*http.Transport).Clone()}
	var err error
	online := sync.OnceFunc(func() { close(p.online) })
	p.sdk, err = sdk.New(s.at.API, sdk.Options{
		HTTPClient: p.http, Transport: over, Tries: 1, // so that it hides no error
		NewToken: func(ctx context.Context, refused string) (string, error) { return p.renew(ctx, refused) },
		OnState: func(now sdk.State) {
			switch {
			case now.Phase == sdk.Online:
				online()
			case now.Phase == sdk.Waiting && now.Err != nil:
				s.fault("events of %s over %s: %v", account, now.Transport, now.Err)
			}
		},
	})
	if err != nil {
		return nil, err
	}
	return p, p.login(ctx)
}

func (p *person) login(ctx context.Context) error {
	began := time.Now()
	var l model.Login
	if err := p.call(ctx, "/login", object{"account": p.account, "password": password, "platform": p.platform}, &l); err != nil {
		return err
	}
	p.mu.Lock()
	p.since = began
	p.mu.Unlock()
	p.session = l.Session
	p.sdk.SetToken(l.Token)
	return nil
}

// renew signs in again where the time of a token is over. It is nobody else's doing that a token ends.
func (p *person) renew(ctx context.Context, refused string) (string, error) {
	p.mu.Lock()
	age := time.Since(p.since)
	p.mu.Unlock()
	if now := p.sdk.Token(); now != refused {
		return now, nil
	}
	if age < p.ttl-time.Second {
		return "", fmt.Errorf("the token of %s ended after %s", p.account, age)
	}
	var l model.Login
	began := time.Now()
	if err := p.ask(ctx, p.at.API+"/login", nil, object{"account": p.account, "password": password, "platform": p.platform}, &l); err != nil {
		return "", err
	}
	p.mu.Lock()
	p.since = began
	p.mu.Unlock()
	return l.Token, nil
}

// leaves hangs up.
func (p *person) leaves() { p.http.CloseIdleConnections() }

// A refusal is an answer that is no success.
type refusal struct {
	code model.Code
	text string
}

func (r *refusal) Error() string { return fmt.Sprintf("code %d: %s", r.code, r.text) }

// call makes a call, and decodes its data unless out is nil.
func (p *person) call(ctx context.Context, path string, in, out any) error {
	token := p.sdk.Token()
	head := http.Header{}
	if path != "/login" && token != "" {
		head.Set("Authorization", "Bearer "+token)
	}
	err := p.ask(ctx, p.at.API+path, head, in, out)
	var refused *refusal
	if errors.As(err, &refused) && refused.code == model.InvalidToken {
		fresh, failed := p.renew(ctx, token)
		if failed != nil {
			return fmt.Errorf("%s: %w: %w", path, err, failed)
		}
		p.sdk.SetToken(fresh)
		head.Set("Authorization", "Bearer "+fresh)
		err = p.ask(ctx, p.at.API+path, head, in, out)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// inner makes a call as one of the company's own systems.
func (p *person) inner(ctx context.Context, path string, in, out any) error {
	if err := p.ask(ctx, p.at.Inner+"/inner"+path, http.Header{"X-Inner-Key": {innerKey}}, in, out); err != nil {
		return fmt.Errorf("/inner%s: %w", path, err)
	}
	return nil
}

// refused is call for what must be answered with a code.
func (p *person) refused(ctx context.Context, want model.Code, path string, in any) error {
	err := p.call(ctx, path, in, nil)
	var r *refusal
	if errors.As(err, &r) && r.code == want {
		return nil
	}
	return fmt.Errorf("%s: want code %d, got %w", path, want, err)
}

// ask sends one request when it may.
func (p *person) ask(ctx context.Context, url string, head http.Header, in, out any) error {
	if err := p.limit.Wait(ctx); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 2*patience)
	defer cancel()
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	if head != nil {
		r.Header = head
	}
	r.Header.Set("Content-Type", "application/json")
	return p.do(r, out)
}

// get asks for a page that has an envelope.
func (p *person) get(ctx context.Context, path string, out any) error {
	if err := p.limit.Wait(ctx); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 2*patience)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, p.at.API+path, nil)
	if err != nil {
		return err
	}
	return p.do(r, out)
}

func (p *person) do(r *http.Request, out any) error {
	res, err := p.http.Do(r)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	var a struct {
		Code  *model.Code
		Error string
		Data  json.RawMessage
	}
	if err := json.Unmarshal(text, &a); err != nil || a.Code == nil {
		return fmt.Errorf("status %d without an envelope: %.200s", res.StatusCode, text)
	}
	if *a.Code != model.OK {
		return &refusal{*a.Code, a.Error}
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(a.Data, out)
}
