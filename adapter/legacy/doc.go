// Package legacy holds what travels between us and the legacy servers: calls, responses, pushes, the rows inside
// them, the ids that name them, and the AES envelope around them. It is pure data: no I/O, no clock, no goroutine,
// and nothing outside the standard library. Everything in it may be used from any goroutine.
//
// Decoding is lenient on purpose. The servers answer a number as 4 here and as "4" there, [] where a map is empty and
// null where nothing was said; older and newer versions leave fields out or add some.
package legacy
