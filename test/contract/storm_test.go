package contract

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
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
	// stormGuests are users more, who never sign in; they are taken into groups and thrown out.
	stormGuests = 3
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
	made  map[string]*made             // the users' own groups
}

// made is how one of the users' groups must be. Only he who made it changes it.
type made struct {
	by         string // session
	name       string
	public     bool
	committers string
	dismissed  bool
	star, mute bool // his own marks
	category   string
}

func TestStorm(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	w := start(t, "xxd", func(s *site) {
		s.legacy.Users = xuanxuan.DemoUsers()
		for i := range stormUsers + stormGuests {
			s.legacy.Users = append(s.legacy.Users, xuanxuan.User{ID: int64(stormFirst + i), Account: fmt.Sprint("u", i), Realname: fmt.Sprint("User ", i)})
		}
	}, patiently)
	s := &storm{w: w, said: map[string]map[string]string{}, lost: map[string]bool{}, joins: map[string]map[string]bool{}, made: map[string]*made{}}
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
		func() (legacy.Response, error) { return d.call("changepublic", "nosuch", true) },
		func() (legacy.Response, error) { return d.call("setcommitters", "nosuch", "4") },
		func() (legacy.Response, error) { return d.call("setadmin", "nosuch", []int{stormFirst}, true) },
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
	for conversation, want := range s.made {
		by, err := strconv.ParseInt(want.by, 10, 64)
		require.NoError(t, err)
		r, err := client.Call(t.Context(), legacy.Chat(legacy.UserID(by), "getlist"))
		require.NoError(t, err)
		var rows []legacy.ChatRow
		require.NoError(t, r.Decode(&rows))
		i := slices.IndexFunc(rows, func(row legacy.ChatRow) bool { return string(row.GID) == conversation })
		require.GreaterOrEqual(t, i, 0, conversation)
		row := rows[i]
		require.Equal(t, *want, made{
			by: want.by, name: string(row.Name), public: row.Public != 0, committers: string(row.Committers), dismissed: row.DismissDate != legacy.Date{},
			star: row.Star != 0, mute: row.Mute != 0, category: string(row.Category),
		}, conversation)
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
