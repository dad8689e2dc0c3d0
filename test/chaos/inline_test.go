package chaos

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"flag"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/xuangate/xuangate/adapter/legacy"
	"github.com/xuangate/xuangate/adapter/xxb"
	"github.com/xuangate/xuangate/adapter/xxd"
	"github.com/xuangate/xuangate/gen/model"
	"github.com/xuangate/xuangate/test/redisd"
	"github.com/xuangate/xuangate/test/xuanxuan"
)

var kills = flag.Int("kills", 3, "how often the gateway between an xxd and its backend is killed")

// room is the conversation in which everybody talks.
const room = "room"

// A desktop is a client of the xxd, which knows nothing of the gateway between that and its backend.
type desktop struct {
	conn *xxd.Conn
	user legacy.UserID
	done chan struct{} // closed when the connection has ended

	mu    sync.Mutex
	heard map[string]bool
}

func newDesktop(t *testing.T, x *xuanxuan.XXD, account string) *desktop {
	server, err := xxd.New(xxd.Config{URL: x.URL()})
	require.NoError(t, err)
	defer server.Close()
	sum := md5.Sum([]byte(xuanxuan.DemoPassword))
	conn, welcome, err := server.Dial(t.Context(), account, hex.EncodeToString(sum[:]))
	require.NoError(t, err)
	d := &desktop{conn: conn, user: legacy.UserID(welcome.User.ID), done: make(chan struct{}), heard: map[string]bool{}}
	go d.listen()
	t.Cleanup(func() {
		_ = conn.Close()
		<-d.done
	})
	return d
}

func (d *desktop) listen() {
	defer close(d.done)
	for {
		p, err := d.conn.Next(context.Background())
		if err != nil {
			return
		}
		var rows legacy.List[legacy.MessageRow]
		if p.Method == "message" && p.Decode(&rows) == nil {
			d.mu.Lock()
			for _, row := range rows {
				d.heard[string(row.Content)] = true
			}
			d.mu.Unlock()
		}
	}
}

// say sends a message until it is answered as stored, as a client does that is told of a time-out.
func (d *desktop) say(ctx context.Context, content string) error {
	for ctx.Err() == nil {
		limit, cancel := context.WithTimeout(ctx, 3*time.Second)
		r, err := d.conn.Call(limit, legacy.Chat(d.user, "message", []legacy.DraftRow{{
			GID: legacy.MessageGID(content), CGID: room, User: d.user, Type: "normal", ContentType: "text", Content: content,
		}}))
		cancel()
		if err == nil && r.Result == legacy.Success && !r.Unsure {
			return nil
		}
		select {
		case <-d.done:
			return fmt.Errorf("the connection has ended: %w", err)
		default:
		}
	}
	return ctx.Err()
}

// TestKilledBetween kills the gateway under load, and starts it again at once: the desktops stay connected, every message is
// stored once, and who listens on the web misses none.
func TestKilledBetween(t *testing.T) {
	behind, err := xuanxuan.Start(t.Context(), xuanxuan.Options{}, "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { require.NoError(t, behind.Close()) }()
	place, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	api, backend := freeAddr(t), freeAddr(t)
	gate := launch(t, "node", instructions{
		Role: "node", Addr: api, Mode: "inline", Legacy: behind.URL(), Beside: "http://" + place.Addr().String(), Backend: backend,
		Redis: []string{redisd.Start(t).Addr},
	})
	x, err := xuanxuan.StartXXD(t.Context(), xuanxuan.XXDOptions{Backend: "http://" + backend + xuanxuan.Path, Listener: place}, "")
	require.NoError(t, err)
	defer func() { require.NoError(t, x.Close()) }()
	alice, bob := newDesktop(t, x, "alice"), newDesktop(t, x, "bob")
	_, err = alice.conn.Call(t.Context(), legacy.Chat(alice.user, "create", room, room, legacy.TypeGroup, []legacy.UserID{4, 5, 6}, 0, false))
	require.NoError(t, err)

	web := &site{nodes: []string{"http://" + api}, http: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}}
	defer web.http.CloseIdleConnections()
	as := func(account string, platform int) *client {
		return &client{site: web, account: account, platform: platform, rand: rand.New(rand.NewPCG(1, 0))}
	}
	carol := newWriter(as("carol", 1))
	carol.rooms = []string{room}
	reader := newReader(as("carol", 2), model.ProtocolSse, []string{room})

	ctx, stop := context.WithTimeout(t.Context(), 5*time.Minute)
	defer stop()
	listening, hush := context.WithCancel(ctx)
	var listener, speakers sync.WaitGroup
	listener.Go(func() { reader.listens(listening) })
	defer listener.Wait()
	defer hush()
	require.Eventually(t, reader.begun, settled, 10*time.Millisecond)

	var over atomic.Bool
	var mu sync.Mutex
	var said []string
	speak := func(name string, say func(string) error) {
		speakers.Go(func() {
			for i := 0; !over.Load(); i++ {
				content := fmt.Sprint(name, " ", i)
				if err := say(content); err != nil {
					t.Errorf("%s: %v", content, err)
					return
				}
				mu.Lock()
				said = append(said, content)
				mu.Unlock()
			}
		})
	}
	speak("desktop", func(content string) error { return alice.say(ctx, content) })
	speak("web", func(content string) error { return carol.say(ctx, room, content) })
	heardSoFar := func() int {
		mu.Lock()
		defer mu.Unlock()
		return len(said)
	}
	for range *kills {
		before := heardSoFar()
		require.Eventually(t, func() bool { return heardSoFar() > before+20 }, settled, time.Millisecond)
		gate.signal(syscall.SIGKILL)
		gate.wait()
		require.NoError(t, gate.start())
	}
	over.Store(true)
	speakers.Wait()

	for _, d := range []*desktop{alice, bob} {
		select {
		case <-d.done:
			t.Error("a desktop's connection has ended")
		default:
		}
	}
	stored := history(t, behind)
	for _, content := range said {
		require.Equal(t, 1, stored[content], "%s is stored once", content)
		require.Eventually(t, func() bool { return reader.knows(content) }, settled, 10*time.Millisecond, "%s on the web", content)
	}
	missed := 0
	bob.mu.Lock()
	for _, content := range said {
		if !bob.heard[content] {
			missed++
		}
	}
	bob.mu.Unlock()
	t.Logf("%d kills, %d messages; %d of them a desktop finds in the history alone; %d resets on the web", *kills, len(said), missed, reader.resets)
}

// history counts what the backend has in the room, by content.
func history(t *testing.T, s *xuanxuan.Server) map[string]int {
	key, err := legacy.NewKey(xuanxuan.DefaultKey)
	require.NoError(t, err)
	c := xxb.New(xxb.Config{URL: s.URL(), Key: key})
	defer c.Close()
	r, err := c.Call(t.Context(), legacy.Chat(4, "history", room, 100000, 1, 0, false, 0))
	require.NoError(t, err)
	var rows []legacy.MessageRow
	require.NoError(t, r.Decode(&rows))
	stored := map[string]int{}
	for _, row := range rows {
		stored[string(row.Content)]++
	}
	return stored
}
