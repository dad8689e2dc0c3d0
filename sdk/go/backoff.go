package sdk

import (
	"context"
	"math/rand/v2"
	"time"
)

// jitter is how long to wait after some failures in a row: random up to a bound that doubles, so that clients which lost the
// same server do not come back together.
func (c *Client) jitter(failures int) time.Duration {
	least, most := c.options.MinDelay, c.options.MaxDelay
	bound := most
	if failures < 16 { // beyond, shifting overflows
		bound = min(most, 2*least<<failures)
	}
	if bound <= least {
		return least
	}
	return least + rand.N(bound-least)
}

// later is the wait of our own, or what the server asks for and up to half of it more: those who were told the same time are
// not to come back in the same instant.
func later(own, asked time.Duration) time.Duration {
	if asked <= 0 {
		return own
	}
	return max(own, asked+rand.N(asked/2+1))
}

// sleep waits, or returns why ctx ended before that.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
