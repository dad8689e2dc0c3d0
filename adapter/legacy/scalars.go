package legacy

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Int is an integer that the server writes as 4, "4", true, "" or null, depending on the row's way to us.
type Int int64

func (i *Int) UnmarshalJSON(b []byte) error {
	if n, err := strconv.ParseInt(string(b), 10, 64); err == nil {
		*i = Int(n)
		return nil
	}
	s := strings.TrimSpace(strings.Trim(string(b), `"`))
	switch s {
	case "", "null", "false":
		*i = 0
		return nil
	case "true":
		*i = 1
		return nil
	}
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		*i = Int(n)
		return nil
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil {
		return err
	}
	*i = Int(f)
	return nil
}

// Text is a string that the server may write as a number, a bool or null.
type Text string

func (t *Text) UnmarshalJSON(b []byte) error {
	switch {
	case plain(b):
		*t = Text(b[1 : len(b)-1])
	case len(b) > 0 && b[0] == '"':
		var s string
		if err := json.Unmarshal(b, &s); err != nil {
			return err
		}
		*t = Text(s)
	case bytes.Equal(b, []byte("null")):
		*t = ""
	default:
		*t = Text(b)
	}
	return nil
}

// plain says whether a JSON string stands for just what is between its quotes. Nearly all do, and decoding them as JSON once
// more would cost half of what a message does.
func plain(b []byte) bool {
	return len(b) > 1 && b[0] == '"' && bytes.IndexByte(b, '\\') < 0 && utf8.Valid(b)
}

// Date is a point in time: Unix seconds in live rows, "2006-01-02 15:04:05" in the server's zone in offline rows, "" or 0
// for none.
type Date struct {
	unix int64
	text string
}

// UnixDate is a date of whole seconds, as live rows carry it.
func UnixDate(sec int64) Date { return Date{unix: sec} }

func (d *Date) UnmarshalJSON(b []byte) error {
	*d = Date{}
	if len(b) > 2 && b[0] == '"' && bytes.ContainsRune(b, ':') {
		d.text = strings.Trim(string(b), `"`)
		return nil
	}
	var i Int
	if err := i.UnmarshalJSON(b); err != nil {
		return err
	}
	d.unix = int64(i)
	return nil
}

// Unix gives the seconds since 1970; zone is the server's, for dates that came as local time. A date that is none, or
// one that a rename has corrupted to before 1970, is 0.
func (d Date) Unix(zone *time.Location) int64 {
	if d.text != "" {
		t, err := time.ParseInLocation("2006-01-02 15:04:05", d.text, zone)
		if err != nil {
			return 0
		}
		return max(t.Unix(), 0)
	}
	return max(d.unix, 0)
}

// Wiped gives the seconds of a date that was corrupted to before 1970: it is the beginning of all dates in the server's zone (LEGACY).
func (d Date) Wiped() (unix int64, is bool) { return d.unix, d.unix < 0 }

// Local says that the date came as local time, and so means what the zone makes of it.
func (d Date) Local() bool { return d.text != "" }

// Users is a list of user ids: [4,"5"] here, [{"id":4}] in 1.0, [] or {} when empty.
type Users []UserID

func (u *Users) UnmarshalJSON(b []byte) error {
	*u = nil
	if b = bytes.TrimSpace(b); len(b) == 0 || b[0] != '[' {
		return nil
	}
	var items []json.RawMessage
	if err := json.Unmarshal(b, &items); err != nil {
		return err
	}
	for _, item := range items {
		var row struct {
			ID Int `json:"id"`
		}
		if len(item) > 0 && item[0] == '{' {
			if err := json.Unmarshal(item, &row); err != nil {
				return err
			}
		} else if err := row.ID.UnmarshalJSON(item); err != nil {
			return err
		}
		*u = append(*u, UserID(row.ID))
	}
	return nil
}
