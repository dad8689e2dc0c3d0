package xuanxuan

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/xuangate/xuangate/adapter/legacy"
)

// An xxbClient is xxd's side of the wire to xxb. It may be used from any goroutine.
type xxbClient struct {
	url       string
	key       legacy.Key
	transport *http.Transport
}

func newXXBClient(url string, key legacy.Key) *xxbClient {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.Proxy = nil
	t.MaxIdleConnsPerHost = 64
	t.TLSClientConfig = &tls.Config{InsecureSkipVerify: true} // the real one trusts whoever answers
	return &xxbClient{url: url, key: key, transport: t}
}

func (b *xxbClient) close() { b.transport.CloseIdleConnections() }

// A call that xxb does not answer with 200 is made again, and so may be carried out three times.
const (
	backendTries = 3
	backendPause = 200 * time.Millisecond // after each failure, the last one included
)

// errEmptyAnswer is an answer of no bytes, as serverStart gets it.
var errEmptyAnswer = errors.New("empty answer")

// call posts a frame, in clear, and returns the answer, in clear. Only ctx bounds how long an answer is waited for.
func (b *xxbClient) call(ctx context.Context, frame []byte) ([]byte, error) {
	sealed := b.key.Seal(frame)
	for try := 0; ; try++ {
		answer, err := b.post(ctx, sealed)
		if err == nil {
			if len(answer) == 0 {
				return nil, errEmptyAnswer
			}
			return b.key.Open(answer)
		}
		if err := pause(ctx, backendPause); err != nil {
			return nil, err
		}
		if try == backendTries-1 {
			return nil, err
		}
	}
}

func (b *xxbClient) post(ctx context.Context, sealed []byte) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, b.url, bytes.NewReader(sealed))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("User-Agent", "easysoft/xuan.im")
	req.Header.Set("xxd-version", xxdVersion)
	res, err := b.transport.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("status %d", res.StatusCode)
	}
	return answer, err
}

// pause waits, but not longer than ctx.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// own makes a call of xxd's own accord. Its text is put together in the key order of the recordings, with the client's
// language as it is, so that a quotation mark in it rewrites the call (LEGACY); where there is no user there is no userID.
func (b *xxbClient) own(ctx context.Context, lang, method string, user *int64, params ...any) ([]byte, error) {
	text := []byte(`{"module":"chat","method":"` + method + `","lang":"` + lang + `"`)
	if len(params) > 0 {
		list, err := json.Marshal(params)
		if err != nil {
			return nil, err
		}
		text = append(append(text, `,"params":`...), list...)
	}
	if user != nil {
		text = fmt.Appendf(text, `,"userID":%d`, *user)
	}
	return b.call(ctx, append(text, '}'))
}
