package xuanxuan

import (
	"context"
	"database/sql"
	"strconv"
	"strings"
)

// todoColumns are the columns of a todo in the order of the table. All are answered as strings.
var todoColumns = []string{"id", "account", "date", "begin", "end", "type", "pri", "name", "desc", "status"}

var selectTodo = `SELECT "` + strings.Join(todoColumns, `", "`) + `" FROM sys_todo`

func scanTodo(rows *sql.Rows) (object, error) {
	o := make(object, len(todoColumns))
	values := make([]string, len(todoColumns))
	pointers := make([]any, len(todoColumns))
	for i := range values {
		pointers[i] = &values[i]
	}
	if err := rows.Scan(pointers...); err != nil {
		return nil, err
	}
	for i, name := range todoColumns {
		o[i] = member{name, values[i]}
	}
	return o, nil
}

// todoOrders are the orders that may be asked for.
var todoOrders = map[string]string{
	"date_asc": `"date", id`, "date_desc": `"date" DESC, id DESC`, "id_asc": `id`, "id_desc": `id DESC`, "pri_asc": `pri, id`, "pri_desc": `pri DESC, id`,
}

// getTodoes lists the caller's todos: [mode, status, order, recTotal, recPerPage, pageID].
func (b *Backend) getTodoes(ctx context.Context, r *request) (*answer, error) {
	id := r.param(6, int64(0))
	u, _, err := b.userByID(ctx, id)
	if err != nil {
		return nil, err
	}
	where, args := `account = ?`, []any{u.account}
	switch status, _ := r.param(1, "unclosed").(string); status {
	case "", "all":
	case "unclosed":
		where += ` AND status <> 'closed'`
	case "undone":
		where += ` AND status NOT IN ('done', 'closed')`
	default:
		where, args = where+` AND status = ?`, append(args, status)
	}
	order, ok := todoOrders[lowerString(r.param(2, "date_asc"))]
	if !ok {
		return nil, errFatal
	}
	p, err := newPager(r.param(4, int64(pageSize)), r.param(5, int64(1)), r.param(3, int64(0)), func() (int64, error) {
		n, _, err := selectRow(ctx, b.store, column[int64], `SELECT count(*) FROM sys_todo WHERE `+where, args...)
		return n, err
	})
	if err != nil {
		return nil, err
	}
	rows, err := selectRows(ctx, b.store, scanTodo, selectTodo+` WHERE `+where+` ORDER BY `+order+` LIMIT ? OFFSET ?`, append(args, p.limit, p.skipped)...)
	if err != nil {
		return nil, err
	}
	if rows == nil {
		rows = []object{}
	}
	return r.answer().set("data", rows).set("result", "success").set("users", []any{id}), nil
}

// upsertTodo makes a todo (no id), changes it (id) or deletes it (id and delete). The answer is the param, with the
// new id; for a deletion it is the row that was.
func (b *Backend) upsertTodo(ctx context.Context, r *request) (*answer, error) {
	todo, ok := r.param(0, nil).(object)
	id := r.param(1, int64(0))
	if !ok {
		return r.answer().set("message", "The todo param is not an object.").set("result", "fail").set("users", []any{id}), nil
	}
	u, _, err := b.userByID(ctx, id)
	if err != nil {
		return nil, err
	}
	var a *answer
	switch {
	case !truthy(todo.get("id")):
		a, err = b.createTodo(ctx, r, u, todo)
	case truthy(todo.get("delete")):
		a, err = b.deleteTodo(ctx, r, u, todo)
	default:
		if err = b.writeTodo(ctx, todo, todo.get("id")); err == nil {
			a = r.success().set("data", todo)
		}
	}
	if err != nil {
		return nil, err
	}
	return a.set("users", []any{id}), nil
}

func (b *Backend) createTodo(ctx context.Context, r *request, u user, todo object) (*answer, error) {
	id, err := b.store.insert(ctx, `INSERT INTO sys_todo (account) VALUES (?)`, u.account)
	if err != nil {
		return nil, err
	}
	if err := b.writeTodo(ctx, todo, id); err != nil {
		return nil, err
	}
	return r.success().set("data", todo.with("id", strconv.FormatInt(id, 10))), nil
}

// writeTodo stores those fields that the table has, but never the id and the owner.
func (b *Backend) writeTodo(ctx context.Context, todo object, id any) error {
	n, err := toInt(id, 0, maxUnsignedMediumint)
	if err != nil {
		return err
	}
	for _, name := range todoColumns[2:] {
		v := todo.get(name)
		if v == nil {
			continue
		}
		s, err := toString(v)
		if err != nil {
			return err
		}
		if _, err := b.store.exec(ctx, `UPDATE sys_todo SET "`+name+`" = ? WHERE id = ?`, b.columns.text(s), n); err != nil {
			return err
		}
	}
	return nil
}

func (b *Backend) deleteTodo(ctx context.Context, r *request, u user, todo object) (*answer, error) {
	n, err := toInt(todo.get("id"), 0, maxUnsignedMediumint)
	if err != nil {
		return nil, err
	}
	row, found, err := selectRow(ctx, b.store, scanTodo, selectTodo+` WHERE id = ?`, n)
	if err != nil {
		return nil, err
	}
	if !found || row.get("account") != any(u.account) {
		return r.fail("Cannot delete todo item witch not yours.").set("data", orFalse(row, found)).set("user", u.object(r)), nil
	}
	if _, err := b.store.exec(ctx, `DELETE FROM sys_todo WHERE id = ?`, n); err != nil {
		return nil, err
	}
	return r.success().set("data", row), nil
}

// orFalse is a row, or PHP's false for none.
func orFalse(row object, found bool) any {
	if !found {
		return false
	}
	return row
}
