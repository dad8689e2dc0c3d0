// Package chaos looks for lost messages: several nodes with real Redis servers, writers and readers on all three
// transports, and faults at random. A checker that knows every message that was stored compares it with what each reader
// got: lost, doubled, out of order.
//
// Some readers and writers speak the wire themselves, others through sdk/go, or through the built TypeScript SDK in a Node process:
// then it is what an SDK's user saw that is judged. SDKs reach the nodes over a line of their own, which breaks and stalls.
//
// A round is named by its seed, which decides the installation, what is said and which faults come when; what the machine
// makes of it is the machine's. `make chaos SEED=… ROUNDS=…` runs more than `make test` does.
package chaos
