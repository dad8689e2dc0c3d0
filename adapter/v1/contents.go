package v1

import (
	"bytes"
	"encoding/json"
	"strings"

	"github.com/xuangate/xuangate/adapter/legacy"
)

// 1.0 knows the content types text, emotion, image and file; others it stores as none (seed 001). So plain is sent as text,
// and read as text. An object is sent as a text that says so: one that wraps a facade Type as it is, any other one wrapped
// in the same form; and as a text could be taken for such a one, it is wrapped as well.

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
var wrappedKinds = map[string]int64{"text": 0, "plain": 1, "object": 5}

// writeContent is a draft's content as 1.0 is to store it.
func writeContent(contentType, content string) (string, string) {
	t, ours := wrappedKinds[contentType]
	switch looks := strings.HasPrefix(content, wrapperPrefix); {
	case !ours:
		return contentType, content
	case looks == (contentType == "object"):
		return "text", content
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(wrapped{Type: wrapperType, T: t, Content: content}) // strings and ints always encode
	return "text", strings.TrimRight(b.String(), "\n")
}

// readContent undoes writeContent, but for plain.
func readContent(contentType, content string) (string, string) {
	if contentType != "text" || !strings.HasPrefix(content, wrapperPrefix) {
		return contentType, content
	}
	var w wrapped
	d := json.NewDecoder(strings.NewReader(content))
	d.DisallowUnknownFields()
	if d.Decode(&w) != nil || d.More() {
		return contentType, content
	}
	for kind, t := range wrappedKinds {
		if w.S == 0 && w.T == t && strings.HasPrefix(w.Content, wrapperPrefix) == (kind != "object") {
			return kind, w.Content
		}
	}
	return "object", content
}

// readContents undoes writeContent in rows of messages.
func readContents(data json.RawMessage) json.RawMessage {
	if !bytes.Contains(data, []byte(wrapperType)) {
		return data
	}
	var rows []row
	if json.Unmarshal(data, &rows) != nil {
		return data
	}
	for _, r := range rows {
		r.setContent(readContent(r.text("contentType"), r.text("content")))
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

func (r row) setContent(contentType, content string) {
	r["contentType"], _ = json.Marshal(contentType) // texts always encode
	r["content"], _ = json.Marshal(content)
}
