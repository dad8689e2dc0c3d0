package gateway

import (
	"net/http"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestClientAddr(t *testing.T) {
	s := &Server{}
	s.rules.Store(&rules{trustedProxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}})
	for _, c := range []struct{ rule, peer, forwarded, want string }{
		{"the socket's, without proxies", "192.0.2.1:5", "", "192.0.2.1"},
		{"an untrusted peer's word counts nothing", "192.0.2.1:5", "127.0.0.1", "192.0.2.1"},
		{"a trusted peer's word counts", "10.0.0.1:5", "192.0.2.7", "192.0.2.7"},
		{"the last untrusted hop counts, what stands before it is invented", "10.0.0.1:5", "127.0.0.1, 192.0.2.7, 10.0.0.2", "192.0.2.7"},
		{"through trusted hops only: the first of them", "10.0.0.1:5", "10.0.0.9, 10.0.0.2", "10.0.0.9"},
		{"garbage is no address", "10.0.0.1:5", "unknown", "invalid IP"},
		{"a port is passed over", "10.0.0.1:5", "192.0.2.7:99", "192.0.2.7"},
		{"IPv6 and mapped IPv4", "[::ffff:10.0.0.1]:5", "[2001:db8::1]:80", "2001:db8::1"},
		{"no word from a trusted peer", "10.0.0.1:5", "", "10.0.0.1"},
		{"a peer without an address", "@", "127.0.0.1", "invalid IP"},
	} {
		t.Run(c.rule, func(t *testing.T) {
			r := &http.Request{RemoteAddr: c.peer, Header: http.Header{}}
			if c.forwarded != "" {
				r.Header.Set("X-Forwarded-For", c.forwarded)
			}
			require.Equal(t, c.want, s.clientAddr(r).String())
		})
	}
	for _, c := range []struct{ rule, header, want string }{
		{"Forwarded counts where there is no X-Forwarded-For", "for=192.0.2.7;proto=https", "192.0.2.7"},
		{"quoted, in IPv6, with a port or without", `proto=https; For="[2001:db8::1]:80", for="[fd00::2]"`, "2001:db8::1"},
		{"what stands before the last untrusted hop is invented", "for=127.0.0.1, for=192.0.2.7, for=10.0.0.2", "192.0.2.7"},
		{"a hidden client has no address", "for=_hidden", "invalid IP"},
		{"a proxy that names nobody", "proto=https", "10.0.0.1"},
	} {
		t.Run(c.rule, func(t *testing.T) {
			r := &http.Request{RemoteAddr: "10.0.0.1:5", Header: http.Header{"Forwarded": {c.header}}}
			require.Equal(t, c.want, s.clientAddr(r).String())
			r.RemoteAddr = "192.0.2.1:5"
			require.Equal(t, "192.0.2.1", s.clientAddr(r).String(), "of an untrusted peer it counts nothing")
		})
	}
}
