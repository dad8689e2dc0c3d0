package sdk

import (
	"bytes"
	"context"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/r3labs/sse/v2"
	"gopkg.in/cenkalti/backoff.v1"

	"github.com/xuangate/xuangate/gen/model"
)

// maxRefusal bounds what is read of an answer that should have been a stream.
const maxRefusal = 64 << 10

// sse is one connection over server-sent events. The library reads it in a goroutine that ends before sse returns; coming back is
// left to run, for the library takes a stream that was closed in good order for one that is over.
func (s *stream) sse(ctx context.Context, cancel context.CancelCauseFunc) error {
	w := newWatch(cancel, s.openLimit(), s.silence())
	defer w.stop()
	client := sse.NewClient(s.address(s.base.Scheme, url.Values{}), sse.ClientMaxBufferSize(maxEvent))
	client.Connection = s.streams
	client.ReconnectStrategy = &backoff.StopBackOff{}
	client.Headers["Authorization"] = s.bearer()
	client.Headers["Accept-Encoding"] = "identity"
	if s.after != "" {
		client.LastEventID.Store([]byte(s.after))
	}
	client.ResponseValidator = func(_ *sse.Client, resp *http.Response) error {
		if err := checkStream(resp); err != nil {
			return err
		}
		resp.Body = &blocks{body: resp.Body, watch: w}
		return nil
	}

	events, done, gone := make(chan *sse.Event), make(chan error, 1), make(chan struct{})
	defer func() { // the program may panic in its loop
		cancel(nil)
		<-gone
	}()
	go func() {
		defer close(gone)
		done <- client.SubscribeRawWithContext(ctx, func(e *sse.Event) {
			select {
			case events <- e:
			case <-ctx.Done():
			}
		})
	}()
	for {
		select {
		case e := <-events:
			if err := s.takeSSE(e); err != nil {
				return err
			}
		case err := <-done:
			var e *Error
			if errors.As(err, &e) {
				return e
			}
			return broken(err)
		}
	}
}

// takeSSE takes a block. One without data moves the position on, and is how a stream opens.
func (s *stream) takeSSE(e *sse.Event) error {
	s.online()
	s.received = true
	if ms, err := strconv.Atoi(string(e.Retry)); err == nil {
		s.hint = time.Duration(ms) * time.Millisecond
	}
	if len(e.Data) > 0 {
		return s.takeText(e.Data)
	}
	if len(e.ID) > 0 {
		return s.take(frame{Event: model.EventKindPosition, Position: string(e.ID)})
	}
	return nil
}

// checkStream makes sure that an answer is a stream of events. Otherwise it closes it and returns the *Error in it.
func checkStream(resp *http.Response) error {
	media, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if resp.StatusCode == http.StatusOK && media == "text/event-stream" {
		return nil
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(io.LimitReader(resp.Body, maxRefusal)) // half of it says as little as none
	if e := refusal(resp, body); e != nil {
		return e
	}
	return &Error{Status: resp.StatusCode, Text: "what answered is not a stream of events, but " + orNothing(media)}
}

// blocks passes a stream of events on in whole blocks, under watch. The library takes the rest of a broken stream for an event, with
// half an id that would then be our position.
type blocks struct {
	body  io.ReadCloser
	watch *watch
	held  []byte
	whole int // of held are whole blocks
	err   error
}

func (b *blocks) Close() error { return b.body.Close() }

func (b *blocks) Read(p []byte) (int, error) {
	for b.whole == 0 {
		if b.err != nil {
			return 0, b.err
		}
		if len(b.held) > maxEvent {
			b.err = errors.New("an event is too large")
			continue
		}
		b.fill()
	}
	n := copy(p, b.held[:b.whole])
	b.held = b.held[:copy(b.held, b.held[n:])]
	b.whole -= n
	return n, nil
}

// fill reads once. The server ends lines with \n alone.
func (b *blocks) fill() {
	const chunk = 4 << 10
	if cap(b.held)-len(b.held) < chunk {
		b.held = append(make([]byte, 0, 2*cap(b.held)+chunk), b.held...)
	}
	var n int
	n, b.err = b.watch.read(b.body, b.held[len(b.held):cap(b.held)])
	from := max(0, len(b.held)-1) // the first of two newlines may be there already
	b.held = b.held[:len(b.held)+n]
	if i := bytes.LastIndex(b.held[from:], []byte("\n\n")); i >= 0 {
		b.whole = from + i + 2
	}
}
