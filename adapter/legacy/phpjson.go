package legacy

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"unicode/utf8"
)

const (
	// maxDepth is how deep values of other people's making may be nested. The backend reads 512 levels, the call's own
	// included; beyond that it takes the whole call for an unknown one, upon which every client of the site hangs up.
	maxDepth = 100
	// exact is the first whole number that xxd, which reads every number as a float, may not give on as it is.
	exact = 1 << 53
)

// Sendable says whether a decoded JSON value of other people's making reaches the server as it is; the error is a
// sentence about the value. What PHP's json_decode cannot read makes the whole call an illegal one, which kicks every
// client of the site out: nesting too deep, and names that begin with NUL.
func Sendable(v any) error { return sendable(v, 1) }

func sendable(v any, depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("is nested deeper than %d levels", maxDepth)
	}
	switch v := v.(type) {
	case map[string]any:
		for name, one := range v {
			if strings.HasPrefix(name, "\x00") {
				return errors.New("has a name that begins with NUL")
			}
			if err := sendable(one, depth+1); err != nil {
				return err
			}
		}
	case []any:
		for _, one := range v {
			if err := sendable(one, depth+1); err != nil {
				return err
			}
		}
	case float64:
		if math.Abs(v) >= exact {
			return errLong
		}
	case json.Number:
		if f, err := v.Float64(); err != nil || math.Abs(f) >= exact {
			return errLong
		}
	}
	return nil
}

var errLong = errors.New("has a number so long that the chat server would change it; write it as a text")

// StoredSize is how many bytes a value takes in a column that keeps it as the backend's own JSON: ASCII alone, with
// slashes escaped.
func StoredSize(v any) (int, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return 0, err
	}
	n := -1 // the encoder's line end
	for _, r := range b.String() {
		switch {
		case r == '/':
			n += 2
		case r > 0xffff:
			n += 12
		case r >= utf8.RuneSelf:
			n += 6
		default:
			n++
		}
	}
	return n, nil
}

// MaxStored is the size in bytes of a text column. What is longer is cut, and is no JSON then.
const MaxStored = 65535
