package test

import (
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/xuangate/xuangate/gen/server"
)

// methods are what the chat servers can be asked, as the specifications spell it: by seed, and what was measured beside.
var methods = map[string][]string{
	"000": {
		"chat/serverStart", "chat/login", "chat/logout", "chat/kickoff", "chat/userGetlist", "chat/getList", "chat/getOfflineMessages", "chat/userChange",
		"chat/create", "chat/joinchat", "chat/changeName", "chat/star", "chat/addmember", "chat/message", "chat/history", "chat/members", "chat/hide",
		"chat/changePublic", "chat/getPublicList", "chat/setAdmin", "chat/setCommitters", "chat/settings", "chat/category", "chat/dismiss", "chat/notify",
		"chat/getOfflineNotify", "chat/checkUserChange", "chat/uploadFile", "chat/extensions", "entry/visit",
	},
	"001": {
		"chat/login", "chat/logout", "chat/userGetList", "chat/getList", "chat/userChangeName", "chat/userChangeStatus", "chat/create", "chat/joinchat",
		"chat/changename", "chat/star", "chat/addmember", "chat/message", "chat/history", "chat/members", "chat/hide", "chat/changepublic",
		"chat/getPublicList", "attach/getList", "attach/upload", "attach/download", "chat/setAdmin", "chat/setCommitters", "chat/settings",
	},
	"002":      {"getChatGroups", "getChatUsers", "notifyMSG"},
	"004":      {"sysGetServerInfo"},
	"measured": {"chat/mute", "chat/ping", "chat/getTodoes", "chat/upsertTodo", "serverInfo"},
}

// A table is the rows of a Markdown table by their first cell, in which stands one name in backquotes.
type table map[string][]string

var quoted = regexp.MustCompile("`([^`]+)`")

// readTables reads the tables of a page; those whose first columns have the same name are one.
func readTables(t *testing.T, page string) map[string]table {
	text, err := os.ReadFile(page)
	require.NoError(t, err)
	tables, current := map[string]table{}, table(nil)
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if !strings.HasPrefix(line, "|") {
			current = nil
			continue
		}
		cells := strings.Split(strings.Trim(line, "|"), "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		switch name := quoted.FindStringSubmatch(cells[0]); {
		case current == nil:
			if current = tables[cells[0]]; current == nil {
				current = table{}
				tables[cells[0]] = current
			}
		case name == nil: // the line below the heads
		default:
			require.NotContains(t, current, name[1], "%s stands twice", name[1])
			require.NotEmpty(t, cells[1], name[1])
			current[name[1]] = cells[1:]
		}
	}
	return tables
}

func TestEveryMethodHasAnOperationOrAReason(t *testing.T) {
	tables := readTables(t, "../adapter/METHODS.md")
	operations, reasons := tables["operation"], tables["method"]
	spec, err := server.GetSpec()
	require.NoError(t, err)
	require.ElementsMatch(t, slices.Collect(maps.Keys(spec.Paths.Map())), slices.Collect(maps.Keys(operations)), "METHODS.md lists the operations of openapi.yaml")

	asked := map[string]bool{}
	for _, cells := range operations {
		for _, name := range quoted.FindAllStringSubmatch(cells[0], -1) {
			asked[strings.ToLower(name[1])] = true
		}
	}
	known := map[string]bool{}
	for seed, list := range methods {
		for _, name := range list {
			name = strings.ToLower(name)
			known[name] = true
			_, reason := reasons[spelled(reasons, name)]
			require.True(t, asked[name] || reason, "%s of %s has neither an operation nor a reason in METHODS.md", name, seed)
			require.False(t, asked[name] && reason, "%s of %s has an operation, and a reason to have none", name, seed)
		}
	}
	for name := range asked {
		if strings.Contains(name, "/") {
			require.True(t, known[name], "METHODS.md asks %s, which no specification knows", name)
		}
	}
	for name := range reasons {
		require.True(t, known[strings.ToLower(name)], "METHODS.md gives a reason for %s, which no specification knows", name)
	}
}

// spelled is a name as the table spells it: the specifications differ in capitals.
func spelled(rows table, name string) string {
	for row := range rows {
		if strings.EqualFold(row, name) {
			return row
		}
	}
	return name
}
