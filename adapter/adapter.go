package adapter

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sony/gobreaker/v2"

	"github.com/xuangate/xuangate/adapter/folder"
	"github.com/xuangate/xuangate/adapter/legacy"
	"github.com/xuangate/xuangate/gen/model"
)

// Event is what happened, on its way to the event log.
type Event struct {
	Kind model.EventKind
	To   Recipients
	// Data is a model.MsgData, ConversationEvent, User or Notification, as Kind says; nil for the control kinds.
	Data any
	// Once names the event where it may come in more than one way: a message's or notice's legacy gid. Each recipient
	// gets one Once once. "" is never checked.
	Once string
	// Chat and ID order messages: within a chat by ID. An empty Chat has no order.
	Chat legacy.ChatGID
	ID   legacy.MessageID
}

// Recipients are those whom an event concerns, whether they listen or not.
type Recipients struct {
	All   bool
	Users []legacy.UserID
	Login string // of the streams of Users, only those of this login; "" is all of them
}

// Sink takes an event into the log. It is called in the order in which things happened to a conversation.
type Sink func(ctx context.Context, e Event) error

// Observer is told of each legacy call once it ended; err is nil when legacy answered, be it a refusal, and r is the answer. ctx is
// the request's, where there is one. A sign-in over a connection of its own is a call of chat/login.
type Observer func(ctx context.Context, c legacy.Call, r legacy.Response, took time.Duration, err error)

// Config is what an Adapter needs. Sink and one of Caller and Upstreams are required, all else has a default.
type Config struct {
	Caller Caller // asks for every user: modes xxb and inline
	// Mode is what users are told of how Caller stands beside the chat server; default xxb.
	Mode model.ServerInfoMode
	// Upstreams has each user signed in by himself, with his own password: modes xxd and v1.
	Upstreams *Upstreams
	Sink      Sink
	// Apps asks as an application registered in the back office, for what no user may ask. Nil: there is none.
	Apps Caller

	// Calls are what internal systems may call by name, as module/method; each must pass CheckCall.
	Calls []string

	// Secrets keep users' passwords for Upstreams, and the statuses that users chose, sealed under SecretKey; with an empty key nobody
	// can open them after this process. For a Caller they may be left out: then statuses are known here alone.
	Secrets Secrets
	// SecretKey also signs the ids of files: without it those of an earlier process are unknown.
	SecretKey string
	// OperatorPassword is the MD5 of the operator's password, for Upstreams. Without it /inner works for users signed in.
	OperatorPassword string
	// LinkIdle is how long a user's connection is kept after its last use; default 10 min.
	LinkIdle time.Duration
	// Reclaim takes a user's link back a minute after a sign-in elsewhere, at most once in ten minutes; otherwise it stays
	// ended until the user signs in here again.
	Reclaim bool
	// SignedIn says whether a token of a user lives; a link is given up with the last one. Nil: all live for ever.
	SignedIn func(ctx context.Context, u legacy.UserID) (bool, error)
	// OnKick is called when a user signed in to the server elsewhere, which ended his link. Nil: nobody is told.
	OnKick func(ctx context.Context, u legacy.UserID) error

	// OnSignIn hears of a sign-in to the server that was not by SignIn: of a user elsewhere, which was good, or of a link that
	// came back, if its password was refused. Nil: nobody does.
	OnSignIn func(ctx context.Context, account string, good bool)

	// MaxCalls is how many calls may be under way at the legacy server; default 64.
	MaxCalls int
	// SignIns is how many users may sign in to Upstreams a second; default 10.
	SignIns float64

	// Folder is where uploaded files are, for Caller; a server of Upstreams keeps them itself. Nil: there is no place for any.
	Folder *folder.Folder
	// Store is where the chat server beside Caller keeps files; then Folder is not used. Nil: there is none.
	Store *Store
	// MaxFile is the largest file in bytes that goes there; default 32 MiB, as xxd has it.
	MaxFile int64

	// Claims are given where nodes share the legacy server: one at a time polls it, sends into a chat, and holds a user's link.
	// Nil: this is the only node.
	Claims Claims
	// Elsewhere makes a call over a link that another node holds, named as HolderOf names it; errors as those of a Caller. Nil: the
	// other nodes cannot be asked.
	Elsewhere func(ctx context.Context, holder string, c legacy.Call) (legacy.Response, error)
	// Name is this process's own, for a log that outlives it or that others append to, too: they number the states of chats
	// each for themselves. Empty will do for a log of its own.
	Name string

	Observe  Observer       // nil: nobody
	Operator string         // account that /inner acts as; default "admin"
	Timezone *time.Location // legacy's zone, for dates it writes as local time; default UTC
	Emoji    EmojiForm      // how characters above U+FFFF travel; default Shortname
	// MaxContent is the most bytes of content that legacy stores; it cuts longer ones and says success. Default 65,535.
	MaxContent int
	// Timeout bounds one legacy call; default 5 s.
	Timeout time.Duration
	// Poll is how often notices and changes of users are asked for; default 10 s. Not over a minute: legacy tells only
	// the last minute's changes.
	Poll time.Duration
	// OwnPresence marks everybody offline at start. Only where no other chat server runs beside us.
	OwnPresence bool
	Log         *slog.Logger // default slog.Default()
}

// Adapter answers the facade's operations from the legacy server. All methods may be used from any goroutine; each
// returns an *Error, or wraps one, unless the fault is our own.
type Adapter struct {
	caller      Caller
	apps        Caller // nil where we are no application
	calls       map[string]bool
	sink        Sink
	observe     Observer
	operator    string
	zone        *time.Location
	emoji       emoji
	maxContent  int
	timeout     time.Duration
	poll        time.Duration
	ownPresence bool
	claims      Claims // nil: this is the only node
	name        string
	mode        model.ServerInfoMode
	log         *slog.Logger
	signedIn    func(context.Context, legacy.UserID) (bool, error)
	onKick      func(context.Context, legacy.UserID) error
	onSignIn    func(ctx context.Context, account string, good bool)
	links       *links // nil where the caller asks for everybody
	breaker     *breaker
	berths      *berths
	depot       depot
	fileKey     fileKey

	leading Claim        // to poll; Run alone uses it
	dropped atomic.Int64 // pushes whose recipients could not be told
	unknown sync.Map     // kinds of pushes that were noted

	users    *users
	looks    *looks
	chats    *chats
	lanes    *lanes
	lookups  chan struct{} // of last messages that are under way
	zoneTold sync.Once     // that legacy.timezone is wrong
	sent     *sentDrafts
	doubts   *doubts
}

// New makes an Adapter. It asks legacy nothing; Run does the work that goes on by itself.
func New(c Config) (*Adapter, error) {
	if (c.Caller == nil) == (c.Upstreams == nil) || c.Sink == nil {
		return nil, errors.New("adapter: Sink and one of Caller and Upstreams are required")
	}
	if c.Upstreams != nil && (c.Secrets.Keep == nil || c.Secrets.Kept == nil || c.Secrets.Forget == nil) {
		return nil, errors.New("adapter: Upstreams need Secrets")
	}
	a := &Adapter{
		caller: c.Caller, apps: c.Apps, sink: c.Sink, observe: c.Observe,
		operator:   cmp.Or(c.Operator, "admin"),
		zone:       cmp.Or(c.Timezone, time.UTC),
		emoji:      emoji{form: c.Emoji},
		maxContent: cmp.Or(c.MaxContent, 65535),
		timeout:    cmp.Or(c.Timeout, 5*time.Second),
		poll:       cmp.Or(c.Poll, 10*time.Second),
		log:        cmp.Or(c.Log, slog.Default()),

		ownPresence: c.OwnPresence,
		claims:      c.Claims,
		name:        c.Name,
		mode:        cmp.Or(c.Mode, model.ModeXxb),
		signedIn:    c.SignedIn,
		calls:       map[string]bool{},
		onKick:      c.OnKick,
		onSignIn:    c.OnSignIn,
		breaker:     newBreaker(c.Upstreams != nil),
		berths:      newBerths(cmp.Or(c.MaxCalls, 64)),
		depot:       noDepot{},
		fileKey:     fileKey(derive(c.SecretKey, "file ids")),
	}
	switch {
	case c.Caller != nil && c.Store != nil:
		a.depot = &shelf{c.Store}
	case c.Caller != nil && c.Folder != nil:
		a.depot = &cellar{a: a, folder: c.Folder, max: cmp.Or(c.MaxFile, 32<<20)}
	}
	for _, name := range c.Calls {
		if err := CheckCall(name); err != nil {
			return nil, fmt.Errorf("adapter: %w", err)
		}
		a.calls[strings.ToLower(name)] = true
	}
	var keeps *vault
	if c.Secrets.Keep != nil {
		var err error
		if keeps, err = newVault(c.SecretKey, c.Secrets); err != nil {
			return nil, fmt.Errorf("adapter: %w", err)
		}
	}
	if c.Upstreams != nil {
		links := newLinks(a, c, keeps)
		a.links, a.caller, a.depot = links, links, links
	}
	a.users = &users{load: a.loadUsers, tell: a.userChanged}
	a.looks = newLooks(keeps)
	a.chats = newChats()
	a.lanes = newLanes()
	if a.links == nil { // over links the order is that in which each is told
		a.lanes.claims = c.Claims
		a.lanes.passed = func(key string) { a.chats.forget(legacy.ChatGID(key)) }
	}
	a.lookups = make(chan struct{}, allLookups)
	a.sent = newSentDrafts()
	a.doubts = &doubts{}
	return a, nil
}

// call asks legacy once. A refusal is an error.
func (a *Adapter) call(ctx context.Context, op string, c legacy.Call) (legacy.Response, error) {
	return a.callOn(ctx, a.caller, op, c)
}

// callApp is call as an application. What is sent in nobody's name is not repeated.
func (a *Adapter) callApp(ctx context.Context, op string, c legacy.Call) (legacy.Response, error) {
	if err := a.has(op, model.CapabilityApplicationAPI); err != nil {
		return legacy.Response{}, err
	}
	if a.apps == nil {
		return legacy.Response{}, refuse(op, model.Unsupported, "this takes an application registered in the chat server's back office: set legacy.api.url, legacy.api.code and legacy.api.token")
	}
	return a.callOn(ctx, a.apps, op, c)
}

func (a *Adapter) callOn(ctx context.Context, on Caller, op string, c legacy.Call) (legacy.Response, error) {
	ctx, cancel := context.WithTimeout(ctx, a.timeout)
	defer cancel()
	start := time.Now()
	r, err := a.reach(ctx, on, op, c)
	a.observed(ctx, c, r, start, err)
	if err != nil {
		return r, noAnswer(op, err)
	}
	if r.Result != legacy.Success {
		return r, refused(op, r)
	}
	return r, nil
}

// observed tells the Observer of a call that began at start.
func (a *Adapter) observed(ctx context.Context, c legacy.Call, r legacy.Response, start time.Time, err error) {
	if a.observe != nil {
		a.observe(ctx, c, r, time.Since(start), err)
	}
}

// reach makes a call, if the legacy server is not down and has room for it. An application's server is another one.
func (a *Adapter) reach(ctx context.Context, on Caller, op string, c legacy.Call) (legacy.Response, error) {
	if on == a.apps {
		return on.Call(ctx, c)
	}
	done, err := a.breaker.enter(op, c)
	if err != nil {
		return legacy.Response{}, err
	}
	r, err := a.berthed(ctx, on, op, c)
	done(err)
	return r, err
}

// berthed makes a call in one of the berths. Over links it takes one itself, for a link must not wait in it until it is there.
func (a *Adapter) berthed(ctx context.Context, on Caller, op string, c legacy.Call) (legacy.Response, error) {
	if a.links == nil || on != Caller(a.links) {
		leave, err := a.berths.enter(ctx, op)
		if err != nil {
			return legacy.Response{}, err
		}
		defer leave()
	}
	return on.Call(ctx, c)
}

// Load is how the legacy server was protected so far, and is now.
type Load struct {
	Open           bool  // it counts as down, and is asked nothing
	Opened         int64 // how often it did
	RefusedOpen    int64 // calls that were not made because it did
	Calls          int   // under way now
	RefusedCalls   int64 // that found no room
	SignInsWaiting int   // now, for their turn
	RefusedSignIns int64 // for which the line was too long
}

// Load may be asked from any goroutine.
func (a *Adapter) Load() Load {
	l := Load{
		Open: a.breaker.gate.State() == gobreaker.StateOpen, Opened: a.breaker.opened.Load(), RefusedOpen: a.breaker.refused.Load(),
		Calls: len(a.berths.free), RefusedCalls: a.berths.refused.Load(),
	}
	if a.links != nil {
		l.SignInsWaiting, l.RefusedSignIns = a.links.queue.waiting(), a.links.queue.refused.Load()
	}
	return l
}

// read is call for what changes nothing: it asks a second time when the first got no answer, for one dropped connection
// need not be the client's trouble.
func (a *Adapter) read(ctx context.Context, op string, c legacy.Call) (legacy.Response, error) {
	r, err := a.call(ctx, op, c)
	if code(err) == model.Unreachable && !errors.Is(err, errOpen) && !errors.Is(err, errFull) && ctx.Err() == nil {
		r, err = a.call(ctx, op, c)
	}
	if err == nil && r.Unsure {
		err = noAnswer(op, errUnanswered)
	}
	return r, err
}

// errUnanswered says that a question was carried out and its answer did not come to us.
var errUnanswered = errors.New("no answer came to us")

// Ping asks legacy whether it is there.
func (a *Adapter) Ping(ctx context.Context) error {
	if a.links != nil {
		if err := a.links.ups.Probe(ctx); err != nil {
			return noAnswer("ping", err)
		}
		return nil
	}
	op, err := a.operatorID(ctx)
	if err != nil {
		return err
	}
	_, err = a.read(ctx, "ping", legacy.Chat(op, "ping"))
	return err
}

// spoken decodes an answer's data. An answer of another shape is legacy speaking garbage: Unreachable, not our fault.
func spoken(op string, r legacy.Response, v any) error {
	if err := r.Decode(v); err != nil {
		return &Error{Code: model.Unreachable, Op: op, Text: "the chat server answered something we do not understand", RetryAfter: retryAfter, Err: err}
	}
	return nil
}
