package xuanxuan

import (
	"context"
	"path"
	"strconv"
	"strings"
	"time"
)

// uploadFile notes a file that xxd has received and answers its number, as a string, to the chat's members.
func (b *Backend) uploadFile(ctx context.Context, r *request) (*answer, error) {
	gid, err := r.text(4)
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
	members, err := b.chatMembers(ctx, c)
	if err != nil {
		return nil, err
	}
	online, err := b.online(ctx, members)
	if err != nil {
		return nil, err
	}
	id, err := b.insertFile(ctx, r, c)
	if err != nil {
		return nil, err
	}
	return r.success().set("users", online).set("data", strconv.FormatInt(id, 10)), nil
}

func (b *Backend) insertFile(ctx context.Context, r *request, c chat) (int64, error) {
	name, err := r.text(0)
	if err != nil {
		return 0, err
	}
	dir, err := r.text(1)
	if err != nil {
		return 0, err
	}
	size, err := toInt(r.param(2, int64(0)), 0, maxUnsignedMediumint)
	if err != nil {
		return 0, err
	}
	seconds, err := toInt(r.param(3, int64(0)), 0, 1<<33)
	if err != nil {
		return 0, err
	}
	uploader, _, err := b.userByID(ctx, r.param(5, int64(0)))
	if err != nil {
		return 0, err
	}
	extension := strings.TrimPrefix(path.Ext(name), ".")
	title := strings.TrimRight(name, "."+extension) // letters of the extension, not the extension: pong.png is "po"
	id, err := b.store.insert(ctx, `INSERT INTO sys_file (title, extension, size, objectType, objectID, createdBy, createdDate)
		VALUES (?, ?, ?, 'chat', ?, ?, ?)`, b.charset(title), b.charset(extension), size, c.id, uploader.account, b.date(time.Unix(seconds, 0)))
	if err != nil {
		return 0, err
	}
	pathname := dir + md5Hex(name+strconv.FormatInt(id, 10)+strconv.FormatInt(seconds, 10))
	_, err = b.store.exec(ctx, `UPDATE sys_file SET pathname = ? WHERE id = ?`, pathname, id)
	return id, err
}
