package adapter

import (
	"time"

	"github.com/xuangate/xuangate/adapter/legacy"
)

// zoneTolerance is how far a message's two dates may be apart. No two time zones are as close.
const zoneTolerance = time.Minute

// compareZone says in the log, once, if legacy.timezone is not the server's. A waiting message has local time, live ones have seconds
// of UTC; where we know a message in both forms they tell. Otherwise nobody notices but the users, whose waiting messages are
// hours off.
func (a *Adapter) compareZone(gid legacy.ChatGID, waiting legacy.MessageRow) {
	live, ok := a.chats.lastIf(gid, waiting.ID)
	if !ok || !waiting.Date.Local() || live.Date.Local() {
		return
	}
	ahead := time.Duration(waiting.Date.Unix(a.zone)-live.Date.Unix(a.zone)) * time.Second
	if ahead.Abs() < zoneTolerance {
		return
	}
	a.zoneTold.Do(func() {
		a.log.Warn("legacy.timezone is not the chat server's: by it, waiting messages are so far ahead of when they were sent; set the zone of the server",
			"timezone", a.zone.String(), "ahead", ahead)
	})
}
