package sdk

import "time"

// A Phase is what the connection of events is doing.
type Phase string

const (
	// Connecting: a connection is being made; nothing is heard yet.
	Connecting Phase = "connecting"
	// Online: what happens is heard as it happens.
	Online Phase = "online"
	// Waiting: the connection broke or could not be made, and there will be another try.
	Waiting Phase = "waiting"
	// Ended: there will be none.
	Ended Phase = "ended"
)

// A State is how the connection of events is.
type State struct {
	Phase Phase
	// Transport is what the connection is made over.
	Transport Transport
	// Err is why it is not online: in phase Waiting what went wrong, in phase Ended the error that the events end with, nil if
	// the program itself left the loop.
	Err error
	// Retry is how long it waits in phase Waiting.
	Retry time.Duration
}
