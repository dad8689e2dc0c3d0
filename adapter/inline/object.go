package inline

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
)

// An object is a JSON object whose names keep their order and whose values keep their bytes: what we do not alter goes on
// as it came.
type object []member

type member struct {
	name  string
	value json.RawMessage
}

var errNoObject = errors.New("no JSON object")

// parseObject reads one object. Its values are parts of text, which must not be altered any more.
func parseObject(text []byte) (object, error) {
	text = bytes.TrimSpace(text)
	if len(text) == 0 || text[0] != '{' || !json.Valid(text) {
		return nil, errNoObject
	}
	var o object
	for i := after(text, 1); text[i] != '}'; i = after(text, i) {
		end := endOf(text, i)
		name := unquoted(text[i:end])
		i = after(text, end)
		end = endOf(text, i)
		o = append(o, member{name, json.RawMessage(text[i:end:end])})
		i = end
	}
	return o, nil
}

// after is the place of what follows blanks and what stands between values, in a text that is JSON.
func after(text []byte, i int) int {
	for strings.IndexByte(" \t\r\n,:", text[i]) >= 0 {
		i++
	}
	return i
}

// endOf is the place behind a value, in a text that is JSON and goes on behind it.
func endOf(text []byte, i int) int {
	depth := 0
	for ; ; i++ {
		switch text[i] {
		case '"':
			for i++; text[i] != '"'; i++ {
				if text[i] == '\\' {
					i++
				}
			}
			if depth == 0 {
				return i + 1
			}
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return i + 1
			}
			if depth < 0 { // of the object that the value is in
				return i
			}
		case ',', ' ', '\t', '\r', '\n':
			if depth == 0 {
				return i
			}
		}
	}
}

// unquoted is the text of a JSON string, "" where it is none.
func unquoted(raw []byte) (s string) {
	if n := len(raw); n >= 2 && raw[0] == '"' && !bytes.ContainsFunc(raw, func(r rune) bool { return r == '\\' || r >= 0x80 }) {
		return string(raw[1 : n-1])
	}
	_ = json.Unmarshal(raw, &s)
	return s
}

// get returns a name's value, nil where there is none. Of a name that stands twice the last one counts, as in PHP and in Go.
func (o object) get(name string) json.RawMessage {
	for i := len(o) - 1; i >= 0; i-- {
		if o[i].name == name {
			return o[i].value
		}
	}
	return nil
}

// text returns a name's text, "" where it is none.
func (o object) text(name string) string { return unquoted(o.get(name)) }

// number returns a name's whole number, 0 where it is none.
func (o object) number(name string) (n int64) {
	var f float64
	if json.Unmarshal(o.get(name), &f) == nil {
		n = int64(f)
	}
	return n
}

// with returns the object with a value in the place of a name's, or at its end.
func (o object) with(name string, v any) object {
	value, err := json.Marshal(v)
	if err != nil {
		return o // only what can be written is given
	}
	altered := append(object(nil), o...)
	for i := len(altered) - 1; i >= 0; i-- {
		if altered[i].name == name {
			altered[i].value = value
			return altered
		}
	}
	return append(altered, member{name, value})
}

func (o object) bytes() []byte {
	b := []byte{'{'}
	for i, m := range o {
		if i > 0 {
			b = append(b, ',')
		}
		name, _ := json.Marshal(m.name)
		b = append(append(append(b, name...), ':'), m.value...)
	}
	return append(b, '}')
}

func (o object) is(method string) bool { return strings.EqualFold(o.text("method"), method) }

// users are those whom an answer names. named is false where it has no list of numbers that is not empty: the chat server
// then tells everybody, or breaks the connection.
func (o object) users() (list []int64, named bool) {
	var floats []float64
	if json.Unmarshal(o.get("users"), &floats) != nil {
		return nil, false
	}
	for _, f := range floats {
		list = append(list, int64(f))
	}
	return list, len(list) > 0
}
