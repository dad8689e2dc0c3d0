// Package contract holds what the facade promises, tested from outside over real sockets: HTTP on one side, the
// reference legacy server on the other. A promise is written once and kept in every mode; see modes in world_test.go.
package contract
