package inline

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"github.com/xuangate/xuangate/adapter/legacy"
)

// Call implements adapter.Caller: the backend is asked as in mode xxb, and what others are to hear of is told to the desktops.
// A user who is on a desktop too does not go offline with his last stream here.
func (s *Server) Call(ctx context.Context, c legacy.Call) (legacy.Response, error) {
	method := strings.ToLower(c.Method)
	user := int64(c.User)
	switch status, shows := shown(c); {
	case method == "userchange" && shows:
		s.people.comesHere(user, status)
	case method == "logout" && s.cures(Presence) && !s.people.leavesHere(user, time.Since(s.started) > s.settle):
		return legacy.Response{Module: c.Module, Method: c.Method, Result: legacy.Success}, nil
	}
	r, text, err := s.backend.Exchange(ctx, c)
	if err != nil || r.Result != legacy.Success {
		return r, err
	}
	switch call := strings.ToLower(c.Module) + "/" + method; {
	case call == "chat/notify":
		if o, err := parseObject(text); err == nil {
			s.spreadNotices(o, nil)
		}
	case call == "chat/getofflinemessages":
		s.taken(user, text, true)
	case call == "chat/getofflinenotify":
		s.taken(user, text, false)
	case told(call):
		s.spread(text)
	}
	return r, nil
}

// shown is the status that a call sets its user to.
func shown(c legacy.Call) (status string, shows bool) {
	list, _ := c.Params.([]any)
	if len(list) != 1 || !strings.EqualFold(c.Method, "userchange") {
		return "", false
	}
	text, err := json.Marshal(list[0])
	if err != nil {
		return "", false
	}
	var fields struct{ Status *string }
	if json.Unmarshal(text, &fields) != nil || fields.Status == nil {
		return "", false
	}
	return *fields.Status, true
}

// spread has the desktops told what a web user did, those whom the backend names, and nobody where it names nobody. It returns
// the answer, nil if it is none.
func (s *Server) spread(text []byte) object {
	o, err := parseObject(text)
	if err != nil {
		return nil
	}
	if users, named := o.users(); named {
		s.keep(o, users)
		for _, at := range s.sites {
			at.bot.relay(o, users)
		}
	}
	return o
}

// taken keeps for a user's desktop what waited for him in the backend, which forgets it with the asking.
func (s *Server) taken(user int64, text []byte, messages bool) {
	o, err := parseObject(text)
	if err != nil || !s.cures(Loss) {
		return
	}
	if messages {
		s.people.misses([]int64{user}, rowsOf(o), nil)
	} else {
		s.people.misses([]int64{user}, nil, rowsOf(o))
	}
}
