// Package soak has gateways work for a long time, each in a process of its own before reference chat servers, of which one is slow,
// and watches from outside whether they grow: their heap after a garbage collection, memory as the system counts it, goroutines and
// descriptors are flat after a while, and nothing goes wrong that should not.
//
// Each gateway has residents, who listen over one transport each from the beginning to the end and miss nothing, and visitors,
// who come, make every call that the API has, and leave: signed out, or without a word. The load is bounded by -rate.
// `make soak MIN=30` runs it at length; `make test` for some seconds, in which nothing can be said about growth.
package soak
