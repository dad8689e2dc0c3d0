package xuanxuan

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"
)

// What tests and `xuangate dev` do to an installation from the outside, as an administrator, another application or
// time would.

// seed fills a new database. One that has users already keeps them.
func (b *Backend) seed(ctx context.Context, o Options) error {
	_, found, err := selectRow(ctx, b.store, column[int64], `SELECT id FROM sys_user LIMIT 1`)
	if err != nil {
		return err
	}
	if !found {
		if err := b.seedRows(ctx, o); err != nil {
			return err
		}
	}
	return b.createSystemChat(ctx)
}

func (b *Backend) seedRows(ctx context.Context, o Options) error {
	if o.Users == nil {
		o.Users = DemoUsers()
	}
	if o.Departments == nil {
		o.Departments = demoDepartments()
	}
	for _, u := range o.Users {
		if err := b.insertUser(ctx, u); err != nil {
			return err
		}
	}
	for _, d := range o.Departments {
		if _, err := b.store.exec(ctx, `INSERT INTO sys_dept (id, name, "order", parent) VALUES (?, ?, ?, ?)`, d.ID, d.Name, d.Order, d.Parent); err != nil {
			return fmt.Errorf("department %d: %w", d.ID, err)
		}
	}
	for _, e := range o.Extensions {
		if _, err := b.store.exec(ctx, `INSERT INTO sys_entry (`+extensionColumns+`) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
			e.ID, e.Code, e.Name, e.Abbr, e.Login, e.Package, e.Logo, e.SSO); err != nil {
			return fmt.Errorf("extension %d: %w", e.ID, err)
		}
	}
	return nil
}

func (b *Backend) insertUser(ctx context.Context, u User) error {
	if u.ID < 1 || u.ID > maxMediumint || u.Account == "" {
		return fmt.Errorf("user %d %q: needs an id from 1 to %d and an account", u.ID, u.Account, maxMediumint)
	}
	locked := zeroDate
	if !u.Locked.IsZero() {
		locked = b.date(u.Locked)
	}
	stored := md5Hex(md5Hex(cmp.Or(u.Password, DemoPassword)) + u.Account)
	_, err := b.store.exec(ctx, `INSERT INTO sys_user (id, account, password, realname, avatar, role, dept, admin, gender, email, deleted, locked)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		u.ID, u.Account, stored, u.Realname, u.Avatar, u.Role, u.Dept, cmp.Or(u.Admin, "no"), cmp.Or(u.Gender, "u"), u.Email, u.Deleted, locked)
	if err != nil {
		return fmt.Errorf("user %d %q: %w", u.ID, u.Account, err)
	}
	return nil
}

// AddUser adds an account as an administrator does, so that checkUserChange says "yes" for a minute.
func (b *Backend) AddUser(ctx context.Context, u User) error {
	if err := b.insertUser(ctx, u); err != nil {
		return err
	}
	return b.noteAction(ctx, u.ID, "created")
}

// TouchUser notes that an administrator edited a user, so that checkUserChange says "yes" for a minute.
func (b *Backend) TouchUser(ctx context.Context, id int64) error {
	return b.noteAction(ctx, id, "edited")
}

// DeleteUser marks a user as deleted, as an administrator does.
func (b *Backend) DeleteUser(ctx context.Context, id int64) error {
	if _, err := b.store.exec(ctx, `UPDATE sys_user SET deleted = 1 WHERE id = ?`, id); err != nil {
		return err
	}
	return b.noteAction(ctx, id, "deleted")
}

// LockUser keeps a user from signing in until a time, as an administrator does.
func (b *Backend) LockUser(ctx context.Context, id int64, until time.Time) error {
	if _, err := b.store.exec(ctx, `UPDATE sys_user SET locked = ? WHERE id = ?`, b.date(until), id); err != nil {
		return err
	}
	return b.noteAction(ctx, id, "edited")
}

func (b *Backend) noteAction(ctx context.Context, id int64, action string) error {
	_, err := b.store.exec(ctx, `INSERT INTO sys_action (objectType, objectID, action, date) VALUES ('user', ?, ?, ?)`,
		id, action, b.date(b.now()))
	return err
}

// SystemChat returns the gid of the chat of all users, which each new installation makes up at random.
func (b *Backend) SystemChat(ctx context.Context) (string, error) {
	gid, found, err := selectRow(ctx, b.store, column[string], `SELECT gid FROM im_chat WHERE type = 'system' ORDER BY id LIMIT 1`)
	if err == nil && !found {
		err = errors.New("there is no system chat")
	}
	return gid, err
}

// A Message is one that InsertMessages stores. What is zero gets the value of a plain text message.
type Message struct {
	GID         string    // empty: made up
	User        int64     // sender
	Date        time.Time // zero: now; any other order than that of the ids is possible, and so is one second for all
	Type        string    // empty: "normal"
	ContentType string    // empty: "text"
	Content     string
	Order       int64
}

// InsertMessages stores n messages in a chat at once, in one transaction and without telling anybody: row i, counted
// from 0, is what message says; message must not call the Backend, which waits meanwhile. Their ids follow one another.
// The chat's last activity becomes the latest date. It is no error if there is no such chat.
func (b *Backend) InsertMessages(ctx context.Context, gid string, n int, message func(i int) Message) error {
	tx, err := b.store.db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("insert messages: %w", err)
	}
	defer func() { _ = tx.Rollback() }() // does nothing after a commit
	rows := context.WithoutCancel(ctx)   // the transaction hears of ctx; watching it for every row would cost more than the row
	insert, err := tx.PrepareContext(rows, insertMessage)
	if err != nil {
		return fmt.Errorf("insert messages: %w", err)
	}
	defer insert.Close()
	latest := zeroDate
	for i := range n {
		m := message(i)
		if m.Date.IsZero() {
			m.Date = b.now()
		}
		date := b.date(m.Date)
		latest = max(latest, date)
		if _, err := insert.ExecContext(rows, 0, b.gid(cmp.Or(m.GID, newGID())), b.gid(gid), m.User, date, m.Order,
			cmp.Or(m.Type, "normal"), b.text(m.Content), cmp.Or(m.ContentType, "text"), ""); err != nil {
			return fmt.Errorf("insert message %d: %w", i, err)
		}
	}
	if _, err := tx.ExecContext(ctx, `UPDATE im_chat SET lastActiveTime = max(lastActiveTime, ?) WHERE gid = ?`, latest, key(gid)); err != nil {
		return fmt.Errorf("insert messages: %w", err)
	}
	return tx.Commit()
}

// A Notice is a notification that another application leaves for users.
type Notice struct {
	GID         string // empty: made up
	Users       []int64
	Title       string
	Subtitle    string
	Content     string
	ContentType string // "text" or "plain"; empty: "text"
	URL         string
	Actions     []NoticeAction
	SenderID    string
	SenderName  string
	Avatar      string    // of the sender
	Date        time.Time // zero: now
}

// A NoticeAction is a button under a notice.
type NoticeAction struct{ Label, URL, Type, Icon string }

// AddNotice stores a notice that waits for its users, as the application interface's notifyMSG leaves it. The next
// notify poll hands it to those who are online.
func (b *Backend) AddNotice(ctx context.Context, n Notice) error {
	if n.Date.IsZero() {
		n.Date = b.now()
	}
	actions := []any{}
	for _, a := range n.Actions {
		action := object{{"label", a.Label}, {"url", a.URL}, {"type", a.Type}}
		if a.Icon != "" {
			action = append(action, member{"icon", a.Icon})
		}
		actions = append(actions, action)
	}
	sender := object{{"id", n.SenderID}, {"name", n.SenderName}}
	if n.Avatar != "" {
		sender = append(sender, member{"avatar", n.Avatar})
	}
	return b.leaveNotice(ctx, notice{
		gid: n.GID, chat: noticeChat, users: n.Users, content: n.Content, contentType: n.ContentType, date: n.Date,
		title: n.Title, subtitle: n.Subtitle, url: n.URL, actions: actions, sender: sender,
	})
}

// SetPassword gives a user another password, as an administrator does.
func (b *Backend) SetPassword(ctx context.Context, id int64, password string) error {
	u, _, err := b.userByID(ctx, id)
	if err != nil {
		return err
	}
	return b.setPassword(ctx, id, u.account, md5Hex(password))
}
