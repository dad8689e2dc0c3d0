// Package chaos looks for lost messages: several nodes with real Redis servers, writers and readers on all three
// transports, and faults at random. A checker that knows every message that was stored compares it with what each reader
// got: lost, doubled, out of order.
//
// A round is named by its seed, which decides the installation, what is said and which faults come when; what the machine
// makes of it is the machine's. `make chaos SEED=… ROUNDS=…` runs more than `make test` does.
package chaos
