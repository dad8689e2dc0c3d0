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
	noComingBack = "way back into a conversation for whoever has left it"
	noSystemEdit = "editing of the system conversation"
	noFiles      = "files over its chat connection; set legacy.v1.files_url to the site that keeps them"
)

// errNoSite is said to who wants a file where nobody told us of the site.
var errNoSite = unsupported(noFiles)

// Lacks are what the server does not have of what can be done elsewhere.
func (s *Server) Lacks() map[model.Capability]error {
	lacks := map[model.Capability]error{
		model.CapabilityDismiss:        unsupported(noDismissing),
		model.CapabilityMute:           unsupported(noMuting),
		model.CapabilityCategory:       unsupported(noCategories),
		model.CapabilityEditSystem:     unsupported(noSystemEdit),
		model.CapabilityProfile:        unsupported("profile but a user's name"),
		model.CapabilityNotices:        unsupported(noNotices),
		model.CapabilityExtensions:     unsupported(noExtensions),
		model.CapabilityTodos:          unsupported(noTodos),
		model.CapabilityApplicationAPI: unsupported(noNotices),
	}
	if s.site == nil {
		lacks[model.CapabilityFiles] = errNoSite
	}
	return lacks
}

// missing is what to call that which 1.0 has not, by the calls that need it.
var missing = map[string]string{
	"chat/mute": noMuting, "chat/category": noCategories, "chat/dismiss": noDismissing,
	"chat/notify": noNotices, "chat/getofflinenotify": noNotices, "chat/extensions": noExtensions, "entry/visit": noExtensions,
	"chat/gettodoes": noTodos, "chat/upserttodo": noTodos, "chat/uploadfile": noFiles,
	"chat/checkuserchange": "news of changed users",
}
