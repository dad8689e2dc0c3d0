package adapter

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/xuangate/xuangate/adapter/legacy"
	"github.com/xuangate/xuangate/gen/model"
)

// created is the effect of chat/create.
func created(gid legacy.ChatGID, name, chatType string, members []legacy.UserID, public bool, subject int64) effect {
	row := legacy.ChatRow{
		GID: legacy.Text(gid), Name: legacy.Text(name), Type: legacy.Text(chatType), Members: members, Subject: legacy.Int(subject),
		CreatedDate: legacy.UnixDate(time.Now().Unix()),
	}
	if public {
		row.Public = 1
	}
	return effect{what: model.ChangedCreated, row: row, in: members}
}

// effect is what a call is to do to a chat. It tells whether a chat is as it should be afterwards: in mode xxd an answer may
// be another user's, and only the chat itself says what was done.
type effect struct {
	what model.ConversationEventChanged
	row  legacy.ChatRow // the chat before, or as it is to be made
	in   []legacy.UserID
	out  []legacy.UserID
	// is says what must be so besides the membership of in and out. Whoever makes such a call is a member, and is one
	// afterwards: legacy shows a chat to nobody else. Nil: nothing.
	is func(legacy.ChatRow) bool
}

// done says whether a chat is as the effect would have it: all of in are members, those of out no longer, of whom somebody
// may have come back meanwhile, and is holds.
func (e effect) done(row legacy.ChatRow) bool {
	missing := func(u legacy.UserID) bool { return !row.Has(u) }
	return !slices.ContainsFunc(e.in, missing) &&
		(len(e.out) == 0 || slices.ContainsFunc(e.out, missing)) &&
		(e.is == nil || e.is(row))
}

// begun says whether somebody of in is a member who was none.
func (e effect) begun(row legacy.ChatRow) bool {
	return slices.ContainsFunc(e.in, func(u legacy.UserID) bool { return row.Has(u) && !e.row.Has(u) })
}

// change sends a call that changes a chat, and tells the members, those whom it removed too. It has the chat's lane to
// itself: of two answers at once the older one might be kept, and a message go to the members of before.
func (a *Adapter) change(ctx context.Context, op string, as legacy.UserID, c legacy.Call, e effect) (legacy.ChatRow, error) {
	leave, err := a.lanes.enter(ctx, string(e.row.GID))
	if err != nil {
		return legacy.ChatRow{}, noAnswer(op, err)
	}
	defer leave()
	return a.changeInLane(ctx, op, as, c, e)
}

func (a *Adapter) changeInLane(ctx context.Context, op string, as legacy.UserID, c legacy.Call, e effect) (legacy.ChatRow, error) {
	ctx = context.WithoutCancel(ctx) // once it is sent it may be done, and then it must be told
	at := a.chats.moment()
	r, err := a.call(ctx, op, c)
	k := code(err)
	unsure := r.Unsure || k == model.Unreachable || k == model.TooSlow || (k == model.Unsupported && len(e.in) > 1)
	if unsure && !errors.Is(err, legacy.ErrNotSent) {
		return a.ascertain(ctx, op, as, e, err)
	}
	if err != nil {
		return legacy.ChatRow{}, err
	}
	var row legacy.ChatRow
	if err := spoken(op, r, &row); err != nil {
		return row, err
	}
	if row.GID != e.row.GID {
		return row, refuse(op, model.Conflict, "the chat server answered another conversation; nothing is known of yours")
	}
	if !e.done(row) { // somebody else's answer about this chat, or a server that does not do what it says
		return a.ascertain(ctx, op, as, e, nil)
	}
	if a.chats.changedSince(at, row) {
		// Somebody else's change was heard meanwhile; which of the two came first only legacy knows.
		if row, err = a.now(ctx, op, as, row); err != nil {
			return row, err
		}
	}
	return row, a.tell(ctx, as, row, e.what, e.out...)
}

// ascertain asks how the chat is when the answer to a change does not tell whether it was done: none came, or it may be
// somebody else's; or whether it was in part, for some users and not for others. said is what the answer was taken for.
func (a *Adapter) ascertain(ctx context.Context, op string, as legacy.UserID, e effect, said error) (row legacy.ChatRow, err error) {
	row, err = a.chats.steady(func() (row legacy.ChatRow, err error) {
		if e.is != nil {
			return a.ownNow(ctx, op, as, legacy.ChatGID(e.row.GID))
		}
		row = e.row
		row.Members, err = a.members(ctx, op, as, legacy.ChatGID(row.GID))
		return row, err
	})
	if err != nil {
		return legacy.ChatRow{}, cmp.Or(said, err)
	}
	if !e.done(row) {
		if said == nil {
			said = refuse(op, model.Conflict, "the chat server says that it was done, and that it was not")
		}
		if e.begun(row) {
			said = errors.Join(a.tell(ctx, as, row, e.what), said)
		}
		return legacy.ChatRow{}, said
	}
	return row, a.tell(ctx, as, row, e.what, e.out...)
}

// now asks how a chat is, in the name of one who may no longer be in it: then who is in it is all that can be asked.
func (a *Adapter) now(ctx context.Context, op string, as legacy.UserID, row legacy.ChatRow) (legacy.ChatRow, error) {
	rows, err := a.listNow(ctx, op, as)
	if err != nil {
		return row, err
	}
	if found, ok := among(rows, as, legacy.ChatGID(row.GID)); ok {
		return found, nil
	}
	row.Members, err = a.members(ctx, op, as, legacy.ChatGID(row.GID))
	return row, err
}

// members asks who is in a chat. Legacy answers anybody; a chat that does not exist has none.
func (a *Adapter) members(ctx context.Context, op string, as legacy.UserID, gid legacy.ChatGID) ([]legacy.UserID, error) {
	r, err := a.read(ctx, op, legacy.Chat(as, "members", gid))
	if err != nil {
		return nil, err
	}
	var found struct {
		Members legacy.Users `json:"members"`
	}
	return found.Members, spoken(op, r, &found)
}

// tell keeps a chat that was changed and appends an event for its members, for those who no longer are, and for those in
// also. The same change may be heard on several links; each recipient is told once.
func (a *Adapter) tell(ctx context.Context, as legacy.UserID, row legacy.ChatRow, what model.ConversationEventChanged, also ...legacy.UserID) error {
	version, gone := a.chats.put(row)
	return a.announce(ctx, as, row, version, what, append(gone, also...))
}

// announce appends the event of tell. version numbers the state that the change led to, gone are no longer members.
func (a *Adapter) announce(ctx context.Context, as legacy.UserID, row legacy.ChatRow, version uint64, what model.ConversationEventChanged, gone []legacy.UserID) error {
	e, err := a.describe(ctx, as, row)
	if err != nil {
		// The change is done; its news must not wait for the last message, which the client can ask for.
		a.log.WarnContext(ctx, "conversation event without its last message", "error", err)
	}
	e.Changed = []model.ConversationEventChanged{what}
	return a.sink(ctx, Event{
		Kind: model.EventKindConversation, To: audience(row, gone...), Data: e,
		Once: fmt.Sprintf("%s#%s%d", row.GID, a.name, version),
	})
}

// audience is everybody for the system chat, else the members and those in also.
func audience(row legacy.ChatRow, also ...legacy.UserID) Recipients {
	if row.System() {
		return Recipients{All: true}
	}
	to := slices.Clone([]legacy.UserID(row.Members))
	for _, u := range also {
		if !slices.Contains(to, u) {
			to = append(to, u)
		}
	}
	return Recipients{Users: to}
}
