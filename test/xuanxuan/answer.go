package xuanxuan

import (
	"strconv"
	"unicode/utf8"
)

// backendVersion is what every answer carries as v: tag 2.3.0 of the real server calls itself this.
const backendVersion = "2.2.0"

// An answer is one JSON object in the backend's own key order, which is part of the wire: module, method, then what the
// method says, then lang and v.
type answer struct {
	fields object
}

// answer starts an answer to the request; names are the lower-cased ones.
func (r *request) answer() *answer {
	return &answer{object{{"module", r.module}, {"method", r.method}}}
}

func (r *request) success() *answer { return r.answer().set("result", "success") }

// fail is a refusal. It names no recipients, so xxd tells everybody (recorded: 08_group_ops).
func (r *request) fail(message string) *answer {
	return r.answer().set("result", "fail").set("message", message)
}

func (a *answer) set(key string, val any) *answer {
	a.fields = append(a.fields, member{key, val})
	return a
}

const hexDigits = "0123456789abcdef"

// appendJSON writes a value as PHP's json_encode does: ASCII only, with slashes escaped.
func appendJSON(b []byte, v any) []byte {
	switch v := v.(type) {
	case nil:
		return append(b, "null"...)
	case bool:
		return strconv.AppendBool(b, v)
	case int:
		return strconv.AppendInt(b, int64(v), 10)
	case int64:
		return strconv.AppendInt(b, v, 10)
	case float64:
		return append(b, formatFloat(v)...)
	case string:
		return appendString(b, v)
	case object:
		return appendObject(b, v)
	case []int64:
		return appendList(b, v)
	case []any:
		return appendList(b, v)
	case []object:
		return appendList(b, v)
	default:
		panic("no JSON for this type")
	}
}

func appendList[T any](b []byte, list []T) []byte {
	b = append(b, '[')
	for i, v := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendJSON(b, v)
	}
	return append(b, ']')
}

func appendObject(b []byte, o object) []byte {
	b = append(b, '{')
	for i, m := range o {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(appendString(b, m.key), ':')
		b = appendJSON(b, m.val)
	}
	return append(b, '}')
}

func appendString(b []byte, s string) []byte {
	b = append(b, '"')
	for i := 0; i < len(s); {
		c := s[i]
		if c >= utf8.RuneSelf {
			r, size := utf8.DecodeRuneInString(s[i:])
			b = appendRune(b, r)
			i += size
			continue
		}
		i++
		switch c {
		case '"', '\\', '/':
			b = append(b, '\\', c)
		case '\b':
			b = append(b, '\\', 'b')
		case '\f':
			b = append(b, '\\', 'f')
		case '\n':
			b = append(b, '\\', 'n')
		case '\r':
			b = append(b, '\\', 'r')
		case '\t':
			b = append(b, '\\', 't')
		default:
			if c < ' ' {
				b = appendEscape(b, uint16(c))
			} else {
				b = append(b, c)
			}
		}
	}
	return append(b, '"')
}

// appendRune writes a character outside ASCII as one UTF-16 escape, or as a pair of them.
func appendRune(b []byte, r rune) []byte {
	if r < 0x10000 {
		return appendEscape(b, uint16(r))
	}
	r -= 0x10000
	return appendEscape(appendEscape(b, uint16(0xd800+r>>10)), uint16(0xdc00+r&0x3ff))
}

func appendEscape(b []byte, u uint16) []byte {
	return append(b, '\\', 'u', hexDigits[u>>12], hexDigits[u>>8&15], hexDigits[u>>4&15], hexDigits[u&15])
}
