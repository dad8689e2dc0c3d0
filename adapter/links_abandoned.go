package adapter

import (
	"context"
	"strconv"
	"time"

	"github.com/xuangate/xuangate/adapter/legacy"
	"github.com/xuangate/xuangate/gen/model"
)

// adoptEvery is how often a node looks for users whose node has died. With their lease it bounds how long they are without a link.
const adoptEvery = time.Second

// adopt links users whose node has died, or gave them up when it ended, and whom nobody has asked for since. It takes no more than
// may sign in within a second, and none while others wait for their turn: the other nodes take some, too.
func (l *links) adopt(ctx context.Context) {
	room := l.queue.perSecond() - l.queue.waiting()
	if l.a.claims == nil || room <= 0 || l.isLeaving() {
		return
	}
	limit, cancel := context.WithTimeout(ctx, laneTimeout)
	defer cancel()
	list, err := l.a.claims.Abandoned(limit, room)
	if err != nil {
		return // the next look is soon, and renewing says what is wrong
	}
	for _, c := range list {
		n, err := strconv.ParseInt(c.Note, 10, 64)
		if err != nil {
			continue // it died before it knew whom it signed in
		}
		l.work.Go(func() { l.linkAgain(ctx, legacy.UserID(n)) })
	}
}

// linkAgain links a user for whom nobody waits, however long the chat server is away, unless another node or the user himself does.
func (l *links) linkAgain(ctx context.Context, u legacy.UserID) {
	for tries := 0; ; tries++ {
		_, err := l.find(ctx, u)
		if c := code(err); c != model.Unreachable && c != model.TooSlow || HolderOf(err) != "" {
			return // it is there, or not to be
		}
		if !pause(ctx, backoff(tries)) {
			return
		}
		if tries == 0 {
			l.a.log.WarnContext(ctx, "could not yet take a user over from a node that has gone", "session", u.String(), "error", err)
		}
	}
}
