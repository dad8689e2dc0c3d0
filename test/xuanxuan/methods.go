package xuanxuan

import "context"

// A method carries one call out. It returns errFatal for what PHP dies of, and another error if the database fails.
type method func(b *Backend, ctx context.Context, r *request) (*answer, error)

// methods are the calls that are allowed, by their lower-cased names.
var methods = map[string]method{
	"chat/serverstart":        (*Backend).serverStart,
	"chat/login":              (*Backend).login,
	"chat/logout":             (*Backend).logout,
	"chat/ping":               (*Backend).ping,
	"chat/usergetlist":        (*Backend).userGetList,
	"chat/userchange":         (*Backend).userChange,
	"chat/checkuserchange":    (*Backend).checkUserChange,
	"chat/getlist":            (*Backend).getList,
	"chat/getpubliclist":      (*Backend).getPublicList,
	"chat/create":             (*Backend).create,
	"chat/changename":         (*Backend).changeName,
	"chat/changepublic":       (*Backend).changePublic,
	"chat/setcommitters":      (*Backend).setCommitters,
	"chat/setadmin":           (*Backend).setAdmin,
	"chat/dismiss":            (*Backend).dismiss,
	"chat/members":            (*Backend).members,
	"chat/joinchat":           (*Backend).joinChat,
	"chat/addmember":          (*Backend).addMember,
	"chat/star":               (*Backend).star,
	"chat/hide":               (*Backend).hide,
	"chat/mute":               (*Backend).mute,
	"chat/category":           (*Backend).category,
	"chat/message":            (*Backend).message,
	"chat/history":            (*Backend).history,
	"chat/getofflinemessages": (*Backend).getOfflineMessages,
	"chat/getofflinenotify":   (*Backend).getOfflineNotify,
	"chat/notify":             (*Backend).notify,
	"chat/settings":           (*Backend).settings,
	"chat/uploadfile":         (*Backend).uploadFile,
	"chat/extensions":         (*Backend).extensions,
	"chat/gettodoes":          (*Backend).getTodoes,
	"chat/upserttodo":         (*Backend).upsertTodo,
	"entry/visit":             (*Backend).visit,
}

// call finds the method. Anything unknown, an unreadable request included, is answered by the frame that makes every
// client of the site hang up (recorded: 13_errors).
func (b *Backend) call(ctx context.Context, r *request) (*answer, error) {
	m, ok := methods[r.name()]
	if !ok {
		a := &answer{object{{"module", "chat"}, {"method", "kickoff"}}}
		return a.set("data", "Illegal Requset."), nil
	}
	return m(b, ctx, r)
}

// name is module and method as the table has them.
func (r *request) name() string { return r.module + "/" + r.method }

func (b *Backend) ping(_ context.Context, r *request) (*answer, error) {
	return r.success().set("users", []any{r.param(0, int64(0))}), nil
}
