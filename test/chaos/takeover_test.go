package chaos

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/xuangate/xuangate/adapter"
	"github.com/xuangate/xuangate/adapter/legacy"
	"github.com/xuangate/xuangate/adapter/v1"
	"github.com/xuangate/xuangate/adapter/xxd"
	"github.com/xuangate/xuangate/gen/model"
	"github.com/xuangate/xuangate/test/redisd"
	"github.com/xuangate/xuangate/test/xuanxuan"
)

// TestTakeOver takes as long as a lease. It has bob and carol listen at a node that holds neither's link: that of bob's is killed, that of carol's stops for
// longer than its lease and goes on then. A desktop client speaks meanwhile, of whom only their own links hear. alice's link dies with bob's; she listens
// nowhere and asks for nothing.
func TestTakeOver(t *testing.T) {
	for _, mode := range []string{"xxd", "v1"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			takeOver(t, mode)
		})
	}
}

func takeOver(t *testing.T, mode string) {
	in := &round{t: t, rand: rand.New(rand.NewPCG(1, 1)), happened: map[string]int{}}
	in.build(kind{mode, 3, "single"})
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	at := func(node int, account string, platform int) *client {
		only := &site{nodes: in.site.nodes[node : node+1], http: in.site.http}
		return &client{site: only, account: account, platform: platform, rand: rand.New(rand.NewPCG(2, uint64(platform)))}
	}
	alice, bob, carol := at(0, "alice", 1), at(0, "bob", 1), at(1, "carol", 1)
	require.NoError(t, alice.call(ctx, "/get_me", struct{}{}, nil, nil))
	require.NoError(t, carol.call(ctx, "/get_me", struct{}{}, nil, nil))
	var made model.ConversationRef
	require.NoError(t, bob.call(ctx, "/create_conversation", map[string]any{"conversation_type": 0, "name": "room", "members": []string{"6", "7"}}, &made, nil))
	in.rooms = []string{made.ConversationId}
	say, status := voice(ctx, t, mode, in.behind, made.ConversationId)

	listening, hangUp := context.WithCancel(ctx)
	defer hangUp()
	var ears errgroup.Group
	for i, p := range protocols {
		for _, account := range []string{"bob", "carol"} {
			in.readers = append(in.readers, newReader(at(2, account, 2+i), p, in.rooms))
		}
	}
	for _, r := range in.readers {
		ears.Go(func() error { r.listens(listening); return nil })
	}
	in.await("to begin", func(r *reader) bool { return r.begun() })
	heard := func(content string) {
		in.await("for "+content, func(r *reader) bool { return r.knows(content) })
	}
	say("before")
	heard("before")

	begun := time.Now()
	in.nodes[0].signal(syscall.SIGKILL)
	in.nodes[1].signal(syscall.SIGSTOP)
	for i := range 20 {
		say(fmt.Sprint("meanwhile ", i))
	}
	redisd.Until(t, "the chat server misses alice", status("4", "offline"))
	for i := range 20 {
		heard(fmt.Sprint("meanwhile ", i))
	}
	t.Logf("taken over after %s", time.Since(begun).Round(100*time.Millisecond))
	redisd.Until(t, "alice is linked", status("4", "online"))
	t.Logf("and who listens nowhere after %s", time.Since(begun).Round(100*time.Millisecond))
	in.nodes[1].signal(syscall.SIGCONT)
	for i := range 20 {
		say(fmt.Sprint("after ", i))
	}
	for i := range 20 {
		heard(fmt.Sprint("after ", i))
	}
	// It has noticed by now, or does at its next call: who holds the link answers.
	require.NoError(t, carol.call(ctx, "/get_me", struct{}{}, nil, nil))
	truth, err := stored(ctx, in.backend, in.rooms)
	require.NoError(t, err)
	hangUp()
	_ = ears.Wait()
	require.Empty(t, judge(truth, nil, in.readers).faults())
}

// signIn signs an account in to a chat server without a node, as a desktop client does.
func signIn(ctx context.Context, t *testing.T, mode, at, account string) (adapter.Upstream, legacy.Welcome) {
	sum := md5.Sum([]byte(xuanxuan.DemoPassword))
	password := hex.EncodeToString(sum[:])
	if mode == "v1" {
		server, err := v1.New(v1.Config{Addr: at})
		require.NoError(t, err)
		t.Cleanup(server.Close)
		conn, welcome, err := server.Dial(ctx, account, password)
		require.NoError(t, err)
		return conn, welcome
	}
	server, err := xxd.New(xxd.Config{URL: at})
	require.NoError(t, err)
	t.Cleanup(server.Close)
	conn, welcome, err := server.Dial(ctx, account, password)
	require.NoError(t, err)
	return conn, welcome
}

// voice signs dave in without a node, and returns how he speaks, and how he sees whether a user's status is this.
func voice(ctx context.Context, t *testing.T, mode, at, room string) (say func(content string), status func(session, is string) func(context.Context) error) {
	up, welcome := signIn(ctx, t, mode, at, "dave")
	user := legacy.UserID(welcome.User.ID)
	var hears errgroup.Group
	hears.Go(func() error {
		for {
			if _, err := up.Next(ctx); err != nil {
				return nil
			}
		}
	})
	t.Cleanup(func() { _ = up.Close(); _ = hears.Wait() })
	say = func(content string) {
		r, err := up.Call(ctx, legacy.Chat(user, "message", []legacy.DraftRow{{
			GID: legacy.MessageGID("desk-" + content), CGID: legacy.ChatGID(room), User: user, Type: "normal", ContentType: "text", Content: content,
		}}))
		require.NoError(t, err)
		require.Equal(t, legacy.Success, r.Result)
	}
	return say, func(session, is string) func(context.Context) error {
		return func(ctx context.Context) error {
			r, err := up.Call(ctx, legacy.Chat(user, "userGetlist", []string{session}))
			var rows []legacy.UserRow
			if err == nil {
				err = r.Decode(&rows)
			}
			if err != nil || len(rows) != 1 || string(rows[0].Status) != is {
				return fmt.Errorf("%v: %w", rows, err)
			}
			return nil
		}
	}
}
