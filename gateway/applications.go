package gateway

import (
	"context"

	"github.com/xuangate/xuangate/gen/model"
	"github.com/xuangate/xuangate/gen/server"
)

// GetExtensions answers POST /get_extensions.
func (s rest) GetExtensions(ctx context.Context, _ server.GetExtensionsRequestObject) (server.GetExtensionsResponseObject, error) {
	list, err := s.legacy.Extensions(ctx, caller(ctx).User)
	if err != nil {
		return nil, err
	}
	return server.GetExtensions200JSONResponse{Data: list}, nil
}

// VisitExtension answers POST /visit_extension.
func (s rest) VisitExtension(ctx context.Context, r server.VisitExtensionRequestObject) (server.VisitExtensionResponseObject, error) {
	address, err := s.legacy.VisitExtension(ctx, caller(ctx).User, r.Body.EntryId, r.Body.Referer)
	if err != nil {
		return nil, err
	}
	return server.VisitExtension200JSONResponse{Data: model.Visit{Url: address}}, nil
}

// GetTodos answers POST /get_todos.
func (s rest) GetTodos(ctx context.Context, r server.GetTodosRequestObject) (server.GetTodosResponseObject, error) {
	var which model.TodosRequest
	if r.Body != nil {
		which = *r.Body
	}
	list, err := s.legacy.Todos(ctx, caller(ctx).User, which)
	if err != nil {
		return nil, err
	}
	return server.GetTodos200JSONResponse{Data: list}, nil
}

// SaveTodo answers POST /save_todo.
func (s rest) SaveTodo(ctx context.Context, r server.SaveTodoRequestObject) (server.SaveTodoResponseObject, error) {
	id, err := s.legacy.SaveTodo(ctx, caller(ctx).User, *r.Body)
	if err != nil {
		return nil, err
	}
	return server.SaveTodo200JSONResponse{Data: model.TodoRef{Id: id}}, nil
}
