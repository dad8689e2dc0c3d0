package contract

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/xuangate/xuangate/adapter/legacy"
	"github.com/xuangate/xuangate/adapter/xxb"
	"github.com/xuangate/xuangate/gen/model"
	"github.com/xuangate/xuangate/test/xuanxuan"
)

// The storm: users on links who do this many things each, one after the other, with plain clients among them whose calls
// fail, which xxd tells everybody.
const (
	stormUsers = 30
	stormSteps = 25
	stormFirst = 101 // the users' numbers
)

// A storm is what must be in the legacy server when it is over, if every answer was its own operation's.
type storm struct {
	w       *world
	public  []string // groups that anybody may join
	private []string // groups of nobody here

	mu    sync.Mutex
	said  map[string]map[string]string // by conversation and content, the MsgId that was answered
	lost  map[string]bool              // contents that were answered as not stored
	joins map[string]map[string]bool   // by conversation and session, whether a member
}

// stormer is one of its users. Only his own operations change what he is a member of, so what each must answer is known.
type stormer struct {
	*user
	*storm
	rand *rand.Rand
	step int
	own  []string // groups that he made
}

func TestStorm(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	w := start(t, "xxd", func(s *site) {
		s.legacy.Users = xuanxuan.DemoUsers()
		for i := range stormUsers {
			s.legacy.Users = append(s.legacy.Users, xuanxuan.User{ID: int64(stormFirst + i), Account: fmt.Sprint("u", i), Realname: fmt.Sprint("User ", i)})
		}
	}, patiently)
	s := &storm{w: w, said: map[string]map[string]string{}, lost: map[string]bool{}, joins: map[string]map[string]bool{}}
	alice := w.signIn("alice")
	for i := range 3 {
		s.public = append(s.public, get[model.ConversationRef](alice, "/create_conversation", object{"conversation_type": 0, "name": fmt.Sprint("public ", i), "public": true}).ConversationId)
		s.private = append(s.private, alice.group(fmt.Sprint("private ", i)))
	}
	var users []*stormer
	for i := range stormUsers {
		users = append(users, &stormer{user: w.signIn(fmt.Sprint("u", i)), storm: s, rand: rand.New(rand.NewPCG(seed, uint64(i)))})
	}

	over, end := context.WithCancel(t.Context())
	var noise, storming errgroup.Group
	for i, account := range []string{"bob", "carol"} {
		d, r := w.desk(account), rand.New(rand.NewPCG(seed, uint64(1000+i)))
		noise.Go(func() error { return s.fail(over, d, r) })
	}
	noise.Go(func() error { return s.lose(over, rand.New(rand.NewPCG(seed, 2000))) })
	for _, u := range users {
		storming.Go(func() error {
			for range stormSteps {
				if err := u.act(); err != nil {
					return fmt.Errorf("%s, step %d: %w", u.account, u.step, err)
				}
			}
			return nil
		})
	}
	err := storming.Wait()
	end()
	require.NoError(t, errors.Join(err, noise.Wait()))
	s.compare(t)
}

// fail makes calls that fail until ctx ends, of every kind that the users make too.
func (s *storm) fail(ctx context.Context, d *desk, r *rand.Rand) error {
	calls := []func() (legacy.Response, error){
		func() (legacy.Response, error) { return d.call("joinchat", pick(r, s.private), true) },
		func() (legacy.Response, error) { return d.call("joinchat", "nosuch", true) },
		func() (legacy.Response, error) { return d.call("joinchat", "nosuch", false) },
		func() (legacy.Response, error) { return d.call("changename", pick(r, s.public), "") },
		func() (legacy.Response, error) {
			return d.call("message", []legacy.DraftRow{{GID: "x", CGID: "nosuch", User: d.user, Type: "normal", ContentType: "text"}})
		},
		func() (legacy.Response, error) { return d.call("message", []legacy.DraftRow{}) },
		func() (legacy.Response, error) { return d.call("dismiss", "nosuch") },
		func() (legacy.Response, error) { return d.call("addmember", "nosuch", []int{stormFirst}, true) },
	}
	for ctx.Err() == nil {
		if r, err := pick(r, calls)(); err != nil || r.Result != legacy.Fail {
			return fmt.Errorf("a call that was to fail: %s %s %w", r.Method, r.Result, err)
		}
	}
	return nil
}

// lose has legacy lose a message now and then, until ctx ends.
func (s *storm) lose(ctx context.Context, r *rand.Rand) error {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			if r.IntN(30) == 0 {
				s.w.legacy.SetFaults(xuanxuan.Fault{Method: "message", LoseMessages: true, Times: 1})
			}
		case <-ctx.Done():
			s.w.legacy.SetFaults()
			return nil
		}
	}
}

func pick[T any](r *rand.Rand, list []T) T { return list[r.IntN(len(list))] }

// act does one thing at random; one of five is to fail.
func (u *stormer) act() error {
	u.step++
	if u.rand.IntN(5) == 0 {
		return u.blunder()
	}
	switch u.rand.IntN(10) {
	case 0:
		return u.create()
	case 1:
		return u.talkTo(stormFirst + u.rand.IntN(stormUsers))
	case 2, 3:
		return u.join(pick(u.rand, u.public))
	case 4:
		return u.leave(pick(u.rand, u.public))
	case 5:
		return u.read()
	}
	if mine := u.mine(); len(mine) > 0 {
		return u.send(pick(u.rand, mine))
	}
	return u.create()
}

// mine are the conversations that he is a member of.
func (u *stormer) mine() []string {
	mine := slices.Clone(u.own)
	for _, c := range u.public {
		if u.isIn(c) {
			mine = append(mine, c)
		}
	}
	return mine
}

// blunder does what must be refused.
func (u *stormer) blunder() error {
	type blunder struct {
		path string
		body object
		want model.Code
	}
	list := []blunder{
		{"/join_conversation", object{"conversation_id": "nosuch"}, model.NotFound},
		{"/join_conversation", object{"conversation_id": pick(u.rand, u.private)}, model.NotFound},
		{"/leave_conversation", object{"conversation_id": pick(u.rand, u.private)}, model.NotFound},
		{"/send_msg", object{"conversation_id": pick(u.rand, u.private), "content": "x"}, model.NotFound},
		{"/send_msg", object{"conversation_id": "nosuch", "content": "x"}, model.NotFound},
		{"/send_msg", object{"conversation_id": pick(u.rand, u.private), "content": ""}, model.NotFound},
		{"/get_conversation_last_30_msg", object{"conversation_id": pick(u.rand, u.private)}, model.NotFound},
		{"/create_conversation", object{"conversation_type": 0, "name": strings.Repeat("x", 61)}, model.InvalidParameter},
		{"/create_conversation", object{"conversation_type": 0, "name": "x", "members": []string{"99999"}}, model.InvalidParameter},
		{"/create_conversation", object{"conversation_type": 2, "name": "x"}, model.NotAllowed},
	}
	for _, c := range u.public {
		if !u.isIn(c) {
			list = append(list, blunder{"/send_msg", object{"conversation_id": c, "content": "x"}, model.NotFound},
				blunder{"/leave_conversation", object{"conversation_id": c}, model.NotFound})
		}
	}
	b := pick(u.rand, list)
	return u.expect(b.want, b.path, b.body)
}

func (u *stormer) expect(want model.Code, path string, body object) error {
	a, err := u.ask(path, body)
	if err == nil && a.Code != want {
		err = fmt.Errorf("%s %v: code %d where %d is right: %s", path, body, a.Code, want, a.Error)
	}
	return err
}

func (u *stormer) isIn(conversation string) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.joins[conversation][u.session]
}

func (u *stormer) note(conversation, session string, member bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.joins[conversation] == nil {
		u.joins[conversation] = map[string]bool{}
	}
	u.joins[conversation][session] = member
}

func (u *stormer) join(conversation string) error {
	u.note(conversation, u.session, true)
	return u.expect(model.OK, "/join_conversation", object{"conversation_id": conversation})
}

func (u *stormer) leave(conversation string) error {
	if !u.isIn(conversation) {
		return u.expect(model.NotFound, "/leave_conversation", object{"conversation_id": conversation})
	}
	u.note(conversation, u.session, false)
	return u.expect(model.OK, "/leave_conversation", object{"conversation_id": conversation})
}

func (u *stormer) create() error {
	ref, err := asked[model.ConversationRef](u, "/create_conversation", object{"conversation_type": 0, "name": fmt.Sprint(u.account, " ", u.step)})
	if err != nil {
		return err
	}
	u.note(ref.ConversationId, u.session, true)
	u.own = append(u.own, ref.ConversationId)
	c, err := asked[model.Conversation](u, "/get_conversation_detail", object{"conversation_id": ref.ConversationId})
	if err == nil && c.Name != fmt.Sprint(u.account, " ", u.step) {
		err = fmt.Errorf("the group made is called %q", c.Name)
	}
	return err
}

func (u *stormer) talkTo(other int) error {
	session := fmt.Sprint(other)
	if session == u.session {
		return u.expect(model.InvalidParameter, "/create_conversation", object{"conversation_type": 1, "members": []string{session}})
	}
	ref, err := asked[model.ConversationRef](u, "/create_conversation", object{"conversation_type": 1, "members": []string{session}})
	pair := []string{u.session, session}
	slices.Sort(pair)
	if err == nil && ref.ConversationId != strings.Join(pair, "&") {
		err = fmt.Errorf("the conversation with %s is %s", session, ref.ConversationId)
	}
	if err != nil {
		return err
	}
	u.note(ref.ConversationId, u.session, true)
	u.note(ref.ConversationId, session, true)
	return u.send(ref.ConversationId)
}

// send sends a message. One that legacy loses must be told so, to its own sender.
func (u *stormer) send(conversation string) error {
	content := fmt.Sprint(u.account, "-", u.step)
	a, err := u.ask("/send_msg", object{"conversation_id": conversation, "content": content})
	if err != nil {
		return err
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if a.Code == model.Conflict && strings.Contains(a.Error, "lost") {
		u.lost[content] = true
		return nil
	}
	sent, err := decoded[model.SentMsg](a)
	if err != nil {
		return fmt.Errorf("send to %s: %w", conversation, err)
	}
	if u.said[conversation] == nil {
		u.said[conversation] = map[string]string{}
	}
	u.said[conversation][content] = sent.MsgID
	return nil
}

// read reads a group that only he writes in: it holds what was answered as sent, and nothing else.
func (u *stormer) read() error {
	if len(u.own) == 0 {
		return u.create()
	}
	c := pick(u.rand, u.own)
	m, err := asked[model.Messages](u, "/get_conversation_last_30_msg", object{"conversation_id": c})
	if err != nil {
		return err
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	heard := map[string]string{}
	for _, m := range m.Msg {
		heard[m.Content] = m.MsgId
	}
	if !maps.Equal(heard, u.said[c]) {
		return fmt.Errorf("%s holds %v where %v was said", c, heard, u.said[c])
	}
	return nil
}

func asked[T any](u *stormer, path string, body object) (v T, err error) {
	a, err := u.ask(path, body)
	if err != nil {
		return v, err
	}
	if v, err = decoded[T](a); err != nil {
		err = fmt.Errorf("%s %v: %w", path, body, err)
	}
	return v, err
}

// compare asks the legacy server itself what came of it all.
func (s *storm) compare(t *testing.T) {
	key, err := legacy.NewKey(xuanxuan.DefaultKey)
	require.NoError(t, err)
	client := xxb.New(xxb.Config{URL: s.w.legacy.URL(), Key: key})
	defer client.Close()
	ask := func(v any, method string, params ...any) {
		r, err := client.Call(t.Context(), legacy.Chat(aliceID, method, params...))
		require.NoError(t, err)
		require.Equal(t, legacy.Success, r.Result)
		require.NoError(t, r.Decode(v))
	}
	for conversation, members := range s.joins {
		var found struct{ Members legacy.Users }
		ask(&found, "members", conversation)
		for session, member := range members {
			has := slices.ContainsFunc(found.Members, func(u legacy.UserID) bool { return u.String() == session })
			require.Equal(t, member, has, "%s in %s", session, conversation)
		}
	}
	sent := 0
	for conversation, said := range s.said {
		var rows legacy.List[legacy.MessageRow]
		ask(&rows, "history", conversation, 10000, 1, 0, false, 0)
		slices.SortFunc(rows, func(x, y legacy.MessageRow) int { return int(x.ID - y.ID) })
		inOrder := slices.SortedFunc(maps.Keys(said), func(x, y string) int { return strings.Compare(said[x], said[y]) })
		require.Equal(t, rowContents(rows), inOrder, "%s", conversation)
		sent += len(rows)
	}
	require.NotZero(t, sent)
	t.Logf("%d messages stored, %d lost and told so", sent, len(s.lost))
}
