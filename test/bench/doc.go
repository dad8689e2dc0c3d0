// Package bench measures what the gateway costs, each figure as a ratio to the barest server that does the same, both
// measured in turn in one run: single figures of one machine say little.
//
//	make bench
//
// Every server runs in a process of its own (this test binary started again, see servers_test.go), so that its CPU time
// and memory are its own. All traffic stays on loopback.
package bench
