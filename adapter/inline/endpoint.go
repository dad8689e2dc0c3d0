package inline

import (
	"bytes"
	"context"
	"crypto/hmac"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/xuangate/xuangate/adapter"
	"github.com/xuangate/xuangate/adapter/legacy"
)

// maxBody bounds a request and an answer. Without it a chat server that went mad could fill our memory; an answer of 500
// messages of 65,535 bytes stays below.
const maxBody = 64 << 20

// A reply is what an xxd gets: the backend's own bytes where nothing was altered.
type reply struct {
	status int
	sealed []byte // as the backend sealed it; nil where plain is ours
	plain  []byte
	head   http.Header
}

func say(plain []byte) reply { return reply{status: http.StatusOK, plain: plain} }

// ServeHTTP answers one call of an xxd, or of another node.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	at := s.sites[r.URL.Query().Get("x")]
	if r.URL.Path != Path && r.URL.Path != nodePath || at == nil {
		http.NotFound(w, r)
		return
	}
	sealed, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil || r.Method != http.MethodPost {
		http.Error(w, "this is the backend of a chat server, for calls by POST", http.StatusBadRequest)
		return
	}
	// A call that was begun is carried out, as PHP does it, and its news told, though the asker be gone.
	ctx := context.WithoutCancel(r.Context())
	a, err := s.arrive(ctx, r, at, sealed)
	if err != nil {
		s.log.WarnContext(ctx, "a call to the backend that cannot be read; is the key of xxd.conf that of legacy.xxb.key?", "error", err)
		http.Error(w, "not a call, or sealed with another key", http.StatusBadRequest)
		return
	}
	for name, values := range a.head {
		w.Header()[name] = values
	}
	body := a.sealed
	if body == nil && a.plain != nil {
		body = s.key.Seal(a.plain)
	}
	w.WriteHeader(a.status)
	_, _ = w.Write(body)
}

// arrive answers what came sealed, here or at the active node. An error says that it is no call.
func (s *Server) arrive(ctx context.Context, r *http.Request, at *site, sealed []byte) (reply, error) {
	leave, here := s.lead.enter()
	for ; !here; leave, here = s.lead.enter() {
		if r.Header.Get(nodeHeader) != "" {
			return notHere, nil // it was handed on already
		}
		if a, here := s.handOn(ctx, r, sealed); !here {
			return a, nil
		}
	}
	defer leave()
	plain, err := s.key.Open(sealed)
	if err != nil {
		return reply{}, err
	}
	if r.URL.Path == nodePath {
		return s.nodeCall(ctx, r, sealed, plain)
	}
	q, err := parseRequest(at, plain)
	if err != nil {
		return reply{}, err
	}
	return s.answer(ctx, q, r.Header), nil
}

// answer decides who answers a call, and how.
func (s *Server) answer(ctx context.Context, q *request, head http.Header) reply {
	own, genuine := q.own()
	account, password := q.login()
	switch {
	case q.signsIn() && account == botAccount:
		return q.site.bot.signIn(q, password)
	case s.botOf(q.user) != nil:
		return s.botOf(q.user).answer(q)
	case q.signsIn() && q.client == "" && account == probeAccount && hmac.Equal([]byte(password), []byte(s.probe)):
		return say(signedIn(q.site.bot.id))
	case own && (genuine || !s.cures(Injection)):
		return s.ownCall(ctx, q, head)
	case own:
		s.refused(ctx, q, "not one of the chat server's own calls: something was put into it")
		return say(nothing)
	case q.client != "":
		return s.clientCall(ctx, q, head)
	case q.method != "chat/login" && s.cures(Anonymous):
		s.refused(ctx, q, "only logins come through /serverInfo")
		return say([]byte(`{"module":"chat","method":"login","result":"fail","message":"not a login"}`))
	case !q.speaksPlainly() && s.cures(Injection):
		s.refused(ctx, q, "its language is none")
		return say(notIn)
	}
	return s.ask(ctx, q.site, q.plain, head)
}

var (
	// nothing is an answer that nobody hears.
	nothing = []byte(`{"module":"chat","method":"ping","result":"success","users":[0]}`)
	// notIn is an answer to a login upon which xxd hangs up.
	notIn = []byte(`{"module":"chat","method":"login","result":"fail","data":"refused"}`)
)

// clientCall answers what a desktop client asks.
func (s *Server) clientCall(ctx context.Context, q *request, head http.Header) reply {
	switch {
	case q.signsIn():
		return s.login(ctx, q, head)
	case reserved[q.method] && s.cures(Reserved):
		s.refused(ctx, q, "it is the chat server's own call")
		return say(refusal(q.user, "refused"))
	case q.user == 0 && s.cures(Anonymous):
		s.refused(ctx, q, "nobody has signed in on that connection")
		return say(nothing)
	}
	if s.people.talks(q.site, q.client, q.user) {
		s.arrived(ctx, q.site, q.user) // its login was answered, and we did not hear of its end
	}
	text := q.plain
	if q.method == "chat/message" {
		text = q.attributed(s.cures(Spoofing), s.cures(Committers))
	}
	a := s.ask(ctx, q.site, text, head)
	if a.status != http.StatusOK {
		return a
	}
	o, err := parseObject(a.plain)
	if err != nil {
		return a // xxd makes of it what it makes of garbage
	}
	users, named := o.users()
	switch {
	case o.is("kickoff") && o.get("result") == nil:
		if s.cures(Kickoffs) {
			s.refused(ctx, q, "the backend knows no such call")
			return say(refusal(q.user, "no such call"))
		}
		return a
	case !named && s.cures(faultOf(o)):
		users = []int64{q.user}
		o = o.with("users", users)
		a = say(o.bytes())
	}
	if o.text("result") == string(legacy.Success) && told(q.method) {
		s.passed(ctx, q.site, legacy.UserID(q.user), q.params(), o, users)
	}
	return a
}

// faultOf is what is wrong with an answer that does not say whom it is for.
func faultOf(o object) Fault {
	var list []json.RawMessage
	if json.Unmarshal(o.get("users"), &list) == nil && len(list) > 0 {
		return ShortParams // a list of something else than numbers
	}
	if raw := o.get("users"); raw != nil && raw[0] == '"' {
		return ShortParams
	}
	return Broadcasts
}

// refusal is a frame that a caller alone gets; clients know it as that of a call that timed out.
func refusal(user int64, why string) []byte {
	text, err := json.Marshal(map[string]any{"module": "chat", "method": "error", "code": 0, "message": why, "users": []int64{user}})
	if err != nil {
		return nothing // a number and a word can be written
	}
	return text
}

func (s *Server) refused(ctx context.Context, q *request, why string) {
	s.log.WarnContext(ctx, "a desktop's call is refused", "call", q.method, "session", q.user, "client", q.client, "why", why)
}

// ask puts a call before the backend, with the headers it came with and under the backend's own name.
func (s *Server) ask(ctx context.Context, at *site, plain []byte, head http.Header) reply {
	ctx, cancel := context.WithTimeout(ctx, forwardTimeout)
	defer cancel()
	a, err := post(ctx, s.forward, s.url, s.key.Seal(plain), head)
	if err != nil {
		s.log.WarnContext(ctx, "the backend does not answer a desktop's call", "xxd", at.name, "error", err)
		return reply{status: http.StatusInternalServerError}
	}
	if len(a.sealed) > 0 && a.status == http.StatusOK {
		if a.plain, err = s.key.Open(a.sealed); err != nil {
			a.plain = nil // it goes on as it is
		}
	}
	return a
}

// passedOn are the headers that go on with a call.
var passedOn = []string{"Content-Type", "User-Agent", "Xxd-Version", nodeHeader}

// post sends what is sealed, and returns what comes back as it is, be it a redirect. ctx bounds it.
func post(ctx context.Context, over *http.Transport, url string, sealed []byte, head http.Header) (reply, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(sealed))
	if err != nil {
		return reply{}, err
	}
	for _, name := range passedOn {
		if v := head.Values(name); len(v) > 0 {
			req.Header[name] = v
		}
	}
	res, err := over.RoundTrip(req)
	if err != nil {
		return reply{}, err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(res.Body, maxBody+1))
	if err == nil && len(answer) > maxBody {
		err = fmt.Errorf("an answer over %d bytes", maxBody)
	}
	if err != nil {
		return reply{}, err
	}
	a := reply{status: res.StatusCode, sealed: answer, head: http.Header{}}
	if v := res.Header.Values("Content-Type"); len(v) > 0 {
		a.head["Content-Type"] = v
	}
	return a, nil
}

// toldMethods are those whose answers concern others than the asker, or his other devices.
var toldMethods = []string{
	"message", "create", "joinchat", "addmember", "changename", "changepublic", "setcommitters", "setadmin", "dismiss",
	"userchange", "star", "hide", "mute", "category", "login", "logout",
}

func told(call string) bool {
	module, method, _ := strings.Cut(call, "/")
	return module == "chat" && slices.Contains(toldMethods, method)
}

// passed takes note of an answer on its way from one xxd: web users hear of it, and the desktops of the other xxds.
func (s *Server) passed(ctx context.Context, from *site, by legacy.UserID, params []any, o object, users []int64) {
	if s.shared == nil {
		s.hand(ctx, from.name, o, users)
		s.overhear(ctx, by, params, o, users)
		return
	}
	var both sync.WaitGroup // each waits for Redis
	both.Go(func() { s.hand(ctx, from.name, o, users) })
	s.overhear(ctx, by, params, o, users)
	both.Wait()
}

// hand has the desktops told a frame that from caused, but for those of from, and keeps it for repairs.
func (s *Server) hand(ctx context.Context, from string, o object, users []int64) {
	for _, at := range s.sites {
		if at.name != from {
			at.bot.relay(o, users)
		}
	}
	s.remember(ctx, from, o, users)
}

func (s *Server) overhear(ctx context.Context, by legacy.UserID, params []any, o object, users []int64) {
	ctx, cancel := context.WithTimeout(ctx, hearTimeout)
	defer cancel()
	n := adapter.News{By: by, Params: params}
	for _, u := range users {
		n.Named = append(n.Named, legacy.UserID(u))
	}
	err := json.Unmarshal(o.bytes(), &n.Push)
	if err == nil {
		err = s.hear(ctx, n)
	}
	if err != nil {
		s.log.WarnContext(ctx, "what a desktop did could not be told to web users; they find it in the history", "call", n.Push.String(), "error", err)
	}
}
