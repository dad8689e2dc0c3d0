package inline

import (
	"context"
	"encoding/json"
	"strconv"
	"strings"

	"github.com/xuangate/xuangate/adapter/legacy"
)

// Call implements adapter.Caller: the backend is asked as in mode xxb, and what others are to hear of is told to the desktops,
// all of it by the active node. A user who is on a desktop too does not go offline with his last stream here.
func (s *Server) Call(ctx context.Context, c legacy.Call) (legacy.Response, error) {
	leave, here := s.lead.enter()
	for ; !here; leave, here = s.lead.enter() {
		if r, here, err := s.callOn(ctx, c); !here {
			return r, err
		}
	}
	defer leave()
	r, _, err := s.carryOut(ctx, c)
	return r, err
}

// carryOut makes a call of a web user's, and returns the answer's own text beside it.
func (s *Server) carryOut(ctx context.Context, c legacy.Call) (legacy.Response, []byte, error) {
	method := strings.ToLower(c.Method)
	user := int64(c.User)
	switch status, shows := shown(c); {
	case method == "userchange" && shows:
		s.people.comesHere(user, status)
		s.saved(ctx)
	case method == "logout":
		gone := s.people.leavesHere(user, s.people.unknownFor(s.settle) <= 0)
		s.saved(ctx)
		if !gone && s.cures(Presence) {
			return legacy.Response{Module: c.Module, Method: c.Method, Result: legacy.Success}, stays, nil
		}
	}
	r, text, err := s.backend.Exchange(ctx, c)
	if err != nil || r.Result != legacy.Success {
		return r, text, err
	}
	ctx = context.WithoutCancel(ctx) // it is done, so it is told
	switch call := strings.ToLower(c.Module) + "/" + method; {
	case call == "chat/notify":
		if o, err := parseObject(text); err == nil {
			s.spreadNotices(ctx, o, nil)
		}
	case call == "chat/getofflinemessages":
		s.taken(ctx, user, text, "message")
	case call == "chat/getofflinenotify":
		s.taken(ctx, user, text, "notify")
	case told(call):
		s.spread(ctx, text)
	}
	return r, text, nil
}

// stays is the answer to a logout of a user who is online elsewhere.
var stays = []byte(`{"module":"chat","method":"logout","result":"success"}`)

// shown is the status that a call sets its user to.
func shown(c legacy.Call) (status string, shows bool) {
	if !strings.EqualFold(c.Method, "userchange") {
		return "", false
	}
	text, err := json.Marshal(c.Params)
	var list []struct{ Status *string }
	if err != nil || json.Unmarshal(text, &list) != nil || len(list) != 1 || list[0].Status == nil {
		return "", false
	}
	return *list[0].Status, true
}

// spread has the desktops told what a web user did, those whom the backend names, and nobody where it names nobody. It returns
// the answer, nil if it is none.
func (s *Server) spread(ctx context.Context, text []byte) object {
	o, err := parseObject(text)
	if err != nil {
		return nil
	}
	if users, named := o.users(); named {
		s.hand(ctx, here, o, users)
	}
	return o
}

// taken keeps for a user's desktop what waited for him in the backend, which forgets it with the asking.
func (s *Server) taken(ctx context.Context, user int64, text []byte, kind string) {
	o, err := parseObject(text)
	if err == nil && len(rowsOf(o)) > 0 {
		s.remember(ctx, here, framed(kind, o.get("data")), []int64{user})
	}
}

// framed is a frame as xxd makes it of its own accord.
func framed(method string, data json.RawMessage) object {
	return object{{"module", json.RawMessage(`"chat"`)}, {"method", json.RawMessage(strconv.Quote(method))}, {"data", data}}
}
