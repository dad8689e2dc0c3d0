package adapter

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/xuangate/xuangate/adapter/legacy"
)

func TestFileID(t *testing.T) {
	k := fileKey(derive("a secret", "file ids"))
	for _, f := range []legacy.File{{ID: 1, Time: 1795313274, Name: "周报.pdf"}, {ID: 1 << 40, Time: 1, Name: "x"}, {ID: 7, Time: 1 << 33}} {
		id := k.format("87ba7679-b682-47e7-8499-0385dda22b66", f)
		chat, got, ok := k.parse(id)
		require.True(t, ok)
		require.Equal(t, legacy.ChatGID("87ba7679-b682-47e7-8499-0385dda22b66"), chat)
		require.Equal(t, f, got)
	}
	id := k.format("team", legacy.File{ID: 12, Time: 1795313274, Name: "a.txt"})
	t.Run("any other letter makes it none", func(t *testing.T) {
		for i := range id {
			for _, c := range "A_z-" {
				forged := id[:i] + string(c) + id[i+1:]
				_, _, ok := k.parse(forged)
				require.Equal(t, forged == id, ok, forged)
			}
			_, _, ok := k.parse(id[:i])
			require.False(t, ok)
		}
	})
	t.Run("another secret, or none, does not know it", func(t *testing.T) {
		for _, secret := range []string{"another secret", "", ""} {
			_, _, ok := fileKey(derive(secret, "file ids")).parse(id)
			require.False(t, ok)
		}
		_, _, ok := fileKey(derive("a secret", "file ids")).parse(id)
		require.True(t, ok)
		require.NotEqual(t, derive("a secret", "file ids"), derive("a secret", "credentials"))
	})
	t.Run("parts cannot be taken for one another", func(t *testing.T) {
		require.NotEqual(t, k.format("te", legacy.File{ID: 1, Time: 1, Name: "am"}), k.format("team", legacy.File{ID: 1, Time: 1}))
	})
}

func FuzzFileID(f *testing.F) {
	k := fileKey(derive("a secret", "file ids"))
	f.Add(k.format("team", legacy.File{ID: 12, Time: 1795313274, Name: "a.txt"}))
	f.Add("")
	f.Fuzz(func(t *testing.T, id string) {
		if chat, file, ok := k.parse(id); ok {
			require.Equal(t, id, k.format(chat, file))
		}
	})
}
