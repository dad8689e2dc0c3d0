package xxd

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/xuangate/xuangate/adapter/legacy"
)

// answer gives a frame to the pending call whose it may be, and says whether it is news too. c.mu is held.
func (c *Conn) answer(f legacy.Push) (news bool) {
	method := strings.ToLower(f.Method)
	switch {
	case method == "error":
		c.unanswered()
		return false
	case method == "history" && strings.HasPrefix(string(f.Pager.GID), fenceName):
		c.fenced(string(f.Pager.GID))
		return false
	case f.Result == legacy.Fail:
		c.mayHaveFailed(method, f)
		return false // a failure is nobody's news
	}
	if method == "message" && !bytes.ContainsRune(f.Data, '{') {
		c.hollow()
		return false
	}
	p := c.first(func(p *pending) bool { return method == p.method && p.mine(f) })
	if p == nil {
		return true
	}
	p.answers = append(p.answers, f)
	if p.certain {
		c.settleUpTo(p) // xxd is done with what came before it
	}
	return !slices.Contains(callerOnly, method)
}

// mayHaveFailed notes a failure with every call whose it may be: which one's it is, the state will tell.
func (c *Conn) mayHaveFailed(method string, f legacy.Push) {
	for _, p := range c.pending {
		if method != p.method || !p.mayFail(f) {
			continue
		}
		p.fails = append(p.fails, f)
		if p.fence != nil {
			p.fence.Reset(0)
		}
	}
}

// hollow notes an answer without any message with every message that waits: one of them was lost, but it does not say which.
func (c *Conn) hollow() {
	for _, p := range c.pending {
		if _, ok := p.draft(); ok {
			p.empty = true
			if p.fence != nil {
				p.fence.Reset(0)
			}
		}
	}
}

func (c *Conn) first(match func(*pending) bool) *pending {
	if i := slices.IndexFunc(c.pending, match); i >= 0 {
		return c.pending[i]
	}
	return nil
}

// fenced takes the answer to a fence, if it is one of ours: all that its call, and those before it, were going to cause has
// come.
func (c *Conn) fenced(name string) {
	i := slices.IndexFunc(c.fences, func(p *pending) bool { return p.name == name })
	if i < 0 {
		return
	}
	p := c.fences[i]
	c.fences = c.fences[i+1:]
	if slices.Contains(c.pending, p) { // else it was answered before its fence
		c.settleUpTo(p)
	}
}

// unanswered takes xxd's word that its backend did not answer, which it gives the caller alone (recorded: 13_errors): for a
// fence of a call that has its answer already, or else for the oldest call that has nothing yet.
func (c *Conn) unanswered() {
	if len(c.fences) > 0 && !slices.Contains(c.pending, c.fences[0]) {
		c.fences = c.fences[1:]
		return
	}
	for _, p := range c.pending {
		idle := !p.failed && len(p.answers)+len(p.fails) == 0
		switch {
		case idle:
			p.failed = true
			if p.certain { // its fence, if there is one, would take xxd as long again
				c.settleUpTo(p)
			}
			return
		case len(c.fences) > 0 && c.fences[0] == p:
			c.fenced(p.name)
			return
		}
	}
}

// settleUpTo answers a pending call and all before it.
func (c *Conn) settleUpTo(p *pending) {
	n := slices.Index(c.pending, p) + 1
	for _, one := range c.pending[:n] {
		one.settle()
	}
	c.pending = slices.Delete(c.pending, 0, n)
}

var (
	// callerOnly are the methods whose answer goes to the caller alone.
	callerOnly = []string{
		"getlist", "getpubliclist", "members", "star", "hide", "mute", "category", "history", "settings", "extensions",
		"gettodoes", "upserttodo", "visit", "ping",
	}
	// telling are those whose answer to the caller says which question it answers (recorded: 03_lists, 05_message, 07_history).
	telling = []string{"message", "members", "star", "hide", "mute", "category", "history"}
)

// answerName is how an answer names a call's method.
func answerName(method string) string {
	switch m := strings.ToLower(method); m {
	case "getofflinemessages":
		return "message"
	case "getofflinenotify":
		return "notify"
	default:
		return m
	}
}

// mine says whether a success may be the call's own. Answers to others about the same chat cannot be told apart here.
func (p *pending) mine(f legacy.Push) bool {
	switch p.method {
	case "message":
		// Every message that the user hears comes by here, so it is not decoded: our gid is a UUID of ours, and within a
		// string its quotes would be escaped. xxd encodes its answers anew, without blanks (recorded: 05_message).
		draft, ok := p.draft()
		return ok && bytes.Contains(f.Data, []byte(`"gid":"`+string(draft.GID)+`"`))
	case "create", "joinchat", "addmember", "changename", "changepublic", "setcommitters", "setadmin", "dismiss":
		var row legacy.ChatRow
		return f.Decode(&row) == nil && string(row.GID) == p.gid()
	case "history":
		params, _ := p.call.Params.([]any)
		return len(params) > 2 && string(f.Pager.GID) == p.gid() && fmt.Sprint(f.Pager.Size, f.Pager.PageID) == fmt.Sprint(params[1], params[2])
	case "members", "star", "hide", "mute", "category":
		return p.about(f)
	case "userchange":
		var row legacy.UserRow
		return f.Decode(&row) == nil && legacy.UserID(row.ID) == p.call.User
	}
	return true
}

// about says whether an answer to the caller names the chat of the call, or its chats. One without data is of a chat that
// there is not (recorded: 03_lists), and says no more.
func (p *pending) about(f legacy.Push) bool {
	var about struct {
		GID  legacy.Text   `json:"gid"`
		GIDs []legacy.Text `json:"gids"`
	}
	if f.Decode(&about) != nil {
		return false
	}
	return about.GID == "" && len(about.GIDs) == 0 || string(about.GID) == p.gid() || fmt.Sprint(about.GIDs) == p.gid()
}

// mayFail says whether a failure may be the call's own: a message's names its chat, or none where nothing was in the call
// (recorded: 05_message), which is never ours. The others tell nothing.
func (p *pending) mayFail(f legacy.Push) bool {
	draft, ok := p.draft()
	if !ok {
		return true
	}
	var rows []struct {
		GID legacy.Text `json:"gid"`
	}
	if json.Unmarshal(f.Data, &rows) != nil || len(rows) == 0 {
		return true
	}
	return legacy.ChatGID(rows[0].GID) == draft.CGID
}
