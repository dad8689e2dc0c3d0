package traces

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"time"

	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/trace"
)

// Between these two a sending is tried again that the collector has put off.
const retryFirst, retryMost = 500 * time.Millisecond, 2 * time.Second

// tracesPath is where a collector takes spans unless the endpoint says otherwise.
const tracesPath = "/v1/traces"

// Endpoint is the address that spans are sent to, as it was set or with the standard path.
func Endpoint(set string) (string, error) {
	u, err := url.Parse(set)
	if err != nil {
		return "", fmt.Errorf("endpoint of traces: %w", err)
	}
	if u.Path == "" || u.Path == "/" {
		u.Path = tracesPath
	}
	return u.String(), nil
}

// newExporter makes what sends spans, and the client that it does so by, whose idle connections are to be closed after it.
func newExporter(c Config) (trace.SpanExporter, *http.Client, error) {
	to, err := Endpoint(c.Endpoint)
	if err != nil {
		return nil, nil, err
	}
	client := &http.Client{
		Transport: &http.Transport{
			Proxy: http.ProxyFromEnvironment, DialContext: (&net.Dialer{Timeout: sendTimeout}).DialContext, TLSHandshakeTimeout: sendTimeout,
			ForceAttemptHTTP2: true, MaxIdleConns: 1, IdleConnTimeout: time.Minute,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, // the headers hold a key
	}
	exporter, err := otlptracehttp.New(context.Background(),
		// What is given here the environment (OTEL_…) does not change.
		otlptracehttp.WithEndpointURL(to),
		otlptracehttp.WithHeaders(c.Headers),
		otlptracehttp.WithHTTPClient(client),
		otlptracehttp.WithTimeout(sendTimeout),
		otlptracehttp.WithCompression(otlptracehttp.NoCompression),
		otlptracehttp.WithEncoding(otlptracehttp.EncodingProtobuf),
		otlptracehttp.WithRetry(otlptracehttp.RetryConfig{
			Enabled: true, InitialInterval: retryFirst, MaxInterval: retryMost, MaxElapsedTime: sendTimeout,
		}),
	)
	if err != nil {
		return nil, nil, fmt.Errorf("send traces: %w", err)
	}
	return exporter, client, nil
}
