package xuanxuan

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/hex"
	"slices"
	"strconv"
	"strings"
)

// A chat is one row of im_chat. Dates are as stored.
type chat struct {
	id, subject, public                                 int64
	gid, name, kind, admins, committers                 string
	createdBy, created, editedBy, edited, active, ended string
}

const chatColumns = `c.id, c.gid, c.name, c.type, c.admins, c.committers, c.subject, c.public,
	c.createdBy, c.createdDate, c.editedBy, c.editedDate, c.lastActiveTime, c.dismissDate`

func scanChat(rows *sql.Rows) (c chat, err error) {
	err = rows.Scan(&c.id, &c.gid, &c.name, &c.kind, &c.admins, &c.committers, &c.subject, &c.public,
		&c.createdBy, &c.created, &c.editedBy, &c.edited, &c.active, &c.ended)
	return c, err
}

// chatObject is a chat as 2.x answers it: unset dates are 0.
func (b *Backend) chatObject(c chat) object {
	return append(b.chatFields(c),
		member{"editedDate", b.unixOrZero(c.edited)},
		member{"lastActiveTime", b.unixOrZero(c.active)},
		member{"dismissDate", b.unixOrZero(c.ended)},
	)
}

// chatFields are those that are the same in every version.
func (b *Backend) chatFields(c chat) object {
	return object{
		{"id", c.id},
		{"gid", c.gid},
		{"name", c.name},
		{"type", c.kind},
		{"admins", c.admins},
		{"committers", c.committers},
		{"subject", c.subject},
		{"public", c.public},
		{"createdBy", c.createdBy},
		{"createdDate", b.unix(c.created)},
		{"editedBy", c.editedBy},
	}
}

// withMembers is how nearly every method answers a chat.
func (b *Backend) withMembers(c chat, members []int64) object {
	return append(b.chatObject(c), member{"members", members})
}

// chatByGID finds the first chat with a gid, in any spelling.
func (b *Backend) chatByGID(ctx context.Context, gid string) (chat, bool, error) {
	c, ok, err := selectRow(ctx, b.store, scanChat, `SELECT `+chatColumns+` FROM im_chat c WHERE c.gid = ? ORDER BY c.id LIMIT 1`, key(gid))
	if c.kind == "one2one" {
		c.name = ""
	}
	return c, ok, err
}

// chatMembers returns who is in a chat: everybody in the system chat; in others those who have not quit, in the order
// in which they first came. A chat whose gid is empty has the members of all chats.
func (b *Backend) chatMembers(ctx context.Context, c chat) ([]int64, error) {
	var list []int64
	var err error
	switch {
	case c.kind == "system":
		list, err = selectRows(ctx, b.store, column[int64], `SELECT id FROM sys_user WHERE deleted = 0 ORDER BY id`)
	case c.gid == "":
		list, err = selectRows(ctx, b.store, column[int64],
			`SELECT user FROM im_chatuser WHERE quit = '`+zeroDate+`' GROUP BY user ORDER BY min(id)`)
	default:
		list, err = selectRows(ctx, b.store, column[int64],
			`SELECT user FROM im_chatuser WHERE cgid = ? AND quit = '`+zeroDate+`' ORDER BY id`, c.gid)
	}
	if list == nil {
		list = []int64{}
	}
	return list, err
}

// create makes a chat, or answers the one that has this gid already, unchanged. The creator becomes no member unless
// listed. Check and insert are two statements, so a gid sent twice at once can make two chats.
func (b *Backend) create(ctx context.Context, r *request) (*answer, error) {
	gid, err := r.text(0)
	if err != nil {
		return nil, err
	}
	c, found, err := b.chatByGID(ctx, gid)
	if err != nil {
		return nil, err
	}
	if !found {
		if err := b.insertChat(ctx, r, gid); err != nil {
			return nil, err
		}
		if c, found, err = b.chatByGID(ctx, gid); err != nil {
			return nil, err
		}
	}
	if !found { // stored with a shorter gid than asked for, and not found again under the long one
		return nil, errFatal
	}
	return b.toldToMembers(ctx, r, c)
}

// insertChat stores what create was given.
func (b *Backend) insertChat(ctx context.Context, r *request, gid string) error {
	name, err := r.text(1)
	if err != nil {
		return err
	}
	kind, err := toString(r.param(2, "group"))
	if err != nil {
		return err
	}
	subject, err := toInt(r.param(4, int64(0)), 0, maxUnsignedMediumint)
	if err != nil {
		return err
	}
	creator, _, err := b.userByID(ctx, r.param(6, int64(0)))
	if err != nil {
		return err
	}
	public := 0
	if truthy(r.param(5, false)) {
		public = 1
	}
	if _, err := b.store.insert(ctx, `INSERT INTO im_chat (gid, name, type, subject, public, createdBy, createdDate) VALUES (?, ?, ?, ?, ?, ?, ?)`,
		b.gid(gid), b.varchar(name, 60), b.varchar(kind, 20), subject, public, creator.account, b.date(b.now())); err != nil {
		return err
	}
	members, _ := r.param(3, nil).([]any)
	for _, id := range members {
		if err := b.join(ctx, gid, id); err != nil {
			return err
		}
	}
	return nil
}

// toldToMembers answers a chat to those of its members who are online, or to everybody online if it has none.
func (b *Backend) toldToMembers(ctx context.Context, r *request, c chat) (*answer, error) {
	members, err := b.chatMembers(ctx, c)
	if err != nil {
		return nil, err
	}
	online, err := b.online(ctx, members)
	if err != nil {
		return nil, err
	}
	return r.success().set("users", online).set("data", b.withMembers(c, members)), nil
}

// edit is the frame of the methods that rewrite a chat: it must exist and be of a kind that allows it. Nobody's
// permission is checked.
func (b *Backend) edit(ctx context.Context, r *request, failed string, user any, kinds []string, change func(*chat) error) (*answer, error) {
	gid, err := r.text(0)
	if err != nil {
		return nil, err
	}
	c, found, err := b.chatByGID(ctx, gid)
	if err != nil {
		return nil, err
	}
	if !found {
		return r.fail(textNotExist.in(r.lang)), nil
	}
	if !slices.Contains(kinds, c.kind) {
		return r.fail(textNotGroup.in(r.lang)), nil
	}
	b.corruptDates(&c)
	if err := change(&c); err != nil {
		return nil, err
	}
	if strings.TrimSpace(c.name) == "" || strings.TrimSpace(c.gid) == "" {
		return r.fail(failed), nil // a chat without a name fails whatever is to be changed
	}
	if err := b.rewrite(ctx, c, user); err != nil {
		return nil, err
	}
	if c, _, err = b.chatByGID(ctx, c.gid); err != nil {
		return nil, err
	}
	return b.toldToMembers(ctx, r, c)
}

// corruptDates turns the dates of a chat that was read into what writing them back makes of them: the backend has
// converted them into unix seconds by then, which a datetime column misreads. So the creation date is lost for good,
// the last activity until the next message, and a dismissed chat is alive again (recorded: 08_group_ops).
func (b *Backend) corruptDates(c *chat) {
	again := func(seconds int64) string { return datetime(strconv.FormatInt(seconds, 10)) }
	c.created = again(b.unix(c.created))
	c.active = again(b.unixOrZero(c.active))
	c.ended = again(b.unixOrZero(c.ended))
}

// rewrite writes a whole chat back.
func (b *Backend) rewrite(ctx context.Context, c chat, user any) error {
	editor, _, err := b.userByID(ctx, user)
	if err != nil {
		return err
	}
	_, err = b.store.exec(ctx, `UPDATE im_chat SET name = ?, type = ?, admins = ?, committers = ?, subject = ?, public = ?,
		createdBy = ?, createdDate = ?, editedBy = ?, editedDate = ?, lastActiveTime = ?, dismissDate = ? WHERE gid = ?`,
		b.varchar(c.name, 60), c.kind, c.admins, b.varchar(c.committers, 255), c.subject, c.public,
		c.createdBy, c.created, editor.account, b.date(b.now()), c.active, c.ended, c.gid)
	return err
}

var (
	groups           = []string{"group"}
	groupsAndSystems = []string{"group", "system"}
)

func (b *Backend) changeName(ctx context.Context, r *request) (*answer, error) {
	return b.edit(ctx, r, "Change name failed.", r.param(2, int64(0)), groupsAndSystems, func(c *chat) (err error) {
		c.name, err = r.text(1)
		return err
	})
}

func (b *Backend) changePublic(ctx context.Context, r *request) (*answer, error) {
	return b.edit(ctx, r, "Change public failed.", r.param(2, int64(0)), groups, func(c *chat) error {
		c.public = 0
		if truthy(r.param(1, true)) {
			c.public = 1
		}
		return nil
	})
}

// setCommitters restricts who may send: "4,5", "$ADMINS", or "" for everybody.
func (b *Backend) setCommitters(ctx context.Context, r *request) (*answer, error) {
	return b.edit(ctx, r, "Set committers failed.", r.param(2, int64(0)), groupsAndSystems, func(c *chat) (err error) {
		c.committers, err = r.text(1)
		return err
	})
}

func (b *Backend) dismiss(ctx context.Context, r *request) (*answer, error) {
	return b.edit(ctx, r, "Dismiss chat failed.", r.param(1, int64(0)), groups, func(c *chat) error {
		c.ended = b.date(b.now())
		return nil
	})
}

// setAdmin adds administrators to the system chat, or takes them off. It is the only method that checks who calls. The
// list keeps duplicates and begins with a comma.
func (b *Backend) setAdmin(ctx context.Context, r *request) (*answer, error) {
	caller, _, err := b.userByID(ctx, r.param(3, int64(0)))
	if err != nil {
		return nil, err
	}
	if caller.admin != "super" {
		return r.fail(textNotAdmin.in(r.lang)), nil
	}
	gid, err := r.text(0)
	if err != nil {
		return nil, err
	}
	c, found, err := b.chatByGID(ctx, gid)
	if err != nil {
		return nil, err
	}
	if !found {
		return r.fail(textNotExist.in(r.lang)), nil
	}
	if c.kind != "system" {
		return r.fail(textNotSystem.in(r.lang)), nil
	}
	admins := strings.Split(c.admins, ",")
	chosen, _ := r.param(1, nil).([]any)
	for _, v := range chosen {
		s, err := toString(v)
		if err != nil {
			return nil, err
		}
		if truthy(r.param(2, true)) {
			admins = append(admins, s)
		} else if i := indexAfterFirst(admins, v); i > 0 {
			admins = append(admins[:i], admins[i+1:]...)
		}
	}
	c.admins = b.varchar(strings.Join(admins, ","), 255)
	if _, err := b.store.exec(ctx, `UPDATE im_chat SET admins = ? WHERE gid = ?`, c.admins, c.gid); err != nil {
		return nil, err
	}
	return b.toldToMembers(ctx, r, c)
}

// indexAfterFirst finds a user in a list of administrators. The first place does not count: 0 is PHP's false.
func indexAfterFirst(admins []string, id any) int {
	for i, s := range admins {
		if looselyEqual(id, s) {
			return i
		}
	}
	return -1
}

// createSystemChat makes the chat of all users unless there is one.
func (b *Backend) createSystemChat(ctx context.Context) error {
	_, found, err := selectRow(ctx, b.store, column[int64], `SELECT id FROM im_chat WHERE type = 'system' LIMIT 1`)
	if err != nil || found {
		return err
	}
	_, err = b.store.insert(ctx, `INSERT INTO im_chat (gid, name, type, createdBy, createdDate) VALUES (?, '系统', 'system', 'system', ?)`,
		newGID(), b.date(b.now()))
	return err
}

// newGID makes a gid as the backend makes its own.
func newGID() string {
	var random [16]byte
	_, _ = rand.Read(random[:]) // never fails
	h := hex.EncodeToString(random[:])
	return h[0:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}
