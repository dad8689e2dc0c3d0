package adapter

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/xuangate/xuangate/adapter/legacy"
	"github.com/xuangate/xuangate/gen/model"
)

// doorway is a server that users sign in to: each dial takes the next of the prepared outcomes, or lets alice in.
type doorway struct {
	*script
	mu       sync.Mutex
	outcomes []error // of the next dials; nil lets in
	welcome  legacy.Welcome
	dialled  int
	verified int
	open     *wire // the connection that was made last
	kicked   []legacy.UserID
	drawer   drawer
}

// drawer keeps secrets as a store would.
type drawer struct{ sync.Map }

func (d *drawer) secrets() Secrets {
	return Secrets{
		Keep: func(_ context.Context, u legacy.UserID, sealed []byte) error { d.Store(u, sealed); return nil },
		Kept: func(_ context.Context, u legacy.UserID) ([]byte, error) {
			sealed, _ := d.Load(u)
			b, _ := sealed.([]byte)
			return b, nil
		},
		Forget: func(_ context.Context, u legacy.UserID) error { d.Delete(u); return nil },
	}
}

// wire is an Upstream whose pushes the test writes.
type wire struct {
	*script
	pushes chan legacy.Push
	once   sync.Once
	ended  chan struct{}
	cause  error

	limit     int64
	transfers error // what comes of uploads and downloads
}

func (w *wire) Next(ctx context.Context) (legacy.Push, error) {
	select {
	case p := <-w.pushes:
		return p, nil
	default:
	}
	select {
	case p := <-w.pushes:
		return p, nil
	case <-w.ended:
		return legacy.Push{}, w.cause
	case <-ctx.Done():
		return legacy.Push{}, ctx.Err()
	}
}

func (w *wire) UploadLimit() int64 { return w.limit }

func (w *wire) Upload(_ context.Context, up legacy.Upload, body io.Reader) (legacy.File, error) {
	if _, err := io.Copy(io.Discard, body); err != nil {
		return legacy.File{}, fmt.Errorf("wrapped: %w", err)
	}
	return legacy.File{ID: 7, Time: 1795313274, Name: up.Name}, w.transfers
}

func (w *wire) Open(context.Context, legacy.File) (io.ReadSeekCloser, int64, error) {
	return nil, 0, w.transfers
}

func (w *wire) end(cause error) { w.once.Do(func() { w.cause = cause; close(w.ended) }) }

func (w *wire) Close() error { w.end(legacy.ErrClosed); return nil }

func (d *doorway) dial(context.Context, string, string) (Upstream, legacy.Welcome, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.dialled++
	if len(d.outcomes) > 0 {
		err := d.outcomes[0]
		d.outcomes = d.outcomes[1:]
		if err != nil {
			return nil, legacy.Welcome{}, err
		}
	}
	d.open = &wire{script: d.script, pushes: make(chan legacy.Push, 100), ended: make(chan struct{})}
	return d.open, d.welcome, nil
}

func (d *doorway) next(errs ...error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.outcomes = errs
}

func (d *doorway) answer(method string, f func(legacy.Call) (legacy.Response, error)) {
	d.script.mu.Lock()
	defer d.script.mu.Unlock()
	d.answers[method] = f
}

func (d *doorway) times() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.dialled
}

func (d *doorway) push(method, data string) {
	d.open.pushes <- legacy.Push{Module: "chat", Method: method, Result: legacy.Success, Data: json.RawMessage(data)}
}

// told are the events so far as a log keeps them: one Once once. Those about links are left out.
func (d *doorway) told() (list []Event) {
	d.script.mu.Lock()
	defer d.script.mu.Unlock()
	had := map[string]bool{"": false}
	for _, e := range d.events {
		if e.Kind != model.EventKindUpstream && !had[e.Once] {
			list = append(list, e)
			had[e.Once] = e.Once != ""
		}
	}
	return list
}

// states are the states of links told so far.
func (d *doorway) states() (list []model.UpstreamState) {
	d.script.mu.Lock()
	defer d.script.mu.Unlock()
	for _, e := range d.events {
		if e.Kind == model.EventKindUpstream {
			list = append(list, e.Data.(model.Upstream).Upstream)
		}
	}
	return list
}

// inLink runs a test in a bubble of time, with alice signed in over a link.
func inLink(t *testing.T, change func(*Config), test func(t *testing.T, a *Adapter, d *doorway)) {
	synctest.Test(t, func(t *testing.T) {
		_, s := newScripted(t)
		d := &doorway{script: s}
		var users []legacy.UserRow
		require.NoError(t, answer(t, legacy.Chat(0, "userGetlist", ""), usersFrame).Decode(&users))
		r, err := s.answers["getlist"](legacy.Chat(4, "getlist"))
		require.NoError(t, err)
		require.NoError(t, r.Decode(&d.welcome.Chats))
		d.welcome.User, d.welcome.Users = users[1], users
		c := Config{
			Upstreams: &Upstreams{
				Dial: d.dial,
				Verify: func(context.Context, string, string) error {
					d.mu.Lock()
					defer d.mu.Unlock()
					d.verified++
					if len(d.outcomes) > 0 {
						return d.outcomes[0]
					}
					return nil
				},
				Probe: func(context.Context) error { return nil },
			},
			Sink: s.sink, Timeout: time.Second, Log: slog.New(slog.DiscardHandler),
			Secrets: d.drawer.secrets(), SecretKey: "secret",
			OnKick: func(_ context.Context, u legacy.UserID) error { d.kicked = append(d.kicked, u); return nil },
		}
		if change != nil {
			change(&c)
		}
		a, err := New(c)
		require.NoError(t, err)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- a.Run(ctx) }()
		_, err = a.SignIn(t.Context(), "alice", "md5")
		require.NoError(t, err)
		test(t, a, d)
		cancel()
		require.NoError(t, <-done)
	})
}

func rowJSON(id int, gid, content string) string {
	return fmt.Sprintf(`{"id":%d,"gid":%q,"cgid":"team","user":5,"date":%d,"type":"normal","contentType":"text","content":%q}`, id, gid, 1795312700+id, content)
}

func TestSigningInOverALink(t *testing.T) {
	t.Run("another sign-in of an account only asks whether the password is right", func(t *testing.T) {
		inLink(t, nil, func(t *testing.T, a *Adapter, d *doorway) {
			u, err := a.SignIn(t.Context(), "ALICE", "md5")
			require.NoError(t, err)
			require.Equal(t, "alice", u.Account)
			require.Equal(t, 1, d.times())
			d.next(legacy.ErrPassword)
			_, err = a.SignIn(t.Context(), "alice", "wrong")
			require.Equal(t, model.WrongPassword, code(err))
			require.Equal(t, 1, d.times(), "and kicks nobody out")
		})
	})
	t.Run("what keeps a user out is told apart", func(t *testing.T) {
		inLink(t, nil, func(t *testing.T, a *Adapter, d *doorway) {
			for err, want := range map[error]model.Code{
				legacy.ErrPassword: model.WrongPassword, legacy.ErrLocked: model.AccountLocked, legacy.ErrDisabled: model.AccountDisabled,
				legacy.ErrFull: model.Unreachable, errDropped: model.Unreachable, context.DeadlineExceeded: model.TooSlow,
			} {
				d.next(fmt.Errorf("dial: %w", err))
				_, got := a.SignIn(t.Context(), "bob", "md5")
				require.Equal(t, want, code(got), err)
			}
		})
	})
	t.Run("who never signed in cannot be acted for, and no token is issued for him", func(t *testing.T) {
		inLink(t, nil, func(t *testing.T, a *Adapter, _ *doorway) {
			_, err := a.JoinedConversations(t.Context(), 5)
			require.Equal(t, model.Unsupported, code(err))
			require.Equal(t, model.Unsupported, code(a.Vouch(t.Context(), 5)))
			require.NoError(t, a.Vouch(t.Context(), 4))
		})
	})
	t.Run("the operator's link is made when it is needed", func(t *testing.T) {
		inLink(t, func(c *Config) { c.OperatorPassword = "op" }, func(t *testing.T, a *Adapter, d *doorway) {
			d.answer("members", says(t, frame("members", `{"gid":"team","members":[4,5]}`)))
			d.answer("addmember", says(t, frame("addmember", chatJSON("team", "group", 4, 5, 6))))
			d.welcome.User = legacy.UserRow{ID: 1, Account: "admin"}
			require.NoError(t, a.InnerJoin(t.Context(), "team", []string{"6"}))
			require.Equal(t, 2, d.times())
		})
	})
}

func TestLinksAreObserved(t *testing.T) {
	var mu sync.Mutex
	var seen []string
	observed := func() []string {
		mu.Lock()
		defer mu.Unlock()
		list := seen
		seen = nil
		return list
	}
	observe := func(c *Config) {
		c.Observe = func(_ context.Context, c legacy.Call, r legacy.Response, took time.Duration, err error) {
			mu.Lock()
			defer mu.Unlock()
			what := string(r.Result)
			if err != nil {
				what = "no answer"
			}
			seen = append(seen, fmt.Sprintf("%s of %s: %s", c, c.User, what))
		}
	}
	inLink(t, observe, func(t *testing.T, a *Adapter, d *doorway) {
		require.Equal(t, []string{
			"chat/login of 4: success", "chat/getlist of 4: success", "chat/history of 4: success", "chat/history of 4: success",
		}, observed(), "a sign-in, and what looks for its gap")

		d.next(errDropped, legacy.ErrPassword)
		d.open.end(errDropped)
		time.Sleep(time.Minute)
		list := observed()
		require.Equal(t, []string{"chat/login of 0: no answer", "chat/login of 0: fail"}, list[:2], "it comes back by itself, and is refused")

		_, err := a.SignIn(t.Context(), "alice", "md5")
		require.NoError(t, err)
		require.Contains(t, observed(), "chat/login of 4: success")
		d.next(legacy.ErrLocked)
		_, err = a.SignIn(t.Context(), "alice", "md5")
		require.Error(t, err)
		require.Equal(t, []string{"chat/login of 0: fail"}, observed(), "asking about a password is a sign-in, too")
	})
}

func TestALinkComesBack(t *testing.T) {
	t.Run("after a lost connection, with longer and longer pauses while the server is away", func(t *testing.T) {
		inLink(t, nil, func(t *testing.T, a *Adapter, d *doorway) {
			down := make([]error, 8)
			for i := range down {
				down[i] = errDropped
			}
			d.next(down...)
			d.open.end(errDropped)
			time.Sleep(3 * time.Minute)
			synctest.Wait()
			require.Equal(t, 10, d.times(), "eight times in vain")
			states := d.states()
			require.Equal(t, model.UpstreamBackoff, states[1])
			require.Equal(t, model.UpstreamOnline, states[len(states)-1])
			me, err := a.Me(t.Context(), 4)
			require.NoError(t, err)
			require.Equal(t, model.UpstreamOnline, me.Upstream)
		})
	})
	t.Run("calls wait for it", func(t *testing.T) {
		inLink(t, nil, func(t *testing.T, a *Adapter, d *doorway) {
			d.open.end(errDropped)
			synctest.Wait()
			ids, err := a.JoinedConversations(t.Context(), 4)
			require.NoError(t, err)
			require.Len(t, ids, 2)
		})
	})
	t.Run("but not with a password that the server no longer takes", func(t *testing.T) {
		inLink(t, nil, func(t *testing.T, a *Adapter, d *doorway) {
			d.next(legacy.ErrPassword, legacy.ErrPassword)
			d.open.end(errDropped)
			time.Sleep(time.Minute)
			synctest.Wait()
			require.Equal(t, 2, d.times(), "each try counts towards the lock")
			_, err := a.JoinedConversations(t.Context(), 4)
			require.Equal(t, model.InvalidToken, code(err))
			require.Equal(t, model.UpstreamRefused, a.links.state(4))
		})
	})
}

func TestAKickedLink(t *testing.T) {
	t.Run("yields: it tells, and dials no more until the user signs in here again", func(t *testing.T) {
		inLink(t, nil, func(t *testing.T, a *Adapter, d *doorway) {
			d.open.end(legacy.ErrKicked)
			time.Sleep(time.Hour)
			synctest.Wait()
			require.Equal(t, 1, d.times())
			require.Equal(t, []legacy.UserID{4}, d.kicked)
			_, err := a.JoinedConversations(t.Context(), 4)
			require.Equal(t, model.SignedInElsewhere, code(err))
			require.Error(t, a.Vouch(t.Context(), 4))
			_, err = a.SignIn(t.Context(), "alice", "md5")
			require.NoError(t, err)
			require.Equal(t, 2, d.times())
		})
	})
	t.Run("reclaims after a minute, at most once in ten", func(t *testing.T) {
		inLink(t, func(c *Config) { c.Reclaim = true }, func(t *testing.T, a *Adapter, d *doorway) {
			d.open.end(legacy.ErrKicked)
			time.Sleep(reclaimAfter - time.Second)
			synctest.Wait()
			require.Equal(t, 1, d.times())
			time.Sleep(2 * time.Second)
			synctest.Wait()
			require.Equal(t, 2, d.times())
			require.Empty(t, d.kicked)
			d.open.end(legacy.ErrKicked)
			time.Sleep(time.Hour)
			synctest.Wait()
			require.Equal(t, 2, d.times(), "no war")
			require.Equal(t, []legacy.UserID{4}, d.kicked)
		})
	})
}

func TestALinkThatNobodyUses(t *testing.T) {
	t.Run("is given up, and made again for the next call", func(t *testing.T) {
		inLink(t, nil, func(t *testing.T, a *Adapter, d *doorway) {
			time.Sleep(11 * time.Minute)
			synctest.Wait()
			require.Equal(t, model.UpstreamOffline, a.links.state(4))
			_, err := a.JoinedConversations(t.Context(), 4)
			require.NoError(t, err)
			require.Equal(t, 2, d.times())
		})
	})
	t.Run("is made again from what is kept when the process that had it is gone", func(t *testing.T) {
		inLink(t, nil, func(t *testing.T, a *Adapter, d *doorway) {
			k := a.links.byUser[4]
			a.links.mu.Lock()
			delete(a.links.byUser, 4)
			a.links.mu.Unlock()
			k.cancel(errUnwanted)
			require.NoError(t, a.Vouch(t.Context(), 4))
			_, err := a.JoinedConversations(t.Context(), 4)
			require.NoError(t, err)
			require.Equal(t, 2, d.times())
		})
	})
	t.Run("keeps no stream waiting for a server that is away", func(t *testing.T) {
		inLink(t, nil, func(t *testing.T, a *Adapter, d *doorway) {
			d.next(slices.Repeat([]error{legacy.ErrClosed}, 100)...)
			d.open.end(errDropped)
			synctest.Wait()
			asked := time.Now()
			_, err := a.ComeOnline(t.Context(), 4)
			require.NoError(t, err)
			require.Equal(t, a.timeout, time.Since(asked))
			d.next()
			time.Sleep(time.Hour)
			synctest.Wait()
			require.Equal(t, model.UpstreamOnline, a.links.state(4), "it is held, and came back by itself")
		})
	})
	t.Run("is kept while a stream is open", func(t *testing.T) {
		inLink(t, nil, func(t *testing.T, a *Adapter, _ *doorway) {
			_, err := a.ComeOnline(t.Context(), 4)
			require.NoError(t, err)
			time.Sleep(time.Hour)
			synctest.Wait()
			require.Equal(t, model.UpstreamOnline, a.links.state(4))
			require.NoError(t, a.GoOffline(t.Context(), 4))
			time.Sleep(11 * time.Minute)
			synctest.Wait()
			require.Equal(t, model.UpstreamOffline, a.links.state(4))
		})
	})
	t.Run("is forgotten with its password when the last token has gone", func(t *testing.T) {
		var gone atomic.Bool
		alive := func(context.Context, legacy.UserID) (bool, error) { return !gone.Load(), nil }
		inLink(t, func(c *Config) { c.SignedIn = alive }, func(t *testing.T, a *Adapter, d *doorway) {
			gone.Store(true)
			time.Sleep(tokenGrace + lookEvery)
			synctest.Wait()
			require.Empty(t, a.links.byUser)
			_, kept := d.drawer.Load(legacy.UserID(4))
			require.False(t, kept)
			_, err := a.JoinedConversations(t.Context(), 4)
			require.Equal(t, model.Unsupported, code(err))
			require.Equal(t, 1, d.times())
		})
	})
}

func TestPushesBecomeEvents(t *testing.T) {
	for name, c := range map[string]struct {
		method, data string
		want         []Event
	}{
		"a message, to the members whoever is online": {"message", "[" + rowJSON(40, "g40", "hi") + "]", []Event{{Kind: model.EventKindMessage, To: Recipients{Users: []legacy.UserID{4, 5}}, Once: "g40", Chat: "team", ID: 40}}},
		"several come newest first":                   {"message", "[" + rowJSON(41, "g41", "b") + "," + rowJSON(40, "g40", "a") + "]", []Event{{Kind: model.EventKindMessage, To: Recipients{Users: []legacy.UserID{4, 5}}, Once: "g40", Chat: "team", ID: 40}, {Kind: model.EventKindMessage, To: Recipients{Users: []legacy.UserID{4, 5}}, Once: "g41", Chat: "team", ID: 41}}},
		"a message of a chat we are not in":           {"message", `[{"id":40,"gid":"g","cgid":"secret","user":5,"date":1,"type":"normal","contentType":"text","content":"x"}]`, nil},
		"a member left: he is told too":               {"joinchat", chatJSON("team", "group", 4), []Event{{Kind: model.EventKindConversation, To: Recipients{Users: []legacy.UserID{4, 5}}}}},
		"a new chat":                                  {"create", chatJSON("new", "group", 4, 6), []Event{{Kind: model.EventKindConversation, To: Recipients{Users: []legacy.UserID{4, 6}}}}},
		"somebody came online":                        {"login", `{"id":5,"account":"bob","realname":"Bob","admin":"no","status":"online"}`, []Event{{Kind: model.EventKindUser, To: Recipients{All: true}}}},
		"somebody who was online already":             {"userchange", `{"id":4,"account":"alice","realname":"Alice","admin":"no","status":"online"}`, nil},
		"a connection that never signed in is gone":   {"logout", `{"status":null}`, nil},
		"a notice":        {"notify", `[{"id":"2","gid":"n2","title":"T","content":"x","contentType":"text","date":1795284504,"users":[4]}]`, []Event{{Kind: model.EventKindNotification, To: Recipients{Users: []legacy.UserID{4}}, Once: "n2"}}},
		"a kind of later": {"nosuchpush", `{"x":1}`, nil},
		"a form of later": {"message", `{"x":1}`, nil},
		"garbage":         {"create", `7`, nil},
	} {
		t.Run(name, func(t *testing.T) {
			inLink(t, nil, func(t *testing.T, _ *Adapter, d *doorway) {
				d.push(c.method, c.data)
				synctest.Wait()
				got := d.told()
				for i := range got {
					got[i].Data = nil
					slices.Sort(got[i].To.Users)
					if got[i].Kind == model.EventKindConversation {
						got[i].Once = ""
					}
				}
				require.Equal(t, c.want, got)
			})
		})
	}
	t.Run("of two changes that come out of order on two links the server's word counts", func(t *testing.T) {
		inLink(t, nil, func(t *testing.T, a *Adapter, d *doorway) {
			d.answer("getlist", says(t, frame("getlist", "["+chatJSON("team", "group", 4)+"]")))
			d.push("addmember", chatJSON("team", "group", 4)) // bob was removed
			synctest.Wait()
			d.push("joinchat", chatJSON("team", "group", 4, 5)) // that he had joined comes late
			synctest.Wait()
			row, ok := a.chats.get("team")
			require.True(t, ok)
			require.False(t, row.Has(5))
			require.Len(t, d.told(), 1)
		})
	})
	t.Run("what legacy said of a chat before a change of ours does not take it back", func(t *testing.T) {
		inLink(t, nil, func(t *testing.T, a *Adapter, d *doorway) {
			var ours legacy.ChatRow
			require.NoError(t, json.Unmarshal([]byte(chatJSON("team", "group", 4)), &ours))
			d.push("addmember", chatJSON("team", "group", 4, 5, 6))
			synctest.Wait()
			d.script.methods()

			leave, err := a.lanes.enter(t.Context(), "team") // bob leaves, through us
			require.NoError(t, err)
			d.push("addmember", chatJSON("team", "group", 4, 5)) // it is unclear whether that was before
			synctest.Wait()
			require.Empty(t, d.script.methods(), "it waits for the change under way")
			d.answer("getlist", func(c legacy.Call) (legacy.Response, error) {
				a.chats.put(ours) // another link tells of it before the answer to this question comes
				d.answers["getlist"] = says(t, frame("getlist", "["+chatJSON("team", "group", 4)+"]"))
				return answer(t, c, frame("getlist", "["+chatJSON("team", "group", 4, 5)+"]")), nil
			})
			leave()
			synctest.Wait()
			row, ok := a.chats.get("team")
			require.True(t, ok)
			require.False(t, row.Has(5))
			require.Equal(t, []string{"getlist", "getlist"}, d.script.methods())
		})
	})
	t.Run("a log that takes nothing ends the connection: the next one asks again", func(t *testing.T) {
		var full atomic.Bool
		failing := func(c *Config) {
			sink := c.Sink
			c.Sink = func(ctx context.Context, e Event) error {
				if full.Load() && e.Kind == model.EventKindMessage {
					return errors.New("log down")
				}
				return sink(ctx, e)
			}
		}
		inLink(t, failing, func(t *testing.T, _ *Adapter, d *doorway) {
			full.Store(true)
			d.push("message", "["+rowJSON(40, "g40", "hi")+"]")
			synctest.Wait()
			full.Store(false)
			d.answer("history", says(t, `{"module":"chat","method":"history","result":"success","data":[`+rowJSON(40, "g40", "hi")+`],"pager":{"recTotal":1}}`))
			d.answer("getlist", says(t, frame("getlist", "["+chatJSON("team", "group", 4, 5)+"]")))
			time.Sleep(time.Minute)
			synctest.Wait()
			require.Equal(t, 2, d.times())
		})
	})
}

func TestTheGap(t *testing.T) {
	// historyOf answers history with rows, newest first, 100 a page.
	historyOf := func(t *testing.T, rows ...string) func(legacy.Call) (legacy.Response, error) {
		return func(c legacy.Call) (legacy.Response, error) {
			p := c.Params.([]any)
			size, page := p[1].(int), p[2].(int)
			lo := min((page-1)*size, len(rows))
			data := "["
			for i, r := range rows[lo:min(lo+size, len(rows))] {
				if i > 0 {
					data += ","
				}
				data += r
			}
			return answer(t, c, fmt.Sprintf(`{"module":"chat","method":"history","result":"success","data":%s],"pager":{"recTotal":%d}}`, data, len(rows))), nil
		}
	}
	active := func(t *testing.T, at int) func(legacy.Call) (legacy.Response, error) {
		return says(t, frame("getlist", fmt.Sprintf(`[{"gid":"team","type":"group","createdBy":"alice","editedBy":"x","lastActiveTime":%d,"members":[4,5]}]`, at)))
	}
	ids := func(events []Event) (list []legacy.MessageID) {
		for _, e := range events {
			list = append(list, e.ID)
		}
		return list
	}
	t.Run("after a lost connection everything since just before the last message heard is told, oldest first", func(t *testing.T) {
		inLink(t, nil, func(t *testing.T, _ *Adapter, d *doorway) {
			d.push("message", "["+rowJSON(40, "g40", "heard")+"]")
			synctest.Wait()
			var rows []string
			for id := 300; id > 0; id-- {
				rows = append(rows, rowJSON(id, fmt.Sprint("g", id), "x"))
			}
			d.answer("history", historyOf(t, rows...))
			d.answer("getlist", active(t, 1795312700+300))
			d.open.end(errDropped)
			time.Sleep(time.Minute)
			synctest.Wait()
			got := ids(d.told())
			require.Equal(t, []legacy.MessageID{40, 30, 31, 32, 33, 34}, got[:6], "40 was heard; legacy may have delivered it before 30")
			require.Len(t, got, 271)
			require.True(t, slices.IsSorted(got[1:]))
			require.Equal(t, []legacy.UserID{4}, d.told()[5].To.Users, "the others fill their own gaps")
		})
	})
	t.Run("a rename wipes when a chat was active, so it is looked at", func(t *testing.T) {
		inLink(t, nil, func(t *testing.T, _ *Adapter, d *doorway) {
			d.push("message", "["+rowJSON(40, "g40", "heard")+"]")
			synctest.Wait()
			d.answer("history", historyOf(t, rowJSON(41, "g41", "missed"), rowJSON(40, "g40", "heard")))
			d.answer("getlist", active(t, 0))
			d.open.end(errDropped)
			time.Sleep(time.Minute)
			synctest.Wait()
			require.Equal(t, []legacy.MessageID{40, 41}, ids(d.told()))
		})
	})
	t.Run("chats at rest cost nothing", func(t *testing.T) {
		inLink(t, nil, func(t *testing.T, _ *Adapter, d *doorway) {
			d.push("message", "["+rowJSON(400, "g400", "heard")+"]")
			synctest.Wait()
			d.methods()
			d.open.end(errDropped)
			time.Sleep(time.Minute)
			synctest.Wait()
			require.Equal(t, []string{"getlist"}, d.methods())
		})
	})
	t.Run("what waited is told to its user alone and kept for the first stream", func(t *testing.T) {
		inLink(t, nil, func(t *testing.T, a *Adapter, d *doorway) {
			d.mu.Lock()
			d.welcome.Messages = []legacy.MessageRow{
				{ID: 9, GID: "g9", CGID: "TEAM ", User: 5, Date: legacy.UnixDate(1795312709), Type: "normal", ContentType: "text", Content: "two"},
				{ID: 8, GID: "g8", CGID: "team", User: 5, Date: legacy.UnixDate(1795312708), Type: "normal", ContentType: "text", Content: "one"},
			}
			d.welcome.Notices = []legacy.NoticeRow{{ID: 1, GID: "n1", Title: "T"}}
			d.mu.Unlock()
			d.open.end(errDropped)
			time.Sleep(time.Minute)
			synctest.Wait()
			d.push("message", "["+rowJSON(40, "g40", "live")+"]")
			synctest.Wait()
			waiting, err := a.ComeOnline(t.Context(), 4)
			require.NoError(t, err)
			require.Equal(t, []legacy.MessageID{0, 8, 9, 40}, ids(waiting))
			require.Equal(t, legacy.ChatGID("team"), waiting[2].Chat, "in legacy's own spelling")
			waiting, err = a.ComeOnline(t.Context(), 4)
			require.NoError(t, err)
			require.Empty(t, waiting, "once")
		})
	})
	t.Run("a sign-in whose gap could not be filled has lost nothing when the next one's is", func(t *testing.T) {
		inLink(t, nil, func(t *testing.T, a *Adapter, d *doorway) {
			chats := func(at int64) []legacy.ChatRow {
				return []legacy.ChatRow{{GID: "team", Type: "group", LastActiveTime: legacy.UnixDate(at)}}
			}
			d.mu.Lock()
			d.welcome.User = legacy.UserRow{ID: 5, Account: "bob"}
			d.welcome.Chats = chats(1795312708)
			d.welcome.Messages = []legacy.MessageRow{
				{ID: 8, GID: "g8", CGID: "team", User: 4, Date: legacy.UnixDate(1795312708), Type: "normal", ContentType: "text", Content: "waited"},
			}
			d.mu.Unlock()
			d.answer("getlist", func(legacy.Call) (legacy.Response, error) {
				d.mu.Lock()
				d.welcome.Chats, d.welcome.Messages = chats(1795312710), nil
				d.mu.Unlock()
				d.answers["getlist"] = active(t, 1795312710)
				return legacy.Response{}, errDropped
			})
			d.answer("history", historyOf(t, rowJSON(10, "g10", "after both"), rowJSON(9, "g9", "between the two"), rowJSON(7, "g7", "old")))
			_, err := a.SignIn(t.Context(), "bob", "md5")
			require.NoError(t, err)
			require.Equal(t, []legacy.MessageID{8, 9, 10}, ids(d.told()))
		})
	})
	t.Run("what fell into the login window is told", func(t *testing.T) {
		inLink(t, nil, func(t *testing.T, a *Adapter, d *doorway) {
			d.mu.Lock()
			d.welcome.User = legacy.UserRow{ID: 5, Account: "bob"}
			d.mu.Unlock()
			d.answer("getlist", active(t, 1795312705))
			d.answer("history", historyOf(t, rowJSON(5, "g5", "in the window"), `{"id":4,"gid":"old","cgid":"team","user":5,"date":1795300000,"type":"normal","contentType":"text","content":"old"}`))
			_, err := a.SignIn(t.Context(), "bob", "md5")
			require.NoError(t, err)
			require.Equal(t, []legacy.MessageID{5}, ids(d.told()))
		})
	})
}

func TestVault(t *testing.T) {
	var d drawer
	open := func(key string) *vault {
		v, err := newVault(key, d.secrets())
		require.NoError(t, err)
		return v
	}
	alice := credentials{"alice", "e10adc3949ba59abbe56e057f20f883e"}
	require.NoError(t, open("key").keep(t.Context(), 4, alice))
	t.Run("opens with the same key, by another process too", func(t *testing.T) {
		c, err := open("key").get(t.Context(), 4)
		require.NoError(t, err)
		require.Equal(t, alice, c)
	})
	t.Run("with no other, for no other user, and not when touched", func(t *testing.T) {
		for _, v := range []*vault{open("other"), open(""), open("")} {
			_, err := v.get(t.Context(), 4)
			require.ErrorIs(t, err, errNoCredentials)
		}
		sealed, _ := d.Load(legacy.UserID(4))
		d.Store(legacy.UserID(5), sealed)
		_, err := open("key").get(t.Context(), 5)
		require.ErrorIs(t, err, errNoCredentials)
		touched := slices.Clone(sealed.([]byte))
		touched[len(touched)-1] ^= 1
		d.Store(legacy.UserID(4), touched)
		_, err = open("key").get(t.Context(), 4)
		require.ErrorIs(t, err, errNoCredentials)
		d.Store(legacy.UserID(4), []byte("short"))
		_, err = open("key").get(t.Context(), 4)
		require.ErrorIs(t, err, errNoCredentials)
	})
	t.Run("the store never sees the password", func(t *testing.T) {
		require.NoError(t, open("key").keep(t.Context(), 4, alice))
		sealed, _ := d.Load(legacy.UserID(4))
		require.NotContains(t, string(sealed.([]byte)), alice.Password)
		require.NotContains(t, string(sealed.([]byte)), alice.Account)
	})
}
