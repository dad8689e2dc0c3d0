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
}

func newEntry(e adapter.Event) (*Entry, error) {
	entry := &Entry{Kind: e.Kind, Login: e.To.Login, once: e.Once, chat: e.Chat, to: newRecipients(e.To)}
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

// AppendMessage appends the data with its position inside: what a client gets that asked for messages only.
func (e *Entry) AppendMessage(to []byte) []byte {
	to = e.appendData(to)
	to = append(to[:len(to)-1], `,"Position":"`...)
	to = e.At.append(to)
	return append(to, `"}`...)
}

// AppendEvent appends the event as a client gets it that asked for every kind.
func (e *Entry) AppendEvent(to []byte) []byte {
	to = appendControl(to, e.Kind, e.At)
	if len(e.data) == 0 {
		return to
	}
	to = append(to[:len(to)-1], `,"Data":`...)
	to = e.appendData(to)
	return append(to, '}')
}

// AppendControl appends an event that has no data and stands in no log, such as a new position.
func AppendControl(to []byte, kind model.EventKind, at Position) []byte {
	return appendControl(to, kind, at)
}

func appendControl(to []byte, kind model.EventKind, at Position) []byte {
	to = append(to, `{"Event":"`...)
	to = append(to, kind...)
	to = append(to, `","Position":"`...)
	to = at.append(to)
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
