package bench

import (
	"bufio"
	"bytes"
	"context"
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/xuangate/xuangate/adapter/legacy"
	"github.com/xuangate/xuangate/adapter/xxd"
	"github.com/xuangate/xuangate/cmd/xuangate/node"
	"github.com/xuangate/xuangate/test/xuanxuan"
)

const (
	linked = 500 // users signed in at a time
	echoes = 300 // messages a round
)

// runXXD is an xxd with TLS, as real ones have it, before the legacy server.
func runXXD(legacyURL string) (string, func(), error) {
	x, err := xuanxuan.StartXXD(context.Background(), xuanxuan.XXDOptions{Backend: legacyURL, TLS: true, UploadFileSize: uploadLimit}, "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	return x.URL(), func() { _ = x.Close() }, nil
}

// runLinked is a gateway in mode xxd.
func runLinked(xxdURL string) (string, func(), error) {
	c := node.Default()
	c.Limits = node.Limits{TokenBurst: 1, AddressBurst: 1, SignInBurst: 1, AccountBurst: 1, AcceptBurst: 1} // no limits: all clients are one address
	c.Legacy.SignIns = 1000
	c.Legacy.Mode = "xxd"
	c.Legacy.XXD.URL, c.Legacy.XXD.Insecure = xxdURL, true
	c.Legacy.Timeout = time.Minute
	return runNode(c)
}

// signIn signs a user in with his password and returns the token.
func signIn(b testing.TB, gateway *server, account string) string {
	return call[struct{ Token string }](b, gateway.Addr+"/login", http.Header{}, map[string]any{"account": account, "password": xuanxuan.DemoPassword, "platform": 1}).Token
}

// BenchmarkLinks tells what a user's link to xxd costs the gateway's process, heap and stacks after a garbage collection
// and goroutines, with 500 users signed in; and how long it takes from send_msg to the sender's own event on his WebSocket,
// over the time from a plain client's message to its own echo (ratio of the medians, target at most 1.3).
func BenchmarkLinks(b *testing.B) {
	b.Run("idle", func(b *testing.B) {
		for range b.N {
			behind := run(b, "legacy", "")
			gateway := run(b, "linked", run(b, "xxd", behind.Addr).Addr)
			signIn(b, gateway, "alice") // what the first one costs, the lists of users, is not a link's
			client.CloseIdleConnections()
			before := gateway.usage("/memory")
			for i := range linked {
				signIn(b, gateway, fmt.Sprint("u", i))
			}
			client.CloseIdleConnections()
			after := gateway.usage("/memory")
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(float64(after.Memory-before.Memory)/linked/1000, "kB/link")
			b.ReportMetric(float64(after.Goroutines-before.Goroutines)/linked, "goroutines/link")
		}
	})
	b.Run("echo", func(b *testing.B) {
		behind := run(b, "legacy", "")
		server := run(b, "xxd", behind.Addr)
		gateway := run(b, "linked", server.Addr)
		ours, theirs := newSpeaker(b, gateway), newPlain(b, server)
		var a, z []time.Duration
		for range b.N {
			for range 5 { // in turns, so that both meet the machine in the same state
				a, z = append(a, echoed(b, ours)...), append(z, echoed(b, theirs)...)
			}
		}
		b.ReportMetric(0, "ns/op")
		b.ReportMetric(median(a), "µs-gateway")
		b.ReportMetric(median(z), "µs-plain")
		b.ReportMetric(median(a)/median(z), "x-latency")
	})
}

func median(list []time.Duration) float64 {
	slices.Sort(list)
	return float64(list[len(list)/2].Nanoseconds()) / 1000
}

// echoed says something again and again, each time until it is heard, and returns how long each took.
func echoed(b *testing.B, say func(content string) (heard time.Time, err error)) []time.Duration {
	took := make([]time.Duration, echoes)
	for i := range took {
		start := time.Now()
		heard, err := say(fmt.Sprint("message ", start.UnixNano()))
		must(b, err)
		took[i] = heard.Sub(start)
	}
	return took
}

// newSpeaker signs in at the gateway; what it returns sends a message and waits until it comes on the stream. Like the plain
// client it writes to its connections itself: what net/http's client costs is not the gateway's.
func newSpeaker(b *testing.B, gateway *server) func(string) (time.Time, error) {
	head := bearer(signIn(b, gateway, "alice"))
	head.Set("Content-Type", "application/json")
	group := call[struct{ ConversationId string }](b, gateway.Addr+"/create_conversation", head, map[string]any{"conversation_type": 0, "name": "echo"}).ConversationId
	events, _, err := websocket.DefaultDialer.DialContext(b.Context(), "ws"+strings.TrimPrefix(gateway.Addr, "http")+"/notify", http.Header{"Authorization": head["Authorization"]})
	must(b, err)
	conn, err := net.Dial("tcp", strings.TrimPrefix(gateway.Addr, "http://"))
	must(b, err)
	b.Cleanup(func() { events.Close(); conn.Close() })
	answers := bufio.NewReader(conn)
	return func(content string) (time.Time, error) {
		body, err := json.Marshal(map[string]any{"conversation_id": group, "content": content})
		if err != nil {
			return time.Time{}, err
		}
		req, err := http.NewRequest(http.MethodPost, gateway.Addr+"/send_msg", bytes.NewReader(body))
		if err != nil {
			return time.Time{}, err
		}
		req.Header = head
		if err := req.Write(conn); err != nil {
			return time.Time{}, err
		}
		for {
			var m struct{ Content string }
			if err := events.ReadJSON(&m); err != nil {
				return time.Time{}, err
			}
			if m.Content == content {
				heard := time.Now()
				return heard, answered(answers, req)
			}
		}
	}
}

// answered reads the answer to a request, which must be a good one.
func answered(from *bufio.Reader, to *http.Request) error {
	res, err := http.ReadResponse(from, to)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("answered %s", res.Status)
	}
	_, err = io.Copy(io.Discard, res.Body)
	return err
}

// newPlain signs in to xxd as a desktop client does; what it returns sends a message and waits for its echo.
func newPlain(b *testing.B, x *server) func(string) (time.Time, error) {
	s, err := xxd.New(xxd.Config{URL: x.Addr, Insecure: true})
	must(b, err)
	sum := md5.Sum([]byte(xuanxuan.DemoPassword))
	conn, welcome, err := s.Dial(b.Context(), "bob", hex.EncodeToString(sum[:]))
	must(b, err)
	b.Cleanup(func() { conn.Close(); s.Close() })
	u := legacy.UserID(welcome.User.ID)
	const group = "plain"
	_, err = conn.Call(b.Context(), legacy.Chat(u, "create", group, "plain", legacy.TypeGroup, []legacy.UserID{u}, 0, false))
	must(b, err)
	return func(content string) (time.Time, error) {
		answered := make(chan error, 1)
		go func() {
			_, err := conn.Call(b.Context(), legacy.Chat(u, "message", []legacy.DraftRow{{
				GID: legacy.MessageGID(content), CGID: group, User: u, Type: "normal", ContentType: "text", Content: content,
			}}))
			answered <- err
		}()
		for {
			p, err := conn.Next(b.Context())
			if err != nil {
				return time.Time{}, err
			}
			var rows legacy.List[legacy.MessageRow]
			if p.Method == "message" && p.Decode(&rows) == nil && len(rows) == 1 && string(rows[0].Content) == content {
				return time.Now(), <-answered
			}
		}
	}
}
