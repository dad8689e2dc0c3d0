package v1

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/xuangate/xuangate/adapter/legacy"
)

// draft is a message on its way to a 1.0 server: it has no order, and an unknown field would lose it.
type draft struct {
	GID         legacy.MessageGID `json:"gid"`
	CGID        legacy.ChatGID    `json:"cgid"`
	User        legacy.UserID     `json:"user"`
	Date        string            `json:"date"`
	Type        string            `json:"type"`
	ContentType string            `json:"contentType"`
	Content     string            `json:"content"`
}

// message sends one message. Its answer is news as well, for the server pushes it to everybody but the sender.
func message(c *Conn, ctx context.Context, p params) (legacy.Response, error) {
	list, _ := p.at(0).([]legacy.DraftRow)
	if len(list) != 1 {
		return legacy.Response{}, unsupported(fmt.Sprintf("sending of %d messages at once", len(list)))
	}
	d := list[0]
	contentType, content := writeContent(d.ContentType, d.Content)
	if len(content) > maxContent {
		return legacy.Response{}, fmt.Errorf("%d bytes: %w", len(content), errTooLarge)
	}
	sent := map[string][]draft{"messages": {{
		GID: d.GID, CGID: d.CGID, User: c.user, Date: d.Date, Type: d.Type, ContentType: contentType, Content: content,
	}}}
	r, err := c.exchange(ctx, &pending{own: true, request: request{Module: "chat", Method: "message", Params: sent}})
	if err != nil || r.Result != legacy.Success {
		return r, err
	}
	rows, err := readRows(r)
	if err == nil && len(rows) == 0 { // lost, or its gid is known
		rows, err = c.find(ctx, d)
	}
	if err != nil {
		return r, err
	}
	r.Data, err = json.Marshal(rows)
	return r, err
}

// errTooLarge is for content that must be wrapped and does not fit then; what is not wrapped is measured before.
var errTooLarge = &legacy.TooLargeError{Limit: "65,535 bytes of content, in which a 1.0 server wants plain text marked and an object written as text"}

// readRows are the rows of an answer.
func readRows(r legacy.Response) (rows []row, err error) {
	r.Data = readContents(r.Data)
	return rows, r.Decode(&rows)
}

const (
	// findPage and findPages bound the search for a message that was sent under a known gid: the newest 1,000 of its chat.
	// One that is older is taken for lost, and its sender told so.
	findPage, findPages = 100, 10
)

// find looks a message up that the server has stored before: it answers a repeated gid by nothing. It is news as well, for
// nobody may have heard of it.
func (c *Conn) find(ctx context.Context, d legacy.DraftRow) ([]row, error) {
	for page := 1; page <= findPages; page++ {
		r, err := c.ask(ctx, "history", d.CGID, findPage, page, 0, false)
		if err != nil || r.Result != legacy.Success {
			return nil, err
		}
		rows, err := readRows(r)
		if err != nil {
			return nil, err
		}
		for _, one := range rows {
			if one.text("gid") != string(d.GID) {
				continue
			}
			data, err := json.Marshal([]row{one})
			if err != nil {
				return nil, err
			}
			return []row{one}, c.pushes.Put(legacy.Push{Module: "chat", Method: "message", Result: legacy.Success, Data: data})
		}
		if len(rows) < findPage {
			break
		}
	}
	return nil, nil
}
