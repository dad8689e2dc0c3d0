package sdk

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/xuangate/xuangate/gen/model"
)

const (
	// maxAnswer bounds an answer in memory; the longest the API gives, 500 of the longest messages, is about 33 MB. Without it
	// whoever stands in for the gateway takes all memory.
	maxAnswer = 64 << 20
	// maxWait is the longest a call waits because the server asks it to. What takes longer is the caller's to decide, who
	// gets the error with its RetryAfter.
	maxWait = time.Minute
)

type repeatable struct{}

// Repeatable says that calls made with the returned context may be repeated when it is unknown whether they were done. Reads
// and Send need no saying so.
func Repeatable(ctx context.Context) context.Context {
	return context.WithValue(ctx, repeatable{}, true)
}

// A caller sends what the generated client makes: with the token, again where that is safe and may help, and with an *Error for
// every answer but success.
type caller struct{ *Client }

// Do implements client.HttpRequestDoer.
func (c caller) Do(r *http.Request) (*http.Response, error) {
	sent := c.sign(r)
	renewed := c.operation(r) == "/login" // nobody's token is at fault there
	for try := 1; ; try++ {
		resp, err := c.once(r)
		if err == nil {
			return resp, nil
		}
		if refuses(err) && !renewed {
			renewed = true
			fresh, failed := c.renew(r.Context(), sent)
			if failed != nil {
				return nil, failed
			}
			if fresh == "" {
				return nil, err
			}
			try--
		} else if wait, again := c.again(r, err, try); !again || sleep(r.Context(), wait) != nil {
			return nil, err
		}
		next := r.Clone(r.Context())
		if r.GetBody != nil {
			if next.Body, err = r.GetBody(); err != nil {
				return nil, err
			}
		}
		r = next
		sent = c.sign(r)
	}
}

// sign adds who calls, and returns the token. A sign-in is nobody's call yet.
func (c *Client) sign(r *http.Request) (token string) {
	if token = c.Token(); token != "" && c.operation(r) != "/login" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	return token
}

// operation is the path of a request without what the gateway's address adds.
func (c *Client) operation(r *http.Request) string {
	return strings.TrimPrefix(r.URL.Path, c.base.Path)
}

// once makes one try. The answer is whole and a success, or there is an error.
func (c caller) once(r *http.Request) (*http.Response, error) {
	resp, err := c.http.Do(r)
	if err != nil {
		if cause := context.Cause(r.Context()); cause != nil {
			return nil, fmt.Errorf("xuangate: %s: %w", c.operation(r), cause)
		}
		return nil, fmt.Errorf("xuangate: %w", err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return nil, fmt.Errorf("xuangate: read the answer of %s: %w", c.operation(r), err)
	}
	if len(body) > maxAnswer {
		return nil, fmt.Errorf("xuangate: the answer of %s is larger than %d bytes", c.operation(r), maxAnswer)
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	if resp.StatusCode == http.StatusOK && c.bare(r, resp) {
		return resp, nil
	}
	if e := refusal(resp, body); e != nil {
		return nil, e
	}
	if media, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type")); media != "application/json" {
		resp.Header.Set("Content-Type", "application/json") // it is; the generated client asks
	}
	return resp, nil
}

// bare says that a good answer to a call has no envelope: the API's description, and files.
func (c *Client) bare(r *http.Request, resp *http.Response) bool {
	op := c.operation(r)
	return op == "/openapi.json" || strings.HasPrefix(op, "/files/") && resp.Header.Get("X-Request-Id") != "" // which every answer of the gateway has
}

// again says whether a call that failed is worth another try, and when.
func (c *Client) again(r *http.Request, err error, try int) (wait time.Duration, again bool) {
	if try >= c.options.Tries || r.Context().Err() != nil || r.Body != nil && r.Body != http.NoBody && r.GetBody == nil {
		return 0, false
	}
	wait = c.jitter(try - 1)
	var e *Error
	if errors.As(err, &e) {
		if e.RetryAfter > maxWait {
			return 0, false
		}
		wait = later(wait, e.RetryAfter)
	}
	if end, ok := r.Context().Deadline(); ok && time.Until(end) < wait {
		return 0, false // the error now says more than the deadline then
	}
	return wait, undone(err) || c.safe(r) && transient(err)
}

// safe says whether a call may be done twice: those that read, by the API's naming, and those marked by Repeatable.
func (c *Client) safe(r *http.Request) bool {
	if r.Context().Value(repeatable{}) != nil || r.Method == http.MethodGet {
		return true
	}
	op := c.operation(r)
	for _, reads := range []string{"/get_", "/check_", "/search_"} {
		if strings.HasPrefix(op, reads) {
			return true
		}
	}
	return false
}

// undone says that a call was surely not done: the server refused even to begin, or was never reached.
func undone(err error) bool {
	var op *net.OpError
	return errors.Is(err, ErrTooManyRequests) || errors.As(err, &op) && op.Op == "dial"
}

// transient says that another try may help: the network failed, or something between us and the chat server.
func transient(err error) bool {
	var e *Error
	if !errors.As(err, &e) {
		return true
	}
	switch e.Code {
	case model.Unreachable, model.TooSlow, model.TooManyRequests:
		return true
	case 0:
		return e.Ended == "" && (e.Status == http.StatusOK || e.Status == http.StatusBadGateway || e.Status == http.StatusServiceUnavailable || e.Status == http.StatusGatewayTimeout)
	}
	return false
}
