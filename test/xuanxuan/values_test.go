package xuanxuan

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestDatetime(t *testing.T) {
	for in, want := range map[string]string{
		"2020-01-02 03:04:05":     "2020-01-02 03:04:05",
		"2020-01-02T03:04:05":     "2020-01-02 03:04:05",
		"2020-1-2":                "2020-01-02 00:00:00",
		"20-1-2 3:4:5":            "2020-01-02 03:04:05",
		"20200102030405":          "2020-01-02 03:04:05",
		"20200102":                "2020-01-02 00:00:00",
		"200102030405":            "2020-01-02 03:04:05",
		"1700000000":              "2017-00-00 00:00:00", // recorded: 05_message
		"1795312608":              zeroDate,              // recorded: 04_create, by way of 08_group_ops
		"1801010000":              "2018-01-01 00:00:00", // unix seconds of January 2027 can be dates
		"-62170013143":            zeroDate,
		"0":                       zeroDate,
		"":                        zeroDate,
		"garbage":                 zeroDate,
		"2020-02-30 00:00:00":     zeroDate,
		"2020-13-01 00:00:00":     zeroDate,
		"2020-01-02 24:00:00":     zeroDate,
		"99999-01-02":             zeroDate,
		"2020-01-02 03:04:05.999": "2020-01-02 03:04:05",
	} {
		require.Equal(t, want, datetime(in), "%q", in)
	}
}

func TestUnix(t *testing.T) {
	shanghai, err := time.LoadLocation("Asia/Shanghai")
	require.NoError(t, err)
	c := columns{zone: shanghai}
	require.EqualValues(t, -62170013143, c.unix(zeroDate)) // recorded: 08_group_ops
	require.EqualValues(t, 1480435200, c.unix("2017-00-00 00:00:00"))
	require.EqualValues(t, 1577905445, c.unix("2020-01-02 03:04:05"))
	require.EqualValues(t, 0, c.unixOrZero(zeroDate))
}

func TestLooselyEqual(t *testing.T) {
	for _, c := range []struct {
		id   any
		s    string
		want bool
	}{
		{int64(4), "4", true},
		{int64(4), " 4x", true},
		{int64(4), "5", false},
		{int64(0), "$ADMINS", true},
		{int64(0), "", true},
		{int64(4), "$ADMINS", false},
		{"4", "4.0", true},
		{"2.3.0", "2.3", false},
		{"", "0", false},
	} {
		require.Equal(t, c.want, looselyEqual(c.id, c.s), "%v == %q", c.id, c.s)
	}
}

func TestToNumber(t *testing.T) {
	for in, want := range map[string]float64{"12": 12, " 12abc": 12, "2.3.0": 2.3, "-5": -5, "1e3x": 1000, "abc": 0, "": 0, "0x10": 0, "inf": 0, "1_0": 1} {
		got, err := toNumber(in)
		require.NoError(t, err)
		require.InDelta(t, want, got, 0, "%q", in)
	}
	_, err := toNumber(object{})
	require.ErrorIs(t, err, errFatal)
}

func TestJSONStyle(t *testing.T) {
	for in, want := range map[string]string{
		`"a/b \"c\" \\ é 中 😀"`:           `"a\/b \"c\" \\ \u00e9 \u4e2d \ud83d\ude00"`,
		`"\u0000\b\f\n\r\t\u001f\u007f"`: `"\u0000\b\f\n\r\t\u001f` + "\x7f" + `"`,
		`"<b>&'"`:                        `"<b>&'"`,
		`[1,-2.5,1.0,1e25,0.1,1e-7]`:     `[1,-2.5,1.0,1.0e+25,0.1,1.0e-7]`,
		`12345678901234567890`:           `1.2345678901234567e+19`,
		`{"b":1,"a":{},"b":[]}`:          `{"b":[],"a":{}}`,
		`[null,true,false]`:              `[null,true,false]`,
	} {
		v, ok := decode([]byte(in))
		require.True(t, ok, in)
		require.Equal(t, want, string(appendJSON(nil, v)), in)
	}
}

func TestDepth(t *testing.T) {
	deep := func(n int) []byte { return []byte(strings.Repeat("[", n) + strings.Repeat("]", n)) }
	_, ok := decode(deep(512))
	require.True(t, ok)
	_, ok = decode(deep(513))
	require.False(t, ok)
	_, ok = decode([]byte(strings.Repeat(`{"a":[`, 1<<20)))
	require.False(t, ok)
}

// FuzzJSON holds the writer to its promise: valid ASCII JSON that says what was read.
func FuzzJSON(f *testing.F) {
	f.Add([]byte(`{"a":["x/\u4e2d😀",1,2.5,null,true,{}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		v, ok := decode(text)
		if !ok {
			return
		}
		written := appendJSON(nil, v)
		for _, c := range written {
			require.Less(t, c, byte(0x80))
		}
		require.True(t, json.Valid(written), "%q", written)
		again, ok := decode(written)
		require.True(t, ok)
		require.Equal(t, v, again)
	})
}
