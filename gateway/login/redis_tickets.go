package login

import (
	"context"
	_ "embed"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
)

var (
	//go:embed redis_ticket.lua
	luaTicket string
	//go:embed redis_redeem.lua
	luaRedeem string

	scriptTicket = redis.NewScript(luaLogins + luaTicket)
	scriptRedeem = redis.NewScript(luaLogins + luaRedeem)
)

func (r *Redis) ticketKey(h hash) string { return r.prefix + ":ticket:" + h.String() }

// Ticket implements Store. Like a token's, a ticket's user stands under a key of its own.
func (r *Redis) Ticket(ctx context.Context, t Token, expires time.Time) (Ticket, error) {
	const op = "make a ticket"
	of, ok := t.hash()
	if !ok {
		return "", ErrUnknown
	}
	u, err := r.userOf(ctx, r.tokenKey(of), of)
	if err != nil {
		return "", err
	}
	k := newTicket()
	h, _ := k.hash()
	ttl := max(time.Until(expires), time.Millisecond)
	if err := r.client.Set(ctx, r.ticketKey(h), u.String(), ttl).Err(); err != nil {
		return "", failed(op, err)
	}
	text, err := scriptTicket.Run(ctx, r.client, []string{r.userKey(u)},
		time.Now().UnixMicro(), expires.UnixMicro(), of.String(), h.String(), MaxTickets).Text()
	if err != nil {
		return "", failed(op, err)
	}
	if _, err := liveLogin(u, of, text); err != nil {
		return "", err
	}
	return k, nil
}

// Redeem implements Store.
func (r *Redis) Redeem(ctx context.Context, k Ticket) (Login, error) {
	h, ok := k.hash()
	if !ok {
		return Login{}, ErrUnknown
	}
	u, err := r.userOf(ctx, r.ticketKey(h), h)
	if err != nil {
		return Login{}, err
	}
	answer, err := scriptRedeem.Run(ctx, r.client, []string{r.userKey(u)}, time.Now().UnixMicro(), h.String()).StringSlice()
	if err != nil {
		return Login{}, failed("redeem a ticket", err)
	}
	if len(answer) != 2 {
		return Login{}, ErrUnknown
	}
	of, err := parseHash(answer[0])
	if err != nil {
		return Login{}, err
	}
	l, err := liveLogin(u, of, answer[1])
	if err != nil {
		return Login{}, fmt.Errorf("%w: its login has ended", ErrUnknown)
	}
	return l, nil
}
