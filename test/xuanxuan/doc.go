// Package xuanxuan is the reference legacy server: a Xuanxuan installation small enough to start inside a test. It is
// the test bed of everything that talks to legacy servers, and the server behind `xuangate dev`.
//
// There are two servers of 2.x here, each on its real wire. Xxb (Start, Backend) is the backend: POST /xuanxuan.php with an
// AES envelope in and out, on the tables of the real one, kept in SQLite; and api.php, which other applications ask. Xxd
// (StartXXD, in the files named xxd_…) is
// what clients connect to: serverInfo and files over HTTP, frames over a websocket on a second port, all of which it
// asks xxb for, so that any other backend on that wire can stand behind it too.
//
// And there is the 1.0 server (StartV1, in the files named v1_…), one process with one thread that speaks lines of JSON over
// plain TCP, on the same tables: a Backend that no xxd stands before.
//
// They answer as real servers were measured to answer, faults included. Xxb checks nobody's permissions; a rename
// corrupts dates and revives a dismissed chat, text is cut and characters are lost in silence, a fail names no
// recipients. Xxd tells everybody what has no recipients, kicks a user's old connection without closing it, loses what
// is sent to one who is just signing in, and dies of a client that signs in twice. A test that passes here must not
// fail on a real site, so where something was not measured these servers are the stricter ones.
//
// The recordings in testdata/frames pin them: see TestRecorded, TestRecordedClients and TestRecordedV1. "Recorded: NAME" in a comment
// names such a file. Faults of PHP 8, on which the recordings were made, are part of it: a call that PHP cannot carry
// out is HTTP 500 with an empty body.
package xuanxuan
