package inline

import (
	"sync"
	"time"
)

const (
	// enteringFor is for how long after a login the end of the connection before may be reported. Longer, and the end of a
	// connection that replaced a kicked one, which reports nothing, would not count; the next tick heals that.
	enteringFor = 3 * time.Second
	// quietFor is after how long without a call a connection that was kicked is forgotten: kicked clients hang up and nobody
	// tells us, and a port that is used again must not look like a second login.
	quietFor = 5 * time.Minute
	// maxMissed bounds what is told again to a desktop that comes back. Beyond it the oldest are in the history alone.
	maxMissed = 2000
	// skew is how far the clocks of two nodes may differ: what was noted by another counts from so much earlier on.
	skew = time.Second
)

// people is who is where: here, on a desktop, or both. It may be used from any goroutine.
type people struct {
	mu      sync.Mutex
	users   map[int64]*person
	conns   map[connection]*attached
	changed map[int64]struct{} // since they were taken; nil where nobody takes them
	known   time.Time          // since when all of them are known
}

// A connection is a client's, at one xxd.
type connection struct {
	at     *site
	client string
}

// attached is the user whose connection it is, and when it was last heard.
type attached struct {
	user  int64
	heard time.Time
}

type person struct {
	web    bool   // has a stream here
	status string // as set last, while web
	desk   connection
	// replaces says that desk's login took the place of a connection whose end was not reported: who hears of it later must not take
	// it for that of desk.
	replaces bool
	// begun is since when a login on desk is under way; the zero time once the user is reachable.
	begun, entered time.Time // entered is when that login was answered
	// since is from when on what named him may have reached no desktop of his; the zero time while he has one, and where he
	// has had none yet.
	since    time.Time
	doubtful bool // he left us before it was known whether he has a desktop
}

func newPeople(shared bool) *people {
	p := &people{users: map[int64]*person{}, conns: map[connection]*attached{}, known: time.Now()}
	if shared {
		p.changed = map[int64]struct{}{}
	}
	return p
}

// unknownFor is how long it takes yet until it is known who is on a desktop.
func (p *people) unknownFor(settle time.Duration) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return time.Until(p.known.Add(settle))
}

func (p *people) of(user int64) *person {
	if p.users[user] == nil {
		p.users[user] = &person{}
	}
	return p.users[user]
}

func (x *person) onDesk() bool { return x != nil && x.desk.at != nil }

// signedInOn says that somebody has signed in on a connection.
func (p *people) signedInOn(at *site, client string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	c := connection{at, client}
	a := p.conns[c]
	if a == nil {
		return false
	}
	if x := p.users[a.user]; (x == nil || x.desk != c) && time.Since(a.heard) > quietFor {
		delete(p.conns, c)
		return false
	}
	return true
}

// enters notes that the backend has let a user in on a connection, which was asked at begun.
func (p *people) enters(at *site, client string, user int64, begun time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	x := p.of(user)
	p.change(user)
	if x.since.IsZero() && x.onDesk() {
		x.since = begun
	}
	x.replaces = x.desk.at == at
	x.desk, x.begun, x.entered = connection{at, client}, begun, time.Now()
	p.conns[x.desk] = &attached{user, time.Now()}
	for c, a := range p.conns { // those that were kicked and said nothing since
		if y := p.users[a.user]; (y == nil || y.desk != c) && time.Since(a.heard) > quietFor {
			delete(p.conns, c)
		}
	}
}

// talks notes a call over a connection. It returns true if that is the first sign that its user's login is over.
func (p *people) talks(at *site, client string, user int64) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	c := connection{at, client}
	if a := p.conns[c]; a != nil {
		a.heard = time.Now()
	} else {
		p.conns[c] = &attached{user, time.Now()}
	}
	x := p.of(user)
	if !x.onDesk() { // since before our start
		x.desk = c
		p.change(user)
	}
	return x.desk == c && !x.begun.IsZero()
}

// reachable notes that frames for a user reach his desktop from now on, and returns since when they may not have; ok is false
// where no login of his was under way.
func (p *people) reachable(at *site, user int64) (since time.Time, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	x := p.users[user]
	if x == nil || x.desk.at != at || x.begun.IsZero() {
		return since, false
	}
	p.change(user)
	since, x.begun, x.since = x.begun, time.Time{}, time.Time{}
	return since, true
}

// leaves notes that a connection of a user has ended at an xxd. stays says that he is online all the same: here, at another
// xxd, or because he is about to sign in again.
func (p *people) leaves(at *site, user int64) (stays bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	x := p.of(user)
	p.change(user)
	unheard := !x.begun.IsZero() && x.since.IsZero() // he may have had one before our start
	if x.desk.at == at && (x.replaces || unheard) && time.Since(x.entered) < enteringFor {
		x.replaces = false
		x.begun = time.Now().Add(-tail) // to the connection before as much may have been lost
		return true
	}
	if x.desk.at == at || x.desk.at == nil {
		p.loses(x)
	}
	return x.web || x.onDesk()
}

// elsewhere says that a user is online though one xxd reports that he is gone from it. It forgets the connection of his there:
// its end may have been taken for that of the one before.
func (p *people) elsewhere(at *site, user int64) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	x := p.users[user]
	if x == nil {
		return false
	}
	if x.desk.at == at && time.Since(x.entered) >= enteringFor {
		p.change(user)
		p.loses(x)
	}
	return x.web || x.onDesk()
}

// loses notes that a person's desktop is gone; what was told shortly before may not have reached it. p.mu is held.
func (p *people) loses(x *person) {
	if x.since.IsZero() && x.onDesk() {
		x.since = time.Now().Add(-tail)
	}
	delete(p.conns, x.desk)
	x.desk, x.begun = connection{}, time.Time{}
}

// restarted forgets the connections of an xxd, and returns who is online all the same and as what.
func (p *people) restarted(at *site) map[int64]string {
	p.mu.Lock()
	defer p.mu.Unlock()
	online := map[int64]string{}
	for user, x := range p.users {
		if x.desk.at == at {
			p.change(user)
			p.loses(x)
		}
		switch {
		case x.web:
			online[user] = x.status
		case x.onDesk():
			online[user] = "online"
		}
	}
	for c := range p.conns {
		if c.at == at {
			delete(p.conns, c)
		}
	}
	return online
}

// comesHere notes that a user has a stream here, or shows himself otherwise.
func (p *people) comesHere(user int64, status string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	x := p.of(user)
	p.change(user)
	x.web, x.status, x.doubtful = true, status, false
}

// leavesHere notes that a user's last stream here has ended. gone says that he is nowhere else; before it is known who has a
// desktop nobody is.
func (p *people) leavesHere(user int64, known bool) (gone bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	x := p.of(user)
	p.change(user)
	x.web = false
	x.doubtful = !known && !x.onDesk()
	return known && !x.onDesk()
}

// doubtful returns those who left us before it was known where they are, and are nowhere.
func (p *people) doubtful() (list []int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for user, x := range p.users {
		if x.doubtful && !x.web && !x.onDesk() {
			list = append(list, user)
		}
		x.doubtful = false
	}
	return list
}

// present says that a user is online somewhere, and as what.
func (p *people) present(user int64) (status string, is bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch x := p.users[user]; {
	case x == nil:
		return "", false
	case x.web:
		return x.status, true
	default:
		return "online", x.onDesk()
	}
}

// full says that one more user on a desktop is more than there may be.
func (p *people) full(user int64, most int) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := 0
	for other, x := range p.users {
		if x.onDesk() && other != user {
			n++
		}
	}
	return most > 0 && n >= most
}

// missed is since when what named a user may have reached no desktop of his.
func (p *people) missed(user int64) time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.of(user).since
}
