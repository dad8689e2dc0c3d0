package xuanxuan

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
)

// fields is a JSON object as xxd reads it: numbers become floats, and it writes the names in alphabetical order.
type fields map[string]any

// text returns a name's text, or otherwise where there is none. Anything else than text is what the real one panics
// over.
func (f fields) text(name, otherwise string) (string, error) {
	v, ok := f[name]
	if !ok {
		return otherwise, nil
	}
	s, ok := v.(string)
	if !ok {
		return "", fmt.Errorf("%w: %s is no text", errHangUp, name)
	}
	return s, nil
}

func toFields(plain []byte) (fields, error) {
	var f fields
	if err := json.Unmarshal(plain, &f); err != nil {
		return nil, err
	}
	if f == nil {
		return nil, fmt.Errorf("no JSON object")
	}
	return f, nil
}

// frame writes an answer as Go does: names sorted at every level, raw UTF-8, <, > and & escaped.
func (x *XXD) frame(f fields) (frame, error) {
	plain, err := json.Marshal(f)
	if err != nil {
		return frame{}, err
	}
	method, _ := f["method"].(string)
	return x.seal(strings.ToLower(method), plain), nil
}

func (x *XXD) seal(method string, plain []byte) frame {
	return frame{method: method, plain: plain, sealed: x.key.Seal(plain)}
}

// handle carries out one frame of a client. An error ends the connection.
func (x *XXD) handle(ctx context.Context, c *client, sealed []byte) error {
	plain, err := x.key.Open(sealed)
	if err != nil {
		return fmt.Errorf("%w: %w", errHangUp, err)
	}
	in, err := toFields(plain)
	if err != nil {
		return fmt.Errorf("%w: %w", errHangUp, err)
	}
	in["client"] = c.conn.RemoteAddr()
	module, err := in.text("module", "")
	if err != nil {
		return err
	}
	method, err := in.text("method", "")
	if err != nil {
		return err
	}
	if handle, err := x.faults.meet(ctx, c, method, x.key); err != nil || !handle {
		return err
	}
	switch module + "." + method { // in these spellings only; the backend is not so strict
	case "chat.login":
		return x.login(ctx, c, in)
	case "chat.logout":
		return errHangUp // whoever it is for, and without an answer
	default:
		return x.relay(ctx, c, in)
	}
}

// timeOut is what a caller hears when the backend gave no answer.
const timeOut = `{"module":"chat","method":"error","code":0,"message":"time out"}`

// relay asks the backend what a client asks, and tells those whom the backend names: not the caller as such. A call
// under another user's id is not made. One on a connection that nobody has signed in on is made, as that of user 0,
// but nobody hears of it.
func (x *XXD) relay(ctx context.Context, c *client, in fields) error {
	caller, ok := in["userID"].(float64)
	if _, given := in["userID"]; given && !ok {
		return fmt.Errorf("%w: userID is no number", errHangUp)
	}
	if !ok || int64(caller) != c.user.Load() {
		return nil
	}
	request, err := json.Marshal(in)
	if err != nil {
		return err
	}
	answer, err := x.backend.call(ctx, request)
	if err == nil {
		var out fields
		if out, err = toFields(answer); err == nil {
			return x.tell(c, out)
		}
	}
	if ctx.Err() != nil {
		return err // xxd itself ends
	}
	x.options.Logger.Debug("no answer from the backend", "method", in["method"], "err", err)
	return c.say(x.seal("error", []byte(timeOut)))
}

// tell hands an answer of the backend to its recipients.
func (x *XXD) tell(c *client, out fields) error {
	users, err := addressees(out)
	if err != nil {
		return err
	}
	delete(out, "users")
	f, err := x.frame(out)
	if err != nil {
		return err
	}
	if c.user.Load() != 0 {
		x.hub.deliver(users, f)
	}
	return nil
}

// addressees are the users that an answer names. No list is as good as an empty one.
func addressees(out fields) ([]int64, error) {
	v, ok := out["users"]
	if !ok {
		return nil, nil
	}
	list, ok := v.([]any)
	if !ok {
		return nil, fmt.Errorf("%w: users is no list", errHangUp)
	}
	users := make([]int64, len(list))
	for i, v := range list {
		id, ok := v.(float64)
		if !ok {
			return nil, fmt.Errorf("%w: user %v is no number", errHangUp, v)
		}
		users[i] = int64(id)
	}
	return users, nil
}
