package legacy

import "strconv"

// UserID numbers a user. 0 is nobody: the server itself, or a connection that has not signed in.
type UserID int64

func (u UserID) String() string { return strconv.FormatInt(int64(u), 10) }

// ChatGID names a chat. The server compares it without case and without trailing blanks, so only the spelling that the
// server itself gives may be used as a key.
type ChatGID string

// MessageID numbers a message. Ids alone give the order in which the server stored messages: dates may be set by clients.
type MessageID int64

// MessageGID names a message; its sender chooses it. It is not unique under concurrency, and sending with the gid of a
// stored image replaces that image's content, so it must never come from outside.
type MessageGID string
