package v1

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/xuangate/xuangate/adapter/legacy"
)

// A rewrite carries out a call of 2.x by calls of 1.0, and answers as 2.x does.
type rewrite func(c *Conn, ctx context.Context, p params) (legacy.Response, error)

// calls are those of seed 000 that 1.0 can do.
var calls = map[string]rewrite{
	"chat/ping":               same("ping", 0),
	"chat/usergetlist":        users,
	"chat/getlist":            same("getList", 0),
	"chat/getpubliclist":      same("getPublicList", 0),
	"chat/members":            members,
	"chat/create":             same("create", 6),
	"chat/joinchat":           joinChat,
	"chat/addmember":          addMember,
	"chat/changename":         edit("changeName"),
	"chat/changepublic":       edit("changePublic"),
	"chat/setcommitters":      edit("setCommitters"),
	"chat/setadmin":           edit("setAdmin"),
	"chat/star":               same("star", 2),
	"chat/hide":               same("hide", 2),
	"chat/message":            message,
	"chat/history":            history,
	"chat/settings":           settings,
	"chat/userchange":         userChange,
	"chat/getofflinemessages": nothing, // they came with the sign-in
}

// Call asks the server one thing in the name of the connection's user, whatever call.User says. Calls may overlap; they go
// out one after the other. What 1.0 cannot do is a legacy.UnsupportedError, and nothing is sent.
func (c *Conn) Call(ctx context.Context, call legacy.Call) (legacy.Response, error) {
	name := strings.ToLower(call.String())
	do, ok := calls[name]
	if !ok {
		what, known := missing[name]
		if !known {
			what = "call " + call.String()
		}
		return legacy.Response{}, unsupported(what)
	}
	list, _ := call.Params.([]any)
	r, err := do(c, ctx, list)
	if err != nil {
		return r, fmt.Errorf("%s: %w", call, err)
	}
	r.Module, r.Method = call.Module, strings.ToLower(call.Method)
	return r, nil
}

// params are those of a call of 2.x.
type params []any

// at is the param at a place, nil where there is none.
func (p params) at(i int) any {
	if i < len(p) {
		return p[i]
	}
	return nil
}

// text is a param that names something.
func (p params) text(i int) string {
	if p.at(i) == nil {
		return ""
	}
	return fmt.Sprint(p[i])
}

// number is a param that counts something.
func (p params) number(i int) (n int64) {
	b, err := json.Marshal(p.at(i))
	if err == nil {
		_ = json.Unmarshal(b, (*legacy.Int)(&n)) // what is no number counts nothing
	}
	return n
}

// users are the ids in a param.
func (p params) users(i int) (list legacy.Users) {
	b, err := json.Marshal(p.at(i))
	if err == nil {
		_ = json.Unmarshal(b, &list) // what is no list has none
	}
	return list
}

// same is a call that 1.0 knows and answers as 2.x does; it takes the first n params.
func same(method string, n int) rewrite {
	return func(c *Conn, ctx context.Context, p params) (legacy.Response, error) {
		return c.ask(ctx, method, p[:min(n, len(p))]...)
	}
}

func nothing(*Conn, context.Context, params) (legacy.Response, error) {
	return legacy.Response{Result: legacy.Success}, nil
}

// users lists all users, or those of a list of ids, which 1.0 cannot be asked for.
func users(c *Conn, ctx context.Context, p params) (legacy.Response, error) {
	r, err := c.ask(ctx, "userGetlist")
	wanted := p.users(0)
	for _, id := range strings.Split(p.text(0), ",") {
		if n := (params{id}).number(0); n > 0 {
			wanted = append(wanted, legacy.UserID(n))
		}
	}
	if err != nil || r.Result != legacy.Success || len(wanted) == 0 {
		return r, err
	}
	r.Data, err = pick(r, func(u legacy.UserRow) bool { return slices.Contains(wanted, legacy.UserID(u.ID)) })
	return r, err
}

// pick keeps those rows of an answer that match, as the server wrote them.
func pick[T any](r legacy.Response, match func(T) bool) (json.RawMessage, error) {
	var rows []json.RawMessage
	if err := r.Decode(&rows); err != nil {
		return nil, err
	}
	kept := []json.RawMessage{}
	for _, raw := range rows {
		var one T
		if err := json.Unmarshal(raw, &one); err != nil {
			return nil, fmt.Errorf("decode a row: %w", err)
		}
		if match(one) {
			kept = append(kept, raw)
		}
	}
	return json.Marshal(kept)
}

// members are answered as one object; seed 001 has a list of one.
func members(c *Conn, ctx context.Context, p params) (legacy.Response, error) {
	r, err := c.ask(ctx, "members", p.text(0))
	var list legacy.List[json.RawMessage]
	if err == nil && r.Decode(&list) == nil && len(list) > 0 {
		r.Data = list[0]
	}
	return r, err
}

// joinChat finds the chat inside the answer.
func joinChat(c *Conn, ctx context.Context, p params) (legacy.Response, error) {
	r, err := c.ask(ctx, "joinchat", p.text(0), p.at(1))
	if err != nil || r.Result != legacy.Success {
		return r, err
	}
	var said struct {
		Chat json.RawMessage `json:"chat"`
	}
	if err := r.Decode(&said); err != nil {
		return r, err
	}
	if r.Data = said.Chat; r.Data == nil { // as in seed 001
		return c.now(ctx, r, p.text(0))
	}
	if p.at(1) != any(false) {
		return mustHave(r, legacy.Users{c.user})
	}
	return r, nil
}

func addMember(c *Conn, ctx context.Context, p params) (legacy.Response, error) {
	r, err := c.ask(ctx, "addmember", p.text(0), p.at(1), p.at(2))
	if err != nil || r.Result != legacy.Success || p.at(2) == any(false) {
		return r, err
	}
	return mustHave(r, p.users(1))
}

// mustHave looks whether a success has made members of all the users: some 1.0 servers let nobody back into a chat who has
// left it, and say success all the same. Nothing of the protocol tells them from the others. Where it has not, it is a
// legacy.UnsupportedError, although the others are members now.
func mustHave(r legacy.Response, users legacy.Users) (legacy.Response, error) {
	var chat legacy.ChatRow
	if err := r.Decode(&chat); err != nil {
		return r, err
	}
	if slices.ContainsFunc(users, func(u legacy.UserID) bool { return !chat.Has(u) }) {
		return legacy.Response{}, unsupported(noComingBack)
	}
	return r, nil
}

// edit is a call that changes a chat, of which 1.0 answers no more than the change. All of it is asked for.
func edit(method string) rewrite {
	return func(c *Conn, ctx context.Context, p params) (legacy.Response, error) {
		r, err := c.ask(ctx, method, p...)
		if err != nil || r.Result != legacy.Success {
			return r, err
		}
		return c.now(ctx, r, p.text(0))
	}
}

// now completes the answer to a change with the chat as it is now. Where the user cannot see it the answer is Unsure: the
// change was made, and how the chat is must be asked otherwise.
func (c *Conn) now(ctx context.Context, r legacy.Response, gid string) (legacy.Response, error) {
	for _, list := range []string{"getList", "getPublicList"} {
		all, err := c.ask(ctx, list)
		if err != nil {
			break
		}
		found, err := pick(all, func(chat legacy.ChatRow) bool { return string(chat.GID) == gid })
		var rows []json.RawMessage
		if err == nil && json.Unmarshal(found, &rows) == nil && len(rows) > 0 {
			r.Data = rows[0]
			return r, nil
		}
	}
	r.Data, r.Unsure = nil, true
	return r, nil
}

// settings keeps a client's settings, which 1.0 wants as a text.
func settings(c *Conn, ctx context.Context, p params) (legacy.Response, error) {
	if put := p.at(1); put != nil && put != any("") {
		text, err := json.Marshal(put)
		if err != nil {
			return legacy.Response{}, err
		}
		r, err := c.ask(ctx, "settings", p.text(0), ascii(text))
		if r.Result == legacy.Success {
			r.Data = text // 2.x echoes it
		}
		return r, err
	}
	r, err := c.ask(ctx, "settings", p.text(0), "")
	var text legacy.Text
	if err == nil && r.Decode(&text) == nil && json.Valid([]byte(text)) {
		r.Data = json.RawMessage(text)
	}
	return r, err
}

// ascii is a JSON text in ASCII alone: 1.0 keeps it as it is, and its table has no room for what is above U+FFFF.
func ascii(text []byte) string {
	var b strings.Builder
	for _, r := range string(text) {
		if r < utf8.RuneSelf {
			b.WriteRune(r)
			continue
		}
		for _, unit := range utf16.AppendRune(nil, r) {
			fmt.Fprintf(&b, `\u%04x`, unit)
		}
	}
	return b.String()
}

// userChange changes the user's own status or name, and answers him as he is then. What is so already is not asked for.
func userChange(c *Conn, ctx context.Context, p params) (legacy.Response, error) {
	text, err := json.Marshal(p.at(0))
	if err != nil {
		return legacy.Response{}, err
	}
	var change map[string]legacy.Text
	if err := json.Unmarshal(text, &change); err != nil {
		return legacy.Response{}, fmt.Errorf("a change that is no object: %w", err)
	}
	if refused, err := c.unlike(ctx, change); err != nil || refused.Result != legacy.Success {
		return refused, err
	}
	r := legacy.Response{Result: legacy.Success}
	for field, method := range map[string]string{"status": "userChangeStatus", "realname": "userChangeName"} {
		if change[field] == "" {
			continue
		}
		if r, err = c.ask(ctx, method, change[field]); err != nil || r.Result != legacy.Success {
			return r, err
		}
	}
	me, said, err := c.self(ctx)
	if err != nil || said.Result != legacy.Success {
		return said, err
	}
	r.Data, err = json.Marshal(me)
	return r, err
}

// unlike says whether a change is of fields that 1.0 cannot change, by an error; what is so already is no change.
func (c *Conn) unlike(ctx context.Context, change map[string]legacy.Text) (legacy.Response, error) {
	var me row
	for field, value := range change {
		if field == "status" || field == "realname" || value == "" {
			continue
		}
		if me == nil {
			own, said, err := c.self(ctx)
			if err != nil || said.Result != legacy.Success {
				return said, err
			}
			me = own
		}
		if me.text(field) != string(value) {
			return legacy.Response{}, unsupported("changing of a user's " + field)
		}
	}
	return legacy.Response{Result: legacy.Success}, nil
}

// self is the user's own row, or what was said instead.
func (c *Conn) self(ctx context.Context) (row, legacy.Response, error) {
	all, err := c.ask(ctx, "userGetlist")
	if err != nil || all.Result != legacy.Success {
		return nil, all, err
	}
	found, err := pick(all, func(u legacy.UserRow) bool { return legacy.UserID(u.ID) == c.user })
	if err != nil {
		return nil, all, err
	}
	var rows []row
	if err := json.Unmarshal(found, &rows); err != nil || len(rows) == 0 {
		return nil, all, fmt.Errorf("the list of users is without the one who asks (%w)", err)
	}
	return rows[0], all, nil
}
