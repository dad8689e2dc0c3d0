package xxd

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/xuangate/xuangate/adapter/legacy"
)

// Info is what xxd tells of itself to who knows a password (seed 004; recorded: 01_login_sequence).
type Info struct {
	legacy.ServerInfo
	Token    legacy.Text `json:"token"` // the AES key of all its websockets until it restarts
	ChatPort legacy.Int  `json:"chatPort"`
}

const (
	apiVersion    = "3.0.0"
	clientVersion = "2.3.0"
	lang          = "zh-cn"
	maxInfo       = 4 << 20 // bytes; apiScheme is some hundred kB
)

// Info checks an account's password, given as the MD5 in hex, and returns what is needed to connect. It asks
// sysGetServerInfo, and serverInfo only where that does not exist: a wrong password counts twice towards the lock each
// time it is asked, so no second question follows a 401.
func (s *Server) Info(ctx context.Context, account, passwordMD5 string) (Info, error) {
	status, body, err := s.ask(ctx, "/sysGetServerInfo", map[string]any{
		"method": "sysGetServerInfo", "params": []string{s.name, account, passwordMD5, apiVersion},
		"v": clientVersion, "d": s.device, "lang": lang,
	})
	if err == nil && (status == http.StatusNotFound || status == http.StatusMethodNotAllowed) {
		status, body, err = s.ask(ctx, "/serverInfo", map[string]any{
			"module": "chat", "method": "login", "params": []string{s.name, account, passwordMD5, ""},
			"v": clientVersion, "lang": lang,
		})
	}
	if err != nil {
		return Info{}, err
	}
	switch status {
	case http.StatusOK:
	case http.StatusUnauthorized:
		return Info{}, legacy.ErrPassword
	case http.StatusPaymentRequired:
		return Info{}, legacy.ErrLocked
	case http.StatusForbidden:
		return Info{}, legacy.ErrDisabled
	default:
		return Info{}, fmt.Errorf("ask xxd for its info: status %d", status)
	}
	var i Info
	if err := json.Unmarshal(body, &i); err != nil || len(i.Token) != legacy.KeySize {
		return Info{}, fmt.Errorf("xxd answered its info in a form we do not know, %d bytes", len(body)) // which may hold its key
	}
	return i, nil
}

func (s *Server) ask(ctx context.Context, path string, data any) (status int, body []byte, err error) {
	text, err := json.Marshal(data)
	if err != nil {
		return 0, nil, err
	}
	form := url.Values{"data": {string(text)}}.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.base.JoinPath(path).String(), strings.NewReader(form))
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=UTF-8")
	res, err := s.http.Do(req)
	if err != nil {
		return 0, nil, fmt.Errorf("ask xxd for its info: %w", err)
	}
	defer res.Body.Close()
	body, err = io.ReadAll(io.LimitReader(res.Body, maxInfo))
	return res.StatusCode, body, err
}
