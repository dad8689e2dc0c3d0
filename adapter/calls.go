package adapter

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/xuangate/xuangate/adapter/legacy"
	"github.com/xuangate/xuangate/gen/model"
)

// A callable is a method that internal systems may call, where the operator of the gateway lists it.
type callable struct {
	method string // as the desktop client spells it
	params int    // exactly: one more or less puts the user into another's place (LEGACY)
	chat   bool   // the first param names a chat; left empty, history would answer everybody's messages
}

// callables are all methods of chat that can be called so, by lower-cased names.
var callables = map[string]callable{
	"chat/usergetlist":   {"userGetlist", 1, false},
	"chat/userchange":    {"userchange", 1, false},
	"chat/getlist":       {"getlist", 0, false},
	"chat/getpubliclist": {"getpubliclist", 0, false},
	"chat/members":       {"members", 1, true},
	"chat/history":       {"history", 6, true},
	"chat/create":        {"create", 6, true},
	"chat/joinchat":      {"joinchat", 2, true},
	"chat/addmember":     {"addmember", 3, true},
	"chat/changename":    {"changename", 2, true},
	"chat/changepublic":  {"changepublic", 2, true},
	"chat/setcommitters": {"setcommitters", 2, true},
	"chat/setadmin":      {"setadmin", 3, true},
	"chat/dismiss":       {"dismiss", 1, true},
	"chat/star":          {"star", 2, true},
	"chat/hide":          {"hide", 2, true},
	"chat/mute":          {"mute", 2, true},
	"chat/category":      {"category", 2, false},
	"chat/extensions":    {"extensions", 0, false},
	"chat/gettodoes":     {"getTodoes", 6, false},
	"chat/ping":          {"ping", 0, false},
}

// uncallable are the methods that cannot be called so, and why.
var uncallable = map[string]string{
	"chat/serverstart":        "it sets everybody offline",
	"chat/login":              "signing in is what /login and /inner/get_token are for",
	"chat/logout":             "it sets a user offline who may be listening",
	"chat/notify":             "it takes everybody's waiting notices away",
	"chat/checkuserchange":    "its answer is told to everybody",
	"chat/getofflinemessages": "it takes a user's waiting messages away",
	"chat/getofflinenotify":   "it takes a user's waiting notices away",
	"chat/message":            "a field too many loses the message; send it through the API",
	"chat/uploadfile":         "it records a file that is elsewhere; upload it through the API",
	"chat/settings":           "it replaces all that a user's clients keep; they are the user's own, by /save_settings",
	"chat/upserttodo":         "it changes anybody's; todos are the user's own, by /save_todo",
	"entry/visit":             "it signs a user in at any address, by /visit_extension at the application's alone",
}

// CheckCall says why internal systems cannot be let make a call, named module/method; nil where they can.
func CheckCall(name string) error {
	name = strings.ToLower(name)
	if _, ok := callables[name]; ok {
		return nil
	}
	if why, ok := uncallable[name]; ok {
		return fmt.Errorf("%s is never called for others: %s", name, why)
	}
	return fmt.Errorf("%q is no call of the chat server, upon which it kicks every client out; write it as chat/getlist", name)
}

// Call makes one of the calls that Config.Calls lists, as the operator or as the user named, and returns the answer's data
// in legacy's form; nil where it is told to others alone. What it changes is told as if it had been an operation.
func (a *Adapter) Call(ctx context.Context, r model.CallRequest) (any, error) {
	const op = "make a call"
	name := strings.ToLower(r.Call)
	if err := CheckCall(name); err != nil {
		return nil, refuse(op, model.NotAllowed, "call: %s", err)
	}
	if !a.calls[name] {
		return nil, refuse(op, model.NotAllowed, "call: inner.calls does not list %s", name)
	}
	method := callables[name]
	if err := checkParams(name, method, r.Params); err != nil {
		return nil, refuse(op, model.InvalidParameter, "params: %s", err)
	}
	as, err := a.actor(ctx, op, "session", r.Session)
	if err != nil {
		return nil, err
	}
	if _, changes := changes[strings.ToLower(method.method)]; changes {
		leave, err := a.lanes.enter(ctx, r.Params[0].(string))
		if err != nil {
			return nil, noAnswer(op, err)
		}
		defer leave()
	}
	ctx = context.WithoutCancel(ctx) // once it is sent it may be done, and then it must be told
	answer, err := a.call(ctx, op, legacy.Chat(as, method.method, r.Params...))
	if err != nil {
		return nil, err
	}
	return verbatim(answer.Data), a.tellCall(ctx, op, as, r.Params, answer)
}

// checkParams says what is wrong with the params of a call, as a sentence about them.
func checkParams(name string, method callable, params []any) error {
	if len(params) != method.params {
		return fmt.Errorf("%s takes exactly %d, not %d", name, method.params, len(params))
	}
	if err := legacy.Sendable(params); err != nil {
		return err
	}
	if method.chat {
		if gid, _ := params[0].(string); strings.TrimSpace(gid) == "" {
			return fmt.Errorf("the first one of %s names a chat", name)
		}
	}
	if name == "chat/userchange" {
		fields, ok := params[0].(map[string]any)
		for field := range fields {
			ok = ok && slices.Contains(profileFields, field)
		}
		if !ok || len(fields) == 0 {
			return fmt.Errorf("%s takes an object of %s", name, strings.Join(profileFields, ", "))
		}
	}
	return nil
}

// tellCall tells what a call has changed.
func (a *Adapter) tellCall(ctx context.Context, op string, as legacy.UserID, params []any, r legacy.Response) error {
	method := strings.ToLower(r.Method)
	what, ok := changes[method]
	switch {
	case ok && r.Unsure: // xxd tells the members, and whoever is none nothing
		return a.tellMembers(ctx, op, as, legacy.ChatGID(params[0].(string)), what)
	case ok:
		var row legacy.ChatRow
		if err := spoken(op, r, &row); err != nil || row.GID == "" {
			return err
		}
		return a.tell(ctx, as, row, what, removed(as, method, params, row)...)
	case method == "userchange" && !r.Unsure:
		return a.presence(ctx, op, r)
	}
	return nil
}

// tellMembers tells a change to a chat whose answer did not come, so that who is no longer a member hears of it and is none
// here from now on. What cannot be asked for is told by the members' own links.
func (a *Adapter) tellMembers(ctx context.Context, op string, as legacy.UserID, gid legacy.ChatGID, what model.ConversationEventChanged) error {
	row, known := a.chats.get(gid)
	members, err := a.members(ctx, op, as, gid)
	if err != nil {
		return err
	}
	for _, u := range members {
		if !a.links.linked(ctx, u) {
			continue
		}
		rows, err := a.listNow(ctx, op, u)
		if now, ok := among(rows, u, gid); err == nil && ok {
			return a.tell(ctx, u, now, what)
		}
	}
	if !known {
		return nil
	}
	row.Members = members
	return a.tell(ctx, as, row, what)
}

// removed are those whom a call has taken out of a chat, whom legacy does not tell.
func removed(as legacy.UserID, method string, params []any, row legacy.ChatRow) []legacy.UserID {
	var named legacy.Users
	switch method {
	case "joinchat":
		named = legacy.Users{as}
	case "addmember":
		b, err := json.Marshal(params[1])
		if err != nil || json.Unmarshal(b, &named) != nil {
			return nil
		}
	}
	return slices.DeleteFunc(named, row.Has)
}
