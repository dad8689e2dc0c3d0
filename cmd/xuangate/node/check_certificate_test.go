package node_test

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"net"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/xuangate/xuangate/cmd/xuangate/node"
	"github.com/xuangate/xuangate/test/redisd"
	"github.com/xuangate/xuangate/test/xuanxuan"
)

// secured is where a server of the web is reached over TLS, with a certificate that ends at a time.
func secured(t *testing.T, behind string, end time.Time) (address string, files node.TLS) {
	t.Helper()
	at, err := url.Parse(behind)
	require.NoError(t, err)
	files = certificateFiles(t)
	issueUntil(t, files, "x", end)
	pair, err := tls.LoadX509KeyPair(files.CertFile, files.KeyFile)
	require.NoError(t, err)
	s := httptest.NewUnstartedServer(httputil.NewSingleHostReverseProxy(&url.URL{Scheme: at.Scheme, Host: at.Host}))
	s.TLS = &tls.Config{Certificates: []tls.Certificate{pair}}
	s.Config.ErrorLog = log.New(io.Discard, "", 0) // refused handshakes are meant
	s.StartTLS()
	t.Cleanup(s.Close)
	return s.URL + at.Path, files
}

// securely passes connections over TLS on to an address.
func securely(t *testing.T, behind string, files node.TLS) (addr string) {
	t.Helper()
	pair, err := tls.LoadX509KeyPair(files.CertFile, files.KeyFile)
	require.NoError(t, err)
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{pair}})
	require.NoError(t, err)
	var all sync.WaitGroup
	all.Go(func() {
		for {
			front, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() {
				defer front.Close()
				back, err := net.Dial("tcp", behind)
				if err != nil {
					return
				}
				all.Go(func() { _, _ = io.Copy(front, back); _ = front.Close() })
				_, _ = io.Copy(back, front)
				_ = back.Close()
			})
		}
	})
	t.Cleanup(func() { _ = l.Close(); all.Wait() })
	return l.Addr().String()
}

func TestCheckTellsOfCertificatesThatEnd(t *testing.T) {
	const soon, far, over = 20 * 24 * time.Hour, 30 * 24 * time.Hour, -time.Hour
	plain, err := xuanxuan.StartXXD(t.Context(), xuanxuan.XXDOptions{Backend: backend(t).URL()}, "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, plain.Close()) })
	told := func(list []node.Finding, text string) *node.Finding {
		for _, f := range list {
			if len(f.Text) >= len(text) && f.Text[:len(text)] == text {
				return &f
			}
		}
		return nil
	}
	date := func(in time.Duration) string { return time.Now().Add(in).UTC().Format(time.DateOnly) }

	t.Run("of the xxd", func(t *testing.T) {
		check := func(in time.Duration, trust func(*node.XXD, node.TLS)) []node.Finding {
			c := beside(plain)
			at, files := secured(t, plain.URL(), time.Now().Add(in))
			c.Legacy.XXD.URL, c.Legacy.XXD.Fingerprint = at, ""
			trust(&c.Legacy.XXD, files)
			return node.Check(t.Context(), c)
		}
		authority := func(x *node.XXD, files node.TLS) { x.CAFile = files.CertFile }
		pinned := func(x *node.XXD, files node.TLS) {
			text, err := os.ReadFile(files.CertFile)
			require.NoError(t, err)
			block, _ := pem.Decode(text)
			cert, err := x509.ParseCertificate(block.Bytes)
			require.NoError(t, err)
			x.Fingerprint = fmt.Sprintf("%x", sha256.Sum256(cert.Raw))
		}
		require.False(t, told(check(soon, authority), "legacy.xxd.url: the certificate ends on "+date(soon)).Fault)
		require.Nil(t, told(check(far, authority), "legacy.xxd.url"))
		ended := check(over, authority)
		require.Len(t, ended, 1)
		require.True(t, told(ended, "legacy.xxd.url: its certificate ended on "+date(over)).Fault)
		require.False(t, told(check(over, pinned), "legacy.xxd.url: the certificate ended on "+date(over)).Fault, "who pins it does not look at its dates")
	})
	t.Run("of the backend", func(t *testing.T) {
		c := before(backend(t))
		c.Legacy.XXB.URL, _ = secured(t, c.Legacy.XXB.URL, time.Now().Add(soon))
		require.False(t, told(node.Check(t.Context(), c), "legacy.xxb.url: the certificate ends on "+date(soon)).Fault)
	})
	t.Run("of Redis", func(t *testing.T) {
		r := redisd.Start(t)
		for _, in := range []time.Duration{soon, far, over} {
			c := on(r, backend(t))
			files := certificateFiles(t)
			issueUntil(t, files, "x", time.Now().Add(in))
			addr := securely(t, r.Addr, files)
			c.Redis.Addr, c.Redis.TLS, c.Redis.CAFile = []string{addr}, true, files.CertFile
			found := node.Check(t.Context(), c)
			switch in {
			case soon:
				require.False(t, told(found, "redis.addr: "+addr+": the certificate ends on "+date(soon)).Fault)
				require.NotNil(t, told(found, "redis.addr: Redis answers"))
			case far:
				require.Nil(t, told(found, "redis.addr: "+addr))
			default:
				require.True(t, told(found, "redis.addr: its certificate ended on "+date(over)).Fault)
			}
		}
	})
}
