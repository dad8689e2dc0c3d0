package adapter

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/xuangate/xuangate/adapter/legacy"
	"github.com/xuangate/xuangate/gen/model"
)

// changes are the pushes that carry a chat after a change to it.
var changes = map[string]model.ConversationEventChanged{
	"create": model.ChangedCreated, "joinchat": model.ChangedMembers, "addmember": model.ChangedMembers,
	"changename": model.ChangedRenamed, "changepublic": model.ChangedPublic, "setcommitters": model.ChangedCommitters,
	"setadmin": model.ChangedAdmins, "dismiss": model.ChangedDismissed,
}

// hear turns one push into events. Whom legacy told counts for nothing: the same push may come on the links of others, and
// their copies are told apart from news by the log. An error means that the log did not take it.
func (k *link) hear(ctx context.Context, p legacy.Push) error {
	a := k.links.a
	method := strings.ToLower(p.Method)
	if what, ok := changes[method]; ok {
		var row legacy.ChatRow
		if !a.decode(ctx, p, &row) || row.GID == "" {
			return nil
		}
		return a.hearChange(ctx, k.user, row, what)
	}
	switch method {
	case "star", "hide", "mute", "category":
		return a.hearMark(ctx, k.user, p, ownMarks[method])
	case "message":
		var rows legacy.List[legacy.MessageRow]
		if !a.decode(ctx, p, &rows) {
			return nil
		}
		return k.hearMessages(ctx, rows)
	case "login", "logout", "userchange":
		var row legacy.UserRow
		if !a.decode(ctx, p, &row) || row.ID <= 0 { // a logout of nobody is a connection that never signed in
			return nil
		}
		if method == "login" {
			a.signedInBy(ctx, string(row.Account), true)
		}
		return a.userMayHaveChanged(ctx, row)
	case "usergetlist":
		var rows []legacy.UserRow
		if !a.decode(ctx, p, &rows) {
			return nil
		}
		if p.Roles != nil { // everybody: the answer for some carries no roles
			rows = a.users.replace(rows, p.Directory)
		} else {
			// Those whom we asked for by number may be deleted or locked, which the list of all leaves out.
			rows = slices.DeleteFunc(rows, func(row legacy.UserRow) bool { return !a.users.knows(row) || !a.users.put(row) })
		}
		for _, row := range rows {
			if err := a.userChanged(ctx, row); err != nil {
				return err
			}
		}
	case "notify":
		var rows legacy.List[legacy.NoticeRow]
		if !a.decode(ctx, p, &rows) {
			return nil
		}
		for _, e := range a.noticeEvents(rows, []legacy.UserID{k.user}) {
			k.keep(e)
			if err := a.sink(ctx, e); err != nil {
				return err
			}
		}
	default:
		a.unknownPush(ctx, p)
	}
	return nil
}

// hearChange tells of a chat that changed, in the name of one of its members; gone are those whom the change is known to
// have removed. Where it is heard of in different order legacy is asked how the chat is, with its lane to ourselves: a change
// of ours that went between the asking and the telling would be taken back.
func (a *Adapter) hearChange(ctx context.Context, as legacy.UserID, row legacy.ChatRow, what model.ConversationEventChanged, gone ...legacy.UserID) error {
	const op = "ask how a conversation is now"
	if version, missing, sure := a.chats.hear(row); sure {
		return a.announce(ctx, as, row, version, what, append(missing, gone...))
	}
	leave, err := a.lanes.enter(ctx, string(row.GID))
	if err != nil {
		return err
	}
	defer leave()
	row, err = a.chats.steady(func() (legacy.ChatRow, error) { return a.ownNow(ctx, op, as, legacy.ChatGID(row.GID)) })
	if code(err) == model.NotFound {
		return nil // left meanwhile
	}
	if err != nil {
		return err
	}
	return a.tell(ctx, as, row, what, gone...)
}

// hearMessages tells messages to the members of their chats, by id: a push of several has the newest first.
func (k *link) hearMessages(ctx context.Context, rows []legacy.MessageRow) error {
	a := k.links.a
	slices.SortFunc(rows, func(x, y legacy.MessageRow) int { return cmp.Compare(x.ID, y.ID) })
	for _, row := range rows {
		gid := a.spelling(ctx, k.user, legacy.ChatGID(row.CGID))
		chat, err := a.member(ctx, "find whom a message is for", k.user, string(gid))
		if code(err) == model.NotFound {
			a.dropped.Add(1) // told to us by mistake, or of a chat we have just left
			continue
		}
		if err != nil {
			return err
		}
		e := messageEvent(a.message(gid, row), gid, row, audience(chat))
		k.saw(row.Date.Unix(a.zone))
		a.chats.putLast(gid, row, stamp{active: row.Date.Unix(a.zone)})
		a.chats.mark(gid, legacy.MessageID(row.ID))
		k.keep(e)
		if err := a.sink(ctx, e); err != nil {
			return err
		}
	}
	return nil
}

func (k *link) saw(unix int64) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.seen = max(k.seen, unix)
}

// userMayHaveChanged tells of a user whose row differs from the one we know.
func (a *Adapter) userMayHaveChanged(ctx context.Context, row legacy.UserRow) error {
	if !a.users.put(row) {
		return nil
	}
	return a.userChanged(ctx, row)
}

// unknownPush notes a push we cannot read, once for each kind.
func (a *Adapter) unknownPush(ctx context.Context, p legacy.Push) {
	if _, known := a.unknown.LoadOrStore(p.String(), true); !known {
		a.log.WarnContext(ctx, "a push of a kind or form we do not know is passed over", "push", p.String())
	}
}
