package v1

import (
	"bufio"
	"net"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/xuangate/xuangate/adapter/legacy"
	"github.com/xuangate/xuangate/test/xuanxuan"
)

// TestManyLinesWithoutEnd has a server answer many sign-ins at once with a line that does not end, while other connections have left
// little room. Each ends with an error, and leaves nothing behind.
func TestManyLinesWithoutEnd(t *testing.T) {
	const links, left = 20, 4 << 20
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var all sync.WaitGroup
	defer all.Wait()
	defer l.Close()
	all.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() {
				defer c.Close()
				_, err := bufio.NewReader(c).ReadSlice('\n')
				for piece := make([]byte, 64<<10); err == nil; {
					_, err = c.Write(piece)
				}
			})
		}
	})
	s, err := New(Config{Addr: l.Addr().String()})
	require.NoError(t, err)
	const others = 4*legacy.MaxAnswer - left
	require.NoError(t, s.room.Take(others))
	errs := make(chan error, links)
	for range links {
		go func() {
			_, _, err := s.Dial(t.Context(), "alice", "e10adc3949ba59abbe56e057f20f883e")
			errs <- err
		}()
	}
	for range links {
		require.ErrorContains(t, <-errs, "than there is room for")
	}
	require.NoError(t, s.room.Take(left), "all of it was given back")
	require.Error(t, s.room.Take(1))
}

func TestAConnectionGivesBackItsRoom(t *testing.T) {
	tables, err := xuanxuan.NewBackend(t.Context(), xuanxuan.Options{})
	require.NoError(t, err)
	old, err := xuanxuan.StartV1(t.Context(), tables, xuanxuan.V1Options{}, "127.0.0.1:0")
	require.NoError(t, err)
	defer func() {
		require.NoError(t, old.Close())
		require.NoError(t, tables.Close())
	}()
	s, err := New(Config{Addr: old.Addr()})
	require.NoError(t, err)
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
	require.NoError(t, alice.Close())
	require.NoError(t, bob.Close()) // with what nobody has read
	require.NoError(t, s.room.Take(4*legacy.MaxAnswer))
}

func TestWhatIsBrokenIsNotShown(t *testing.T) {
	for _, line := range []string{`{"result":"success","sid":"secret`, `[{"method":"message","data":{"content":"secret`} {
		require.NotContains(t, new(Conn).surprise([]byte(line)).Error(), "secret")
	}
	require.ErrorContains(t, new(Conn).surprise([]byte("220 smtp.example.com")), "smtp")
}
