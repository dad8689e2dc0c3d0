package xuanxuan

import (
	"errors"
	"io"
	"slices"
	"sync"
)

// A frame is one message to clients. It is sealed once, however many get it.
type frame struct {
	method string // lower case, "" where it is unknown; faults go by it
	plain  []byte
	sealed []byte
	last   bool                  // the connection breaks when it is written
	raw    func(io.Writer) error // writes instead of it, as a hostile server would; the connection breaks behind it
}

// errClosedQueue is what xxd dies of: "send on closed channel".
var errClosedQueue = errors.New("a frame for a connection that is closed but still registered: its client signed in twice on it")

// A hub knows whom to deliver to: one connection per user. Each frame is handed out in one step, so that all who get
// two frames get them in the same order.
type hub struct {
	faults *xxdFaults
	crash  func(error) // ends the xxd; must not block

	mu      sync.Mutex
	shut    bool
	open    map[*client]struct{} // every connection, signed in or not
	online  map[int64]*client    // by user; several users may lead to one connection
	langs   []string             // of all logins so far: ticks are made once for each
	offline []int64              // users gone since the last tick
	unsent  map[int64][]string   // gids of messages that could not be written, by user, since the last tick
}

// enter adds a connection. It returns false when the hub is shut.
func (h *hub) enter(c *client) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.shut {
		return false
	}
	if h.open == nil {
		h.open, h.online = map[*client]struct{}{}, map[int64]*client{}
	}
	h.open[c] = struct{}{}
	return true
}

// register gives a user's frames to the connection from now on. An earlier connection of his stays open: it is told
// and gets nothing more (recorded: 11_kickoff_second_login). One that signs in twice tells itself.
func (h *hub) register(c *client, user int64, kickoff frame) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.offline = slices.DeleteFunc(h.offline, func(id int64) bool { return id == user })
	old := h.online[user]
	h.online[user] = c
	if old != nil {
		old.kicked = true
		h.push(old, user, kickoff)
	}
}

// leave removes a connection that has ended. It returns whether its user is to be logged out: not when the xxd itself
// ends. A connection that was kicked is not looked for: where it had kicked itself it remains registered, closed as it
// is.
func (h *hub) leave(c *client) (logout bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.open, c)
	if c.kicked {
		c.queue.close()
		return false
	}
	if user := c.user.Load(); h.online[user] == c {
		c.queue.close()
		delete(h.online, user)
		h.offline = append(h.offline, user)
	}
	return !h.shut
}

// deliver hands a frame to those of the users who are connected, and to everybody who is if there are none.
func (h *hub) deliver(users []int64, f frame) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(users) == 0 {
		for user, c := range h.online {
			h.push(c, user, f)
		}
		return
	}
	for _, user := range users {
		if c := h.online[user]; c != nil {
			h.push(c, user, f)
		}
	}
}

// push queues a frame for one user. A connection whose queue is full is thrown out, with all that it had not read.
func (h *hub) push(c *client, user int64, f frame) {
	if h.faults.loses(user, f.method) {
		return
	}
	switch c.queue.push(f) {
	case queueFull:
		c.queue.close()
		delete(h.online, user)
	case queueClosed:
		h.crash(errClosedQueue)
	case queued:
	}
}

// connection returns the one that a user's frames go to, or nil.
func (h *hub) connection(user int64) *client {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.online[user]
}

// count returns how many connections are open and how many users signed in.
func (h *hub) count() (open, online int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.open), len(h.online)
}

// drop breaks every connection.
func (h *hub) drop() {
	h.mu.Lock()
	all := make([]*client, 0, len(h.open))
	for c := range h.open {
		all = append(all, c)
	}
	h.mu.Unlock()
	for _, c := range all {
		c.drop()
	}
}

// dropAll breaks every connection and lets no more in.
func (h *hub) dropAll() {
	h.mu.Lock()
	h.shut = true
	h.mu.Unlock()
	h.drop()
}

// speak notes a client's language.
func (h *hub) speak(lang string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !slices.Contains(h.langs, lang) {
		h.langs = append(h.langs, lang)
	}
}

func (h *hub) languages() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.langs)
}

// notSent notes a message that a connection died over.
func (h *hub) notSent(user int64, gid string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.unsent == nil {
		h.unsent = map[int64][]string{}
	}
	h.unsent[user] = append(h.unsent[user], gid)
}

// losses returns whom the backend does not know to be offline, nil for nobody, and what could not be written.
func (h *hub) losses() ([]int64, map[int64][]string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	unsent := make(map[int64][]string, len(h.unsent))
	for user, gids := range h.unsent {
		unsent[user] = slices.Clone(gids)
	}
	if len(h.offline) == 0 {
		return nil, unsent
	}
	return slices.Clone(h.offline), unsent
}

// reported forgets losses that the backend has heard of.
func (h *hub) reported(offline []int64, unsent map[int64][]string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.offline = slices.DeleteFunc(h.offline, func(id int64) bool { return slices.Contains(offline, id) })
	for user := range unsent {
		delete(h.unsent, user)
	}
}
