package bench

import (
	"fmt"
	"testing"
)

// BenchmarkIdleStreams compares the memory of a stream on which nothing happens with that of a bare handler's: heap and
// stacks of the server process after a garbage collection (target at most 1.2, and at most 10 kB for WebSocket). The
// streams are of 1,000 users, each signed in and online.
func BenchmarkIdleStreams(b *testing.B) {
	behind := run(b, "legacy", "")
	for _, transport := range []string{"sse", "ws"} {
		b.Run(transport, func(b *testing.B) {
			for range b.N {
				gateway, plain := run(b, "gateway", behind.Addr), run(b, "bare", "")
				tokens := make([]string, streams)
				for i := range tokens {
					tokens[i] = token(b, gateway, 1000+i)
				}
				before := gateway.memory()
				newAudience(b, transport, gateway.Addr+"/notify?protoc="+transport, tokens)
				ours := float64(gateway.memory()-before) / streams
				before = plain.memory()
				newAudience(b, transport, plain.Addr+fmt.Sprint("/", transport), nil)
				theirs := float64(plain.memory()-before) / streams
				b.ReportMetric(0, "ns/op")
				b.ReportMetric(ours/1000, "kB-gateway")
				b.ReportMetric(theirs/1000, "kB-bare")
				b.ReportMetric(ours/theirs, "x-memory")
			}
		})
	}
}
