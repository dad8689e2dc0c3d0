package node_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/require"

	"github.com/xuangate/xuangate/cmd/xuangate/node"
)

// issue writes a self-signed certificate for 127.0.0.1 over these files.
func issue(t *testing.T, files node.TLS, name string) {
	t.Helper()
	issueUntil(t, files, name, time.Now().Add(time.Hour))
}

func issueUntil(t *testing.T, files node.TLS, name string, end time.Time) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	like := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-48 * time.Hour), NotAfter: end,
	}
	cert, err := x509.CreateCertificate(rand.Reader, like, like, key.Public(), key)
	require.NoError(t, err)
	private, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(files.CertFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert}), 0o600))
	require.NoError(t, os.WriteFile(files.KeyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}), 0o600))
}

func certificateFiles(t *testing.T) node.TLS {
	folder := t.TempDir()
	return node.TLS{CertFile: filepath.Join(folder, "cert.pem"), KeyFile: filepath.Join(folder, "key.pem")}
}

func TestTLS(t *testing.T) {
	files := certificateFiles(t)
	issue(t, files, "one")
	c := before(backend(t))
	c.TLS, c.Inner.TLS = files, files
	c.Inner.Key = "an inner key of 32 characters xx"
	hangup, log := make(chan os.Signal), &logBook{}
	c.LogTo, c.Hangup = log, hangup
	c.Again = func() (node.Config, []error) { return c, nil }
	n := run(t, c)
	api := strings.Replace(n.api, "http:", "https:", 1)
	believe := func() *tls.Config { return &tls.Config{InsecureSkipVerify: true} } // whose certificate it is, is asked below
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: believe(), ForceAttemptHTTP2: true}}
	t.Cleanup(client.CloseIdleConnections)

	in := func(t *testing.T, url string, header http.Header) *http.Response {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
		require.NoError(t, err)
		req.Header = header
		res, err := client.Do(req)
		require.NoError(t, err)
		t.Cleanup(func() { _ = res.Body.Close() })
		return res
	}
	shown := func(t *testing.T) string {
		t.Helper()
		conn, err := tls.Dial("tcp", strings.TrimPrefix(api, "https://"), believe())
		require.NoError(t, err)
		defer conn.Close()
		return conn.ConnectionState().PeerCertificates[0].Subject.CommonName
	}
	plain := http.DefaultClient
	http.DefaultClient = client // post uses it
	t.Cleanup(func() { http.DefaultClient = plain })
	n.api = api
	token := n.signIn(t, "alice")
	stream := n.listen(t, token)
	next(t, stream, "id")

	t.Run("HTTP/2 is spoken, also for event streams", func(t *testing.T) {
		res := in(t, api+"/notify?protoc=sse", bearer(token))
		require.Equal(t, http.StatusOK, res.StatusCode)
		require.Equal(t, 2, res.ProtoMajor)
		_, err := res.Body.Read(make([]byte, 1))
		require.NoError(t, err, "the stream begins")
	})
	t.Run("WebSockets open", func(t *testing.T) {
		dialer := websocket.Dialer{TLSClientConfig: believe()}
		conn, _, err := dialer.DialContext(t.Context(), strings.Replace(api, "https:", "wss:", 1)+"/notify?protoc=ws&events=all", bearer(token))
		require.NoError(t, err)
		defer conn.Close()
		_, first, err := conn.ReadMessage()
		require.NoError(t, err)
		require.NotEmpty(t, first)
	})
	t.Run("inner has it, too", func(t *testing.T) {
		require.Equal(t, 2, in(t, strings.Replace(n.inner, "http:", "https:", 1)+"/inner/nothing", http.Header{}).ProtoMajor)
	})
	t.Run("nothing older than TLS 1.2", func(t *testing.T) {
		_, err := tls.Dial("tcp", strings.TrimPrefix(api, "https://"), &tls.Config{InsecureSkipVerify: true, MaxVersion: tls.VersionTLS11})
		require.Error(t, err)
	})
	t.Run("a renewed certificate is shown after SIGHUP, and streams stay", func(t *testing.T) {
		require.Equal(t, "one", shown(t))
		issue(t, files, "two")
		hangup <- syscall.SIGHUP
		require.Eventually(t, func() bool { return shown(t) == "two" }, patience, 10*time.Millisecond)
		require.NoError(t, stream.Err())
	})
	t.Run("a broken one is refused, and the one of before stays", func(t *testing.T) {
		require.NoError(t, os.WriteFile(files.CertFile, []byte("broken"), 0o600))
		hangup <- syscall.SIGHUP
		require.Eventually(t, func() bool { return strings.Contains(log.String(), "is no certificate and its key") }, patience, time.Millisecond)
		require.Equal(t, "two", shown(t))
	})
	n.stop(t)
}

func TestCheckCertificate(t *testing.T) {
	s, files := backend(t), certificateFiles(t)
	check := func() []node.Finding {
		c := before(s)
		c.TLS = files
		return node.Check(t.Context(), c)
	}
	require.ErrorContains(t, node.Config{TLS: node.TLS{KeyFile: "x"}}.Validate()[1], "tls.cert_file: is missing")
	require.True(t, check()[0].Fault, "no such file")

	issueUntil(t, files, "x", time.Now().Add(-time.Hour))
	require.True(t, check()[0].Fault)
	require.Contains(t, check()[0].Text, "tls.cert_file: the certificate ended on ")
	issueUntil(t, files, "x", time.Now().Add(24*time.Hour))
	require.Contains(t, check()[0].Text, "tls.cert_file: the certificate ends on ")
	issueUntil(t, files, "x", time.Now().Add(1000*time.Hour))
	require.Contains(t, check()[0].Text, "tls.cert_file: the certificate is for 127.0.0.1, until ")
}

func TestCheckInnerInClear(t *testing.T) {
	c := before(backend(t))
	for addr, want := range map[string]bool{"127.0.0.1:0": false, "[::1]:8081": false, "localhost:8081": false, "10.0.0.5:8081": true, ":8081": true, "0.0.0.0:8081": true} {
		c.Inner.Addr = addr
		warned := false
		for _, f := range node.Check(t.Context(), c) {
			warned = warned || strings.HasPrefix(f.Text, "inner.addr: is no loopback address and has no TLS")
			require.False(t, f.Fault, f.Text)
		}
		require.Equal(t, want, warned, addr)
	}
}
