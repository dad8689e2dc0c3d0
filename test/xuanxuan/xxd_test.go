package xuanxuan

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/require"
)

func TestXXDStart(t *testing.T) {
	s, x := newSite(t, Options{}, XXDOptions{})
	t.Run("its backend hears of it", func(t *testing.T) { require.Equal(t, 1, s.Calls()["chat/serverstart"]) })
	t.Run("the token is made of the second", func(t *testing.T) {
		x := newXXD(t, s, XXDOptions{Now: func() time.Time { return time.Unix(1795312460, 5e8) }})
		require.Equal(t, "29327509b874d4a9f5e548bddb58489d", x.Token(), "recorded: 01_login_sequence")
	})
	t.Run("a backend that does not answer is an error", func(t *testing.T) {
		_, err := StartXXD(t.Context(), XXDOptions{Backend: "http://127.0.0.1:1" + Path}, "127.0.0.1:0")
		require.ErrorContains(t, err, "tell the backend")
	})
	t.Run("so is a backend with another key", func(t *testing.T) {
		_, err := StartXXD(t.Context(), XXDOptions{Backend: s.URL(), Key: strings.Repeat("9", 32)}, "127.0.0.1:0")
		require.Error(t, err)
		_, err = StartXXD(t.Context(), XXDOptions{Backend: s.URL(), Key: "short"}, "127.0.0.1:0")
		require.Error(t, err)
	})
	t.Run("so is an address that is taken", func(t *testing.T) {
		for _, o := range []XXDOptions{{}, {ChatAddr: x.ChatAddr()}} {
			o.Backend = s.URL()
			addr := x.Addr()
			if o.ChatAddr != "" {
				addr = "127.0.0.1:0"
			}
			_, err := StartXXD(t.Context(), o, addr)
			require.Error(t, err)
		}
	})
	t.Run("the context bounds the start only", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		x, err := StartXXD(ctx, XXDOptions{Backend: s.URL()}, "127.0.0.1:0")
		require.NoError(t, err)
		defer x.Close()
		cancel()
		signInto(t, x, "alice").hearsNothing()
	})
}

func TestXXDClose(t *testing.T) {
	s, x := newSite(t, Options{}, XXDOptions{})
	alice, stranger := signInto(t, x, "alice"), dial(t, x)
	s.SetFaults(Fault{Method: "history", Delay: time.Hour})
	alice.call("history", "g", 1, 1, 0, false, 0)
	require.Eventually(t, func() bool { return s.Calls()["chat/history"] == 1 }, patience, time.Millisecond)
	require.NoError(t, x.Close())
	require.NoError(t, x.Close(), "closing twice is no error")
	alice.dropped()
	stranger.dropped()
	require.Zero(t, s.Calls()["chat/logout"], "a kill logs nobody out")
	require.Equal(t, "online", call(t, s.Backend, 0, "userGetlist", "4").rows()[0]["status"])
	require.NoDirExists(t, x.uploads)
	for _, addr := range []string{x.Addr(), x.ChatAddr()} {
		_, err := net.Dial("tcp", addr)
		require.Error(t, err)
	}
}

func TestXXDRestart(t *testing.T) {
	s, x := newSite(t, Options{}, XXDOptions{TLS: true})
	alice := signInto(t, x, "alice")
	again, err := x.Restart(t.Context())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, again.Close()) })
	alice.dropped()
	require.Equal(t, []string{x.URL(), x.WSURL(), x.Fingerprint()}, []string{again.URL(), again.WSURL(), again.Fingerprint()})

	t.Run("everybody is offline", func(t *testing.T) {
		require.Equal(t, "offline", call(t, s.Backend, 0, "userGetlist", "4").rows()[0]["status"])
	})
	t.Run("the token is a new one, and the old one no good", func(t *testing.T) {
		require.NotEqual(t, x.Token(), again.Token())
		late := dial(t, again)
		late.key = x.key
		late.login("alice", DemoPassword, "online")
		late.dropped()
		signInto(t, again, "alice")
	})
	t.Run("it keeps the uploads", func(t *testing.T) {
		require.Equal(t, x.uploads, again.uploads)
		require.DirExists(t, again.uploads)
	})
	t.Run("the first one may be closed once more", func(t *testing.T) {
		require.NoError(t, x.Close())
		signInto(t, again, "bob")
	})
}

func TestXXDTLS(t *testing.T) {
	_, x := newSite(t, Options{}, XXDOptions{TLS: true})
	require.True(t, strings.HasPrefix(x.URL(), "https://"))
	require.True(t, strings.HasPrefix(x.WSURL(), "wss://"))

	t.Run("a client that verifies it refuses", func(t *testing.T) {
		_, _, err := websocket.DefaultDialer.DialContext(t.Context(), x.WSURL(), nil)
		require.ErrorAs(t, err, new(x509.UnknownAuthorityError))
	})
	t.Run("one that trusts the certificate connects", func(t *testing.T) {
		pool := x509.NewCertPool()
		pool.AddCert(x.Certificate())
		client := http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, DisableKeepAlives: true}}
		res, err := client.Get(x.URL() + "/serverInfo")
		require.NoError(t, err)
		require.NoError(t, res.Body.Close())
	})
	t.Run("both ports show the certificate of the fingerprint", func(t *testing.T) {
		for _, addr := range []string{x.Addr(), x.ChatAddr()} {
			conn, err := tls.Dial("tcp", addr, &tls.Config{InsecureSkipVerify: true})
			require.NoError(t, err)
			sum := sha256.Sum256(conn.ConnectionState().PeerCertificates[0].Raw)
			require.NoError(t, conn.Close())
			require.Equal(t, hex.EncodeToString(sum[:]), x.Fingerprint())
		}
	})
	t.Run("chats go over it", func(t *testing.T) { signInto(t, x, "alice").hearsNothing() })
	t.Run("without TLS there is no certificate", func(t *testing.T) {
		_, x := newSite(t, Options{}, XXDOptions{})
		require.Empty(t, x.Fingerprint())
		require.Nil(t, x.Certificate())
	})
}

func TestXXDCrash(t *testing.T) {
	for name, second := range map[string]string{
		"who signs in twice on one connection leaves a trap behind": "alice",
		"so does who signs in as somebody else":                     "carol",
	} {
		t.Run(name, func(t *testing.T) {
			s, x := newSite(t, Options{}, XXDOptions{})
			alice, bob := signInto(t, x, "alice"), signInto(t, x, "bob")
			alice.expect("login")
			alice.login(second, DemoPassword, "online")
			bob.expect("login")
			alice.leave()
			if second == "alice" { // who is not logged out: the next frame for her does it
				require.Eventually(t, func() bool { return x.Stats().Connections == 1 }, patience, time.Millisecond)
				bob.hearsNothing()
				require.NoError(t, x.Err())
				bob.call("dismiss", "nosuch") // a fail, told to everybody
			} // else telling alice that carol is gone
			_, how := bob.end()
			require.False(t, closedProperly(how), "%v", how)
			require.ErrorIs(t, x.Err(), errClosedQueue)
			<-x.Done()
			require.ErrorIs(t, x.Close(), errClosedQueue)
			again, err := x.Restart(t.Context())
			require.NoError(t, err)
			signInto(t, again, "bob").hearsNothing()
			require.NoError(t, again.Close())
			require.Equal(t, 2, s.Calls()["chat/serverstart"])
		})
	}
}
