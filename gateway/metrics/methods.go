package metrics

import "github.com/xuangate/xuangate/adapter/legacy"

// methods are the calls that have a label of their own: those of adapter/METHODS.md. Without a list whoever may use /inner/call
// makes a time series with each word.
var methods = map[named]string{}

type named struct{ module, method string }

func init() {
	for module, names := range map[string][]string{
		"chat": {
			"addmember", "category", "changeName", "changePublic", "checkUserChange", "create", "dismiss", "extensions", "getChatGroups",
			"getChatUsers", "getOfflineMessages", "getOfflineNotify", "getTodoes", "getlist", "getpubliclist", "hide", "history", "joinchat", "login",
			"logout", "members", "message", "mute", "notify", "notifyMSG", "ping", "serverStart", "setAdmin", "setCommitters", "settings",
			"star", "uploadFile", "upsertTodo", "userGetlist", "userchange",
		},
		"entry": {"visit"},
	} {
		for _, name := range names {
			methods[named{module, name}] = module + "/" + name
		}
	}
}

// Method is the label of a call: module/method, or other.
func Method(c legacy.Call) string {
	if label, ok := methods[named{c.Module, c.Method}]; ok {
		return label
	}
	return "other"
}
