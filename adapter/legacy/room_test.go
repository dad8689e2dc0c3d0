package legacy

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"
)

// endless says something for ever.
type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }

func TestRoom(t *testing.T) {
	t.Run("a piece is read whole, and held until it is given back", func(t *testing.T) {
		var r Room
		for _, text := range []string{"", "x", strings.Repeat("x", 512), strings.Repeat("yz", 100_000)} {
			got, err := r.ReadAll(iotest.OneByteReader(strings.NewReader(text)))
			require.NoError(t, err)
			require.Equal(t, text, string(got))
			require.EqualValues(t, len(text), r.held.Load())
			r.Give(len(got))
		}
		require.Zero(t, r.held.Load())
	})
	t.Run("one that is broken or without end holds nothing", func(t *testing.T) {
		var r Room
		_, err := r.ReadAll(io.MultiReader(strings.NewReader("half"), iotest.ErrReader(io.ErrUnexpectedEOF)))
		require.ErrorIs(t, err, io.ErrUnexpectedEOF)
		require.Zero(t, r.held.Load())
		_, err = r.ReadAll(endless{})
		require.ErrorIs(t, err, errTooLong)
		require.Zero(t, r.held.Load())
		require.NoError(t, r.More(MaxAnswer-10, 10), "as long as may be")
	})
	t.Run("many at once have but so much", func(t *testing.T) {
		var r Room
		require.NoError(t, r.Take(maxHeld-10))
		_, err := r.ReadAll(strings.NewReader("0123456789x"))
		require.ErrorIs(t, err, errFlood)
		got, err := r.ReadAll(strings.NewReader("0123456789"))
		require.NoError(t, err)
		require.ErrorIs(t, r.Take(1), errFlood)
		r.Give(len(got))
		require.NoError(t, r.Take(1))
		require.True(t, errors.Is(r.More(MaxAnswer, 1), errTooLong))
	})
}
