package node

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"log/slog"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// issued writes a certificate of that name over these files.
func issued(t *testing.T, files TLS, name string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	like := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now(), NotAfter: time.Now().Add(24 * time.Hour)}
	cert, err := x509.CreateCertificate(rand.Reader, like, like, key.Public(), key)
	require.NoError(t, err)
	private, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(files.CertFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert}), 0o600))
	require.NoError(t, os.WriteFile(files.KeyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}), 0o600))
}

// watched has a certificate's files watched in a bubble of time. shown is whose a handshake gets by then; later lets them be looked at.
func watched(t *testing.T, test func(t *testing.T, files TLS, log *strings.Builder, shown func() string, later func())) {
	folder := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		files, log := TLS{CertFile: filepath.Join(folder, "cert.pem"), KeyFile: filepath.Join(folder, "key.pem")}, &strings.Builder{}
		issued(t, files, "one")
		c, err := newCertificate(files, slog.New(slog.NewTextHandler(log, nil)))
		require.NoError(t, err)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- c.watch(ctx) }()
		shown := func() string {
			pair, err := c.config().GetCertificate(&tls.ClientHelloInfo{})
			require.NoError(t, err)
			return pair.Leaf.Subject.CommonName
		}
		later := func() {
			time.Sleep(certificateCheck)
			synctest.Wait()
		}
		test(t, files, log, shown, later)
		cancel()
		require.NoError(t, <-ended)
	})
}

func TestCertificateIsWatched(t *testing.T) {
	t.Run("a renewed one is shown soon, and the log says so once", func(t *testing.T) {
		watched(t, func(t *testing.T, files TLS, log *strings.Builder, shown func() string, later func()) {
			later()
			require.Equal(t, "one", shown())
			require.Empty(t, log.String(), "nothing has changed")
			issued(t, files, "two")
			require.Equal(t, "one", shown(), "nobody has looked yet")
			later()
			require.Equal(t, "two", shown())
			later()
			require.Equal(t, 1, strings.Count(log.String(), "certificate read again"))
			require.Contains(t, log.String(), files.CertFile)
		})
	})
	for name, breakIt := range map[string]func(t *testing.T, files TLS){
		"is none":              func(t *testing.T, files TLS) { require.NoError(t, os.WriteFile(files.CertFile, []byte("none"), 0o600)) },
		"has another's key":    func(t *testing.T, files TLS) { other := files; other.CertFile += "x"; issued(t, other, "two") },
		"is gone for a moment": func(t *testing.T, files TLS) { require.NoError(t, os.Remove(files.CertFile)) },
	} {
		t.Run("one that "+name+" is not, the log says why, and the next good one is", func(t *testing.T) {
			watched(t, func(t *testing.T, files TLS, log *strings.Builder, shown func() string, later func()) {
				breakIt(t, files)
				later()
				require.Equal(t, "one", shown())
				require.Contains(t, log.String(), "a changed certificate is not taken over; the one of before stays")
				require.Contains(t, log.String(), files.CertFile)
				later()
				require.Equal(t, 1, strings.Count(log.String(), "\n"), "once, not with every look")
				issued(t, files, "three")
				later()
				require.Equal(t, "three", shown())
			})
		})
	}
}
