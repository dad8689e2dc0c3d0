package xuanxuan

import "context"

// star, hide and mute set one of the caller's own marks on a chat. The value comes back as it was sent; a chat that
// does not exist, or the system chat, succeeds and stores nothing (recorded: 08_group_ops).

func (b *Backend) star(ctx context.Context, r *request) (*answer, error) {
	return b.mark(ctx, r, "star")
}

func (b *Backend) hide(ctx context.Context, r *request) (*answer, error) {
	return b.mark(ctx, r, "hide")
}

func (b *Backend) mute(ctx context.Context, r *request) (*answer, error) {
	return b.mark(ctx, r, "mute")
}

func (b *Backend) mark(ctx context.Context, r *request, name string) (*answer, error) {
	gid, err := r.text(0)
	if err != nil {
		return nil, err
	}
	val, id := r.param(1, true), r.param(2, int64(0))
	s, err := toString(val)
	if err != nil {
		return nil, err
	}
	n, err := userKey(id)
	if err != nil {
		return nil, err
	}
	_, err = b.store.exec(ctx, `UPDATE im_chatuser SET `+name+` = ? WHERE cgid = ? AND user = ?`, enum(s, "0", "1"), key(gid), n)
	if err != nil {
		return nil, err
	}
	return r.success().set("users", []any{id}).set("data", object{{"gid", r.param(0, "")}, {name, val}}), nil
}

// category puts some of the caller's chats into a category.
func (b *Backend) category(ctx context.Context, r *request) (*answer, error) {
	wanted, id := r.param(0, []any{}), r.param(2, int64(0))
	name, err := r.text(1)
	if err != nil {
		return nil, err
	}
	n, err := userKey(id)
	if err != nil {
		return nil, err
	}
	gids := []string{}
	for _, v := range commaList(wanted) {
		s, err := toString(v)
		if err != nil {
			return nil, err
		}
		gids = append(gids, key(s))
	}
	_, err = b.store.exec(ctx, `UPDATE im_chatuser SET category = ? WHERE user = ? AND cgid IN (SELECT value FROM json_each(?))`,
		b.varchar(name, 40), n, set(gids))
	if err != nil {
		return nil, err
	}
	return r.success().set("users", []any{id}).set("data", object{{"gids", wanted}, {"category", r.param(1, "")}}), nil
}
