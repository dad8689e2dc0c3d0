// Package stage is where SDKs are tried: real gateways on the reference chat server, each behind a proxy that breaks things on
// request. It is driven over HTTP, so that an SDK in any language can be tried on it; ../README.md says how.
package stage
