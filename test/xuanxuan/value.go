package xuanxuan

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

// A parameter is what PHP's json_decode makes of it: nil, bool, int64, float64, string, []any or object. The types
// matter, for the server echoes many parameters as it got them and converts the others as PHP and MySQL do.

// object is a JSON object in the order of its text, which is the order PHP keeps.
type object []member

type member struct {
	key string
	val any
}

// get returns a member's value, and nil for one that is missing, as PHP reads an undefined property.
func (o object) get(key string) any {
	for _, m := range o {
		if m.key == key {
			return m.val
		}
	}
	return nil
}

// with returns the object with a member set: replaced where it stands, or appended.
func (o object) with(key string, val any) object {
	for i := range o {
		if o[i].key == key {
			o[i].val = val
			return o
		}
	}
	return append(o, member{key, val})
}

// errFatal is a call that PHP 8 dies of: HTTP 500 with an empty body (recorded: 07_history, 13_errors).
var errFatal = errors.New("fatal error in the backend")

// decode reads one JSON text; ok is false for anything PHP's json_decode answers with null.
func decode(text []byte) (v any, ok bool) {
	if !utf8.Valid(text) {
		return nil, false
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	v, err := decodeValue(d, 0)
	if err != nil {
		return nil, false
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, false
	}
	return v, true
}

// maxDepth is how deep json_decode reads. Without it a text of brackets alone would overflow the stack.
const maxDepth = 512

var errTooDeep = errors.New("nested too deep")

func decodeValue(d *json.Decoder, depth int) (any, error) {
	t, err := d.Token()
	if err != nil {
		return nil, err
	}
	switch t := t.(type) {
	case json.Number:
		if i, err := strconv.ParseInt(string(t), 10, 64); err == nil {
			return i, nil
		}
		return strconv.ParseFloat(string(t), 64)
	case json.Delim:
		if depth == maxDepth {
			return nil, errTooDeep
		}
		if t == '[' {
			return decodeList(d, depth+1)
		}
		return decodeObject(d, depth+1)
	default:
		return t, nil
	}
}

func decodeList(d *json.Decoder, depth int) (any, error) {
	list := []any{}
	for d.More() {
		v, err := decodeValue(d, depth)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	_, err := d.Token()
	return list, err
}

// decodeObject keeps the last value of a name that stands twice, at the first one's place.
func decodeObject(d *json.Decoder, depth int) (any, error) {
	o := object{}
	places := map[string]int{}
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return nil, err
		}
		v, err := decodeValue(d, depth)
		if err != nil {
			return nil, err
		}
		name := t.(string) // the decoder has no other tokens here
		i, twice := places[name]
		if !twice {
			i = len(o)
			places[name] = i
			o = append(o, member{key: name})
		}
		o[i].val = v
	}
	_, err := d.Token()
	return o, err
}

// truthy is PHP's !empty.
func truthy(v any) bool {
	switch v := v.(type) {
	case nil:
		return false
	case bool:
		return v
	case int64:
		return v != 0
	case float64:
		return v != 0
	case string:
		return v != "" && v != "0"
	case []any:
		return len(v) > 0
	default:
		return true
	}
}

// toString is PHP's string conversion. An object has none: errFatal.
func toString(v any) (string, error) {
	switch v := v.(type) {
	case nil:
		return "", nil
	case bool:
		if v {
			return "1", nil
		}
		return "", nil
	case int64:
		return strconv.FormatInt(v, 10), nil
	case float64:
		return strings.TrimSuffix(formatFloat(v), ".0"), nil
	case string:
		return v, nil
	case []any:
		return "Array", nil
	default:
		return "", errFatal
	}
}

// formatFloat writes a float as PHP's json_encode does: shortest, and with ".0" where it is whole.
func formatFloat(f float64) string {
	if abs := math.Abs(f); abs != 0 && (abs < 1e-4 || abs >= 1e15) {
		s := strconv.FormatFloat(f, 'e', -1, 64)
		mantissa, exponent, _ := strings.Cut(s, "e")
		if !strings.Contains(mantissa, ".") {
			mantissa += ".0"
		}
		sign := exponent[:1]
		return mantissa + "e" + sign + strings.TrimLeft(exponent[1:], "0")
	}
	s := strconv.FormatFloat(f, 'f', -1, 64)
	if !strings.Contains(s, ".") {
		s += ".0"
	}
	return s
}

// toNumber is how MySQL reads a value as a number: the longest number at its start, else 0.
func toNumber(v any) (float64, error) {
	switch v := v.(type) {
	case int64:
		return float64(v), nil
	case float64:
		return v, nil
	}
	s, err := toString(v)
	if err != nil {
		return 0, err
	}
	s = strings.TrimLeft(s, " \t\r\n")
	for end := len(s); end > 0; end-- {
		c := s[end-1]
		if c != '.' && (c < '0' || c > '9') {
			continue
		}
		// The text must look like a plain number: ParseFloat also knows hexadecimal, "inf" and underscores.
		if strings.Trim(s[:end], "0123456789.eE+-") != "" {
			continue
		}
		if f, err := strconv.ParseFloat(s[:end], 64); err == nil {
			return f, nil
		}
	}
	return 0, nil
}

// toInt is how MySQL stores a value in an integer column: rounded, and clamped to what the column holds.
func toInt(v any, lowest, highest int64) (int64, error) {
	f, err := toNumber(v)
	if err != nil {
		return 0, err
	}
	if i, ok := v.(int64); ok { // exact beyond 2^53
		return max(lowest, min(i, highest)), nil
	}
	f = math.Round(f)
	if f <= float64(lowest) {
		return lowest, nil
	}
	if f >= float64(highest) {
		return highest, nil
	}
	return int64(f), nil
}

// The ranges of the integer columns.
const (
	maxMediumint         = 1<<23 - 1
	maxUnsignedMediumint = 1<<24 - 1
)

// userKey is the user that a value names in a WHERE clause. A string that holds more than a whole number, such as the
// "2.3.0" that too few parameters shift into the user's place, names nobody: -1.
func userKey(v any) (int64, error) {
	f, err := toNumber(v)
	if err != nil {
		return 0, err
	}
	if f != math.Trunc(f) || math.Abs(f) > maxMediumint {
		return -1, nil
	}
	return int64(f), nil
}

// looselyEqual is PHP 7's == between a user id and a string: numbers where either side is one, so that 0 equals any
// text that is none.
func looselyEqual(id any, s string) bool {
	if text, ok := id.(string); ok {
		if text == s {
			return true
		}
		a, aErr := strconv.ParseFloat(text, 64)
		b, bErr := strconv.ParseFloat(s, 64)
		return aErr == nil && bErr == nil && a == b
	}
	a, aErr := toNumber(id)
	b, bErr := toNumber(s)
	return aErr == nil && bErr == nil && a == b
}
