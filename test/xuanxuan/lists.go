package xuanxuan

import (
	"context"
	"database/sql"
)

// getList answers the system chats, then the caller's own, dismissed ones included. The category is missing on system
// chats (recorded: 04_create).
func (b *Backend) getList(ctx context.Context, r *request) (*answer, error) {
	id := r.param(0, int64(0))
	n, err := userKey(id)
	if err != nil {
		return nil, err
	}
	system, err := selectRows(ctx, b.store, scanChat, `SELECT `+chatColumns+` FROM im_chat c WHERE c.type = 'system' ORDER BY c.id`)
	if err != nil {
		return nil, err
	}
	own, err := selectRows(ctx, b.store, scanOwnChat, `SELECT `+chatColumns+`, u.star, u.hide, u.mute, u.category
		FROM im_chatuser u JOIN im_chat c ON c.gid = u.cgid WHERE u.user = ? AND u.quit = '`+zeroDate+`' ORDER BY c.id`, n)
	if err != nil {
		return nil, err
	}
	data := []object{}
	for _, c := range system {
		members, err := b.chatMembers(ctx, c)
		if err != nil {
			return nil, err
		}
		marks := object{{"star", 0}, {"hide", 0}, {"mute", 0}}
		data = append(data, append(append(b.chatObject(c), marks...), member{"members", members}))
	}
	for _, c := range own {
		members, err := b.chatMembers(ctx, c.chat)
		if err != nil {
			return nil, err
		}
		data = append(data, append(append(b.chatObject(c.chat), c.marks...), member{"members", members}))
	}
	return r.success().set("users", []any{id}).set("data", data), nil
}

// An ownChat is a chat with what one member has set for himself.
type ownChat struct {
	chat
	marks object
}

func scanOwnChat(rows *sql.Rows) (c ownChat, err error) {
	var star, hide, mute, category string
	err = rows.Scan(&c.id, &c.gid, &c.name, &c.kind, &c.admins, &c.committers, &c.subject, &c.public,
		&c.createdBy, &c.created, &c.editedBy, &c.edited, &c.active, &c.ended, &star, &hide, &mute, &category)
	if c.kind == "one2one" {
		c.name = ""
	}
	c.marks = object{{"star", flag(star)}, {"hide", flag(hide)}, {"mute", flag(mute)}, {"category", category}}
	return c, err
}

// flag reads an enum of '0' and '1'; unset it holds an empty text.
func flag(s string) int {
	if s == "1" {
		return 1
	}
	return 0
}

func (b *Backend) getPublicList(ctx context.Context, r *request) (*answer, error) {
	list, err := selectRows(ctx, b.store, scanChat,
		`SELECT `+chatColumns+` FROM im_chat c WHERE c.public = 1 AND c.dismissDate = '`+zeroDate+`' ORDER BY c.id`)
	if err != nil {
		return nil, err
	}
	data := []object{}
	for _, c := range list {
		if c.kind == "one2one" {
			c.name = ""
		}
		members, err := b.chatMembers(ctx, c)
		if err != nil {
			return nil, err
		}
		data = append(data, b.withMembers(c, members))
	}
	return r.success().set("users", []any{r.param(0, int64(0))}).set("data", data), nil
}
