package gateway

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"

	"github.com/xuangate/xuangate/adapter/legacy"
)

// script is a legacy server in a few lines: what the gateway's tests need of one. A method can be given another answer.
type script struct {
	mu      sync.Mutex
	calls   []legacy.Call
	answers map[string]func(legacy.Call) (string, error)
	waiting map[legacy.UserID][]map[string]any
	lastID  int
	files   int // recorded so far
	lastGID string
}

func newScript() *script {
	s := &script{waiting: map[legacy.UserID][]map[string]any{}}
	s.answers = map[string]func(legacy.Call) (string, error){
		"ping":             func(legacy.Call) (string, error) { return success("ping", nil) },
		"userGetlist":      func(legacy.Call) (string, error) { return success("usergetlist", userRows) },
		"login":            func(legacy.Call) (string, error) { return success("login", userRows[1]) },
		"getlist":          func(legacy.Call) (string, error) { return success("getlist", chatRows) },
		"history":          func(legacy.Call) (string, error) { return success("history", []any{}) },
		"userchange":       func(c legacy.Call) (string, error) { return success("userchange", userRow(c.User, "online")) },
		"logout":           func(c legacy.Call) (string, error) { return success("logout", userRow(c.User, "offline")) },
		"getOfflineNotify": func(legacy.Call) (string, error) { return success("notify", []any{}) },
		"getOfflineMessages": func(c legacy.Call) (string, error) {
			s.mu.Lock()
			defer s.mu.Unlock()
			rows := s.waiting[c.User]
			delete(s.waiting, c.User)
			return success("message", rows)
		},
		"message": s.store,
		"uploadFile": func(legacy.Call) (string, error) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.files++
			return success("uploadfile", fmt.Sprint(s.files))
		},
	}
	return s
}

// Call implements adapter.Caller.
func (s *script) Call(ctx context.Context, c legacy.Call) (legacy.Response, error) {
	s.mu.Lock()
	s.calls = append(s.calls, c)
	answer := s.answers[c.Method]
	s.mu.Unlock()
	if answer == nil {
		return legacy.Response{}, fmt.Errorf("the script has no %s", c)
	}
	if err := ctx.Err(); err != nil {
		return legacy.Response{}, err
	}
	frame, err := answer(c)
	if err != nil {
		return legacy.Response{}, err
	}
	return legacy.DecodeResponse(c, []byte(frame))
}

// answer gives a method another answer from now on.
func (s *script) answer(method string, f func(legacy.Call) (string, error)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answers[method] = f
}

// count is how often a method was called for a user.
func (s *script) count(method string, u legacy.UserID) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.calls {
		if c.Method == method && c.User == u {
			n++
		}
	}
	return n
}

func (s *script) store(c legacy.Call) (string, error) {
	var drafts [][]map[string]any
	b, err := json.Marshal(c.Params)
	if err == nil {
		err = json.Unmarshal(b, &drafts)
	}
	if err != nil {
		return "", err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lastID++
	row := drafts[0][0]
	row["id"], row["date"], row["data"] = s.lastID, 1795313000+s.lastID, ""
	s.lastGID = row["gid"].(string)
	return success("message", []any{row})
}

// keep has a message wait for a user until the user comes online, in the form that legacy gives such.
func (s *script) keep(u legacy.UserID, id int, gid, content string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waiting[u] = append(s.waiting[u], map[string]any{
		"id": fmt.Sprint(id), "gid": gid, "cgid": "team", "user": "4", "date": "2026-11-22 10:05:22", "order": "0",
		"type": "normal", "contentType": "plain", "content": content, "data": "",
	})
}

func down(legacy.Call) (string, error) { return "", errDown }

func success(method string, data any) (string, error) {
	b, err := json.Marshal(map[string]any{"module": "chat", "method": method, "result": "success", "data": data})
	return string(b), err
}

func fail(method, why string) (string, error) {
	b, err := json.Marshal(map[string]any{"module": "chat", "method": method, "result": "fail", "message": why})
	return string(b), err
}

func userRow(u legacy.UserID, status string) map[string]any {
	name := map[legacy.UserID]string{admin: "admin", alice: "alice", bob: "bob", carol: "carol"}[u]
	return map[string]any{"id": u, "account": name, "realname": name, "admin": "no", "status": status}
}
