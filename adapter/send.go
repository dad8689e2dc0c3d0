package adapter

import (
	"context"
	"crypto/sha256"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/xuangate/xuangate/adapter/legacy"
	"github.com/xuangate/xuangate/gen/model"
)

// SendMessage stores a message of u and tells it to the conversation's members. It returns when both are done; when it
// gives up because legacy did not answer, the message may still turn up, and is told then. Repeating it with the same
// client_msg_id is safe.
func (a *Adapter) SendMessage(ctx context.Context, u legacy.UserID, r model.SendMsgRequest) (model.MsgId, error) {
	const op = "send message"
	chat, err := a.member(ctx, op, u, r.ConversationId)
	if err != nil {
		return "", err
	}
	return a.send(ctx, op, u, chat, r)
}

// send is SendMessage into a chat that u may send into, a member or not.
func (a *Adapter) send(ctx context.Context, op string, u legacy.UserID, chat legacy.ChatRow, r model.SendMsgRequest) (model.MsgId, error) {
	if dismissed(chat) {
		return "", refuse(op, model.Conflict, "the conversation has been dismissed")
	}
	if !chat.MaySpeak(u) {
		return "", refuse(op, model.NotAllowed, "you may not speak in this conversation")
	}
	if err := a.checkFile(ctx, op, u, r); err != nil {
		return "", err
	}
	d, err := a.draft(op, u, legacy.ChatGID(chat.GID), r)
	if err != nil {
		return "", err
	}
	leave, err := a.lanes.enter(ctx, string(d.CGID))
	if err != nil {
		return "", noAnswer(op, err)
	}
	defer leave()
	if chat, err = a.renewed(ctx, op, u, chat); err != nil {
		return "", err
	}
	if r.ClientMsgId != "" {
		if err := a.unused(ctx, op, d); err != nil {
			return "", err
		}
	}
	// From here on it is seen through, whoever gives up: what is stored must be told.
	row, heard, err := a.store(context.WithoutCancel(ctx), op, d)
	if err != nil {
		return "", err
	}
	if heard && a.links != nil && chat.Has(u) {
		// The sender's link hears it too, in its order among the others. One of a chat that he is not in it passes over.
		return a.message(d.CGID, row).MsgId, nil
	}
	m, err := a.stored(context.WithoutCancel(ctx), chat, row)
	return m.MsgId, err
}

// unused refuses a draft whose gid was sent with other content. Its lane is ours.
func (a *Adapter) unused(ctx context.Context, op string, d legacy.DraftRow) error {
	known, same := a.sent.same(d)
	if !same {
		return errReused(op)
	}
	if known || a.claims == nil || !overwritten(d) {
		return nil
	}
	_, found, err := a.look(ctx, op, d) // another node may have sent it
	if err != nil {
		a.sent.forget(d.GID)
	}
	if found && err != nil {
		return errReused(op)
	}
	return err
}

// renewed is a chat as it is now that its lane is ours: another node may have changed it since it was looked up.
func (a *Adapter) renewed(ctx context.Context, op string, u legacy.UserID, chat legacy.ChatRow) (legacy.ChatRow, error) {
	if a.lanes.claims == nil {
		return chat, nil
	}
	gid := legacy.ChatGID(chat.GID)
	row, known := a.chats.get(gid)
	if !known {
		as := u
		if !chat.Has(u) && len(chat.Members) > 0 { // one who may send without being a member
			as = chat.Members[0]
		}
		var err error
		if row, err = a.ownNow(ctx, op, as, gid); err != nil {
			return row, err
		}
	}
	switch {
	case chat.Has(u) && !row.Has(u):
		return row, notMember(op)
	case dismissed(row):
		return row, refuse(op, model.Conflict, "the conversation has been dismissed")
	case !row.MaySpeak(u):
		return row, refuse(op, model.NotAllowed, "you may not speak in this conversation")
	}
	return row, nil
}

// draft makes the row that legacy is to store, or says why it could not.
func (a *Adapter) draft(op string, u legacy.UserID, chat legacy.ChatGID, r model.SendMsgRequest) (legacy.DraftRow, error) {
	contentType, content := wrap(r.Type, r.Status, r.Content)
	if content == r.Content { // the wrapper is ASCII already
		fit, err := a.emoji.write(r.Type, r.Content)
		if err != nil {
			return legacy.DraftRow{}, refuse(op, model.Conflict, "content: the chat server cannot store %s", err)
		}
		content = fit
	}
	if len(content) > a.maxContent {
		return legacy.DraftRow{}, refuse(op, model.TooLarge, "content: %d bytes where the chat server stores at most %d", len(content), a.maxContent)
	}
	return legacy.DraftRow{
		GID: messageGID(u, chat, r.ClientMsgId), CGID: chat, User: u,
		Type: "normal", ContentType: contentType, Content: content,
	}, nil
}

// store has legacy store a draft once. When no answer comes it first looks whether the message is there, for legacy
// stores a gid twice that comes twice at once. heard says that legacy answered it to all who were to hear it, too.
func (a *Adapter) store(ctx context.Context, op string, d legacy.DraftRow) (row legacy.MessageRow, heard bool, err error) {
	row, heard, err = a.post(ctx, op, d)
	if c := code(err); (c != model.Unreachable && c != model.TooSlow) || errors.Is(err, legacy.ErrNotSent) {
		return row, heard, err
	}
	row, found, lookErr := a.look(ctx, op, d)
	if lookErr != nil {
		a.doubts.add(doubt{d, time.Now()})
		return row, false, err
	}
	if found {
		a.tellDesktops(ctx, op, d)
		return row, false, nil
	}
	row, heard, err = a.post(ctx, op, d)
	if c := code(err); c == model.Unreachable || c == model.TooSlow {
		a.doubts.add(doubt{d, time.Now()})
	}
	return row, heard, err
}

// tellDesktops has those who are on a desktop in mode inline hear of a message that was found stored: the answer that would have told
// them did not come. What is stored is answered once more (LEGACY).
func (a *Adapter) tellDesktops(ctx context.Context, op string, d legacy.DraftRow) {
	if a.mode != model.ModeInline {
		return
	}
	if _, _, err := a.post(ctx, op, d); err != nil {
		a.doubts.add(doubt{d, time.Now()})
	}
}

// post sends a draft. The array form [[{…}]] is the one that keeps the sender (recorded: 05_message); an empty answer
// means that legacy lost the message and said success.
func (a *Adapter) post(ctx context.Context, op string, d legacy.DraftRow) (row legacy.MessageRow, heard bool, err error) {
	r, err := a.call(ctx, op, legacy.Chat(d.User, "message", []legacy.DraftRow{d}))
	if r.Unsure {
		row, err = a.ascertainMessage(ctx, op, d, len(r.Data) > 0, err)
		return row, false, err
	}
	if err != nil {
		return row, false, err
	}
	var rows legacy.List[legacy.MessageRow]
	if err := spoken(op, r, &rows); err != nil {
		return row, false, err
	}
	if len(rows) == 0 {
		return row, false, lost(op)
	}
	return rows[0], true, check(op, d, rows[0])
}

func lost(op string) error {
	return refuse(op, model.Conflict, "the chat server lost the message; nothing was stored")
}

// ascertainMessage looks for a message when the answer does not tell whether it was stored: it failed for somebody, said is
// how; somebody's was lost, empty; or no answer came to us at all, and then one that is not there is no proof: it may come.
func (a *Adapter) ascertainMessage(ctx context.Context, op string, d legacy.DraftRow, empty bool, said error) (legacy.MessageRow, error) {
	row, found, err := a.look(ctx, op, d)
	switch {
	case err != nil || found:
		return row, err
	case said != nil:
		return row, said
	case empty:
		return row, lost(op)
	}
	return row, noAnswer(op, errUnanswered)
}

// check compares what legacy stored with what was sent.
func check(op string, d legacy.DraftRow, row legacy.MessageRow) error {
	switch {
	case legacy.MessageGID(row.GID) != d.GID || legacy.ChatGID(row.CGID) != d.CGID || legacy.UserID(row.User) != d.User || row.ID <= 0:
		return refuse(op, model.Conflict, "the chat server answered another message; nothing is known of yours")
	case string(row.ContentType) != d.ContentType || string(row.Content) != d.Content:
		return refuse(op, model.Conflict, "the chat server holds other content under this message: it changed it, or the client_msg_id was used before")
	}
	return nil
}

// look searches the chat's newest messages for a draft whose fate is unknown.
func (a *Adapter) look(ctx context.Context, op string, d legacy.DraftRow) (row legacy.MessageRow, found bool, err error) {
	h := a.history(op, d.User, d.CGID)
	if err := h.fetch(ctx, 0, sameSecond); err != nil {
		return row, false, err
	}
	for _, row := range h.older(maxMessageID+1, sameSecond) {
		if legacy.MessageGID(row.GID) == d.GID {
			return row, true, check(op, d, row)
		}
	}
	return row, false, nil
}

// stored tells a message to the chat's members. The log knows messages by their gid, so it may be told again.
func (a *Adapter) stored(ctx context.Context, chat legacy.ChatRow, row legacy.MessageRow) (model.MsgData, error) {
	gid := legacy.ChatGID(chat.GID)
	m := a.message(gid, row)
	a.chats.putLast(gid, row, stamp{active: row.Date.Unix(a.zone)})
	return m, a.sink(ctx, messageEvent(m, gid, row, audience(chat)))
}

func messageEvent(m model.MsgData, gid legacy.ChatGID, row legacy.MessageRow, to Recipients) Event {
	return Event{Kind: model.EventKindMessage, To: to, Data: m, Once: string(row.GID), Chat: gid, ID: legacy.MessageID(row.ID)}
}

// maxSentDrafts bounds the memory of what was sent under a client_msg_id.
const maxSentDrafts = 10000

// overwritten says whether legacy takes the content of a gid that comes again in place of what it has: it does of images and files,
// and answers the stored row for all else (recorded: 05_message).
func overwritten(d legacy.DraftRow) bool { return d.ContentType == "image" || d.ContentType == "file" }

func errReused(op string) error {
	return refuse(op, model.Conflict, "client_msg_id: another message was sent under it")
}

// sentDrafts remembers what was sent under which gid lately at this node, so that a repetition is told from another message before it
// goes out; see overwritten.
type sentDrafts struct {
	mu    sync.Mutex
	sums  map[legacy.MessageGID][sha256.Size]byte
	order []legacy.MessageGID // oldest first
}

func newSentDrafts() *sentDrafts {
	return &sentDrafts{sums: map[legacy.MessageGID][sha256.Size]byte{}}
}

// same keeps a draft, and says whether its gid was known, and if so, carried the same content.
func (s *sentDrafts) same(d legacy.DraftRow) (known, same bool) {
	sum := sha256.Sum256([]byte(d.ContentType + "\x00" + d.Content))
	s.mu.Lock()
	defer s.mu.Unlock()
	if old, ok := s.sums[d.GID]; ok {
		return true, old == sum
	}
	s.sums[d.GID] = sum
	s.order = append(s.order, d.GID)
	if len(s.order) > maxSentDrafts {
		delete(s.sums, s.order[0])
		s.order = s.order[1:]
	}
	return false, true
}

// forget has a gid be unknown again, for its draft was not sent.
func (s *sentDrafts) forget(gid legacy.MessageGID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.sums, gid)
	s.order = slices.DeleteFunc(s.order, func(other legacy.MessageGID) bool { return other == gid })
}
