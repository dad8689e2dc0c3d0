package adapter

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/xuangate/xuangate/adapter/legacy"
)

func TestVault(t *testing.T) {
	var d drawer
	open := func(key string) *vault {
		v, err := newVault(key, d.secrets())
		require.NoError(t, err)
		return v
	}
	alice := credentials{"alice", "e10adc3949ba59abbe56e057f20f883e"}
	require.NoError(t, open("key").keep(t.Context(), 4, alice))
	t.Run("opens with the same key, by another process too", func(t *testing.T) {
		c, err := open("key").get(t.Context(), 4)
		require.NoError(t, err)
		require.Equal(t, alice, c)
	})
	t.Run("with no other, for no other user, and not when touched", func(t *testing.T) {
		for _, v := range []*vault{open("other"), open(""), open("")} {
			_, err := v.get(t.Context(), 4)
			require.ErrorIs(t, err, errNoCredentials)
		}
		sealed, _ := d.Load(legacy.UserID(4))
		d.Store(legacy.UserID(5), sealed)
		_, err := open("key").get(t.Context(), 5)
		require.ErrorIs(t, err, errNoCredentials)
		touched := slices.Clone(sealed.([]byte))
		touched[len(touched)-1] ^= 1
		d.Store(legacy.UserID(4), touched)
		_, err = open("key").get(t.Context(), 4)
		require.ErrorIs(t, err, errNoCredentials)
		d.Store(legacy.UserID(4), []byte("short"))
		_, err = open("key").get(t.Context(), 4)
		require.ErrorIs(t, err, errNoCredentials)
	})
	t.Run("the store never sees the password", func(t *testing.T) {
		require.NoError(t, open("key").keep(t.Context(), 4, alice))
		sealed, _ := d.Load(legacy.UserID(4))
		require.NotContains(t, string(sealed.([]byte)), alice.Password)
		require.NotContains(t, string(sealed.([]byte)), alice.Account)
	})
}
