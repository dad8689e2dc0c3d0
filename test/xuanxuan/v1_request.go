package xuanxuan

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"slices"
)

// A v1Request is one line of a client as the server understands it.
type v1Request struct {
	*request
	sid string // of the session; "" once it is destroyed
	// user is who signed in on the session, as he was then; nil for nobody.
	user *user
}

// parse reads a line. One that is no JSON object, as two lines in one are not, is taken for a request without params, on a
// session of its own, for whatever was asked last, by anybody (recorded: v1_daemon).
func (d *V1) parse(raw []byte) *v1Request {
	v, _ := decode(raw)
	in, _ := v.(object)
	r := &v1Request{request: &request{module: d.last[0], method: d.last[1], lang: "zh-cn"}}
	if module, method := lowerString(in.get("module")), lowerString(in.get("method")); module != "" && method != "" {
		r.module, r.method = module, method
	}
	d.last = [2]string{r.module, r.method}
	r.params = v1Params(in.get("params"))
	if r.sid, _ = in.get("sid").(string); r.sid == "" {
		r.sid = newSID()
	}
	r.user = d.sessions[r.sid]
	return r
}

// v1Params lays params out by position: an object's in the order of its text, whatever their names. Nothing is appended.
func v1Params(params any) []any {
	switch params := params.(type) {
	case []any:
		return params
	case object:
		list := make([]any, len(params))
		for i, m := range params {
			list[i] = m.val
		}
		return list
	}
	return nil
}

func newSID() string {
	var random [16]byte
	_, _ = rand.Read(random[:]) // never fails
	return hex.EncodeToString(random[:])
}

// self is who asks, 0 for nobody.
func (r *v1Request) self() int64 {
	if r.user == nil {
		return 0
	}
	return r.user.id
}

// success begins the answer: unlike 2.x, the server names module and method at its end.
func (r *v1Request) success() *answer { return &answer{object{{"result", "success"}}} }

func (r *v1Request) fail(message string) *answer {
	return &answer{object{{"result", "fail"}, {"message", message}}}
}

// A v1Method carries one call out. It returns errFatal for what PHP dies of, and another error if the database fails.
type v1Method func(d *V1, ctx context.Context, r *v1Request) (*answer, error)

// v1Methods are the calls, by their lower-cased names.
var v1Methods = map[string]v1Method{
	"chat/login":            (*V1).login,
	"chat/logout":           (*V1).logout,
	"chat/ping":             (*V1).ping,
	"chat/usergetlist":      (*V1).userGetList,
	"chat/userchangename":   (*V1).userChangeName,
	"chat/userchangestatus": (*V1).userChangeStatus,
	"chat/getlist":          (*V1).getList,
	"chat/getpubliclist":    (*V1).getPublicList,
	"chat/create":           (*V1).create,
	"chat/members":          (*V1).members,
	"chat/joinchat":         (*V1).joinChat,
	"chat/addmember":        (*V1).addMember,
	"chat/changename":       (*V1).changeName,
	"chat/changepublic":     (*V1).changePublic,
	"chat/setcommitters":    (*V1).setCommitters,
	"chat/setadmin":         (*V1).setAdmin,
	"chat/star":             (*V1).star,
	"chat/hide":             (*V1).hide,
	"chat/message":          (*V1).message,
	"chat/history":          (*V1).history,
	"chat/settings":         (*V1).settings,
	"attach/getlist":        (*V1).attachList,
}

func (d *V1) call(ctx context.Context, r *v1Request) (*answer, error) {
	m, ok := v1Methods[r.name()]
	if !ok || slices.Contains(d.options.Without, r.method) {
		return r.fail("method " + r.method + " not found."), nil
	}
	return m(d, ctx, r)
}

func (d *V1) ping(_ context.Context, r *v1Request) (*answer, error) { return r.success(), nil }
