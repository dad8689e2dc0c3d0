package eventlog

import (
	"cmp"
	"encoding/hex"
	"errors"
)

// A Position is a place in a log: after an entry, or at the log's beginning. Positions of one log compare in its order;
// those of different logs are only ever unequal. To clients it is an opaque text of 33 characters.
type Position struct {
	epoch  uint64 // names the log: positions of an earlier one must not be taken for ours
	offset uint64 // of the entry it stands after; 0 before the first
}

const positionLength = 16 + 1 + 16

// ErrPosition says that a text is no position.
var ErrPosition = errors.New("not a position")

// ParsePosition reads what String wrote, and nothing else.
func ParsePosition(s string) (Position, error) {
	if len(s) != positionLength || s[16] != '-' {
		return Position{}, ErrPosition
	}
	epoch, ok1 := parseHex(s[:16])
	offset, ok2 := parseHex(s[17:])
	if !ok1 || !ok2 {
		return Position{}, ErrPosition
	}
	return Position{epoch: epoch, offset: offset}, nil
}

// parseHex reads 16 lower-case digits; strconv would take signs, underscores and capitals as well.
func parseHex(s string) (n uint64, ok bool) {
	for _, b := range []byte(s) {
		switch {
		case b >= '0' && b <= '9':
			n = n<<4 | uint64(b-'0')
		case b >= 'a' && b <= 'f':
			n = n<<4 | uint64(b-'a'+10)
		default:
			return 0, false
		}
	}
	return n, true
}

func (p Position) String() string {
	var text [positionLength]byte
	return string(p.Append(text[:0]))
}

// Append appends what String returns.
func (p Position) Append(to []byte) []byte {
	to = appendHex(to, p.epoch)
	to = append(to, '-')
	return appendHex(to, p.offset)
}

func appendHex(to []byte, n uint64) []byte {
	raw := [8]byte{byte(n >> 56), byte(n >> 48), byte(n >> 40), byte(n >> 32), byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)}
	return hex.AppendEncode(to, raw[:])
}

// Before is the position just before the entry at p, so that reading on from it begins with that entry.
func (p Position) Before() Position {
	p.offset = max(p.offset, 1) - 1
	return p
}

// Compare orders positions of one log: -1 when p comes before q.
func (p Position) Compare(q Position) int { return cmp.Compare(p.offset, q.offset) }
