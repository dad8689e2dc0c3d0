package adapter

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/xuangate/xuangate/gen/model"
)

const extensionsJSON = `[{"entryID":1,"name":"demoext","displayName":"Demo Ext","abbrName":"DE","webViewUrl":"https://crm.example.com/x","download":"","md5":"","logo":"","data":[{"id":"1","url":"https://crm.example.com/x"}]}]`

func TestGoldenApplications(t *testing.T) {
	todos := frame("gettodoes", `[{"id":"7","account":"alice","date":"2026-12-01","begin":"0930","end":"","type":"custom","pri":"1","name":"later","desc":"","status":"wait"}]`)
	pri, empty := 0, ""
	for name, c := range map[string]struct {
		answers map[string]string
		do      func(context.Context, *Adapter) (any, error)
	}{
		"get_extensions": {
			map[string]string{"extensions": frame("extensions", extensionsJSON)},
			func(ctx context.Context, a *Adapter) (any, error) { return a.Extensions(ctx, 4) },
		},
		"visit_extension": {
			map[string]string{
				"extensions": frame("extensions", extensionsJSON),
				"visit":      `{"module":"entry","method":"visit","result":"success","users":[4],"data":"https://crm.example.com/y?rid=1","lang":"zh-cn","v":"2.2.0"}`,
			},
			func(ctx context.Context, a *Adapter) (any, error) {
				return a.VisitExtension(ctx, 4, 1, "https://crm.example.com/y")
			},
		},
		"get_todos": {
			map[string]string{"getTodoes": todos},
			func(ctx context.Context, a *Adapter) (any, error) {
				return a.Todos(ctx, 4, model.TodosRequest{Limit: 1})
			},
		},
		"save_todo_new": {
			map[string]string{"upsertTodo": frame("upserttodo", `{"name":"周报","date":"2026-12-01","id":"8"}`)},
			func(ctx context.Context, a *Adapter) (any, error) {
				return a.SaveTodo(ctx, 4, model.SaveTodoRequest{Name: "周报", Date: "2026-12-01"})
			},
		},
		"save_todo_change": {
			map[string]string{"getTodoes": todos, "upsertTodo": frame("upserttodo", `{"id":7}`)},
			func(ctx context.Context, a *Adapter) (any, error) {
				return a.SaveTodo(ctx, 4, model.SaveTodoRequest{Id: 7, Pri: &pri, End: &empty, Status: model.TodoDone})
			},
		},
		"save_todo_delete": {
			map[string]string{"getTodoes": todos, "upsertTodo": frame("upserttodo", `{"id":"7"}`)},
			func(ctx context.Context, a *Adapter) (any, error) {
				return a.SaveTodo(ctx, 4, model.SaveTodoRequest{Id: 7, Delete: true})
			},
		},
		"get_server_info": {
			map[string]string{"ping": `{"module":"chat","method":"ping","result":"success","users":[4],"lang":"zh-cn","v":"2.2.0"}`},
			func(ctx context.Context, a *Adapter) (any, error) { return a.ServerInfo(ctx, 4, true) },
		},
	} {
		t.Run(name, func(t *testing.T) { pin(t, name, c.answers, c.do) })
	}
}

func TestASessionGoesToNoOtherSite(t *testing.T) {
	for _, referer := range []string{
		"https://evil.example.com/", "http://crm.example.com/y", "https://crm.example.com@evil.example.com/", "https://crm.example.com.evil.example.com/",
		"//crm.example.com/y", "/y", "javascript:alert(1)", `https://crm.example.com\@evil.example.com/`, "https://user@crm.example.com/", "https://crm.example.com:8443/",
	} {
		a, s := newScripted(t)
		s.answers["extensions"] = says(t, frame("extensions", extensionsJSON))
		_, err := a.VisitExtension(t.Context(), 4, 1, referer)
		require.Equal(t, model.InvalidParameter, code(err), referer)
	}
}
