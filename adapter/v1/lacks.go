package v1

import "github.com/xuangate/xuangate/gen/model"

// What 1.0 has not, as errors call it.
const (
	noDismissing = "dismissing of conversations"
	noMuting     = "muting"
	noCategories = "categories"
	noExtensions = "extensions"
	noTodos      = "todos"
	noNotices    = "notices"
	noFiles      = "files over its chat connection"
)

// Lacks are what a 1.0 server does not have of what can be done elsewhere.
var Lacks = map[model.Capability]error{
	model.CapabilityDismiss:        unsupported(noDismissing),
	model.CapabilityMute:           unsupported(noMuting),
	model.CapabilityCategory:       unsupported(noCategories),
	model.CapabilityProfile:        unsupported("profile but a user's name"),
	model.CapabilityExtensions:     unsupported(noExtensions),
	model.CapabilityTodos:          unsupported(noTodos),
	model.CapabilityApplicationAPI: unsupported(noNotices),
	model.CapabilityFiles:          unsupported(noFiles),
}

// missing is what to call that which 1.0 has not, by the calls that need it.
var missing = map[string]string{
	"chat/mute": noMuting, "chat/category": noCategories, "chat/dismiss": noDismissing,
	"chat/notify": noNotices, "chat/getofflinenotify": noNotices, "chat/extensions": noExtensions, "entry/visit": noExtensions,
	"chat/gettodoes": noTodos, "chat/upserttodo": noTodos, "chat/uploadfile": noFiles,
	"chat/checkuserchange": "news of changed users",
}
