package xxd

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/xuangate/xuangate/adapter/legacy"
	"github.com/xuangate/xuangate/test/xuanxuan"
)

// TestConnectionsShareOneRoom: what waits unread takes of it, a full one ends connections, and all of it is given back.
func TestConnectionsShareOneRoom(t *testing.T) {
	backend, err := xuanxuan.Start(t.Context(), xuanxuan.Options{}, "127.0.0.1:0")
	require.NoError(t, err)
	front, err := xuanxuan.StartXXD(t.Context(), xuanxuan.XXDOptions{Backend: backend.URL()}, "127.0.0.1:0")
	require.NoError(t, err)
	s, err := New(Config{URL: front.URL()})
	require.NoError(t, err)
	defer func() {
		s.Close()
		require.NoError(t, front.Close())
		require.NoError(t, backend.Close())
	}()
	dial := func(account string) *Conn {
		c, _, err := s.Dial(t.Context(), account, "e10adc3949ba59abbe56e057f20f883e")
		require.NoError(t, err)
		return c
	}
	alice, bob := dial("alice"), dial("bob")
	_, err = alice.Next(t.Context()) // that bob came
	require.NoError(t, err)
	for range 10 {
		_, err = alice.Call(t.Context(), legacy.Chat(0, "create", "team", "Team", "group", []int{4, 5}, 0, false))
		require.NoError(t, err)
	}
	require.Error(t, s.room.Take(4*legacy.MaxAnswer), "what bob has not read takes room")
	full := 0
	for n := 4 * legacy.MaxAnswer; n > 0; n /= 2 {
		if s.room.Take(n) == nil {
			full += n
		}
	}
	_, err = alice.Call(t.Context(), legacy.Chat(0, "getlist"))
	require.ErrorContains(t, err, "than there is room for")
	for err = nil; err == nil; {
		_, err = alice.Next(t.Context())
	}
	require.ErrorContains(t, err, "than there is room for")
	require.NoError(t, alice.Close())
	require.NoError(t, bob.Close())
	s.room.Give(full)
	require.NoError(t, s.room.Take(4*legacy.MaxAnswer))
}
