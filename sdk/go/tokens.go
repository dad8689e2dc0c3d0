package sdk

import (
	"context"
	"errors"
	"fmt"

	"github.com/xuangate/xuangate/gen/model"
)

// renew is a token other than the refused one, which calls carry from now on; empty where there is none. One question is under way
// at a time, and whoever waited for it takes its answer.
func (c *Client) renew(ctx context.Context, refused string) (string, error) {
	select {
	case c.asking <- struct{}{}:
		defer func() { <-c.asking }()
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
	if now := c.Token(); now != refused || c.options.NewToken == nil {
		if now == refused {
			now = ""
		}
		return now, nil
	}
	fresh, err := c.options.NewToken(ctx, refused)
	if err != nil {
		return "", fmt.Errorf("xuangate: a new token: %w", err)
	}
	if fresh == "" || fresh == refused {
		return "", nil
	}
	c.SetToken(fresh)
	return fresh, nil
}

// refuses says that another token may do better: the one that was sent has expired or is unknown. Events that end as revoked, or
// because of a sign-in elsewhere, were ended by somebody who meant it.
func refuses(err error) bool {
	var e *Error
	return errors.As(err, &e) && (e.Ended == model.EventKindExpired || e.Ended == "" && e.Code == model.InvalidToken)
}

// renewed is what is left of the end of a connection once another token was asked for where the old one was of no use: nil if
// there is one.
func (s *stream) renewed(ctx context.Context, err error) error {
	if !refuses(err) {
		return err
	}
	fresh, failed := s.renew(ctx, s.sent)
	switch {
	case failed != nil:
		return failed // asked again after a while
	case fresh == "":
		return err
	}
	return nil
}

// bearer is the header of the connection under way, whose token is noted.
func (s *stream) bearer() string {
	s.sent = s.Token()
	return "Bearer " + s.sent
}
