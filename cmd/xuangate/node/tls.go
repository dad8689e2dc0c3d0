package node

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"time"
)

// certificateCheck is how often the files of a certificate are looked at. Without it a renewed one would be served only after
// somebody thinks of SIGHUP, mostly after the old one has ended.
const certificateCheck = 30 * time.Second

// TLS is the certificate of a listener. Without one it speaks plain HTTP.
type TLS struct {
	CertFile string `help:"PEM file of the certificate, with those of the authorities in between, for HTTPS and HTTP/2 here. It is read again when it changes, and on SIGHUP. Empty: plain HTTP."`
	KeyFile  string `help:"PEM file of that certificate's key."`
}

func (t TLS) on() bool { return t.CertFile != "" }

func (t TLS) validate(f *faults, key string) {
	switch {
	case t.CertFile == "" && t.KeyFile == "":
	case t.CertFile == "":
		f.add(key+".cert_file", "is missing; it is the certificate of %s.key_file", key)
	case t.KeyFile == "":
		f.add(key+".key_file", "is missing; it is the key of %s.cert_file", key)
	default:
		if _, err := t.load(); err != nil {
			f.add(key+".cert_file", "%s", err)
		}
	}
}

// load reads the certificate and its key. The error names the file and what is wrong with it.
func (t TLS) load() (*tls.Certificate, error) {
	cert, err := os.ReadFile(t.CertFile)
	if err != nil {
		return nil, err
	}
	key, err := os.ReadFile(t.KeyFile)
	if err != nil {
		return nil, err
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return nil, fmt.Errorf("%s with %s is no certificate and its key: %w", t.CertFile, t.KeyFile, err)
	}
	return &pair, nil
}

// check says for whom and until when the certificate is good. One that has ended is a fault.
func (t TLS) check(key string) []Finding {
	if !t.on() {
		return nil
	}
	pair, err := t.load()
	if err != nil {
		return nil // Validate has said so
	}
	names := slices.Clone(pair.Leaf.DNSNames)
	for _, ip := range pair.Leaf.IPAddresses {
		names = append(names, ip.String())
	}
	left, end := time.Until(pair.Leaf.NotAfter), pair.Leaf.NotAfter.UTC().Format(time.DateOnly)
	switch {
	case left <= 0:
		return []Finding{{true, fmt.Sprintf("%s.cert_file: the certificate ended on %s; renew it", key, end)}}
	case time.Now().Before(pair.Leaf.NotBefore):
		return []Finding{{true, fmt.Sprintf("%s.cert_file: the certificate is good from %s on only; is the clock right?", key, pair.Leaf.NotBefore.UTC().Format(time.DateOnly))}}
	case len(names) == 0:
		return []Finding{{true, key + ".cert_file: the certificate names no host, and clients go by no other name than its subject alternative ones; have it made anew with them"}}
	case left < renewal:
		return []Finding{{false, fmt.Sprintf("%s.cert_file: the certificate ends on %s; renew it before", key, end)}}
	}
	return []Finding{{false, fmt.Sprintf("%s.cert_file: the certificate is for %s, until %s", key, strings.Join(names, ", "), end)}}
}

// A certificate is what one listener proves itself with. watch keeps it as its files are; get may be called from any goroutine.
type certificate struct {
	files TLS
	log   *slog.Logger

	mu   sync.Mutex
	now  *tls.Certificate
	seen [2]stamp // of the files, when they were read last, whether or not they could be used
}

// stamp tells one version of a file from the next.
type stamp struct {
	size  int64
	write time.Time
}

// newCertificate reads a certificate for the first time; without one there is none, and no error.
func newCertificate(files TLS, log *slog.Logger) (*certificate, error) {
	if !files.on() {
		return nil, nil
	}
	c := &certificate{files: files, log: log}
	return c, c.read()
}

func (c *certificate) stamps() (s [2]stamp) {
	for i, name := range []string{c.files.CertFile, c.files.KeyFile} {
		if info, err := os.Stat(name); err == nil {
			s[i] = stamp{info.Size(), info.ModTime()}
		}
	}
	return s
}

// read takes over what the files hold, unless that is no certificate: then the one of before stays.
func (c *certificate) read() error {
	seen := c.stamps() // before the reading, so that what is written meanwhile is read again
	now, err := c.files.load()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seen = seen
	if err != nil {
		return err
	}
	c.now = now
	return nil
}

func (c *certificate) changed() bool {
	seen := c.stamps()
	c.mu.Lock()
	defer c.mu.Unlock()
	return seen != c.seen
}

func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now, nil
}

// watch reads the files when they have changed, until ctx ends.
func (c *certificate) watch(ctx context.Context) error {
	tick := time.NewTicker(certificateCheck)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if !c.changed() {
			continue
		}
		if err := c.read(); err != nil {
			c.log.Error("a changed certificate is not taken over; the one of before stays", "error", err)
			continue
		}
		c.log.Info("certificate read again", "file", c.files.CertFile, "until", c.leaf().NotAfter)
	}
}

func (c *certificate) leaf() *x509.Certificate {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now.Leaf
}

// config is how a listener speaks TLS.
func (c *certificate) config() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: c.get, NextProtos: []string{"h2", "http/1.1"}}
}
