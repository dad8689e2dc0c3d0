package xuanxuan

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"sync"
)

// What xxd says of its own accord, in its own key order.
const (
	kickoffText    = `{"module":"chat","method":"kickoff","message":"当前账号已在其他地方登录，如果不是本人操作，请及时修改密码"}`
	blockLoginText = `{"module":"chat","method":"blockLogin","message":"同时在线超出系统限制"}`
)

// login signs a user in: five calls to the backend, whose answers the client gets as they are, recipients included,
// the SessionID in between; then everybody else hears of it, and only then is the newcomer among those whom frames are
// delivered to (recorded: 01_login_sequence). Whatever goes wrong ends the connection without a word.
func (x *XXD) login(ctx context.Context, c *client, in fields) error {
	name, err := serverName(in)
	if err != nil {
		return err
	}
	if name != "" && name != x.options.ServerName {
		c.elsewhere = true
		return fmt.Errorf("%w: no backend %q", errHangUp, name)
	}
	if _, online := x.hub.count(); x.options.MaxOnline > 0 && online >= x.options.MaxOnline {
		return x.refuse(c, []byte(blockLoginText), "too many users")
	}
	if c.lang, err = in.text("lang", "zh-cn"); err != nil {
		return err
	}
	x.hub.speak(c.lang)
	request, err := json.Marshal(in)
	if err != nil {
		return err
	}
	answer, err := x.backend.call(ctx, request)
	if err != nil {
		return err
	}
	user, err := signedIn(answer)
	if err != nil {
		return x.refuse(c, nil, err.Error())
	}
	c.user.Store(user)
	x.stats.logins.Add(1)
	own := x.seal("login", answer)
	if err := c.say(own); err != nil {
		return err
	}
	if err := x.welcome(ctx, c, user); err != nil {
		return err
	}
	if x.options.LoginWindow != nil {
		x.options.LoginWindow(ctx, user)
	}
	x.hub.deliver(nil, own)
	x.hub.register(c, user, x.seal("kickoff", []byte(kickoffText)))
	return nil
}

// welcome queues what follows the answer to a login.
func (x *XXD) welcome(ctx context.Context, c *client, user int64) error {
	session := x.sessions.begin(x.options.ServerName, user, x.options.Now().Unix())
	text := `{"module":"chat","method":"SessionID","lang":"` + c.lang + `","sessionID":"` + session + `"}`
	if err := c.say(x.seal("sessionid", []byte(text))); err != nil {
		return err
	}
	for _, call := range []struct {
		method, answered string
		params           []any
	}{
		{"userGetlist", "usergetlist", []any{""}},
		{"getlist", "getlist", nil},
		{"getOfflineMessages", "message", nil},
		{"getOfflineNotify", "notify", nil},
	} {
		answer, err := x.backend.own(ctx, c.lang, call.method, &user, call.params...)
		if err != nil {
			return err
		}
		if err := c.say(x.seal(call.answered, answer)); err != nil {
			return err
		}
	}
	return nil
}

// refuse hangs up on a client who wants to sign in; whether he hears the last words is a matter of luck.
func (x *XXD) refuse(c *client, words []byte, why string) error {
	if x.options.LastWords {
		last := frame{last: true}
		if words != nil {
			last = x.seal("blocklogin", words)
			last.last = true
		}
		if c.say(last) == nil {
			<-c.gone
		}
	}
	return fmt.Errorf("%w: %s", errHangUp, why)
}

// serverName is the first param of a login, "" where there are no params at all.
func serverName(in fields) (string, error) {
	v, ok := in["params"]
	if !ok {
		return "", nil
	}
	list, _ := v.([]any)
	if len(list) == 0 {
		return "", fmt.Errorf("%w: params is no list", errHangUp)
	}
	name, ok := list[0].(string)
	if !ok {
		return "", fmt.Errorf("%w: the server's name is no text", errHangUp)
	}
	return name, nil
}

// signedIn returns the user that an answer to login names. A success that names nobody, as for any status but
// "online", is none (recorded: 02_login_wrong_password).
func signedIn(answer []byte) (int64, error) {
	var a struct {
		Result string
		Data   json.RawMessage
	}
	if err := json.Unmarshal(answer, &a); err != nil {
		return 0, err
	}
	var u struct{ ID int64 }
	if a.Result != "success" || json.Unmarshal(a.Data, &u) != nil || u.ID == 0 {
		return 0, fmt.Errorf("the backend signs nobody in")
	}
	return u.ID, nil
}

// logout tells the backend that a connection has ended, and everybody whom the backend names. For a connection that
// nobody had signed in on the backend answers a status of null all the same (recorded: 02_login_wrong_password).
func (x *XXD) logout(ctx context.Context, c *client) {
	user := c.user.Load()
	answer, err := x.backend.own(ctx, c.lang, "logout", &user)
	if err != nil {
		x.options.Logger.Debug("logout failed", "user", user, "err", err)
		return
	}
	out, err := toFields(answer)
	if err != nil {
		return
	}
	users, err := addressees(out)
	if err != nil {
		return
	}
	x.sessions.end(user)
	delete(out, "users")
	if f, err := x.frame(out); err == nil {
		x.hub.deliver(users, f)
	}
}

// fileSessions are the ids that downloads are allowed by. Each login makes a new one, of the user and the second.
type fileSessions struct {
	mu     sync.Mutex
	byUser map[int64]string
}

func (s *fileSessions) begin(server string, user, second int64) string {
	id := md5Hex(server + strconv.FormatInt(user, 10) + strconv.FormatInt(second, 10))
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.byUser == nil {
		s.byUser = map[int64]string{}
	}
	s.byUser[user] = id
	return id
}

func (s *fileSessions) end(user int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.byUser, user)
}

// of returns a user's session id. One who is not signed in has one too, which anybody can compute (recorded:
// 15_upload_download).
func (s *fileSessions) of(server, user string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n, err := strconv.ParseInt(user, 10, 64); err == nil && s.byUser[n] != "" {
		return s.byUser[n]
	}
	return md5Hex(server + user)
}
