package legacy

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestDataThatWouldSwell(t *testing.T) {
	list := func(one string, n int) json.RawMessage {
		return json.RawMessage("[" + strings.TrimSuffix(strings.Repeat(one+",", n), ",") + "]")
	}
	var rows []MessageRow
	for name, data := range map[string]json.RawMessage{
		"objects without fields":  list("{}", 100_000),
		"deep within a real row":  list(`{"id":1,"content":"`+strings.Repeat("x", 100)+`","data":[`+strings.TrimSuffix(strings.Repeat("{},", 100), ",")+`]}`, 1000),
		"behind an escaped quote": append(append(json.RawMessage(`[{"content":"\\\""},`), list("{}", 100_000)...), ']'),
	} {
		require.ErrorContains(t, Push{Data: data}.Decode(&rows), "more objects", name)
	}
	rows = nil
	for name, data := range map[string]json.RawMessage{
		"a few of them":           list("{}", few),
		"what people write":       list(`{"id":1,"content":"`+strings.Repeat(`{\"a\":{`, 1000)+`"}`, 20),
		"the leanest real ones":   list(`{"name":"研发部","order":1,"parent":0}`, 50_000),
		"text that has no braces": list(`"`+strings.Repeat("x", 100)+`"`, 10),
	} {
		err := Push{Data: data}.Decode(&rows)
		if err != nil {
			require.NotContains(t, err.Error(), "more objects", name)
		}
	}
}
