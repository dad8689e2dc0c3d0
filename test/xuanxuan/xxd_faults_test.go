package xuanxuan

import (
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestXXDFaults(t *testing.T) {
	t.Run("a frame can be handled late, and those behind it too", func(t *testing.T) {
		_, x, alice, bob, _ := newChat(t)
		x.SetFaults(XXDFault{User: 4, Method: "MEMBERS", Times: 1, Delay: 50 * time.Millisecond})
		began := time.Now()
		alice.call("members", "g")
		alice.call("ping")
		alice.expect("members")
		alice.expect("ping")
		require.GreaterOrEqual(t, time.Since(began), 50*time.Millisecond)
		bob.hearsNothing()
	})
	t.Run("a late frame does not outlive its connection", func(t *testing.T) {
		_, x, alice, bob, _ := newChat(t)
		x.SetFaults(XXDFault{Delay: time.Hour})
		alice.call("members", "g")
		require.Eventually(t, func() bool { return x.faults.met() }, patience, time.Millisecond)
		require.True(t, x.Drop(4))
		alice.dropped()
		bob.expect("logout")
	})
	t.Run("a connection can break over a frame, carried out or not", func(t *testing.T) {
		s, x, alice, bob, _ := newChat(t)
		x.SetFaults(XXDFault{Method: "message", Times: 1, Cut: true})
		alice.call("message", []any{textMessage("m", "x")})
		alice.dropped()
		bob.expect("logout")
		require.Zero(t, s.Calls()["chat/message"])

		alice = signInto(t, x, "alice")
		bob.expect("login")
		x.SetFaults(XXDFault{User: 4, Method: "message", Cut: true, CarryOut: true})
		alice.call("message", []any{textMessage("m", "x")})
		alice.dropped()
		bob.expect("message")
		bob.expect("logout")
	})
	t.Run("frames of the server can be lost", func(t *testing.T) {
		_, x, alice, bob, _ := newChat(t)
		x.SetFaults(XXDFault{User: 5, Method: "message", Times: 1, Lose: true})
		for _, gid := range []string{"lost", "heard"} {
			alice.call("message", []any{textMessage(gid, "x")})
			require.Equal(t, []any{gid}, alice.expect("message").column("gid"))
		}
		require.Equal(t, []any{"heard"}, bob.expect("message").column("gid"))
	})
	t.Run("a connection can break, or all of them", func(t *testing.T) {
		_, x, alice, bob, carol := newChat(t)
		stranger := dial(t, x)
		require.False(t, x.Drop(7))
		require.True(t, x.Drop(4))
		alice.dropped()
		bob.expect("logout")
		carol.expect("logout")
		require.False(t, x.Drop(4))
		x.DropAll()
		for _, d := range []*desktop{bob, carol, stranger} {
			_, how := d.end()
			require.False(t, closedProperly(how), "%v", how)
		}
		signInto(t, x, "alice")
	})
	t.Run("a connection can hang, both ways", func(t *testing.T) {
		s, x, alice, bob, _ := newChat(t)
		release := x.Stall(4)
		bob.call("message", []any{textMessage("m", "x")})
		bob.expect("message")
		alice.call("dismiss", "g")
		bob.hearsNothing()
		require.Zero(t, s.Calls()["chat/dismiss"])
		require.Empty(t, alice.frames)
		x.Stall(4)() // another one, begun and ended meanwhile
		require.Empty(t, alice.frames)
		release()
		release()
		alice.expect("message")
		alice.expect("dismiss")
		bob.expect("dismiss")
		x.Stall(7)() // who is not there
	})
	t.Run("one that hangs can break", func(t *testing.T) {
		_, x, alice, bob, _ := newChat(t)
		release := x.Stall(4)
		defer release()
		alice.call("ping")
		require.True(t, x.Drop(4))
		alice.dropped()
		bob.expect("logout")
	})
	t.Run("one that hangs does not keep the server from closing", func(t *testing.T) {
		_, x, alice, _, _ := newChat(t)
		x.Stall(4)
		alice.call("ping")
		require.NoError(t, x.Close())
	})
	t.Run("no fault, no trouble", func(t *testing.T) {
		_, x, alice, _, _ := newChat(t)
		x.SetFaults(XXDFault{Cut: true})
		x.SetFaults()
		alice.hearsNothing()
	})
}

// met tells whether the first fault has met a frame.
func (f *xxdFaults) met() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.list[0].left < f.list[0].Times
}

func TestXXDStats(t *testing.T) {
	_, x, alice, bob, carol := newChat(t)
	bob.leave()
	alice.expect("logout")
	carol.expect("logout")
	stranger := dial(t, x)
	stranger.send(map[string]any{})
	require.Eventually(t, func() bool {
		return x.Stats() == XXDStats{Connections: 3, Online: 2, Accepted: 4, Logins: 3, FramesIn: 5, FramesOut: 18 + 3 + 2 + 2}
	}, patience, time.Millisecond, "%+v", x.Stats())
}

func TestHostileXXD(t *testing.T) {
	_, x, alice, bob, _ := newChat(t)
	x.SetFaults(XXDFault{User: 4, Method: "members", Times: 1, Instead: [][]byte{[]byte(`{"module":"chat","method":"one"}`), []byte(`{"module":"chat","method":"two"}`)}})
	alice.call("members", "g")
	alice.expect("one")
	alice.expect("two")
	alice.call("members", "g")
	alice.expect("members")

	x.SetFaults(XXDFault{User: 4, Method: "members", Times: 1, Raw: func(w io.Writer) error {
		_, err := w.Write([]byte{0x82, 5, 'h', 'a'})
		return err
	}})
	alice.call("members", "g")
	alice.dropped()
	bob.expect("logout")
}
