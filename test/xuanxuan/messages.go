package xuanxuan

import (
	"context"
	"database/sql"
	"strconv"
	"strings"
	"time"
)

// A message is one row of im_message as stored.
type message struct {
	id, order                                               int64
	gid, cgid, user, date, kind, content, contentType, data string
}

const messageColumns = `m.id, m.gid, m.cgid, m.user, m.date, m."order", m.type, m.content, m.contentType, m.data`

func scanMessage(rows *sql.Rows) (m message, err error) {
	err = rows.Scan(&m.id, &m.gid, &m.cgid, &m.user, &m.date, &m.order, &m.kind, &m.content, &m.contentType, &m.data)
	return m, err
}

// live is a message in the answers to message and history.
func (b *Backend) live(m message) object {
	user, _ := toInt(m.user, -1<<62, 1<<62) // a string converts without fail
	return m.object(m.id, user, b.unix(m.date), m.order)
}

func (m message) object(id, user, date, order any) object {
	return object{
		{"id", id},
		{"gid", m.gid},
		{"cgid", m.cgid},
		{"user", user},
		{"date", date},
		{"order", order},
		{"type", m.kind},
		{"content", m.content},
		{"contentType", m.contentType},
		{"data", m.data},
	}
}

// message stores messages of one chat and answers the rows, the last one first, to the caller and to all members who
// are online; for the others it leaves them waiting. In the list form of params the caller is the sender; in the
// object form, which has no place for him, the sender is user 0 (recorded: 05_message).
func (b *Backend) message(ctx context.Context, r *request) (*answer, error) {
	list, _ := r.param(0, nil).([]any)
	sender := r.param(1, int64(0))
	gid, refusal, err := oneChat(r, list)
	if err != nil || refusal != nil {
		return refusal, err
	}
	c, found, err := b.chatByGID(ctx, gid)
	if err != nil {
		return nil, err
	}
	if refusal := mayChat(r, c, found, sender); refusal != "" {
		return r.answer().set("result", "fail").set("data", []object{{{"gid", firstGID(list)}, {"messages", refusal}}}), nil
	}
	members, err := b.chatMembers(ctx, c)
	if err != nil {
		return nil, err
	}
	heard, missed, err := b.hearers(ctx, members, sender)
	if err != nil {
		return nil, err
	}
	rows, err := b.createMessages(ctx, r, list, sender)
	if err != nil {
		return nil, err
	}
	if err := b.leaveWaiting(ctx, rows, missed); err != nil {
		return nil, err
	}
	data := make([]object, len(rows))
	for i, m := range rows {
		data[i] = b.live(m)
	}
	return r.success().set("users", heard).set("data", data), nil
}

// oneChat returns the chat that all messages name, in the spelling of each one, or the refusal of several chats.
func oneChat(r *request, list []any) (gid string, refusal *answer, err error) {
	seen := map[string]bool{}
	for i, v := range list {
		s, err := toString(property(v, "cgid"))
		if err != nil {
			return "", nil, err
		}
		if i == 0 {
			gid = s
		}
		seen[s] = true
	}
	if len(seen) > 1 {
		return "", r.answer().set("result", "fail").set("data", textSeveralChats.in(r.lang)), nil
	}
	return gid, nil, nil
}

// property reads a property of what should be an object.
func property(v any, name string) any {
	o, _ := v.(object)
	return o.get(name)
}

func firstGID(list []any) any {
	if len(list) == 0 {
		return nil
	}
	return property(list[0], "cgid")
}

// mayChat returns the reason why a message is refused, or "". A chat with committers is not looked at any further, so
// one that was dismissed takes messages from them. Membership is not asked for.
func mayChat(r *request, c chat, found bool, sender any) string {
	switch {
	case !found:
		return textNotExist.in(r.lang)
	case truthy(c.committers):
		for _, s := range strings.Split(c.committers, ",") {
			if looselyEqual(sender, s) {
				return ""
			}
		}
		return textCannotChat.in(r.lang)
	case c.ended != zeroDate:
		return textDismissed.in(r.lang)
	default:
		return ""
	}
}

// hearers divides the members into those online, behind the sender as the call names him, and those offline.
func (b *Backend) hearers(ctx context.Context, members []int64, sender any) (heard []any, missed []int64, err error) {
	list, err := b.presences(ctx, members)
	if err != nil {
		return nil, nil, err
	}
	heard, missed = []any{sender}, []int64{}
	for _, p := range list {
		switch {
		case looselyEqual(sender, strconv.FormatInt(p.id, 10)):
		case p.online():
			heard = append(heard, p.id)
		default:
			missed = append(missed, p.id)
		}
	}
	return heard, missed, nil
}

// createMessages stores each message whose gid is new and returns the rows of all of them, newest first. A message
// with a known gid returns the stored row, whosever it is; if that one is an image or a file, its content is replaced
// (recorded: 05_message). The gid is looked for in one statement and stored in the next, with no unique key behind
// them: sent twice at once it can be stored twice.
func (b *Backend) createMessages(ctx context.Context, r *request, list []any, sender any) ([]message, error) {
	ids, chats := []int64{}, []string{}
	for _, v := range list {
		in, ok := v.(object)
		if !ok {
			return nil, errFatal
		}
		gid, err := toString(in.get("gid"))
		if err != nil {
			return nil, err
		}
		id, err := b.createMessage(ctx, r, in, gid, sender)
		if err != nil {
			return nil, err
		}
		cgid, err := toString(in.get("cgid"))
		if err != nil {
			return nil, err
		}
		ids, chats = append(ids, id), append(chats, key(cgid))
	}
	return b.created(ctx, ids, chats)
}

// created notes that something was said in some chats, and returns the messages, newest first.
func (b *Backend) created(ctx context.Context, ids []int64, chats []string) ([]message, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	_, err := b.store.exec(ctx, `UPDATE im_chat SET lastActiveTime = ? WHERE gid IN (SELECT value FROM json_each(?))`,
		b.date(b.now()), set(chats))
	if err != nil {
		return nil, err
	}
	return selectRows(ctx, b.store, scanMessage,
		`SELECT `+messageColumns+` FROM im_message m WHERE m.id IN (SELECT value FROM json_each(?)) ORDER BY m.id DESC`, set(ids))
}

// createMessage returns the id of the row, or 0 where the message was lost.
func (b *Backend) createMessage(ctx context.Context, r *request, in object, gid string, sender any) (int64, error) {
	old, found, err := selectRow(ctx, b.store, scanMessage,
		`SELECT `+messageColumns+` FROM im_message m WHERE m.gid = ? ORDER BY m.id LIMIT 1`, key(gid))
	if err != nil {
		return 0, err
	}
	if found {
		if old.contentType != "image" && old.contentType != "file" {
			return old.id, nil
		}
		content, err := toString(in.get("content"))
		if err != nil {
			return 0, err
		}
		_, err = b.store.exec(ctx, `UPDATE im_message SET content = ? WHERE id = ?`, b.text(content), old.id)
		return old.id, err
	}
	if !truthy(in.get("user")) {
		in = in.with("user", sender)
	}
	if !truthy(in.get("date")) {
		in = in.with("date", b.date(b.now()))
	}
	time.Sleep(r.pause)
	id, err := b.storeMessage(ctx, r, in)
	if err != nil {
		return 0, err
	}
	user, err := toInt(in.get("user"), -maxMediumint-1, maxMediumint)
	if err != nil {
		return 0, err
	}
	// Also noted for a message that was lost (recorded: 05_message, table im_messagestatus).
	_, err = b.store.exec(ctx, `INSERT OR IGNORE INTO im_messagestatus (user, gid, status) VALUES (?, ?, 'sent')`, user, b.gid(gid))
	return id, err
}

// storeMessage stores the fields that were given. A field that the table does not have, or one named twice, makes the
// statement fail, which nobody notices: the message is lost, and its id is 0 (recorded: 05_message).
func (b *Backend) storeMessage(ctx context.Context, r *request, in object) (int64, error) {
	m := message{kind: "normal", contentType: "text", date: zeroDate}
	seen := map[string]bool{}
	lost := r.lose
	for _, f := range in {
		name := strings.ToLower(f.key)
		known, err := b.assign(&m, name, f.val)
		if err != nil {
			return 0, err
		}
		lost = lost || !known || seen[name]
		seen[name] = true
	}
	if lost {
		return 0, nil
	}
	return b.store.insertUnlessTaken(ctx, insertMessage, m.id, m.gid, m.cgid, m.user, m.date, m.order, m.kind, m.content, m.contentType, m.data)
}

// insertMessage takes the columns of a message in their order; id 0 gets the next number.
const insertMessage = `INSERT OR IGNORE INTO im_message (id, gid, cgid, user, date, "order", type, content, contentType, data)
	VALUES (nullif(?, 0), ?, ?, ?, ?, ?, ?, ?, ?, ?)`

// assign puts a given field into its column; known is false if there is none.
func (b *Backend) assign(m *message, column string, v any) (known bool, err error) {
	switch column {
	case "id":
		m.id, err = toInt(v, 0, maxUnsignedMediumint)
		return true, err
	case "order":
		m.order, err = toInt(v, 0, 1<<63-1)
		return true, err
	}
	s, err := toString(v)
	if err != nil {
		return false, err
	}
	switch column {
	case "gid":
		m.gid = b.gid(s)
	case "cgid":
		m.cgid = b.gid(s)
	case "user":
		m.user = b.varchar(s, 30)
	case "date":
		m.date = datetime(s)
	case "type":
		m.kind = enum(s, "normal", "broadcast", "notify")
	case "content":
		m.content = b.text(s)
	case "contenttype":
		m.contentType = enum(s, "text", "plain", "emotion", "image", "file", "object")
	case "data":
		m.data = b.text(s)
	default:
		return false, nil
	}
	return true, nil
}
