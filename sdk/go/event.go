package sdk

import (
	"encoding/json"

	"github.com/xuangate/xuangate/gen/model"
)

// An EventKind says what an event is about.
type EventKind = model.EventKind

// Reset is the kind of event that says that something was missed for good: reload what you show through the history
// operations, and go on from its position.
const Reset = model.EventKindReset

// An Event is something that happened. One of the pointers is set, by its kind; none for Reset, nor for a kind that this SDK
// does not know.
type Event struct {
	Kind EventKind
	// Position is its place: Events begins after it when given it.
	Position string

	Message      *model.MsgData // Late: a message with a higher MsgId came before; place it by its MsgId
	Conversation *model.ConversationEvent
	User         *model.User
	Notification *model.Notification
	Upstream     *model.Upstream // how the user's own connection to the chat server is
	// Data is the same as it came, in JSON.
	Data json.RawMessage
}

// decode fills in what the event is about. What does not decode stays in Data: newer servers may say more than we know.
func (e *Event) decode() {
	switch e.Kind {
	case model.EventKindMessage:
		e.Message = decoded[model.MsgData](e.Data)
	case model.EventKindConversation:
		e.Conversation = decoded[model.ConversationEvent](e.Data)
	case model.EventKindUser:
		e.User = decoded[model.User](e.Data)
	case model.EventKindNotification:
		e.Notification = decoded[model.Notification](e.Data)
	case model.EventKindUpstream:
		e.Upstream = decoded[model.Upstream](e.Data)
	}
}

func decoded[T any](data json.RawMessage) *T {
	v := new(T)
	if json.Unmarshal(data, v) != nil {
		return nil
	}
	return v
}

// seenSize is how many positions are remembered. A server that tells more than these again, which none should, is heard twice.
const seenSize = 4096

// seen remembers the latest positions that were told.
type seen struct {
	set  map[string]struct{}
	ring []string
	next int
}

// add says whether a position is new.
func (s *seen) add(position string) bool {
	if _, had := s.set[position]; had || position == "" {
		return !had
	}
	if s.set == nil {
		s.set = map[string]struct{}{}
	}
	if len(s.ring) < seenSize {
		s.ring = append(s.ring, position)
	} else {
		delete(s.set, s.ring[s.next])
		s.ring[s.next] = position
		s.next = (s.next + 1) % seenSize
	}
	s.set[position] = struct{}{}
	return true
}
