package gateway

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// forwardingHeaders are those by which proxies, and those who pretend to be one, name a client.
var forwardingHeaders = []string{"X-Forwarded-For", "Forwarded", "X-Real-Ip"}

// clientAddr is the address a request comes from: the socket's, or what trusted proxies say in X-Forwarded-For or, without that, in Forwarded. It is the
// zero Addr where that cannot be told.
func (s *Server) clientAddr(r *http.Request) netip.Addr {
	addr := peerAddr(r)
	if !contains(s.rules.Load().trustedProxies, addr) {
		return addr
	}
	// Each proxy adds its own peer at the end, so what stands left of an untrusted address may be invented.
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	if r.Header.Get("X-Forwarded-For") == "" {
		hops = forwardedFor(r.Header.Values("Forwarded"))
	}
	for _, hop := range slices.Backward(hops) {
		hop = strings.TrimSpace(hop)
		if hop == "" {
			continue
		}
		next, err := netip.ParseAddr(hop)
		if err != nil {
			port, err := netip.ParseAddrPort(hop)
			if err != nil {
				port, err = netip.ParseAddrPort(hop + ":0") // [::1], as Forwarded writes it
			}
			if err != nil {
				return netip.Addr{}
			}
			next = port.Addr()
		}
		if addr = next.Unmap().WithZone(""); !contains(s.rules.Load().trustedProxies, addr) {
			break
		}
	}
	return addr
}

// forwardedFor are the addresses that Forwarded headers (RFC 7239) name, one for each proxy; empty ones are none, and of proxies
// that hide whom they speak for "unknown" or a word of their own.
func forwardedFor(headers []string) (hops []string) {
	for element := range strings.SplitSeq(strings.Join(headers, ","), ",") {
		for pair := range strings.SplitSeq(element, ";") {
			if name, value, _ := strings.Cut(strings.TrimSpace(pair), "="); strings.EqualFold(name, "for") {
				hops = append(hops, strings.Trim(value, `"`))
			}
		}
	}
	return hops
}

// forwarded says whether a request claims to come through a proxy that is not a trusted one.
func (s *Server) forwarded(r *http.Request) bool {
	return !contains(s.rules.Load().trustedProxies, peerAddr(r)) &&
		slices.ContainsFunc(forwardingHeaders, func(name string) bool { return r.Header.Get(name) != "" })
}

func peerAddr(r *http.Request) netip.Addr {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return peer.Addr().Unmap().WithZone("")
}

func contains(list []netip.Prefix, addr netip.Addr) bool {
	return slices.ContainsFunc(list, func(p netip.Prefix) bool { return p.Contains(addr) })
}
