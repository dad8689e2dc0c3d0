// Package xuanxuan is the reference legacy server: a Xuanxuan installation small enough to start inside a test. It is
// the test bed of everything that talks to legacy servers, and the server behind `xuangate dev`.
//
// What is here is xxb, the backend, on its real wire: POST /xuanxuan.php with an AES envelope in and out, on the
// tables of the real one, kept in SQLite. It answers as a real 2.x server was measured to answer, faults included:
// nobody's permissions are checked, a rename corrupts dates and revives a dismissed chat, text is cut and characters
// are lost in silence, a fail names no recipients. A test that passes here must not fail on a real site, so where
// something was not measured this server is the stricter one.
//
// The recordings in testdata/frames pin it: see TestRecorded. "Recorded: NAME" in a comment names such a file. Faults
// of PHP 8, on which the recordings were made, are part of it: a call that PHP cannot carry out is HTTP 500 with an
// empty body.
package xuanxuan
