// Package xxd signs in to an unchanged xxd as one user after another, the way the desktop client does: it asks the HTTP
// interface for the key, opens an AES websocket, and speaks the module/method calls of seed 000 on it.
//
// The wire has no request ids, tells every failure to everybody, and does not answer at all what does not concern the
// caller. But it handles one connection strictly in order, so a call is followed by a question that its answer names: when
// that comes, whatever the call was going to cause has come before it. See pending.
package xxd

import (
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/xuangate/xuangate/adapter/legacy"
)

// Config names an xxd and how far it is trusted.
type Config struct {
	URL        string // of its HTTP interface, https://HOST:11443
	ServerName string // of the backend where one xxd serves several; "" is the default one
	Device     string // told by sysGetServerInfo: desktop (default) or mobile
	// One of the three, or none for a certificate of a known authority.
	CAFile      string // PEM file of the authority that signed xxd's certificate
	Fingerprint string // SHA-256 of xxd's certificate in hex, colons allowed
	Insecure    bool   // believe any certificate; whoever is between us and xxd reads everything

	// Silence is how long xxd may say nothing before the connection counts as dead; it pings every 18 s. Default 45 s.
	Silence time.Duration
	// Stall is how long the transfer of a file may stand still because of xxd. Default 30 s.
	Stall time.Duration
}

// Server is one xxd. It may be used from any goroutine.
type Server struct {
	base    *url.URL
	name    string
	device  string
	silence time.Duration
	stall   time.Duration
	tls     *tls.Config
	http    *http.Client
	room    legacy.Room // of all connections
}

// New checks a Config. It does not connect.
func New(c Config) (*Server, error) {
	base, err := url.Parse(c.URL)
	if err != nil || base.Host == "" || (base.Scheme != "https" && base.Scheme != "http") {
		return nil, fmt.Errorf("xxd address %q: want https://HOST:PORT", c.URL)
	}
	trust, err := trustOf(c)
	if err != nil {
		return nil, err
	}
	s := &Server{
		base: base, name: c.ServerName, tls: trust,
		device:  cmp.Or(c.Device, "desktop"),
		silence: cmp.Or(c.Silence, 45*time.Second),
		stall:   cmp.Or(c.Stall, 30*time.Second),
	}
	s.http = &http.Client{
		Transport: &http.Transport{
			DialContext:         (&net.Dialer{Timeout: 5 * time.Second}).DialContext,
			TLSClientConfig:     trust,
			TLSHandshakeTimeout: 5 * time.Second,
			MaxIdleConnsPerHost: 8,
			IdleConnTimeout:     30 * time.Second,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return s, nil
}

// Close gives up idle HTTP connections.
func (s *Server) Close() { s.http.CloseIdleConnections() }

// Verify asks xxd whether it would let a user in, and lets nobody in.
func (s *Server) Verify(ctx context.Context, account, passwordMD5 string) error {
	_, err := s.Info(ctx, account, passwordMD5)
	return err
}

// Probe asks xxd whether it is there. It answers a GET with 200 and a sentence (LEGACY).
func (s *Server) Probe(ctx context.Context) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.base.JoinPath("/serverInfo").String(), nil)
	if err != nil {
		return err
	}
	res, err := s.http.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("status %d where xxd answers 200", res.StatusCode)
	}
	_, err = io.Copy(io.Discard, io.LimitReader(res.Body, maxInfo))
	return err
}

// ErrCertificate says that xxd has another certificate than the one whose fingerprint is configured.
var ErrCertificate = errors.New("xxd's certificate is not the configured one")

// trustOf is what xxd's certificate must be. Self-signed ones are the norm, so its fingerprint may be pinned.
func trustOf(c Config) (*tls.Config, error) {
	given := 0
	for _, set := range []bool{c.CAFile != "", c.Fingerprint != "", c.Insecure} {
		if set {
			given++
		}
	}
	if given > 1 {
		return nil, errors.New("set one of ca_file, fingerprint and insecure")
	}
	t := &tls.Config{MinVersion: tls.VersionTLS12}
	switch {
	case c.CAFile != "":
		pem, err := os.ReadFile(c.CAFile)
		if err != nil {
			return nil, fmt.Errorf("ca_file: %w", err)
		}
		t.RootCAs = x509.NewCertPool()
		if !t.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("ca_file %s: holds no certificate in PEM form", c.CAFile)
		}
	case c.Fingerprint != "":
		want, err := hex.DecodeString(strings.ReplaceAll(c.Fingerprint, ":", ""))
		if err != nil || len(want) != sha256.Size {
			return nil, errors.New("fingerprint: want the SHA-256 of the certificate, 64 hex digits")
		}
		t.InsecureSkipVerify = true // the pin below is the verification
		t.VerifyConnection = func(s tls.ConnectionState) error {
			if got := sha256.Sum256(s.PeerCertificates[0].Raw); string(got[:]) != string(want) {
				return fmt.Errorf("%w: its fingerprint is %x", ErrCertificate, got)
			}
			return nil
		}
	case c.Insecure:
		t.InsecureSkipVerify = true
	}
	return t, nil
}
