package legacy

import (
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func testKey(t testing.TB) Key {
	k, err := NewKey(strings.Repeat("8", 32))
	require.NoError(t, err)
	return k
}

func TestEnvelope(t *testing.T) {
	t.Run("it is AES-256-CBC with the key's first half as IV", func(t *testing.T) {
		// openssl enc -aes-256-cbc -K 38…38 -iv 38…38
		require.Equal(t, "1abd246edde0f9eafbbf95da622d3df6", hex.EncodeToString(testKey(t).Seal([]byte(`{"a":1}`))))
	})
	t.Run("open undoes seal at every length", func(t *testing.T) {
		for n := range 50 {
			s := strings.Repeat("x", n)
			got, err := testKey(t).Open(testKey(t).Seal([]byte(s)))
			require.NoError(t, err)
			require.Equal(t, s, string(got))
		}
	})
	t.Run("what is no envelope is refused", func(t *testing.T) {
		for _, b := range [][]byte{nil, []byte("x"), []byte(strings.Repeat("x", 16)), []byte(strings.Repeat("x", 17))} {
			_, err := testKey(t).Open(b)
			require.ErrorIs(t, err, ErrEnvelope)
		}
	})
	t.Run("a key has 32 characters", func(t *testing.T) {
		_, err := NewKey("short")
		require.ErrorContains(t, err, "5 characters, want 32")
	})
	t.Run("a key never shows in a log", func(t *testing.T) {
		require.Equal(t, "[redacted] [redacted]", fmt.Sprintf("%v %s", testKey(t), testKey(t)))
		require.NotContains(t, fmt.Sprintf("%+v", testKey(t)), "8")
	})
}

func FuzzOpen(f *testing.F) {
	k := testKey(f)
	f.Add(k.Seal([]byte(`{}`)))
	f.Fuzz(func(t *testing.T, b []byte) {
		if plain, err := k.Open(b); err == nil {
			require.Equal(t, b, k.Seal(plain))
		}
	})
}
