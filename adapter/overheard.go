package adapter

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"github.com/xuangate/xuangate/adapter/legacy"
	"github.com/xuangate/xuangate/gen/model"
)

// News is what the server answered somebody who did not ask through us: a desktop client, or its chat server. The answer
// passed by on its way to them.
type News struct {
	By     legacy.UserID   // who asked; 0 where it was the chat server itself
	Named  []legacy.UserID // whom legacy means to tell; used only to find a member who can be asked about a chat
	Params []any           // of the call
	Push   legacy.Push     // the answer
}

// maxAskers is how many of those whom legacy names are tried for one who can be asked about a chat. Without it a message of
// somebody who is not in the chat costs a call for each of a thousand.
const maxAskers = 3

// Overhear turns news into events, before those who asked have their answer: whoever has not had it asks again, so news that
// a crash of ours has swallowed comes a second time. An error means that the events could not be told, or not all.
func (a *Adapter) Overhear(ctx context.Context, n News) error {
	method := strings.ToLower(n.Push.Method)
	if what, ok := changes[method]; ok {
		var row legacy.ChatRow
		if !a.decode(ctx, n.Push, &row) || row.GID == "" {
			return nil
		}
		as := n.By
		if !row.Has(as) && len(row.Members) > 0 {
			as = row.Members[0]
		}
		return a.hearChange(ctx, as, row, what, removed(n.By, method, n.Params, row)...)
	}
	switch method {
	case "star", "hide", "mute", "category":
		return a.hearMark(ctx, n.By, n.Push, ownMarks[method])
	case "message":
		var rows legacy.List[legacy.MessageRow]
		if !a.decode(ctx, n.Push, &rows) {
			return nil
		}
		return a.overhearMessages(ctx, n, rows)
	case "login", "logout", "userchange":
		var row legacy.UserRow
		if !a.decode(ctx, n.Push, &row) || row.ID <= 0 { // a logout of nobody is a connection that never signed in
			return nil
		}
		return a.userMayHaveChanged(ctx, row)
	case "notify":
		var byUser map[string]json.RawMessage // as pollNotices gets it
		if !a.decode(ctx, n.Push, &byUser) {
			return nil
		}
		return a.tellNotices(ctx, byUser)
	}
	a.unknownPush(ctx, n.Push)
	return nil
}

// decode reads a push; one of an unknown form is noted and passed over, for servers are upgraded before we are.
func (a *Adapter) decode(ctx context.Context, p legacy.Push, v any) bool {
	if err := p.Decode(v); err != nil {
		a.unknownPush(ctx, p)
		return false
	}
	return true
}

// overhearMessages tells messages to the members of their chats. Legacy lets people speak in chats they are not in, so who
// the members are may have to be asked in the name of another.
func (a *Adapter) overhearMessages(ctx context.Context, n News, rows []legacy.MessageRow) error {
	slices.SortFunc(rows, func(x, y legacy.MessageRow) int { return cmp.Compare(x.ID, y.ID) })
	askers := slices.DeleteFunc(slices.Clone(n.Named), func(u legacy.UserID) bool { return u == n.By })
	askers = append([]legacy.UserID{n.By}, askers[:min(len(askers), maxAskers)]...)
	for _, row := range rows {
		gid, chat, found, err := a.chatOf(ctx, askers, legacy.ChatGID(row.CGID))
		if err != nil {
			return err
		}
		if !found {
			a.dropped.Add(1)
			continue
		}
		a.chats.putLast(gid, row, stamp{active: row.Date.Unix(a.zone)})
		a.chats.mark(gid, legacy.MessageID(row.ID))
		if err := a.sink(ctx, messageEvent(a.message(gid, row), gid, row, audience(chat))); err != nil {
			return err
		}
	}
	return nil
}

// chatOf is a chat, asked for in the name of the first of askers who is in it.
func (a *Adapter) chatOf(ctx context.Context, askers []legacy.UserID, named legacy.ChatGID) (gid legacy.ChatGID, chat legacy.ChatRow, found bool, err error) {
	if chat, ok := a.chats.get(named); ok {
		return named, chat, true, nil
	}
	for _, u := range askers {
		gid = a.spelling(ctx, u, named)
		chat, err = a.member(ctx, "find whom a message is for", u, string(gid))
		if code(err) != model.NotFound {
			return gid, chat, err == nil, err
		}
	}
	return named, chat, false, nil
}

// tellNotices tells notices, one row for each of their users: "4": [notices].
func (a *Adapter) tellNotices(ctx context.Context, byUser map[string]json.RawMessage) error {
	for key, data := range byUser {
		u, err := strconv.ParseInt(key, 10, 64)
		var rows legacy.List[legacy.NoticeRow]
		if err == nil {
			err = json.Unmarshal(data, &rows)
		}
		if err != nil {
			return &Error{Code: model.Unreachable, Op: "tell notices", Text: "notices of a form we do not know", Err: err}
		}
		for _, e := range a.noticeEvents(rows, []legacy.UserID{legacy.UserID(u)}) {
			if err := a.sink(ctx, e); err != nil {
				return err
			}
		}
	}
	return nil
}
