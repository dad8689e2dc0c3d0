package inline

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"time"

	"github.com/xuangate/xuangate/adapter/legacy"
)

// reachableAfter is how long after the broadcast of a login its user is among those whom xxd delivers to: it does the one right
// behind the other.
const reachableAfter = 15 * time.Millisecond

// login answers a sign-in over a websocket.
func (s *Server) login(ctx context.Context, q *request, head http.Header) reply {
	switch {
	case !q.speaksPlainly() && s.cures(Injection):
		s.refused(ctx, q, "its language is none")
		return say(notIn)
	case s.cures(SecondLogin) && s.people.signedInOn(q.site, q.client):
		s.refused(ctx, q, "somebody has signed in on that connection")
		return say(notIn)
	}
	begun := time.Now()
	a := s.ask(ctx, q.site, q.plain, head)
	o, err := parseObject(a.plain)
	if a.status != http.StatusOK || err != nil || o.text("result") != string(legacy.Success) {
		return a
	}
	var row struct{ ID int64 }
	if json.Unmarshal(o.get("data"), &row) != nil || row.ID <= 0 {
		return a // it lets nobody in
	}
	if s.people.full(row.ID, s.maxOnline) {
		return s.turnedAway(ctx, q, row.ID)
	}
	s.people.enters(q.site, q.client, row.ID, begun)
	s.saved(ctx)
	s.overhear(ctx, legacy.UserID(row.ID), nil, o, nil)
	for _, at := range s.sites {
		if at != q.site {
			at.bot.broadcast(o)
		}
	}
	return a
}

// turnedAway answers a login of one user too many, whom the backend has let in: xxd hangs up on him, and he is nowhere.
func (s *Server) turnedAway(ctx context.Context, q *request, user int64) reply {
	s.refused(ctx, q, "as many users as legacy.inline.max_online are on desktops")
	if _, here := s.people.present(user); !here {
		s.exchange(ctx, legacy.Chat(legacy.UserID(user), "logout"))
	}
	return say(notIn)
}

// arrived resends to a user what was told while he was signing in: until now xxd delivered nothing to him. What reached his
// connection before comes twice, which clients know by its gid.
func (s *Server) arrived(ctx context.Context, at *site, user int64) {
	since, ok := s.people.reachable(at, user)
	if !ok || !s.cures(Loss) {
		return
	}
	s.saved(ctx)
	for _, frame := range s.ring.since(ctx, since, user) {
		at.bot.relay(frame, []int64{user})
	}
}

// heardLogin is told by the bot of an xxd that a login was broadcast there.
func (s *Server) heardLogin(ctx context.Context, at *site, user int64) {
	s.later.Go(func() {
		wait := time.NewTimer(reachableAfter)
		defer wait.Stop()
		select {
		case <-wait.C:
			s.arrived(ctx, at, user)
		case <-ctx.Done():
		}
	})
}

// rowsOf are the rows of an answer, each as it stands there.
func rowsOf(o object) (rows []json.RawMessage) {
	_ = json.Unmarshal(o.get("data"), &rows)
	return rows
}

// ownCall answers what an xxd asks of its own accord.
func (s *Server) ownCall(ctx context.Context, q *request, head http.Header) reply {
	switch q.method {
	case "chat/logout":
		return s.logout(ctx, q, head)
	case "chat/notify":
		return s.notify(ctx, q, head)
	case "chat/serverstart":
		return s.serverStart(ctx, q, head)
	case "chat/getofflinemessages", "chat/getofflinenotify":
		a := s.ask(ctx, q.site, q.plain, head)
		o, err := parseObject(a.plain)
		if err != nil || a.status != http.StatusOK || o.text("result") != string(legacy.Success) || !s.cures(Loss) {
			return a
		}
		missed := s.missed(ctx, q.user, map[string]string{"chat/getofflinemessages": "message", "chat/getofflinenotify": "notify"}[q.method])
		if rows := added(rowsOf(o), missed); len(rows) > 0 {
			return say(o.with("data", rows).bytes())
		}
		return a
	}
	return s.ask(ctx, q.site, q.plain, head)
}

// missed are the rows of frames of a kind that may have reached no desktop of a user's: those that he saw here alone, or that
// were under way when his connection died or his login began.
func (s *Server) missed(ctx context.Context, user int64, kind string) (rows []json.RawMessage) {
	for _, frame := range s.ring.since(ctx, s.people.missed(user), user) {
		if frame.is(kind) {
			rows = append(rows, rowsOf(frame)...)
		}
	}
	return rows[max(0, len(rows)-maxMissed):]
}

// added is a list with those of more that are not in it, told by their gid; nil if there are none.
func added(list, more []json.RawMessage) []json.RawMessage {
	had := map[string]bool{}
	gid := func(row json.RawMessage) string {
		var r struct{ GID string }
		_ = json.Unmarshal(row, &r)
		return r.GID
	}
	for _, row := range list {
		had[gid(row)] = true
	}
	n := len(list)
	for _, row := range more {
		if g := gid(row); !had[g] {
			had[g] = true
			list = append(list, row)
		}
	}
	if len(list) == n {
		return nil
	}
	return list
}

// logout answers that a connection has ended. Its user goes offline unless he is elsewhere; what was told to him lately may
// not have reached it.
func (s *Server) logout(ctx context.Context, q *request, head http.Header) reply {
	if q.user == 0 {
		if s.cures(Noise) {
			return say(nothing)
		}
		return s.ask(ctx, q.site, q.plain, head)
	}
	stays := s.people.leaves(q.site, q.user)
	s.saved(ctx)
	if stays && s.cures(Presence) {
		return say(nothing)
	}
	a := s.ask(ctx, q.site, q.plain, head)
	if status, is := s.people.present(q.user); is && s.cures(Presence) { // he signed in again before the backend was done
		s.exchange(ctx, legacy.Chat(legacy.UserID(q.user), "userchange", map[string]string{"status": status}))
		return say(nothing)
	}
	if o, err := parseObject(a.plain); err == nil && a.status == http.StatusOK && o.text("result") == string(legacy.Success) {
		users, named := o.users()
		if !named && s.cures(Broadcasts) { // nobody is online to be told
			users = []int64{0}
			a = say(o.with("users", users).bytes())
		}
		s.passed(ctx, q.site, legacy.UserID(q.user), nil, o, users)
	}
	return a
}

// notify answers an xxd's tick, which reports who has gone: not those who are elsewhere.
func (s *Server) notify(ctx context.Context, q *request, head http.Header) reply {
	text := q.plain
	var params object
	var offline []int64
	if json.Unmarshal(q.get("params"), &params) == nil && json.Unmarshal(params.get("offline"), &offline) == nil && len(offline) > 0 {
		gone := slices.DeleteFunc(slices.Clone(offline), func(u int64) bool {
			return s.botOf(u) != nil || s.cures(Presence) && s.people.elsewhere(q.site, u)
		})
		s.saved(ctx)
		switch {
		case len(gone) == 0:
			text = q.with("params", params.with("offline", nil)).bytes()
		case len(gone) < len(offline):
			text = q.with("params", params.with("offline", gone)).bytes()
		}
	}
	a := s.ask(ctx, q.site, text, head)
	if o, err := parseObject(a.plain); err == nil && a.status == http.StatusOK {
		s.spreadNotices(ctx, o, q.site)
		s.overhear(ctx, 0, nil, o, nil)
	}
	return a
}

// spreadNotices tells the desktops of other xxds than one the notices that were asked for, as each xxd tells them to its own.
func (s *Server) spreadNotices(ctx context.Context, o object, but *site) {
	byUser, err := parseObject(o.get("data"))
	if err != nil {
		return // [] if there are none
	}
	for _, list := range byUser {
		var user int64
		if json.Unmarshal([]byte(list.name), &user) != nil {
			continue
		}
		from := here
		if but != nil {
			from = but.name
		}
		s.hand(ctx, from, framed("notify", list.value), []int64{user})
	}
}

// serverStart answers that an xxd has started, upon which the backend sets everybody offline: those who are elsewhere are set
// online again.
func (s *Server) serverStart(ctx context.Context, q *request, head http.Header) reply {
	a := s.ask(ctx, q.site, q.plain, head)
	online := s.people.restarted(q.site)
	s.saved(ctx)
	if a.status != http.StatusOK || !s.cures(Presence) {
		return a
	}
	for user, status := range online {
		s.exchange(ctx, legacy.Chat(legacy.UserID(user), "userchange", map[string]string{"status": status}))
	}
	return a
}

// exchange makes a call of our own on behalf of a user, so that he is online as he is, and tells the desktops. It returns the answer, nil if there
// is none.
func (s *Server) exchange(ctx context.Context, c legacy.Call) object {
	limit, cancel := context.WithTimeout(ctx, forwardTimeout)
	r, text, err := s.backend.Exchange(limit, c)
	cancel()
	if err != nil || r.Result != legacy.Success {
		s.log.WarnContext(ctx, "the backend could not be told who is online", "call", c.String(), "session", c.User.String(), "error", err)
		return nil
	}
	return s.spread(ctx, text)
}

// settled sets those offline who left us before it was known whether they have a desktop.
func (s *Server) settled(ctx context.Context) {
	wait := time.NewTimer(s.people.unknownFor(s.settle))
	defer wait.Stop()
	select {
	case <-wait.C:
	case <-ctx.Done():
		return
	}
	for _, user := range s.people.doubtful() {
		if o := s.exchange(ctx, legacy.Chat(legacy.UserID(user), "logout")); o != nil {
			s.overhear(ctx, legacy.UserID(user), nil, o, nil)
		}
	}
}
