package legacy

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSendable(t *testing.T) {
	for text, want := range map[string]string{
		`{"a":[1,-2.5,"x",null,true,{}],"":1}`:                        "",
		`9007199254740991`:                                            "",
		`9007199254740992`:                                            "a number",
		`{"a":[-1e300]}`:                                              "a number",
		`{"a":{"\u0000b":1}}`:                                         "NUL",
		strings.Repeat("[", 100) + strings.Repeat("]", 100):           "",
		strings.Repeat("[", 101) + strings.Repeat("]", 101):           "nested deeper",
		strings.Repeat(`{"a":`, 100) + "1" + strings.Repeat("}", 100): "nested deeper",
	} {
		var v any
		require.NoError(t, json.Unmarshal([]byte(text), &v))
		err := Sendable(v)
		if want == "" {
			require.NoError(t, err, text)
		} else {
			require.ErrorContains(t, err, want, text)
		}
	}
}

func TestStoredSize(t *testing.T) {
	for text, want := range map[string]int{
		`{}`: 2, `{"a":"b/c"}`: len(`{"a":"b\/c"}`), `"中"`: len(`"\u4e2d"`), `"😀"`: len(`"\ud83d\ude00"`), `"<\n\u0001"`: len(`"<\n\u0001"`),
		`[1.5,null]`: len(`[1.5,null]`),
	} {
		var v any
		require.NoError(t, json.Unmarshal([]byte(text), &v))
		n, err := StoredSize(v)
		require.NoError(t, err)
		require.Equal(t, want, n, text)
	}
}
