package contract

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/xuangate/xuangate/gen/model"
	"github.com/xuangate/xuangate/test/xuanxuan"
)

func TestApplications(t *testing.T) {
	inEachModeWith(t, "extensions", func(t *testing.T, w *world) {
		alice := w.signIn("alice")
		list := get[model.Extensions](alice, "/get_extensions", object{}).Extensions
		require.Len(t, list, 2)
		require.Equal(t, "演示", list[0].DisplayName)
		require.Len(t, list[0].Entries, 2)
		require.Empty(t, list[1].Entries)

		visit := func(body object) string { return get[model.Visit](alice, "/visit_extension", body).Url }
		require.Regexp(t, `^https://apps\.example\.com/x\?rid=\w+$`, visit(object{"entry_id": 1}))
		require.Regexp(t, `^https://apps\.example\.com/y\?a=1&rid=\w+$`, visit(object{"entry_id": 1, "referer": "https://apps.example.com/y?a=1"}))
		require.Contains(t, visit(object{"entry_id": 2}), "/crm/index.php?rid=")
		alice.fails(model.InvalidParameter, "/visit_extension", object{"entry_id": 1, "referer": "https://elsewhere.example.com/"})
		alice.fails(model.NotFound, "/visit_extension", object{"entry_id": 99})
		alice.fails(model.NotFound, "/visit_extension", object{"entry_id": 99, "referer": "https://apps.example.com/y"})
		alice.fails(model.InvalidParameter, "/visit_extension", object{})
	}, func(s *site) {
		s.legacy.Extensions = []xuanxuan.Extension{
			{ID: 1, Code: "demoext", Name: "演示", Abbr: "DE", Login: "https://apps.example.com/x", SSO: true},
			{ID: 2, Code: "crm", Name: "CRM", Login: "../crm/index.php"},
		}
	})
}

func TestTodos(t *testing.T) {
	inEachModeWith(t, "todos", func(t *testing.T, w *world) {
		alice, bob := w.signIn("alice"), w.signIn("bob")
		save := func(body object) int64 { return get[model.TodoRef](alice, "/save_todo", body).Id }
		names := func(u *user, body object) []string {
			list := []string{}
			for _, todo := range get[model.Todos](u, "/get_todos", body).Todos {
				list = append(list, todo.Name)
			}
			return list
		}
		later := save(object{"name": "周报", "date": "2026-12-01", "begin": "0930", "pri": 2})
		sooner := save(object{"name": "sooner", "date": "2026-11-01"})
		require.NotEqual(t, later, sooner)
		require.Equal(t, []string{"sooner", "周报"}, names(alice, object{}))
		require.Equal(t, []string{"周报", "sooner"}, names(alice, object{"order": "date_desc"}))
		require.Empty(t, names(bob, object{}), "todos are each user's own")

		page := get[model.Todos](alice, "/get_todos", object{"limit": 1})
		require.True(t, page.HasMore)
		require.Equal(t, []string{"周报"}, names(alice, object{"limit": 1, "page": 2}))
		require.Empty(t, names(alice, object{"limit": 1, "page": 3}))

		require.Equal(t, later, save(object{"id": later, "begin": "", "pri": 0, "desc": "第一条"}))
		changed := get[model.Todos](alice, "/get_todos", object{"order": "date_desc"}).Todos[0]
		require.Equal(t, model.Todo{Id: later, Date: "2026-12-01", Type: "custom", Pri: "0", Name: "周报", Desc: "第一条", Status: "wait"}, changed)
		save(object{"id": sooner, "status": "closed"})
		require.Equal(t, []string{"周报"}, names(alice, object{}))
		require.Equal(t, []string{"sooner"}, names(alice, object{"status": "closed"}))

		// Legacy would let bob change it, for it looks at nobody.
		bob.fails(model.NotFound, "/save_todo", object{"id": later, "name": "bob's now"})
		bob.fails(model.NotFound, "/save_todo", object{"id": later, "delete": true})
		require.Equal(t, []string{"周报"}, names(alice, object{}))

		alice.fails(model.Conflict, "/save_todo", object{"name": "😀", "date": "2026-12-01"})
		for _, bad := range []object{
			{},
			{"name": "no date"},
			{"date": "2026-12-01"},
			{"id": later},
			{"delete": true},
			{"id": later, "delete": true, "name": "x"},
			{"id": later, "account": "bob"},
			{"name": "x", "date": "tomorrow"},
			{"id": later, "status": "x"},
			{"id": later, "begin": "2460"},
		} {
			alice.fails(model.InvalidParameter, "/save_todo", bad)
		}
		alice.fails(model.InvalidParameter, "/get_todos", object{"order": "name"})
		require.Equal(t, later, save(object{"id": later, "delete": true}))
		require.Empty(t, names(alice, object{}))
	})
}

func TestServerInfo(t *testing.T) {
	for _, mode := range modes {
		for _, sysInfo := range []bool{false, true} {
			if sysInfo && mode != "xxd" {
				continue
			}
			w := start(t, mode, func(s *site) { s.xxd.SysInfo = sysInfo })
			info := get[model.ServerInfo](w.signIn("alice"), "/get_server_info", object{})
			require.Equal(t, model.ServerInfoMode(mode), info.Mode)
			require.Equal(t, 65535, info.MaxContent)
			require.Nil(t, info.ApiScheme)
			require.Equal(t, int64(32<<20), info.UploadFileSize)
			require.Contains(t, info.Capabilities, model.CapabilityFiles)
			if mode == "xxb" || mode == "inline" {
				require.Equal(t, "2.2.0", info.Version)
				require.Zero(t, info.MaxFrame)
				require.Contains(t, info.Capabilities, model.CapabilityActForAnyUser)
				if mode == "inline" {
					require.Contains(t, info.Capabilities, model.CapabilityBesideDesktopClients)
				}
				continue
			}
			require.Contains(t, info.Capabilities, model.CapabilityBesideDesktopClients)
			if mode == "v1" {
				require.Equal(t, "1.0", info.Version)
				require.Zero(t, info.MaxFrame)
				require.ElementsMatch(t, []model.Capability{model.CapabilityBesideDesktopClients, model.CapabilityFiles}, info.Capabilities)
				continue
			}
			require.Equal(t, 20479, info.MaxFrame)
			whole := get[model.ServerInfo](w.signIn("bob"), "/get_server_info", object{"api_scheme": true})
			if sysInfo {
				require.Equal(t, "v2.4.0", whole.Version)
				require.Equal(t, true, whole.ApiScheme)
				require.Equal(t, map[string]any{}, whole.ClientUpdate)
				require.Equal(t, map[string]any{}, whole.Push)
			} else {
				require.Equal(t, "v2.2.0", whole.Version)
				require.Nil(t, whole.ApiScheme)
			}
		}
	}
}
