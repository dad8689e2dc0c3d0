package traces

import (
	"net"
	"strconv"
	"sync/atomic"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/trace"
)

// share is the Sampler of a share of the traces that may be changed: the same one at every node, for it goes by their ids.
type share struct{ of atomic.Pointer[trace.Sampler] }

func (s *share) set(ratio float64) {
	of := trace.TraceIDRatioBased(ratio)
	s.of.Store(&of)
}

// ShouldSample implements trace.Sampler.
func (s *share) ShouldSample(p trace.SamplingParameters) trace.SamplingResult {
	return (*s.of.Load()).ShouldSample(p)
}

// Description implements trace.Sampler.
func (s *share) Description() string { return (*s.of.Load()).Description() }

// addressOf says where the chat server is, as far as it is known.
func addressOf(server string) []attribute.KeyValue {
	host, port, err := net.SplitHostPort(server)
	if err != nil {
		host = server
	}
	if host == "" {
		return nil
	}
	at := []attribute.KeyValue{attribute.String("server.address", host)}
	if n, err := strconv.Atoi(port); err == nil {
		at = append(at, attribute.Int("server.port", n))
	}
	return at
}
