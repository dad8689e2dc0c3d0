package node

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/xuangate/xuangate/adapter/legacy"
	"github.com/xuangate/xuangate/adapter/xxb"
)

// yearZero is how PHP reads the date 0000-00-00 00:00:00 where the clock is UTC: the last day but one of the November before it.
const yearZero = -62169984000

// zones are those that a chat server may well be in, to be suggested.
var zones = []string{
	"Asia/Shanghai", "Asia/Hong_Kong", "Asia/Taipei", "Asia/Singapore", "Asia/Tokyo", "Asia/Seoul", "Asia/Bangkok", "Asia/Ho_Chi_Minh", "Asia/Kolkata",
	"Australia/Sydney", "Europe/Berlin", "Europe/Paris", "Europe/London", "America/New_York", "America/Chicago", "America/Los_Angeles", "America/Sao_Paulo",
}

// checkTimezone compares the chat server's dates with legacy.timezone and with the clock, without changing anything there. What has a
// local time in it can only be fetched once; but every rename wipes a chat's date, which is then told as the local beginning of
// all dates, as a second of UTC (LEGACY: the date corruption).
func (c Config) checkTimezone(ctx context.Context) []Finding {
	zone, err := time.LoadLocation(c.Legacy.Timezone)
	if err != nil {
		return nil // Validate has said so
	}
	chats, err := c.chats(ctx)
	if err != nil {
		return []Finding{{false, "legacy.timezone: could not be compared with the chat server's: " + err.Error()}}
	}
	var found []Finding
	ahead, seen := time.Duration(0), false
	for _, row := range chats {
		for _, d := range []legacy.Date{row.CreatedDate, row.EditedDate, row.LastActiveTime} {
			ahead = max(ahead, time.Until(time.Unix(d.Unix(zone), 0)))
		}
		if wiped, is := row.CreatedDate.Wiped(); is && !seen {
			seen = true
			found = append(found, judgeZone(c.Legacy.Timezone, zone, wiped))
		}
	}
	if ahead > maxSkew {
		found = append(found, Finding{false, fmt.Sprintf("legacy.timezone: the chat server has dates that are %s ahead of our clock; is its clock right, and the time zone of its PHP (date.timezone) always the same?", ahead.Round(time.Minute))})
	}
	if !seen {
		found = append(found, Finding{false, fmt.Sprintf("legacy.timezone: is %s; nothing that the chat server told shows its own. The node's log says if a waiting message shows another", c.Legacy.Timezone)})
	}
	return found
}

// judgeZone compares what a wiped date reads as with what it would in the configured zone.
func judgeZone(name string, zone *time.Location, wiped int64) Finding {
	beginning := func(zone *time.Location) int64 { return time.Date(-1, time.November, 30, 0, 0, 0, 0, zone).Unix() }
	if wiped == beginning(zone) {
		return Finding{false, "legacy.timezone: the chat server writes its dates in " + name}
	}
	var fit []string
	for _, other := range append([]string{"UTC"}, zones...) {
		if at, err := time.LoadLocation(other); err == nil && beginning(at) == wiped {
			fit = append(fit, other)
		}
	}
	advice := fmt.Sprintf("one whose mean time of old was %s ahead of UTC", time.Duration(yearZero-wiped)*time.Second)
	if len(fit) > 0 {
		advice = strings.Join(fit, " or ")
	}
	return Finding{true, fmt.Sprintf("legacy.timezone: is %s, but the chat server writes its dates in another zone; set %s", name, advice)}
}

// chats are those of the operator, and the public ones, as the backend tells them.
func (c Config) chats(ctx context.Context) (chats []legacy.ChatRow, err error) {
	key, err := legacy.NewKey(string(c.Legacy.XXB.Key))
	if err != nil {
		return nil, err
	}
	backend := xxb.New(xxb.Config{URL: c.Legacy.XXB.URL, Key: key})
	defer backend.Close()
	ctx, cancel := context.WithTimeout(ctx, c.Legacy.Timeout)
	defer cancel()
	ask := func(call legacy.Call, rows any) error {
		r, err := backend.Call(ctx, call)
		if err != nil {
			return err
		}
		return r.Decode(rows)
	}
	var users []legacy.UserRow
	if err := ask(legacy.Chat(0, "userGetlist", ""), &users); err != nil {
		return nil, err
	}
	for _, u := range users {
		if !strings.EqualFold(string(u.Account), c.Inner.Operator) {
			continue
		}
		for _, list := range []string{"getlist", "getpubliclist"} {
			var rows []legacy.ChatRow
			if err := ask(legacy.Chat(legacy.UserID(u.ID), list), &rows); err != nil {
				return nil, err
			}
			chats = append(chats, rows...)
		}
	}
	return chats, nil
}
