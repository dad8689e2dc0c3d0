package legacy

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// Call is one module/method call.
type Call struct {
	Module string
	Method string
	User   UserID // on whose behalf; 0 only for calls that are the server's own (notify, checkUserChange, serverStart)
	// Params is a list of exactly the params that the method takes, or nil for none. The server appends the user after
	// the last one given, so one too few or too many shifts the user into another place. An object becomes a list in
	// the alphabetical order of its keys, without the user: only the server's own notify is sent so.
	Params any
}

// Chat is a call of the chat module with positional params.
func Chat(u UserID, method string, params ...any) Call {
	c := Call{Module: "chat", Method: method, User: u}
	if len(params) > 0 {
		c.Params = params
	}
	return c
}

func (c Call) String() string { return c.Module + "/" + c.Method }

// Result is how a call went.
type Result string

// The results of seed 000. Denied asks for a new sign-in.
const (
	Success Result = "success"
	Fail    Result = "fail"
	Denied  Result = "denied"
)

// Response is the answer to a call. Its users field, who was to be told, is left out on purpose: it lists only those
// online, and its absence means anything from "nobody" to "failed".
type Response struct {
	Module  string          `json:"module"`
	Method  string          `json:"method"`
	Result  Result          `json:"result"`
	Message Text            `json:"message"`
	Data    json.RawMessage `json:"data"`
	Pager   Pager           `json:"pager"`
	Directory
	// Version is the backend's own, which it writes into each answer; a push has none.
	Version Text `json:"v"`
	// Unsure is set where the wire does not tell whose answer this is: a failure may be somebody else's, and a success
	// without data was never sent to the caller. What is so must then be asked for.
	Unsure bool `json:"-"`
}

// MaxFrame is the largest call in bytes of JSON that an xxd takes: its limit of 20,480 bytes counts the padded ciphertext
// (LEGACY).
const MaxFrame = 20479

// TooLargeError says that a call does not fit into what the server takes in one piece; it was not sent.
type TooLargeError struct {
	Limit string // how much fits, in words
}

func (e *TooLargeError) Error() string {
	return "larger than what the chat server takes in one piece, " + e.Limit
}

// UnsupportedError says that a server of this version cannot do something. Nothing was done, but for those of several users
// for whom it can.
type UnsupportedError struct {
	Version string
	What    string // as in "knows no categories"
}

func (e *UnsupportedError) Error() string {
	return fmt.Sprintf("the chat server is of version %s, which knows no %s", e.Version, e.What)
}

// ErrNotSent says that a call was given up before it was sent: nothing came of it.
var ErrNotSent = errors.New("not sent")

// Push is what a server says unasked. Whom it told, and why him, it does not say.
type Push struct {
	Module  string          `json:"module"`
	Method  string          `json:"method"`
	Result  Result          `json:"result"`
	Message Text            `json:"message"`
	Data    json.RawMessage `json:"data"`
	Pager   Pager           `json:"pager"`
	// SessionID comes with the frame of that name alone; it opens files (recorded: 01_login_sequence).
	SessionID Text `json:"sessionID"`
	Directory
}

func (p Push) String() string { return p.Module + "/" + p.Method }

// Pager is what history answers beside its rows: the question again (recorded: 07_history), and how many rows match in all,
// when asked with a recTotal of 0.
type Pager struct {
	GID    Text `json:"gid"`
	Size   Int  `json:"recPerPage"`
	PageID Int  `json:"pageID"`
	Total  Int  `json:"recTotal"`
}

// Reason is the server's own words for a refusal. chat/message puts them into data: a list of {gid, messages}, or a
// plain string (recorded: 13_errors); the other methods into message.
func (r Response) Reason() string {
	if r.Message != "" {
		return string(r.Message)
	}
	var s string
	if json.Unmarshal(r.Data, &s) == nil {
		return s
	}
	var rows []struct {
		Messages Text `json:"messages"`
	}
	if json.Unmarshal(r.Data, &rows) == nil && len(rows) > 0 {
		return string(rows[0].Messages)
	}
	return ""
}

// Decode reads the answer's data into v. Data that is absent, null or an empty PHP array decodes as nothing.
func (r Response) Decode(v any) error { return decode(r.Module, r.Method, r.Data, v) }

// Decode reads the push's data into v, as Response.Decode does.
func (p Push) Decode(v any) error { return decode(p.Module, p.Method, p.Data, v) }

func decode(module, method string, data json.RawMessage, v any) error {
	d := bytes.TrimSpace(data)
	if len(d) == 0 || bytes.Equal(d, []byte("null")) || bytes.Equal(d, []byte("[]")) {
		return nil
	}
	if swollen(d) {
		return fmt.Errorf("decode %s/%s: more objects than a real answer of %d bytes has", module, method, len(d))
	}
	read := func(b []byte) error { return json.Unmarshal(b, v) }
	if list, ok := v.(json.Unmarshaler); ok {
		read = list.UnmarshalJSON // at once: Unmarshal would go over all of it twice before
	}
	if err := read(d); err != nil {
		return fmt.Errorf("decode %s/%s: %w", module, method, err)
	}
	return nil
}

const (
	// leanest is how many bytes of JSON an object has at least, on average: a department, the smallest one that comes in lists, has
	// forty. Without it a list of objects without fields takes a hundred times as much memory as it has bytes.
	leanest = 20
	// few is how many objects may be as lean as they like.
	few = 10_000
)

// swollen says that data would take far more memory than it has bytes.
func swollen(data []byte) bool {
	may := max(len(data)/leanest, few)
	if bytes.Count(data, []byte("{")) <= may {
		return false // the usual case, and quick
	}
	objects, text := 0, false
	for i := 0; i < len(data); i++ {
		switch c := data[i]; {
		case c == '"':
			text = !text
		case c == '\\' && text:
			i++ // what follows means nothing of its own
		case c == '{' && !text:
			objects++
		}
	}
	return objects > may
}

// ServerInfo is what an xxd tells of itself to who signs in (seed 004). APIScheme, ClientUpdate and Push are in its own form.
type ServerInfo struct {
	Version        Text            `json:"version"`
	UploadFileSize Int             `json:"uploadFileSize"` // bytes; 0: it takes no files
	APIScheme      json.RawMessage `json:"apiScheme"`
	ClientUpdate   json.RawMessage `json:"clientUpdate"`
	Push           json.RawMessage `json:"push"`
}

// Welcome is what a server tells of itself when a user signs in.
type Welcome struct {
	Server ServerInfo
	User   UserRow
	Users  []UserRow
	Directory
	Chats    []ChatRow
	Messages []MessageRow // what waited for the user; the server has forgotten it by now
	Notices  []NoticeRow
}

// DecodeResponse reads the answer of one call. It returns an error when b is no answer to that call: not an object, or of
// another method. Method names come back in lower case (recorded: 03_lists); what the server calls getOfflineMessages
// and getOfflineNotify it answers as message and notify (recorded: 01_login_sequence).
func DecodeResponse(c Call, b []byte) (Response, error) {
	var r Response
	if err := json.Unmarshal(b, &r); err != nil {
		return Response{}, fmt.Errorf("answer to %s is no JSON object: %w", c, err)
	}
	want := strings.ToLower(c.Method)
	switch want {
	case "getofflinemessages":
		want = "message"
	case "getofflinenotify":
		want = "notify"
	}
	if !strings.EqualFold(r.Module, c.Module) || !strings.EqualFold(r.Method, want) {
		return Response{}, fmt.Errorf("answer to %s is one to %q/%q", c, r.Module, r.Method)
	}
	return r, nil
}
