package inline

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestObject(t *testing.T) {
	const text = `{"module":"chat","data":[{"b": 1.50,"a":"\u4f60\/"}],"users":[4,5],"v":"2.2.0"}`
	o, err := parseObject([]byte(text))
	require.NoError(t, err)
	t.Run("what is not altered keeps its bytes and its place", func(t *testing.T) {
		require.Equal(t, text, string(o.bytes()))
		require.Equal(t, `{"module":"chat","data":[{"b": 1.50,"a":"\u4f60\/"}],"users":[4],"v":"2.2.0"}`, string(o.with("users", []int64{4}).bytes()))
		require.Equal(t, text, string(o.bytes()), "and the object is as before")
	})
	t.Run("whom it names", func(t *testing.T) {
		users, named := o.users()
		require.Equal(t, []int64{4, 5}, users)
		require.True(t, named)
		for _, strange := range []string{`{}`, `{"users":[]}`, `{"users":null}`, `{"users":["2.3.0"]}`, `{"users":"5"}`, `{"users":{}}`} {
			o, err := parseObject([]byte(strange))
			require.NoError(t, err)
			_, named := o.users()
			require.False(t, named, strange)
		}
	})
	t.Run("of a name that stands twice the last one counts", func(t *testing.T) {
		o, err := parseObject([]byte(`{"method":"getlist","method":"serverStart"}`))
		require.NoError(t, err)
		require.True(t, o.is("serverstart"))
	})
	for _, wrong := range []string{``, `[]`, `"x"`, `null`, `{"a":1}{"b":2}`, `{"a":1`, `{"a":}`} {
		t.Run("no object: "+wrong, func(t *testing.T) {
			_, err := parseObject([]byte(wrong))
			require.Error(t, err)
		})
	}
}

func TestOwnCalls(t *testing.T) {
	for _, c := range []struct {
		text         string
		own, genuine bool
	}{
		{`{"module":"chat","method":"serverStart"}`, true, true},
		{`{"module":"chat","method":"userGetlist","lang":"zh-cn","params":[""],"userID":4}`, true, true},
		{`{"module":"chat","method":"logout","lang":"","userID":0}`, true, true},
		{`{"module":"chat","method":"checkUserChange","lang":"en","params":[""]}`, true, true},
		{`{"lang":"zh-cn","method":"notify","module":"chat","params":{"offline":[5],"sendfail":{}}}`, true, true},
		{`{"userID":4,"module":"chat","method":"uploadFile","params":["测试 a.txt","tmpfile/xuanxuan/2026/11/22/",110,1795313274,"e20b"]}`, true, true},
		{`{"userID":4,"module":"chat","method":"uploadFile","params":["a","b.txt","tmpfile/xuanxuan/2026/11/22/",110,1795313274,"e20b"]}`, true, false},
		{`{"module":"chat","method":"getlist","lang":"zh","method":"serverStart","x":"","userID":4}`, true, false},
		{`{"lang":"zh-cn","method":"getlist","module":"chat","params":["","x"],"userID":4}`, true, false}, // through /serverInfo
		{`{"client":{"IP":"127.0.0.1","Port":1,"Zone":""},"method":"serverStart","module":"chat","userID":4}`, false, false},
		{`{"module":"chat","method":"history","userID":4}`, false, false},
	} {
		q, err := parseRequest(nil, []byte(c.text))
		require.NoError(t, err)
		own, genuine := q.own()
		require.Equal(t, []bool{c.own, c.genuine}, []bool{own, genuine}, c.text)
	}
}

func TestAttributed(t *testing.T) {
	parse := func(text string) *request {
		q, err := parseRequest(nil, []byte(text))
		require.NoError(t, err)
		return q
	}
	const honest = `{"method":"message","module":"chat","params":{"messages":[{"user":4,"content":"<b>"}]},"userID":4}`
	require.Equal(t, honest, string(parse(honest).attributed(true, false)), "byte for byte")
	require.JSONEq(t, `{"method":"message","module":"chat","params":[[{"user":4,"content":"<b>"}]],"userID":4}`, string(parse(honest).attributed(true, true)))
	require.JSONEq(t, `{"params":{"messages":[{"user":4},{"user":4}]},"userID":4}`, string(parse(`{"params":{"messages":[{"user":5},{"user":4}]},"userID":4}`).attributed(true, false)))
	require.JSONEq(t, `{"params":[[{"user":4}]],"userID":4}`, string(parse(`{"params":[[{"user":"5"}]],"userID":4}`).attributed(true, false)))
	for _, strange := range []string{`{"userID":4}`, `{"params":"x","userID":4}`, `{"params":[1],"userID":4}`, `{"params":{"messages":7},"userID":4}`} {
		require.Equal(t, strange, string(parse(strange).attributed(true, true)))
	}
}

func message(t *testing.T, chat string, id int) object {
	o, err := parseObject(fmt.Appendf(nil, `{"module":"chat","method":"message","data":[{"cgid":%q,"id":%d}]}`, chat, id))
	require.NoError(t, err)
	return o
}

func TestOutbox(t *testing.T) {
	fresh := func() *outbox { return &outbox{wake: make(chan struct{}, 1)} }
	t.Run("messages of one conversation go together, others by themselves, in order", func(t *testing.T) {
		o := fresh()
		for i, chat := range []string{"a", "a", "b", "a"} {
			o.put(message(t, chat, i), []int64{4, 5})
		}
		o.put(message(t, "a", 9), []int64{4})
		names := o.take(1)
		require.Len(t, names, 4)
		require.JSONEq(t, `{"module":"chat","method":"message","data":[{"cgid":"a","id":0},{"cgid":"a","id":1}],"users":[4,5]}`, string(o.frame(names[0])))
		require.Nil(t, o.frame("nosuch"))
	})
	t.Run("no more than the window is under way, and what was not heard of goes out again", func(t *testing.T) {
		o := fresh()
		for i := range window + 5 {
			o.put(message(t, fmt.Sprint(i), i), []int64{4})
		}
		first := o.take(1)
		require.Len(t, first, window)
		require.Empty(t, o.take(2))
		o.again()
		require.Len(t, o.take(3), window)
		o.done(2)
		require.Empty(t, o.take(4), "of another mark")
		o.done(3)
		require.Len(t, o.take(4), 5)
		require.NotNil(t, o.frame(first[0]), "xxd may ask again")
	})
	t.Run("everybody", func(t *testing.T) {
		o := fresh()
		o.put(message(t, "a", 1), nil)
		require.Contains(t, string(o.frame(o.take(1)[0])), `"users":[]`)
	})
	t.Run("what waits too long, or too many, goes", func(t *testing.T) {
		o := fresh()
		o.put(message(t, "a", 1), []int64{4})
		o.waiting[0].at = time.Now().Add(-waitingFor - time.Second)
		require.Empty(t, o.take(1))
		for i := range maxWaiting + 7 {
			o.put(message(t, fmt.Sprint(i), i), []int64{4})
		}
		require.Len(t, o.waiting, maxWaiting)
	})
}

func TestPeople(t *testing.T) {
	west, east := &site{name: "west"}, &site{name: "east"}
	t.Run("offline with the last one", func(t *testing.T) {
		p := newPeople(false)
		p.enters(west, "c1", 4, time.Now())
		p.reachable(west, 4)
		p.comesHere(4, "online")
		require.True(t, p.leaves(west, 4), "he is on the web")
		require.True(t, p.leavesHere(4, true))
		p.enters(west, "c2", 4, time.Now())
		p.reachable(west, 4)
		p.comesHere(4, "online")
		require.False(t, p.leavesHere(4, true), "he is on a desktop")
		require.False(t, p.leaves(west, 4))
	})
	t.Run("a logout while a new login is under way is of the connection before, for a while", func(t *testing.T) {
		p := newPeople(false)
		p.enters(west, "c1", 4, time.Now())
		require.True(t, p.leaves(west, 4))
		p.users[4].entered = time.Now().Add(-enteringFor)
		require.False(t, p.elsewhere(west, 4), "the tick heals it")
		p.enters(west, "c1", 4, time.Now())
		p.users[4].entered = time.Now().Add(-enteringFor)
		require.False(t, p.leaves(west, 4))
	})
	t.Run("a logout after a newer login is of the connection before, if that has not reported its end", func(t *testing.T) {
		p := newPeople(false)
		p.enters(west, "c1", 4, time.Now())
		p.reachable(west, 4)
		p.enters(west, "c2", 4, time.Now())
		p.reachable(west, 4)
		require.True(t, p.leaves(west, 4))
		since, again := p.reachable(west, 4)
		require.True(t, again, "what that one missed")
		require.WithinDuration(t, time.Now().Add(-tail), since, tail/2)
		require.False(t, p.leaves(west, 4), "and the next one is of this")
		p.enters(west, "c3", 4, time.Now())
		p.reachable(west, 4)
		require.False(t, p.leaves(west, 4), "that before had reported it")
	})
	t.Run("who moved to another server is still there", func(t *testing.T) {
		p := newPeople(false)
		p.enters(west, "c1", 4, time.Now())
		p.enters(east, "c2", 4, time.Now())
		require.True(t, p.leaves(west, 4))
		require.True(t, p.elsewhere(west, 4))
		require.Equal(t, map[int64]string{4: "online"}, p.restarted(west))
		require.Empty(t, p.restarted(east))
	})
	t.Run("one login a connection, until its port may be another's", func(t *testing.T) {
		p := newPeople(false)
		require.False(t, p.signedInOn(west, "c1"))
		p.enters(west, "c1", 4, time.Now())
		require.True(t, p.signedInOn(west, "c1"))
		require.False(t, p.signedInOn(east, "c1"))
		p.enters(west, "c2", 4, time.Now()) // c1 was kicked
		require.True(t, p.signedInOn(west, "c1"))
		p.conns[connection{west, "c1"}].heard = time.Now().Add(-quietFor - time.Second)
		require.False(t, p.signedInOn(west, "c1"))
	})
	t.Run("before it is known who is where, nobody is gone", func(t *testing.T) {
		p := newPeople(false)
		for user := range int64(3) {
			p.comesHere(user, "online")
			require.False(t, p.leavesHere(user, false))
		}
		p.talks(west, "c1", 1) // has a desktop after all
		p.comesHere(2, "online")
		require.Equal(t, []int64{0}, p.doubtful())
		require.Empty(t, p.doubtful())
	})
	t.Run("what named him counts as missed from shortly before his desktop's end until he is reachable again", func(t *testing.T) {
		p := newPeople(false)
		require.Zero(t, p.missed(4), "all that is kept, for who was never there")
		p.enters(west, "c1", 4, time.Now())
		p.reachable(west, 4)
		require.False(t, p.leaves(west, 4))
		gone := p.missed(4)
		require.WithinDuration(t, time.Now().Add(-tail), gone, tail/2)
		p.enters(west, "c2", 4, time.Now())
		require.Equal(t, gone, p.missed(4), "it may die before he has them")
		p.users[4].entered = time.Now().Add(-enteringFor)
		require.False(t, p.leaves(west, 4))
		require.Equal(t, gone, p.missed(4))
		p.enters(west, "c3", 4, time.Now())
		p.reachable(west, 4)
		again := time.Now()
		p.enters(west, "c4", 4, again)
		require.Equal(t, again, p.missed(4), "his desktop was there until he signed in anew")
	})
	t.Run("another node knows as much", func(t *testing.T) {
		p, other := newPeople(true), newPeople(true)
		p.enters(west, "c1", 4, time.Now())
		p.reachable(west, 4)
		p.comesHere(5, "away")
		p.enters(east, "c2", 6, time.Now())
		known := time.Now()
		other.recall(p.take(), known, func(name string) *site { return map[string]*site{"west": west, "east": east}[name] })
		require.Empty(t, p.take(), "once")
		require.True(t, other.signedInOn(west, "c1"))
		require.Equal(t, map[int64]string{4: "online", 5: "away", 6: "online"}, other.restarted(&site{name: "north"}), "with their status")
		since, ok := other.reachable(east, 6)
		require.True(t, ok, "his login is under way")
		require.True(t, since.Before(known))
		require.LessOrEqual(t, other.unknownFor(time.Minute), time.Minute)
	})
}

func TestRing(t *testing.T) {
	r, now := &ring{}, time.Now()
	add := func(at time.Time, id int, users ...int64) {
		r.add(keptFrame{at: at, frame: message(t, "a", id), users: users})
	}
	add(now.Add(-ringAge-time.Second), 1, 4)
	add(now.Add(-tail), 2, 5, 4)
	add(now, 3, 5)
	require.Len(t, r.kept, 2)
	require.Len(t, r.since(t.Context(), now.Add(-tail), 5), 2)
	require.Len(t, r.since(t.Context(), now, 5), 1)
	require.Empty(t, r.since(t.Context(), now, 4))
	t.Run("what an earlier node kept comes before, and is waited for", func(t *testing.T) {
		earlier := slices.Clone(r.kept)
		load := r.forget()
		add(now.Add(time.Second), 4, 5)
		found := make(chan int)
		go func() { found <- len(r.since(context.Background(), time.Time{}, 5)) }()
		select {
		case n := <-found:
			t.Fatalf("%d, but not all is there", n)
		default:
		}
		load(earlier)
		require.Equal(t, 3, <-found)
	})
}

func TestFaultsAreNamed(t *testing.T) {
	all, err := ParseFaults([]string{"all"})
	require.NoError(t, err)
	require.Len(t, all, len(Faults))
	some, err := ParseFaults([]string{" Loss", "kickoffs"})
	require.NoError(t, err)
	require.Equal(t, []Fault{Loss, Kickoffs}, some)
	none, err := ParseFaults([]string{"none"})
	require.NoError(t, err)
	require.Empty(t, none)
	_, err = ParseFaults([]string{"nosuch"})
	require.ErrorContains(t, err, "second-login")
}

// FuzzObject compares what is read of an object with what encoding/json makes of it.
func FuzzObject(f *testing.F) {
	for _, text := range []string{`{}`, ` { "a" : 1 , "b":[{"c":"}"}], "d\u00e9\"":"\\" ,"e":null }`, `{"a":-1.5e3}`, `{"a":"x\\"}`, `{"\\":{}}`, `{"a":1}{`, `[{}]`} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var want map[string]json.RawMessage
		valid := json.Unmarshal(text, &want) == nil && want != nil
		o, err := parseObject(text)
		require.Equal(t, valid, err == nil)
		if !valid {
			return
		}
		for name, raw := range want {
			require.Equal(t, string(raw), string(o.get(name)))
		}
		var again map[string]json.RawMessage
		require.NoError(t, json.Unmarshal(o.bytes(), &again))
		require.Equal(t, len(want), len(again))
	})
}
