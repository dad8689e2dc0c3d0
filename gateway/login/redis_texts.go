package login

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/xuangate/xuangate/adapter/legacy"
)

func (h hash) String() string { return hex.EncodeToString(h[:]) }

func parseHash(text string) (h hash, err error) {
	raw, err := hex.DecodeString(text)
	if err != nil || len(raw) != len(h) {
		return h, fmt.Errorf("%d characters that are no token's hash", len(text))
	}
	return hash(raw), nil
}

// liveLogin reads a login that is alive, or why it is not. "" is none.
func liveLogin(u legacy.UserID, h hash, text string) (Login, error) {
	if text == "" {
		return Login{}, ErrUnknown
	}
	l, how, err := parseLogin(u, h, text)
	switch {
	case err != nil:
		return Login{}, err
	case how[0] == 'x', !time.Now().Before(l.Expires):
		return Login{}, ErrUnknown
	case how[0] == 'r':
		return Login{}, ErrReplaced
	}
	return l, nil
}

// parseLogin reads what redis_logins.lua wrote: the login, and how it ended.
func parseLogin(u legacy.UserID, h hash, text string) (l Login, how string, err error) {
	parts := strings.Split(text, " ")
	if len(parts) != 4 || parts[3] == "" {
		return l, "", fmt.Errorf("the login %s is written in a way we do not know", h.loginID())
	}
	platform, err1 := strconv.Atoi(parts[1])
	expires, err2 := strconv.ParseInt(parts[2], 10, 64)
	if err := errors.Join(err1, err2); err != nil {
		return l, "", fmt.Errorf("the login %s: %w", h.loginID(), err)
	}
	return Login{ID: h.loginID(), User: u, Platform: platform, Expires: time.UnixMicro(expires), hash: h}, parts[3], nil
}
