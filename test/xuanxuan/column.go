package xuanxuan

import (
	"strings"
	"time"
	"unicode/utf8"
)

// What MySQL's columns do to the values put into them. The server runs without strict mode, so nothing is refused:
// what does not fit is cut, clamped or emptied in silence.

const (
	// maxText is the size in bytes of a text column.
	maxText = 65535
	// zeroDate is how a datetime column says "never".
	zeroDate   = "0000-00-00 00:00:00"
	dateLayout = "2006-01-02 15:04:05"
)

// columns knows the two settings of an installation that decide what is stored.
type columns struct {
	wide bool           // the tables are utf8mb4
	zone *time.Location // in which datetime columns are written and read
}

// charset replaces each byte of a character that utf8 tables cannot hold by a question mark (recorded: 05_message).
func (c columns) charset(s string) string {
	if c.wide || strings.IndexFunc(s, func(r rune) bool { return r > 0xffff }) < 0 {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		if r > 0xffff {
			b.WriteString("????")
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}

// varchar keeps the first n characters.
func (c columns) varchar(s string, n int) string {
	s = c.charset(s)
	if len(s) <= n {
		return s
	}
	for i := range s {
		if n == 0 {
			return s[:i]
		}
		n--
	}
	return s
}

// char keeps the first n characters and forgets blanks at the end.
func (c columns) char(s string, n int) string { return strings.TrimRight(c.varchar(s, n), " ") }

// gid is a gid column, char(40). Lookups compare without case (the column's collation) and without blanks at the end
// (key trims them).
func (c columns) gid(s string) string { return c.char(s, 40) }

// key is a value that a char column is compared with.
func key(s string) string { return strings.TrimRight(s, " ") }

// text keeps as many whole characters as fit into 65,535 bytes.
func (c columns) text(s string) string {
	s = c.charset(s)
	if len(s) <= maxText {
		return s
	}
	end := maxText
	for end > 0 && !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end]
}

// enum finds a value among the column's own: by name without case, by number counted from 1, else it is empty.
func enum(s string, values ...string) string {
	s = key(s)
	for _, v := range values {
		if strings.EqualFold(s, v) {
			return v
		}
	}
	if len(s) == 1 && s[0] >= '1' && int(s[0]-'0') <= len(values) {
		return values[s[0]-'1']
	}
	return ""
}

// datetime is what a datetime column makes of a text: a date where it can read one, else the zero date. Ten digits are
// read as YYMMDDhhmm, hence the nonsense that unix seconds turn into: 1700000000 becomes 2017-00-00 (recorded:
// 05_message) and nearly every other one zero (recorded: 08_group_ops, createdDate).
func datetime(s string) string {
	parts := [6]int{}
	digits := strings.TrimLeft(s, "0123456789") == ""
	switch {
	case s == "" || strings.Trim(s, "0") == "":
		return zeroDate
	case digits:
		rest := s
		width := 2
		if len(s) == 8 || len(s) >= 14 {
			width = 4
		}
		for i := 0; i < len(parts) && rest != ""; i++ {
			width = min(width, len(rest))
			parts[i] = atoi(rest[:width])
			rest, width = rest[width:], 2
		}
		if len(s) != 8 && len(s) < 14 {
			parts[0] = century(parts[0])
		}
	default:
		fields := strings.FieldsFunc(s, func(r rune) bool { return r < '0' || r > '9' })
		if s[0] < '0' || s[0] > '9' || len(fields) < 3 {
			return zeroDate
		}
		for i := range min(len(fields), len(parts)) {
			if len(fields[i]) > 4 {
				return zeroDate
			}
			parts[i] = atoi(fields[i])
		}
		if len(fields[0]) <= 2 {
			parts[0] = century(parts[0])
		}
	}
	return formatDate(parts)
}

func atoi(s string) (n int) {
	for i := range len(s) {
		n = n*10 + int(s[i]-'0')
	}
	return n
}

// century completes a year of two digits.
func century(year int) int {
	if year < 70 {
		return 2000 + year
	}
	return 1900 + year
}

// formatDate writes year, month, day, hour, minute, second. Month and day may be 0, as in MySQL.
func formatDate(p [6]int) string {
	year, month, day := p[0], p[1], p[2]
	if year > 9999 || month > 12 || day > 31 || p[3] > 23 || p[4] > 59 || p[5] > 59 {
		return zeroDate
	}
	if month > 0 && day > daysIn(year, month) {
		return zeroDate
	}
	b := make([]byte, 0, len(zeroDate))
	b = append(b, byte('0'+year/1000), byte('0'+year/100%10))
	for i, v := range [6]int{year % 100, month, day, p[3], p[4], p[5]} {
		if i > 0 {
			b = append(b, "--- ::"[i])
		}
		b = append(b, byte('0'+v/10), byte('0'+v%10))
	}
	return string(b)
}

func daysIn(year, month int) int {
	return time.Date(year, time.Month(month)+1, 0, 0, 0, 0, 0, time.UTC).Day()
}

// unix is PHP's strtotime of a stored date. The zero date is the year before Christ in which it would lie, in the
// zone's mean time of old: -62170013143 in Shanghai (recorded: 08_group_ops).
func (c columns) unix(stored string) int64 {
	if len(stored) != len(zeroDate) {
		return 0
	}
	return time.Date(atoi(stored[0:4]), time.Month(atoi(stored[5:7])), atoi(stored[8:10]),
		atoi(stored[11:13]), atoi(stored[14:16]), atoi(stored[17:19]), 0, c.zone).Unix()
}

// unixOrZero is unix for the dates that the server answers 0 for while they are unset.
func (c columns) unixOrZero(stored string) int64 {
	if stored == zeroDate {
		return 0
	}
	return c.unix(stored)
}

func (c columns) date(t time.Time) string { return t.In(c.zone).Format(dateLayout) }
