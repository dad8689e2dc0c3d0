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

func (d *desktop) has(content string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.heard[content]
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

// A talk is what goes on between desktops of an xxd and web users while the gateways in between are killed: alice speaks on a
// desktop and carol on the web, bob listens on a desktop and carol at a stream.
type talk struct {
	t          *testing.T
	behind     *xuanxuan.Server
	alice, bob *desktop
	carol      *writer
	reader     *reader

	over               atomic.Bool
	speakers, listener sync.WaitGroup
	hush               context.CancelFunc

	mu       sync.Mutex
	said     []string
	answered time.Time // when the last message of alice's was
}

// newTalk begins to talk in front of a backend; of the nodes' APIs the writer uses the first, and the reader the last.
func newTalk(t *testing.T, behind *xuanxuan.Server, x *xuanxuan.XXD, nodes ...string) *talk {
	k := &talk{t: t, behind: behind, alice: newDesktop(t, x, "alice"), bob: newDesktop(t, x, "bob")}
	_, err := k.alice.conn.Call(t.Context(), legacy.Chat(k.alice.user, "create", room, room, legacy.TypeGroup, []legacy.UserID{4, 5, 6}, 0, false))
	require.NoError(t, err)
	as := func(account string, platform int, node string) *client {
		web := &site{nodes: []string{"http://" + node}, http: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}}
		t.Cleanup(web.http.CloseIdleConnections)
		return &client{site: web, account: account, platform: platform, rand: rand.New(rand.NewPCG(1, 0))}
	}
	k.carol = newWriter(as("carol", 1, nodes[0]))
	k.carol.rooms = []string{room}
	k.reader = newReader(as("carol", 2, nodes[len(nodes)-1]), model.ProtocolSse, []string{room})
	ctx, stop := context.WithTimeout(t.Context(), 5*time.Minute)
	listening, hush := context.WithCancel(ctx)
	k.hush = hush
	k.listener.Go(func() { k.reader.listens(listening) })
	t.Cleanup(func() {
		stop()
		k.over.Store(true)
		k.speakers.Wait()
		k.listener.Wait()
	})
	require.Eventually(t, k.reader.begun, settled, 10*time.Millisecond)
	k.speak("desktop", func(content string) error {
		err := k.alice.say(ctx, content)
		k.mu.Lock()
		k.answered = time.Now()
		k.mu.Unlock()
		return err
	})
	k.speak("web", func(content string) error { return k.carol.say(ctx, room, content) })
	return k
}

func (k *talk) speak(name string, say func(string) error) {
	k.speakers.Go(func() {
		for i := 0; !k.over.Load(); i++ {
			content := fmt.Sprint(name, " ", i)
			if err := say(content); err != nil {
				k.t.Errorf("%s: %v", content, err)
				return
			}
			k.mu.Lock()
			k.said = append(k.said, content)
			k.mu.Unlock()
		}
	})
}

// goOn waits until some more has been said.
func (k *talk) goOn() {
	soFar := func() int {
		k.mu.Lock()
		defer k.mu.Unlock()
		return len(k.said)
	}
	before := soFar()
	require.Eventually(k.t, func() bool { return soFar() > before+20 }, settled, time.Millisecond)
}

// answeredAfter is how long after a moment a desktop was answered for the first time.
func (k *talk) answeredAfter(at time.Time) time.Duration {
	var answered time.Time
	require.Eventually(k.t, func() bool {
		k.mu.Lock()
		defer k.mu.Unlock()
		answered = k.answered
		return answered.After(at)
	}, settled, time.Millisecond)
	return answered.Sub(at)
}

// ends stops talking and judges: the desktops are there still, each message is stored once, and the web has all of them. It
// returns how many there were, and how many of them bob's desktop was not told.
func (k *talk) ends() (all, missed int) {
	k.over.Store(true)
	k.speakers.Wait()
	for _, d := range []*desktop{k.alice, k.bob} {
		select {
		case <-d.done:
			k.t.Error("a desktop's connection has ended")
		default:
		}
	}
	stored := history(k.t, k.behind)
	for _, content := range k.said {
		require.Equal(k.t, 1, stored[content], "%s is stored once", content)
		require.Eventually(k.t, func() bool { return k.reader.knows(content) }, settled, 10*time.Millisecond, "%s on the web", content)
	}
	k.hush()
	k.listener.Wait()
	for _, content := range k.said {
		if !k.bob.has(content) {
			missed++
		}
	}
	return len(k.said), missed
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
	k := newTalk(t, behind, x, api)
	for range *kills {
		k.goOn()
		gate.signal(syscall.SIGKILL)
		gate.wait()
		require.NoError(t, gate.start())
	}
	all, missed := k.ends()
	t.Logf("%d kills, %d messages; %d of them a desktop finds in the history alone; %d resets on the web", *kills, all, missed, k.reader.resets)
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
