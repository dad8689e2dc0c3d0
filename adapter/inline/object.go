package inline

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
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

func parseObject(text []byte) (object, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, errors.Join(errNoObject, err)
	}
	var o object
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil, err
		}
		var v json.RawMessage
		if err := d.Decode(&v); err != nil {
			return nil, err
		}
		o = append(o, member{name.(string), v})
	}
	if _, err := d.Token(); err != nil {
		return nil, err
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, errNoObject // more than one
	}
	return o, nil
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
func (o object) text(name string) (s string) {
	_ = json.Unmarshal(o.get(name), &s)
	return s
}

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
