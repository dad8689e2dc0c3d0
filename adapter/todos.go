package adapter

import (
	"cmp"
	"context"
	"slices"
	"strconv"

	"github.com/xuangate/xuangate/adapter/legacy"
	"github.com/xuangate/xuangate/gen/model"
)

const (
	// todoPage is how many todos one look for a user's own takes, and maxTodoPages how many looks. Without the second a
	// request could have us page through years of them.
	todoPage, maxTodoPages = 500, 20
	// usualTodos is how many todos a page has where nothing else is said.
	usualTodos = 20
)

// Todos returns a page of u's todos.
func (a *Adapter) Todos(ctx context.Context, u legacy.UserID, r model.TodosRequest) (model.Todos, error) {
	limit := cmp.Or(r.Limit, usualTodos)
	rows, err := a.todos(ctx, "list todos", u, string(cmp.Or(r.Status, model.TodosUnclosed)), string(cmp.Or(r.Order, model.DateAsc)), limit, cmp.Or(r.Page, 1))
	if err != nil {
		return model.Todos{}, err
	}
	list := make([]model.Todo, len(rows))
	for i, row := range rows {
		list[i] = model.Todo{
			Id: int64(row.ID), Date: string(row.Date), Begin: string(row.Begin), End: string(row.End), Type: string(row.Type), Pri: string(row.Pri),
			Name: string(row.Name), Desc: string(row.Desc), Status: string(row.Status),
		}
	}
	return model.Todos{Todos: list, HasMore: len(list) == limit}, nil
}

// todos asks for a page. Of an order that it does not know the backend dies.
func (a *Adapter) todos(ctx context.Context, op string, u legacy.UserID, status, order string, limit, page int) ([]legacy.TodoRow, error) {
	r, err := a.read(ctx, op, legacy.Chat(u, "getTodoes", "all", status, order, 0, limit, page))
	if err != nil {
		return nil, err
	}
	var rows legacy.List[legacy.TodoRow]
	return rows, spoken(op, r, &rows)
}

// SaveTodo makes a todo of u's, or changes or deletes the one that r names, and returns its number. Legacy lets everybody change
// everybody's, so it is looked for among u's own first.
func (a *Adapter) SaveTodo(ctx context.Context, u legacy.UserID, r model.SaveTodoRequest) (int64, error) {
	const op = "save todo"
	todo, err := a.todoFields(op, r)
	if err != nil {
		return 0, err
	}
	if r.Id == 0 {
		return a.makeTodo(ctx, op, u, todo)
	}
	if err := a.ownTodo(ctx, op, u, r.Id); err != nil {
		return 0, err
	}
	todo["id"] = r.Id
	if r.Delete {
		todo["delete"] = true
	}
	_, err = a.upsertTodo(ctx, op, u, todo)
	return r.Id, err
}

// todoFields are the fields that a request sets.
func (a *Adapter) todoFields(op string, r model.SaveTodoRequest) (map[string]any, error) {
	todo := map[string]any{}
	for field, value := range map[string]string{"name": r.Name, "date": r.Date, "status": string(r.Status)} {
		if value != "" {
			todo[field] = value
		}
	}
	for field, value := range map[string]*string{"begin": r.Begin, "end": r.End, "desc": r.Desc} {
		if value != nil {
			todo[field] = *value
		}
	}
	if r.Pri != nil {
		todo["pri"] = *r.Pri
	}
	switch {
	case r.Delete && (r.Id == 0 || len(todo) > 0):
		return nil, refuse(op, model.InvalidParameter, "delete: goes with id alone")
	case r.Id == 0 && (r.Name == "" || r.Date == ""):
		return nil, refuse(op, model.InvalidParameter, "name: a new todo takes a name and a date")
	case !r.Delete && len(todo) == 0:
		return nil, refuse(op, model.InvalidParameter, "id: say what to change of it")
	}
	for field, value := range todo {
		if text, ok := value.(string); ok && a.emoji.unfit(text) != "" {
			return nil, refuse(op, model.Conflict, "%s: the chat server cannot store %q in a todo", field, a.emoji.unfit(text))
		}
	}
	return todo, nil
}

func (a *Adapter) makeTodo(ctx context.Context, op string, u legacy.UserID, todo map[string]any) (int64, error) {
	r, err := a.upsertTodo(ctx, op, u, todo)
	if err != nil {
		return 0, err
	}
	var made legacy.TodoRow
	if err := spoken(op, r, &made); err != nil {
		return 0, err
	}
	if made.ID <= 0 {
		return 0, refuse(op, model.Conflict, "the chat server did not say what became of the todo; look for it")
	}
	return int64(made.ID), nil
}

func (a *Adapter) upsertTodo(ctx context.Context, op string, u legacy.UserID, todo map[string]any) (legacy.Response, error) {
	r, err := a.call(ctx, op, legacy.Chat(u, "upsertTodo", todo))
	if err == nil && r.Unsure {
		err = noAnswer(op, errUnanswered)
	}
	return r, err
}

// ownTodo makes sure that a todo is one of u's.
func (a *Adapter) ownTodo(ctx context.Context, op string, u legacy.UserID, id int64) error {
	for page := 1; page <= maxTodoPages; page++ {
		rows, err := a.todos(ctx, op, u, "all", "id_desc", todoPage, page)
		if err != nil {
			return err
		}
		if slices.ContainsFunc(rows, func(row legacy.TodoRow) bool { return int64(row.ID) == id }) {
			return nil
		}
		if len(rows) < todoPage || int64(rows[len(rows)-1].ID) < id {
			break
		}
	}
	return refuse(op, model.NotFound, "no such todo of yours: %s", strconv.FormatInt(id, 10))
}
