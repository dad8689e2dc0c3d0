package redisd

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestStart(t *testing.T) {
	s := Start(t)
	c := s.Dial()
	defer c.Close()
	require.NoError(t, c.Set(t.Context(), "a", 1, 0).Err())
	require.Equal(t, 1, s.Calls("set"))
	s.Kill()
	require.Error(t, c.Get(t.Context(), "a").Err())
	s.Start()
	require.ErrorContains(t, c.Get(t.Context(), "a").Err(), "nil", "it keeps nothing")
}

func TestStartCluster(t *testing.T) {
	c := StartCluster(t)
	client := c.Dial()
	defer client.Close()
	for _, key := range []string{"a", "b", "c", "d"} {
		require.NoError(t, client.Set(t.Context(), key, 1, 0).Err())
	}
	old := c.Master("a")
	require.NotNil(t, c.Replica(old))
	old.Kill()
	Until(t, "the replica serves", func(ctx context.Context) error {
		if c.Master("a") == old {
			return errors.New("the dead one does")
		}
		return client.Get(ctx, "a").Err()
	})
}
