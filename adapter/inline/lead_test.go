package inline

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/xuangate/xuangate/adapter"
	"github.com/xuangate/xuangate/adapter/claims"
	"github.com/xuangate/xuangate/adapter/legacy"
	"github.com/xuangate/xuangate/test/redisd"
)

func TestOneOfTwoNodesIsActive(t *testing.T) {
	p := newPlace(t)
	first := p.node()
	first.isActive(t)
	second := p.node()
	p.start(second.door.URL)
	require.Eventually(t, first.In, patience, time.Millisecond, "the first one is in, over the second")
	second.group(t, 4, 5)
	_, bob, _ := p.desk("bob")

	t.Run("the other hands on what xxds and web users ask", func(t *testing.T) {
		second.says(t, "at the second")
		bob("at the second")
		require.False(t, second.active())
	})
	t.Run("files go through either", func(t *testing.T) {
		store := second.Store("")
		require.Positive(t, store.UploadLimit())
		file, err := store.Upload(t.Context(), legacy.Upload{User: 4, Chat: "g", Name: "a.txt"}, bytes.NewReader([]byte("hello")))
		require.NoError(t, err)
		body, _, err := first.Store("").Open(t.Context(), file)
		require.NoError(t, err)
		defer body.Close()
		text, err := io.ReadAll(body)
		require.NoError(t, err)
		require.Equal(t, "hello", string(text))
	})
	t.Run("who is no node is not answered as one", func(t *testing.T) {
		sealed := first.key.Seal([]byte(`{"module":"chat","method":"getlist","user":4}`))
		for _, proof := range []string{"", "hop", second.proves([]byte("another"))} {
			a, err := post(t.Context(), first.nodes, first.door.URL+nodePath, sealed, http.Header{nodeHeader: {proof}})
			require.NoError(t, err)
			require.Equal(t, http.StatusBadRequest, a.status)
		}
	})
	t.Run("a node that is not active does not hand on what another has", func(t *testing.T) {
		a, err := post(t.Context(), first.nodes, second.door.URL+Path, first.key.Seal([]byte(`{}`)), http.Header{nodeHeader: {"hop"}})
		require.NoError(t, err)
		require.Equal(t, http.StatusServiceUnavailable, a.status)
	})
	t.Run("when it ends the other takes its place, and the desktops stay", func(t *testing.T) {
		first.end()
		second.says(t, "the first has ended")
		bob("the first has ended")
	})
	t.Run("when it dies, too", func(t *testing.T) {
		third := p.node()
		second.dies()
		begun := time.Now()
		third.isActive(t)
		t.Logf("active %s after the other's end", time.Since(begun).Round(time.Millisecond))
	})
}

func TestWhileClaimsCannotBeAsked(t *testing.T) {
	p := newPlace(t)
	first := p.node()
	first.isActive(t)
	p.start(first.door.URL)
	second := p.node()
	require.Eventually(t, first.In, patience, time.Millisecond)
	first.group(t, 4, 5)
	require.Eventually(t, func() bool { _, at, _ := second.lead.where(); return at == first.door.URL }, patience, time.Millisecond)

	p.down.Store(true)
	t.Run("the active node goes on, and the other hands on to it", func(t *testing.T) {
		_, bob, leave := p.desk("bob")
		defer leave()
		require.Eventually(t, func() bool {
			first.lead.mu.Lock()
			defer first.lead.mu.Unlock()
			return first.lead.lostSight(time.Now())
		}, patience, time.Millisecond)
		second.says(t, "without claims")
		bob("without claims")
		require.True(t, first.active())
		require.False(t, second.active())
	})
	t.Run("a node that cannot reach it acts by itself, and the other gives way", func(t *testing.T) {
		require.NoError(t, first.door.Listener.Close()) // it lives, but nobody gets to it
		first.door.CloseClientConnections()
		second.says(t, "alone")
		require.True(t, second.active())
		again, err := net.Listen("tcp", first.door.Listener.Addr().String())
		require.NoError(t, err)
		proxy := &http.Server{Handler: second.Server} // as a proxy in front sends its calls to who is there
		var served sync.WaitGroup
		served.Go(func() { _ = proxy.Serve(again) })
		t.Cleanup(func() { _ = proxy.Close(); served.Wait() })
		require.Eventually(t, func() bool { return !first.active() && second.In() }, patience, time.Millisecond)
		_, bob, leave := p.desk("bob")
		defer leave()
		second.says(t, "to whom it may concern")
		bob("to whom it may concern")
	})
	t.Run("one of them is active when claims can be asked again", func(t *testing.T) {
		p.down.Store(false)
		require.Eventually(t, func() bool {
			return first.lead.sure() && second.lead.sure() && first.active() != second.active()
		}, patience, time.Millisecond)
	})
}

func TestTheNextNodeKnowsWhatTheLastOneDid(t *testing.T) {
	server := redisd.Start(t)
	client := server.Dial()
	defer client.Close()
	p := newPlace(t)
	p.shared = NewShared(client, "x")
	p.claims = func(holder string) adapter.Claims { return claims.NewRedis(client, "x", holder) }
	var now atomic.Pointer[node]
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { now.Load().ServeHTTP(w, r) }))
	defer front.Close()
	first := p.node()
	now.Store(first)
	first.isActive(t)
	p.start(front.URL)
	require.Eventually(t, first.In, patience, time.Millisecond)
	first.group(t, 4, 5, 6)
	_, err := first.Call(t.Context(), legacy.Chat(5, "userchange", map[string]string{"status": "online"}))
	require.NoError(t, err)
	_, _, _ = p.desk("carol")
	_, bob, leave := p.desk("bob")
	first.says(t, "to his desktop")
	bob("to his desktop")
	is := func(what func(*person) bool) {
		t.Helper()
		require.Eventually(t, func() bool {
			first.people.mu.Lock()
			defer first.people.mu.Unlock()
			return what(first.people.users[5])
		}, patience, time.Millisecond)
	}
	is(func(x *person) bool { return x.begun.IsZero() })
	leave()
	is(func(x *person) bool { return !x.onDesk() })
	first.says(t, "to the web alone")
	first.Drain(t.Context())
	require.NoError(t, p.xxd.Close()) // so that what is said now cannot be handed out
	require.Eventually(t, func() bool { return !first.In() }, patience, time.Millisecond)
	first.says(t, "not handed out")
	first.dies()

	at, err := net.Listen("tcp", p.at.Addr().String())
	require.NoError(t, err)
	p.at = at
	second := p.node()
	now.Store(second)
	second.isActive(t)
	t.Run("who was where, and since when", func(t *testing.T) {
		second.people.mu.Lock()
		defer second.people.mu.Unlock()
		require.True(t, second.people.users[5].web)
		require.False(t, second.people.users[5].onDesk())
		require.NotZero(t, second.people.users[5].since)
		require.True(t, second.people.users[6].onDesk())
	})
	t.Run("what was not handed out is", func(t *testing.T) {
		second.sites[""].bot.out.mu.Lock()
		defer second.sites[""].bot.out.mu.Unlock()
		require.NotEmpty(t, second.sites[""].bot.out.waiting)
	})
	t.Run("what only the web saw", func(t *testing.T) {
		p.start(front.URL)
		waiting, _, _ := p.desk("bob")
		var contents []string
		for _, row := range waiting {
			contents = append(contents, string(row.Content))
		}
		require.Subset(t, contents, []string{"to the web alone", "not handed out"})
	})
	t.Run("all pages of it, and no more than there is room for", func(t *testing.T) {
		for i := range framesAtOnce + trimEvery {
			o, err := parseObject(fmt.Appendf(nil, `{"module":"chat","method":"message","data":[{"gid":"%d"}]}`, i))
			require.NoError(t, err)
			second.remember(t.Context(), here, o, []int64{7})
		}
		load := second.ring.forget()
		newest, _, err := p.shared.before(t.Context(), "")
		require.NoError(t, err)
		require.Len(t, newest, framesAtOnce)
		load(second.earlier(t.Context(), newest, nil))
		require.Len(t, second.ring.since(t.Context(), time.Time{}, 7), framesAtOnce+trimEvery)
		second.ring.mu.Lock()
		oldest := second.ring.kept[framesAtOnce].id
		second.ring.mu.Unlock()
		require.NoError(t, p.shared.trim(t.Context(), oldest))
	})
	t.Run("Redis away: it goes on, and keeps in memory what there is", func(t *testing.T) {
		server.Kill()
		second.says(t, "in memory")
		require.NotEmpty(t, second.ring.since(t.Context(), time.Time{}, 5))
	})
}
