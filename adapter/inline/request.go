package inline

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
)

// A request is one call on its way from an xxd to the backend.
type request struct {
	object
	site   *site
	plain  []byte
	method string // lower case, with its module: chat/message
	client string // the address of the websocket it came over; "" where it came over none
	user   int64  // on whose behalf; over a websocket that is who signed in there
}

func parseRequest(at *site, plain []byte) (*request, error) {
	o, err := parseObject(plain)
	if err != nil {
		return nil, err
	}
	q := &request{object: o, site: at, plain: plain, user: o.number("userID")}
	q.method = strings.ToLower(o.text("module") + "/" + o.text("method"))
	if raw := o.get("client"); raw != nil {
		var addr struct {
			IP   string
			Port int
		}
		if err := json.Unmarshal(raw, &addr); err != nil {
			return nil, fmt.Errorf("client: %w", err)
		}
		q.client = fmt.Sprintf("%s:%d", addr.IP, addr.Port)
	}
	return q, nil
}

// signsIn says that the chat server takes the call for a login; it knows one spelling of it.
func (q *request) signsIn() bool { return q.text("module") == "chat" && q.text("method") == "login" }

// login are the account and the password, as its MD5, that a login names.
func (q *request) login() (account, password string) {
	var params []any
	if json.Unmarshal(q.get("params"), &params) == nil && len(params) >= 3 {
		account, _ = params[1].(string)
		password, _ = params[2].(string)
	}
	return account, password
}

// language is what a client may write as its language: the chat server puts it into texts as it is.
var language = regexp.MustCompile(`^[A-Za-z]{2}(-[A-Za-z]{2,4})?$`)

// speaksPlainly says that the call's language breaks no text.
func (q *request) speaksPlainly() bool {
	return q.get("lang") == nil || language.MatchString(q.text("lang"))
}

// ownForms are the chat server's own calls, letter by letter (recorded: 01_login_sequence, 12_abrupt_disconnect_offline,
// 15_upload_download): who puts a quotation mark into them makes another text.
var ownForms = map[string]*regexp.Regexp{
	"chat/serverstart":        ownForm("serverStart", ``),
	"chat/usergetlist":        ownForm("userGetlist", `,"params":\[""\],"userID":\d+`),
	"chat/getlist":            ownForm("getlist", `,"userID":\d+`),
	"chat/getofflinemessages": ownForm("getOfflineMessages", `,"userID":\d+`),
	"chat/getofflinenotify":   ownForm("getOfflineNotify", `,"userID":\d+`),
	"chat/logout":             ownForm("logout", `,"userID":\d+`),
	"chat/checkuserchange":    ownForm("checkUserChange", `,"params":\[""\](,"userID":0)?`),
	"chat/uploadfile": regexp.MustCompile(`^\{"userID":\d+,"module":"chat","method":"uploadFile","params":` +
		`\["[^"\\\x00-\x1f]+","tmpfile/[^"\\\x00-\x1f]*/\d{4}/\d\d/\d\d/",\d+,\d+,"[^"\\\x00-\x1f]*"\]\}$`),
	// Encoded by Go, names in order: nothing can be put into it.
	"chat/notify": regexp.MustCompile(`^\{("lang":"[^"\\]*",)?"method":"notify","module":"chat","params":\{"offline":(null|\[[\d,]*\]),"sendfail":\{.*\}\}\}$`),
}

func ownForm(method, rest string) *regexp.Regexp {
	return regexp.MustCompile(`^\{"module":"chat","method":"` + method + `"(,"lang":"([A-Za-z]{2}(-[A-Za-z]{2,4})?)?")?` + rest + `\}$`)
}

// own says that the chat server makes the call of its own accord; genuine, that nobody has put anything into it.
func (q *request) own() (own, genuine bool) {
	form := ownForms[q.method]
	if q.client != "" || form == nil {
		return false, false
	}
	return true, form.Match(q.plain)
}

// reserved are calls that are the chat server's own, or name a user without his password.
var reserved = map[string]bool{
	"chat/serverstart": true, "chat/checkuserchange": true, "chat/notify": true, "chat/uploadfile": true,
	"chat/login": true, "chat/logout": true,
}

// params are a call's params, none where they are no list.
func (q *request) params() (list []any) {
	if raw := q.get("params"); len(raw) == 0 || raw[0] != '[' {
		return nil
	}
	_ = json.Unmarshal(q.get("params"), &list)
	return list
}

// attributed is the call's text with every message its caller's own where own says so, and in the form that keeps the sender
// where array does; as it came where nothing is to be altered.
func (q *request) attributed(own, array bool) []byte {
	params := q.get("params")
	isList := len(params) > 0 && params[0] == '['
	var list []object
	if isList {
		var positional [][]object
		if json.Unmarshal(params, &positional) == nil && len(positional) == 1 {
			list = positional[0]
		}
	} else {
		var form struct {
			Messages []object `json:"messages"`
		}
		if json.Unmarshal(params, &form) == nil {
			list = form.Messages
		}
	}
	altered := array && !isList && len(list) > 0
	for i, m := range list {
		if own && m.get("user") != nil && m.number("user") != q.user {
			list[i], altered = m.with("user", q.user), true
		}
	}
	switch {
	case !altered:
		return q.plain
	case isList || array:
		return q.with("params", [][]object{list}).bytes()
	}
	return q.with("params", map[string][]object{"messages": list}).bytes()
}

// MarshalJSON writes the object as it was read.
func (o object) MarshalJSON() ([]byte, error) { return o.bytes(), nil }

// UnmarshalJSON reads one object.
func (o *object) UnmarshalJSON(b []byte) (err error) {
	*o, err = parseObject(bytes.Clone(b)) // b is the decoder's
	return err
}
