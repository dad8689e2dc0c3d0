package sdk

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/xuangate/xuangate/gen/client"
	"github.com/xuangate/xuangate/gen/model"
)

// The API's types under the names one meets first. All of them are in gen/model.
type (
	// A Message is a message as it is read or heard.
	Message = model.MsgData
	// A Draft is a message to send.
	Draft = model.SendMsgRequest
	// A Conversation is a group, a one-to-one conversation or the system conversation, as the caller sees it.
	Conversation = model.Conversation
	// A User is somebody with an account.
	User = model.User
	// A Login is a token and whose it is.
	Login = model.Login
)

// The usual values of Draft.Type and Message.Type.
const (
	Text  = 0 // Markdown
	Plain = 1
	Image = 3
	File  = 4
)

// Options are how a Client works. The zero value is for programs that sign in with Login and have no wish beyond that.
type Options struct {
	// Token is sent with every call until Login or SetToken give another.
	Token string
	// NewToken is asked for a token when there is none, and for another one when the refused one has expired or is unknown: sign in
	// again, with Login of the same client if you like. Empty means that there is none: calls then fail, and events end. Its error
	// fails a call, too, and is returned by it; events ask again after a while, unless it is one of the API's that stays, as
	// ErrWrongPassword. One question is under way at a time. Default: nobody is asked.
	NewToken func(ctx context.Context, refused string) (string, error)
	// HTTPClient makes the requests; its transport's proxy and TLS settings hold for WebSockets, too. Its Timeout does not
	// hold for events and files, which take as long as they take. Default: a client of its own.
	HTTPClient *http.Client

	// Transport is what events come over. Default Auto.
	Transport Transport
	// OnState is told how the connection of Events is, in the goroutine that iterates; it must not block. Default: nobody.
	OnState func(State)

	// MinDelay and MaxDelay are how long to wait before another try: a random time, at least MinDelay, at first about as
	// long, then up to twice as much each time until MaxDelay. What the server asks for is never cut short.
	// Defaults 500 ms and 20 s.
	MinDelay, MaxDelay time.Duration
	// Tries is how often a call that is safe to repeat is tried in all. Default 5; 1 repeats nothing.
	Tries int
	// Silence is how long an open connection of Events may pass nothing before it is given up for dead. Default: what the
	// server lets pass between two signs of life, 15 s or 25 s, and 10 s more.
	Silence time.Duration
}

// A Client speaks to one gateway as one user at a time. All methods may be used from any goroutine.
type Client struct {
	base    *url.URL
	options Options
	http    *http.Client
	streams *http.Client // the same without a limit of time
	api     *client.ClientWithResponses
	choice  choice
	asking  chan struct{} // holds one while NewToken is being asked

	mu    sync.Mutex
	token string
}

// New makes a Client for the gateway at an address, https://HOST or http://HOST, with a path where a proxy adds one. Nothing
// is sent yet.
func New(address string, o Options) (*Client, error) {
	base, err := url.Parse(strings.TrimSuffix(address, "/"))
	if err != nil || base.Host == "" || base.Scheme != "http" && base.Scheme != "https" || base.RawQuery != "" || base.User != nil {
		return nil, errors.New("xuangate: the address must be like https://chat.example.com, without user or query")
	}
	if !o.Transport.known() {
		return nil, fmt.Errorf("xuangate: no transport %q; there are sse, ws and poll", o.Transport)
	}
	o.MinDelay = cmp.Or(o.MinDelay, 500*time.Millisecond)
	o.MaxDelay = max(cmp.Or(o.MaxDelay, 20*time.Second), o.MinDelay)
	o.Tries = max(cmp.Or(o.Tries, 5), 1)
	c := &Client{base: base, options: o, http: o.HTTPClient, token: o.Token, asking: make(chan struct{}, 1)}
	if c.http == nil {
		c.http = &http.Client{Transport: http.DefaultTransport.(*http.Transport).Clone()}
	}
	streams := *c.http
	streams.Timeout = 0
	c.streams = &streams
	c.api, err = client.NewClientWithResponses(base.String(), client.WithHTTPClient(caller{c}))
	return c, err
}

// Close gives idle connections up. Calls under way go on, and events that are being iterated end with their context only.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// API has every operation, as generated from the API's description; those with WithResponse in their names decode the
// answer. They return an *Error whenever the gateway said anything but success, so JSON200 is there when err is nil.
func (c *Client) API() *client.ClientWithResponses { return c.api }

// Token is the token that calls are made with; empty before Login.
func (c *Client) Token() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.token
}

// SetToken has calls made with another token from now on. Events that are open keep to theirs until they reconnect, and go on with
// the new one when theirs expires.
func (c *Client) SetToken(token string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.token = token
}

// Login signs in, and has calls made with the token from now on. platform is a kind of device, numbered by you: signing in again
// on the same one ends the token before. It is tried once: three wrong passwords lock an account.
func (c *Client) Login(ctx context.Context, account, password string, platform int) (Login, error) {
	r, err := c.api.LoginWithResponse(ctx, model.LoginRequest{Account: account, Password: password, Platform: platform})
	if err != nil {
		return Login{}, err
	}
	c.SetToken(r.JSON200.Data.Token)
	return r.JSON200.Data, nil
}

// Logout ends the token.
func (c *Client) Logout(ctx context.Context) error {
	_, err := c.api.LogoutWithResponse(ctx)
	if err == nil {
		c.SetToken("")
	}
	return err
}

// Ticket is a secret that opens one stream within 30 seconds: hand it to a browser that opens /notify?ticket=….
func (c *Client) Ticket(ctx context.Context) (model.NotifyTicket, error) {
	r, err := c.api.NotifyTicketWithResponse(ctx)
	if err != nil {
		return model.NotifyTicket{}, err
	}
	return r.JSON200.Data, nil
}

// Send sends a message and returns its id once the chat server has stored it. Without a ClientMsgId it gets one, so that
// repeating it after a lost answer stores it once; give your own to repeat it yourself, even from another process.
func (c *Client) Send(ctx context.Context, m Draft) (id string, err error) {
	if m.ClientMsgId == "" {
		m.ClientMsgId = rand.Text()
	}
	r, err := c.api.SendMsgWithResponse(Repeatable(ctx), m)
	if err != nil {
		return "", err
	}
	return r.JSON200.Data.MsgID, nil
}
