package node

import (
	"math"

	"github.com/xuangate/xuangate/gateway"
)

// rates are the limits of requests.
func (l Limits) rates() gateway.LimitsConfig {
	return gateway.LimitsConfig{
		Token: gateway.Rate{PerSecond: l.TokenRate, Burst: l.TokenBurst}, Address: gateway.Rate{PerSecond: l.AddressRate, Burst: l.AddressBurst},
		SignIn: gateway.Rate{PerSecond: l.SignInRate, Burst: l.SignInBurst}, Account: gateway.Rate{PerSecond: l.AccountRate, Burst: l.AccountBurst},
	}
}

// validate refuses what would limit nothing by mistake, or everything.
func (l Limits) validate(f *faults) {
	for _, one := range []struct {
		key   string
		rate  float64
		burst int
	}{
		{"limits.token", l.TokenRate, l.TokenBurst},
		{"limits.address", l.AddressRate, l.AddressBurst},
		{"limits.sign_in", l.SignInRate, l.SignInBurst},
		{"limits.account", l.AccountRate, l.AccountBurst},
		{"limits.accept", l.AcceptRate, l.AcceptBurst},
	} {
		if one.rate < 0 || math.IsNaN(one.rate) || math.IsInf(one.rate, 0) {
			f.add(one.key+"_rate", "is %g, want 0 or more", one.rate)
		}
		f.positive(one.key+"_burst", one.burst)
	}
	if l.Connections < 0 {
		f.add("limits.connections", "is %d, want 0 or more", l.Connections)
	}
}
