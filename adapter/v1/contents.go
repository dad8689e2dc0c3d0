package v1

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/xuangate/xuangate/adapter/legacy"
)

// 1.0 knows the content types text, emotion, image and file; others it stores as none (seed 001). So plain is sent as a text
// with plainMark behind it, which the desktop client shows as the text it is. An object is sent as a text that says so: one
// that wraps a facade Type as it is, any other one wrapped in the same form; and as a text could be taken for either, one that
// could is wrapped as well.

// plainMark is INVISIBLE SEPARATOR, which takes no place on a screen. What a desktop user sends with it at its end is plain.
const plainMark = "\u2063"

// wrapped is the form in which the translation keeps a Type that 2.x does not know. Number t counts the content types.
type wrapped struct {
	Type    string `json:"type"`
	T       int64  `json:"t"`
	S       int64  `json:"s"`
	Content string `json:"c"`
}

const (
	wrapperType   = "xuangate"
	wrapperPrefix = `{"type":"` + wrapperType + `","t":`
	// maxContent is what the table keeps of a text, in bytes; it cuts longer ones in silence.
	maxContent = 65535
)

// The facade's numbers of those content types that are wrapped here.
var wrappedKinds = map[string]int64{"text": 0, "object": 5}

// writeContent is a draft's content as 1.0 is to store it: as it is where it will be read as itself, else wrapped.
func writeContent(contentType, content string) (string, string) {
	if contentType == "plain" {
		return "text", content + plainMark
	}
	t, ours := wrappedKinds[contentType]
	if !ours {
		return contentType, content
	}
	if kind, same := readContent("text", content); kind == contentType && same == content {
		return "text", content
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(wrapped{Type: wrapperType, T: t, Content: content}) // strings and ints always encode
	return "text", strings.TrimRight(b.String(), "\n")
}

// readContent undoes writeContent.
func readContent(contentType, content string) (string, string) {
	if contentType != "text" {
		return contentType, content
	}
	if plain, ok := strings.CutSuffix(content, plainMark); ok {
		return "plain", plain
	}
	if !strings.HasPrefix(content, wrapperPrefix) {
		return "text", content
	}
	var w wrapped
	d := json.NewDecoder(strings.NewReader(content))
	d.DisallowUnknownFields()
	if d.Decode(&w) != nil || d.More() {
		return "text", content
	}
	for kind, t := range wrappedKinds {
		if w.T != t {
			continue
		}
		if _, again := writeContent(kind, w.Content); again == content {
			return kind, w.Content
		}
	}
	return "object", content
}

// traces are what JSON has of a message that readContents changes, however the server writes its texts.
var traces = [][]byte{[]byte(wrapperType), []byte(plainMark), []byte(`\u2063`), []byte(`"image"`), []byte(`"file"`)}

// readContents undoes writeContent in rows of messages, and dates their files.
func readContents(data json.RawMessage) json.RawMessage {
	if !slices.ContainsFunc(traces, func(trace []byte) bool { return bytes.Contains(data, trace) }) {
		return data
	}
	var rows []row
	if json.Unmarshal(data, &rows) != nil {
		return data
	}
	for _, r := range rows {
		kind, content := readContent(r.text("contentType"), r.text("content"))
		if kind == "image" || kind == "file" {
			content = r.dateFile(content)
		}
		r.setContent(kind, content)
	}
	text, _ := json.Marshal(rows) // what was read can be written
	return text
}

// A row is a message, or a user, as the server wrote it.
type row map[string]json.RawMessage

func (r row) text(field string) string {
	var t legacy.Text
	_ = json.Unmarshal(r[field], &t) // a missing field reads as ""
	return string(t)
}

// dateFile adds the time that 2.x has in a message about a file, and 1.0 has not: its client names a file by its number
// (app/models/chat/chat-message.js). The message's own time serves, for a file is uploaded for one message.
func (r row) dateFile(content string) string {
	var f struct {
		legacy.FileContent
		Time json.RawMessage `json:"time"`
	}
	var date legacy.Date
	if !strings.HasPrefix(content, "{") || json.Unmarshal([]byte(content), &f) != nil || f.ID <= 0 || f.Time != nil || json.Unmarshal(r["date"], &date) != nil {
		return content
	}
	seconds := date.Unix(time.UTC)
	if seconds <= 0 {
		return content
	}
	return fmt.Sprintf(`{"time":%d,%s`, seconds, content[1:])
}

func (r row) setContent(contentType, content string) {
	r["contentType"], _ = json.Marshal(contentType) // texts always encode
	r["content"], _ = json.Marshal(content)
}
