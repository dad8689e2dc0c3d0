package node

import (
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func TestConnections(t *testing.T) {
	var refused atomic.Int64
	hit := func(limit string) {
		require.Equal(t, "connections", limit)
		refused.Add(1)
	}
	listen := func(t *testing.T, l Limits) *connections {
		inner, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		return limitConnections(inner, l, hit)
	}

	t.Run("one too many is closed at once, and one that ends makes room", func(t *testing.T) {
		c := listen(t, Limits{Connections: 2, AcceptBurst: 1})
		accepted := make(chan net.Conn, 3)
		var serving sync.WaitGroup
		serving.Go(func() {
			for {
				conn, err := c.Accept()
				if err != nil {
					return
				}
				accepted <- conn
			}
		})
		dial := func() net.Conn {
			conn, err := net.Dial("tcp", c.Addr().String())
			require.NoError(t, err)
			t.Cleanup(func() { _ = conn.Close() })
			return conn
		}
		dial()
		dial()
		first, second := <-accepted, <-accepted
		_, err := dial().Read(make([]byte, 1))
		require.True(t, errors.Is(err, io.EOF) || err != nil)
		require.EqualValues(t, 1, refused.Load())
		require.EqualValues(t, 2, c.Open())
		require.NoError(t, first.Close())
		_ = first.Close() // again, as net/http does
		require.EqualValues(t, 1, c.Open())
		dial()
		third := <-accepted
		c.Set(Limits{Connections: 1, AcceptBurst: 1})
		require.EqualValues(t, 2, c.Open(), "those that are open stay")
		require.NoError(t, c.Close())
		serving.Wait()
		require.NoError(t, errors.Join(second.Close(), third.Close()))
		require.Zero(t, c.Open())
	})

	t.Run("5,000 that come back at once get in, more wait their turn", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			l := Default().Limits
			c := limitConnections(instant{}, l, hit)
			start := time.Now()
			for range 5000 {
				_, err := c.Accept()
				require.NoError(t, err)
			}
			require.Zero(t, time.Since(start))
			for range l.AcceptBurst - 5000 + 2*int(l.AcceptRate) {
				_, err := c.Accept()
				require.NoError(t, err)
			}
			require.InDelta(t, 2, time.Since(start).Seconds(), 0.1)
			require.NoError(t, c.Close())
			_, err := c.Accept()
			require.ErrorIs(t, err, net.ErrClosed)
		})
	})
}

// instant is a listener to which everybody comes at once.
type instant struct{ net.Listener }

func (instant) Accept() (net.Conn, error) { return nobody{}, nil }
func (instant) Close() error              { return nil }

type nobody struct{ net.Conn }

func (nobody) Close() error { return nil }
