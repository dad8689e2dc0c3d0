package gateway

import (
	"cmp"
	"net/netip"
	"time"
)

// rules are what may change while a Server serves. They are read as a whole and never written to: a request that is under
// way may still see those of before.
type rules struct {
	innerKey       string
	innerAllow     []netip.Prefix
	trustedProxies []netip.Prefix
	tokenTTL       time.Duration
	origins        []string
}

var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}

func (c Config) rules() *rules {
	r := &rules{
		innerKey: c.InnerKey, innerAllow: c.InnerAllow, trustedProxies: c.TrustedProxies,
		tokenTTL: cmp.Or(c.TokenTTL, 30*24*time.Hour), origins: c.Origins,
	}
	if len(r.innerAllow) == 0 {
		r.innerAllow = loopback
	}
	return r
}

// Reload takes over from c what may change while the Server serves: InnerKey, InnerAllow, TrustedProxies, TokenTTL, Origins,
// Streams and Limits, with their defaults; all else of c is not looked at. Open streams stay open, also those that a lower limit would
// have refused, and tokens live as long as they were issued for. It may be called at any time, from any goroutine.
func (s *Server) Reload(c Config) {
	s.rules.Store(c.rules())
	s.streams.limit(c.Streams.orDefault())
	s.limits.Set(c.Limits)
}
