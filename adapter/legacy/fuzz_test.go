package legacy

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// FuzzRows holds the lenient decoder to its promise: whatever a server says is a value or an error, and a value says the same
// when it is read again.
func FuzzRows(f *testing.F) {
	for _, seed := range []string{
		`{"id":"4","date":"2026-11-22 10:05:22","user":true,"content":null,"order":""}`, `{"members":[{"id":4},"5",6],"admins":",4,7","public":"1"}`,
		`{"depts":[],"roles":{"":"x"},"users":{}}`, `[]`, `{"id":1e999}`, `{"id":-9223372036854775809}`, `{"date":"0000-00-00 00:00:00"}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		for _, into := range []any{
			&MessageRow{}, &ChatRow{}, &UserRow{}, &Users{}, &List[MessageRow]{}, &Directory{}, &FileContent{}, &Response{}, &Push{}, new(Int), new(Text), &Date{},
		} {
			err := json.Unmarshal(text, into)
			switch v := into.(type) {
			case *MessageRow:
				require.GreaterOrEqual(t, v.Date.Unix(time.UTC), int64(0))
			case *FileContent:
				if file, ok := v.Names(); ok {
					require.Len(t, file.Key(), 32)
					require.NotEmpty(t, file.Day())
				}
			case *Response:
				if err == nil {
					_ = v.Reason()
				}
			case *Int:
				if err == nil {
					written, err := json.Marshal(int64(*v))
					require.NoError(t, err)
					var again Int
					require.NoError(t, json.Unmarshal(written, &again))
					require.Equal(t, *v, again)
				}
			}
		}
	})
}
