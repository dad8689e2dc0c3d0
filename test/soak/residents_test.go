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
		if missing := l.misses(said); missing > 0 {
			s.fault("%s over %s misses %d of %d messages", l.account, transports[i], missing, len(said))
		}
	}
	return err
}

// talk says one number after the other until over is closed, and does an administrator's work beside it. It answers what was said.
func (s *site) talk(ctx context.Context, p *person, room string, over <-chan struct{}, pace time.Duration) (said []string, err error) {
	admin, err := s.signIn(ctx, "admin", 1, sdk.Auto)
	if err != nil {
		return nil, err
	}
	defer admin.leaves()
	var joined model.JoinedConversations
	if err := admin.call(ctx, "/get_joined_conversation", object{}, &joined); err != nil {
		return nil, err
	}
	tick := time.NewTicker(pace)
	defer tick.Stop()
	for {
		content := strconv.Itoa(len(said))
		if err := p.call(ctx, "/send_msg", object{"conversation_id": room, "type": 1, "content": content}, nil); err != nil {
			return said, err
		}
		said = append(said, content)
		admins := []string{}
		if len(said)%2 == 0 {
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

// misses waits until he has heard all of some messages, and answers how many he has not.
func (l *listener) misses(contents []string) int {
	limit := time.NewTimer(patience)
	defer limit.Stop()
	for {
		missing := 0
		l.mu.Lock()
		more := l.more
		for _, content := range contents {
			if !l.got[content] {
				missing++
			}
		}
		l.mu.Unlock()
		if missing == 0 {
			return 0
		}
		select {
		case <-more:
		case <-limit.C:
			return missing
		}
	}
}
