package soak

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/xuangate/xuangate/gen/model"
	"github.com/xuangate/xuangate/sdk/go"
)

var transports = []sdk.Transport{sdk.SSE, sdk.WebSocket, sdk.Poll}

// reside has one resident talk until over is closed, and three listen, each over another transport, who miss nothing. The last one
// is an administrator at work.
func (s *site) reside(ctx context.Context, over <-chan struct{}, pace time.Duration) {
	if err := s.residents(ctx, over, pace); err != nil {
		s.fault("residents: %v", err)
	}
}

func (s *site) residents(ctx context.Context, over <-chan struct{}, pace time.Duration) error {
	talker, err := s.signIn(ctx, "alice", 1, sdk.Auto)
	if err != nil {
		return err
	}
	defer talker.leaves()
	ctx, hangUp := context.WithCancel(ctx)
	defer hangUp()
	var list []*listener
	var members []string
	for i, who := range []string{"bob", "carol", "dave"} {
		p, err := s.signIn(ctx, who, 1, transports[i])
		if err != nil {
			return err
		}
		defer p.leaves()
		list = append(list, newListener(p))
		members = append(members, p.session)
	}
	var room model.ConversationRef
	if err := talker.call(ctx, "/create_conversation", object{"conversation_type": 0, "name": "room", "members": members}, &room); err != nil {
		return err
	}
	var ears sync.WaitGroup
	defer ears.Wait()
	defer hangUp()
	for _, l := range list {
		ears.Go(func() { l.listen(ctx, room.ConversationId) })
	}
	for _, l := range list {
		if err := l.begins(); err != nil {
			return err
		}
	}
	said, err := s.talk(ctx, talker, room.ConversationId, over, pace)
	for i, l := range list {
		if got := l.hears(said); got != said {
			s.fault("%s over %s heard %d of %d messages", l.account, transports[i], got, said)
		}
	}
	return err
}

// talk says one number after the other until over is closed, and does an administrator's work beside it. It answers how many.
func (s *site) talk(ctx context.Context, p *person, room string, over <-chan struct{}, pace time.Duration) (said int, err error) {
	admin, err := s.signIn(ctx, "admin", 1, sdk.Auto)
	if err != nil {
		return 0, err
	}
	defer admin.leaves()
	var joined model.JoinedConversations
	if err := admin.call(ctx, "/get_joined_conversation", object{}, &joined); err != nil {
		return 0, err
	}
	tick := time.NewTicker(pace)
	defer tick.Stop()
	for {
		if err := p.call(ctx, "/send_msg", object{"conversation_id": room, "type": 1, "content": strconv.Itoa(said)}, nil); err != nil {
			return said, err
		}
		said++
		admins := []string{}
		if said%2 == 0 {
			admins = append(admins, p.session)
		}
		if err := admin.call(ctx, "/set_conversation_admins", object{"conversation_id": joined.Conversations[0], "admins": admins}, nil); err != nil {
			return said, err
		}
		select {
		case <-tick.C:
		case <-over:
			return said, nil
		}
	}
}

// A listener keeps what a person hears.
type listener struct {
	*person
	mu   sync.Mutex
	got  map[string]bool // messages by content
	more chan struct{}   // closed with the next one
}

func newListener(p *person) *listener {
	return &listener{person: p, got: map[string]bool{}, more: make(chan struct{})}
}

// listen hears what is said in a conversation until ctx ends. Whatever else comes is counted.
func (l *listener) listen(ctx context.Context, conversation string) {
	for e, err := range l.sdk.Events(ctx, "") {
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			l.fault("events of %s end: %v", l.account, err)
			return
		case e.Kind == sdk.Reset:
			l.fault("events of %s: reset", l.account)
		}
		l.site.heard.Add(1)
		if m := e.Message; m != nil && m.ConversationID == conversation {
			l.take(m.Content)
		}
	}
}

func (l *listener) take(content string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.got[content] {
		l.fault("%s heard %q twice", l.account, content)
	}
	l.got[content] = true
	close(l.more)
	l.more = make(chan struct{})
}

// begins waits until he hears what happens.
func (l *listener) begins() error {
	limit := time.NewTimer(patience)
	defer limit.Stop()
	select {
	case <-l.online:
		return nil
	case <-limit.C:
		return fmt.Errorf("the events of %s do not begin", l.account)
	}
}

// hears waits until he has heard n messages, and answers how many it were.
func (l *listener) hears(n int) int {
	limit := time.NewTimer(patience)
	defer limit.Stop()
	for {
		l.mu.Lock()
		got, more := len(l.got), l.more
		l.mu.Unlock()
		if got >= n {
			return got
		}
		select {
		case <-more:
		case <-limit.C:
			return got
		}
	}
}
