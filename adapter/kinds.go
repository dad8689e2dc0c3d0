package adapter

import (
	"bytes"
	"encoding/json"
	"strings"

	"github.com/xuangate/xuangate/adapter/legacy"
	"github.com/xuangate/xuangate/gen/model"
)

// contentTypes are legacy's content types by the facade's Type. The table's column knows "emotion"; "emoticon", seed
// 000's word for it, would be stored as "" (LEGACY: a MySQL enum).
var contentTypes = []string{"text", "plain", "emotion", "image", "file", "object"}

const typeObject = 5

func typeOf(contentType string) model.MsgType {
	if contentType == "emoticon" {
		contentType = "emotion"
	}
	for i, t := range contentTypes {
		if t == contentType {
			return model.MsgType(i)
		}
	}
	return 0
}

// wrapper carries what legacy has no place for, a Type or Status of the client's own, as an object message.
type wrapper struct {
	Type    string `json:"type"`
	T       int64  `json:"t"`
	S       int64  `json:"s"`
	Content string `json:"c"`
}

const (
	wrapperType   = "xuangate"
	wrapperPrefix = `{"type":"` + wrapperType + `","t":`
)

// wrap chooses the content type and content under which legacy keeps a message. Object content that looks like the
// wrapper is wrapped as well, so that unwrap gives back what was sent, whatever it was.
func wrap(t model.MsgType, status model.MsgStatus, content string) (contentType, stored string) {
	plain := status == 0 && t >= 0 && int(t) < len(contentTypes)
	if plain && (t != typeObject || !strings.HasPrefix(content, wrapperPrefix)) {
		return contentTypes[t], content
	}
	b, _ := json.Marshal(wrapper{Type: wrapperType, T: t, S: status, Content: content}) // strings and ints always marshal
	return contentTypes[typeObject], asciiJSON(string(b))
}

// unwrap undoes wrap, one level of it. ok is false for content that is no wrapper.
func unwrap(contentType, stored string) (w wrapper, ok bool) {
	if contentType != contentTypes[typeObject] || !strings.HasPrefix(stored, wrapperPrefix) {
		return w, false
	}
	d := json.NewDecoder(strings.NewReader(stored))
	d.DisallowUnknownFields()
	if d.Decode(&w) != nil || d.More() {
		return wrapper{}, false
	}
	return w, w.Type == wrapperType
}

// asciiJSON escapes everything beyond ASCII in a JSON text, so that no character set of legacy's tables can harm it.
func asciiJSON(s string) string { return escapeAbove(s, 0x7f) }

// escapeAbove writes the characters above limit in a JSON text as \u escapes; such characters occur in strings only.
func escapeAbove(s string, limit rune) string {
	var b bytes.Buffer
	for _, r := range s {
		if r <= limit {
			b.WriteRune(r)
			continue
		}
		writeEscape(&b, r)
	}
	return b.String()
}

// statusOf reads legacy's message type, which only the servers themselves set to anything but normal.
func statusOf(row legacy.MessageRow) model.MsgStatus {
	switch row.Type {
	case "broadcast":
		return 1
	case "notify":
		return 2
	}
	return 0
}

// message translates a stored row. Its conversation is named as chat, which is legacy's own spelling: a desktop may
// have sent it under another.
func (a *Adapter) message(chat legacy.ChatGID, row legacy.MessageRow) model.MsgData {
	unix := row.Date.Unix(a.zone)
	m := model.MsgData{
		MsgId:          newMsgID(legacy.MessageID(row.ID), unix).format(chat),
		ConversationID: model.ConversationId(chat),
		FromSession:    legacy.UserID(row.User).String(),
		SendTime:       unix * 1e6,
		Status:         statusOf(row),
		Type:           typeOf(string(row.ContentType)),
	}
	if w, ok := unwrap(string(row.ContentType), string(row.Content)); ok {
		m.Type, m.Status, m.Content = w.T, w.S, w.Content
	} else {
		m.Content = a.emoji.read(m.Type, string(row.Content))
	}
	m.File, _ = a.fileOf(chat, m.Type, m.Content)
	return m
}
