package eventlog

import (
	"encoding/json"
	"fmt"

	"github.com/xuangate/xuangate/adapter"
	"github.com/xuangate/xuangate/adapter/legacy"
	"github.com/xuangate/xuangate/gen/model"
)

// An Entry is one event in the log. It is shared by all who read it and never changes.
//
// Its data is encoded once, when it is appended. What differs between the forms clients ask for stands around that text,
// so making one is copying and no encoding, and a log holds each event once and not once per form.
type Entry struct {
	Kind  model.EventKind
	Login string // the only login this is for; "" is all of the recipients'
	At    Position

	data []byte // a JSON object, or empty for a control kind
	late bool
	to   recipients
	once string
	chat legacy.ChatGID
	id   legacy.MessageID // within chat
	name string           // in Redis, where it has no once
}

func newEntry(e adapter.Event) (*Entry, error) {
	entry := &Entry{Kind: e.Kind, Login: e.To.Login, once: e.Once, chat: e.Chat, id: e.ID, to: newRecipients(e.To)}
	if e.Data != nil {
		data, err := json.Marshal(e.Data)
		if err != nil {
			return nil, fmt.Errorf("encode %s: %w", e.Kind, err)
		}
		if len(data) < len(`{"":0}`) || data[0] != '{' {
			return nil, fmt.Errorf("encode %s: data is no object", e.Kind)
		}
		entry.data = data
	}
	return entry, nil
}

// ForAllStreams says that streams of messages only tell the entry too: it is a message, or about the stream itself.
func (e *Entry) ForAllStreams() bool {
	switch e.Kind {
	case model.EventKindMessage, model.EventKindReset, model.EventKindKickoff, model.EventKindRevoked, model.EventKindExpired:
		return true
	}
	return false
}

// Append appends the entry as clients get it: as an event, which is what one gets that asked for every kind, or, for those
// that asked for messages only, as the message itself with its position inside. What has no data is always an event.
func (e *Entry) Append(to []byte, event bool) []byte {
	switch {
	case len(e.data) == 0:
		return AppendControl(to, e.Kind, e.At)
	case event:
		to = AppendControl(to, e.Kind, e.At)
		to = append(to[:len(to)-1], `,"Data":`...)
		to = e.appendData(to)
		return append(to, '}')
	}
	to = e.appendData(to)
	to = append(to[:len(to)-1], `,"Position":"`...)
	to = e.At.Append(to)
	return append(to, `"}`...)
}

// AppendControl appends an event without data, such as a new position.
func AppendControl(to []byte, kind model.EventKind, at Position) []byte {
	to = append(to, `{"Event":"`...)
	to = append(to, kind...)
	to = append(to, `","Position":"`...)
	to = at.Append(to)
	return append(to, `"}`...)
}

func (e *Entry) appendData(to []byte) []byte {
	to = append(to, e.data...)
	if e.late {
		to = append(to[:len(to)-1], `,"Late":true}`...)
	}
	return to
}

// size is about what the entry costs in memory, its places in the users' indexes included.
func (e *Entry) size() int {
	const fixed = 300
	return fixed + len(e.data) + len(e.once) + 16*(len(e.to.users)+len(e.to.except))
}
