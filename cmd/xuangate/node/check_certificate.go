package node

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"time"
)

// renewal is how long before its end a certificate is worth a note: automatic renewals come earlier, and one by hand takes days.
const renewal = 21 * 24 * time.Hour

// expiring is a note on the certificate of a server that ends soon, or has ended though we believe it: whoever pins it, or believes any,
// does not look at its dates. One that has ended for those who verify it is told where the server is tried. Where nothing speaks TLS
// there is nothing to note.
func expiring(ctx context.Context, setting, addr string, timeout time.Duration) []Finding {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	dialer := tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true}} // only its dates are asked for
	conn, err := dialer.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil // told where the server is tried
	}
	defer conn.Close()
	leaf := conn.(*tls.Conn).ConnectionState().PeerCertificates[0]
	left, end := time.Until(leaf.NotAfter), leaf.NotAfter.UTC().Format(time.DateOnly)
	switch {
	case left <= 0:
		return []Finding{{false, fmt.Sprintf("%s: the certificate ended on %s; other clients may refuse it, so renew it", setting, end)}}
	case left < renewal:
		return []Finding{{false, fmt.Sprintf("%s: the certificate ends on %s; renew it before", setting, end)}}
	}
	return nil
}

// expiringAt is expiring for an address of the web, if it is one of https.
func expiringAt(ctx context.Context, setting, address string, timeout time.Duration) []Finding {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "https" {
		return nil
	}
	port := u.Port()
	if port == "" {
		port = "443"
	}
	return expiring(ctx, setting, net.JoinHostPort(u.Hostname(), port), timeout)
}

// expired says when a certificate ended that a server was refused for.
func expired(err error) (end time.Time, is bool) {
	invalid, ok := errors.AsType[x509.CertificateInvalidError](err)
	if !ok || invalid.Reason != x509.Expired || time.Now().Before(invalid.Cert.NotAfter) {
		return end, false
	}
	return invalid.Cert.NotAfter, true
}
