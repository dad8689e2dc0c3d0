package sdk

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// pollTimeout is how long the server is asked to wait for something to happen.
const pollTimeout = 25 * time.Second

// A polled is a poll's answer.
type polled struct {
	Events   []frame
	Position string
}

// poll polls until that fails. The first poll does not wait: it finds out whether polls get through.
func (s *stream) poll(ctx context.Context) error {
	var timeout time.Duration
	for {
		start := time.Now()
		answer, err := s.ask(ctx, timeout)
		if errors.Is(err, ErrPositionLost) {
			if answer, err = s.lost(ctx, err); err != nil {
				return err
			}
		}
		if err != nil {
			return err
		}
		s.online()
		for _, f := range answer.Events {
			if err := s.take(f); err != nil {
				return err
			}
		}
		s.received = true
		s.after = answer.Position
		// An answer that is empty before its time comes from a server that is going away, or from a proxy that keeps answers.
		if len(answer.Events) == 0 && timeout > 0 && time.Since(start) < timeout/2 {
			if err := sleep(ctx, s.jitter(0)); err != nil {
				return err
			}
		}
		if s.options.Transport == Auto && s.choice.stale(Poll) {
			return errBetter
		}
		timeout = pollTimeout
		if s.options.Silence > 0 {
			timeout = max(time.Second, min(timeout, s.options.Silence.Truncate(time.Second)))
		}
	}
}

// lost makes a refused position a reset, as the other transports tell it. The new position stands at the end of the sentence.
func (s *stream) lost(ctx context.Context, err error) (polled, error) {
	var e *Error
	errors.As(err, &e)
	words := strings.Fields(e.Text)
	at := ""
	if len(words) > 0 && strings.ContainsAny(words[len(words)-1], "0123456789") {
		at = words[len(words)-1]
	} else { // a server that words it differently: from now on
		s.after = ""
		now, err := s.ask(ctx, 0)
		if err != nil {
			return polled{}, err
		}
		at = now.Position
	}
	return polled{Events: []frame{{Event: Reset, Position: at}}, Position: at}, nil
}

// ask polls once. Beyond its timeout it may take as long as another sign of life would.
func (s *stream) ask(ctx context.Context, timeout time.Duration) (answer polled, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	limit := margin
	if s.options.Silence > 0 {
		limit = s.options.Silence
	}
	w := newWatch(cancel, timeout+limit, limit)
	defer w.stop()
	query := url.Values{"timeout": {fmt.Sprint(int(timeout.Seconds()))}}
	if s.after != "" {
		query.Set("after", s.after)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.address(s.base.Scheme, query), nil)
	if err != nil {
		return answer, err
	}
	r.Header.Set("Authorization", s.bearer())
	resp, err := s.streams.Do(r)
	if err != nil {
		return answer, cut(ctx, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(watchedBody{resp.Body, w}, maxAnswer))
	if err != nil {
		return answer, cut(ctx, err)
	}
	if e := refusal(resp, body); e != nil {
		return answer, e
	}
	var envelope struct{ Data *polled }
	if err := json.Unmarshal(body, &envelope); err != nil || envelope.Data == nil || envelope.Data.Position == "" {
		return answer, &Error{Status: resp.StatusCode, Text: "what answered is no poll's answer"}
	}
	return *envelope.Data, nil
}

// cut is why a request was: the cause of its context, or what the network says.
func cut(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return broken(err)
}
