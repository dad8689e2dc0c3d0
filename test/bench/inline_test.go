package bench

import (
	"bufio"
	"context"
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/xuangate/xuangate/adapter/legacy"
	"github.com/xuangate/xuangate/adapter/xxd"
	"github.com/xuangate/xuangate/cmd/xuangate/node"
	"github.com/xuangate/xuangate/test/xuanxuan"
)

// between is where a gateway in mode inline and its xxd are, which must know of each other before they are there.
type between struct{ Legacy, Backend, XXD string }

func (p between) String() string {
	text, _ := json.Marshal(p) // of texts alone
	return string(text)
}

func runBetween(places string) (string, func(), error) {
	var p between
	if err := json.Unmarshal([]byte(places), &p); err != nil {
		return "", nil, err
	}
	c := node.Default()
	c.Limits = node.Limits{TokenBurst: 1, AddressBurst: 1, SignInBurst: 1, AccountBurst: 1, AcceptBurst: 1} // no limits: all clients are one address
	c.Legacy.Mode = "inline"
	c.Legacy.XXB.URL, c.Legacy.XXB.Key = p.Legacy, xuanxuan.DefaultKey
	c.Legacy.XXD.URL, c.Legacy.XXD.Insecure = "https://"+p.XXD, true
	c.Legacy.Inline.Listen = p.Backend
	c.Legacy.Timeout = time.Minute
	return runNode(c)
}

func runBehind(places string) (string, func(), error) {
	var p between
	if err := json.Unmarshal([]byte(places), &p); err != nil {
		return "", nil, err
	}
	x, err := xuanxuan.StartXXD(context.Background(), xuanxuan.XXDOptions{Backend: "http://" + p.Backend + xuanxuan.Path, TLS: true}, p.XXD)
	if err != nil {
		return "", nil, err
	}
	return x.URL(), func() { _ = x.Close() }, nil
}

// freePort is an address on which nobody listens, below the ports that the system gives away.
func freePort(b testing.TB) string {
	for {
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", 15000+rand.IntN(15000)))
		if err == nil {
			must(b, l.Close())
			return l.Addr().String()
		}
	}
}

// realService is how long the real backend takes for a message: 4.3 to 4.8 ms, medians of a PHP server on two cores that was asked
// directly (LEGACY), where the reference takes some 0.4. By it ratios can be told as a real site would have them. It is the
// shortest that was measured; beside a busy xxd a message took 8 ms.
const realService = 4500 * time.Microsecond

// BenchmarkInline tells how long it takes until another desktop hears a message, in mode inline over natively (ratios of the
// medians): from a desktop (target at most 1.1), and from the web (1.15). The targets are for real servers, whose backend is ten
// times slower than the reference: so there is each ratio with the reference as it is, and with a backend that takes as long
// as the real one.
func BenchmarkInline(b *testing.B) {
	fast, slow := newRivals(b, ""), newRivals(b, realService.String())
	for range b.N {
		for range 5 { // in turns, so that all meet the machine in the same state
			fast.run(b)
		}
		slow.run(b)
	}
	b.ReportMetric(0, "ns/op")
	fast.report(b, "")
	slow.report(b, "-at-4.5ms")
}

// rivals are a chat server as it is, and one behind a gateway.
type rivals struct {
	native, through, web func(content string) (time.Time, error)
	n, d, w              []time.Duration
}

func newRivals(b *testing.B, slowness string) *rivals {
	natives := run(b, "xxd", run(b, "legacy", slowness).Addr)
	p := between{Legacy: run(b, "legacy", slowness).Addr, Backend: freePort(b), XXD: freePort(b)}
	gateway := run(b, "between", p.String())
	ours := run(b, "behind", p.String())
	r := &rivals{}
	var hears func(string) (time.Time, error)
	r.native, _ = newPair(b, natives)
	r.through, hears = newPair(b, ours)
	r.web = newWebSpeaker(b, gateway, hears)
	return r
}

func (r *rivals) run(b *testing.B) {
	r.n, r.d, r.w = append(r.n, echoed(b, r.native)...), append(r.d, echoed(b, r.through)...), append(r.w, echoed(b, r.web)...)
}

func (r *rivals) report(b *testing.B, at string) {
	b.ReportMetric(median(r.n), "µs-native"+at)
	b.ReportMetric(median(r.d), "µs-desktop"+at)
	b.ReportMetric(median(r.w), "µs-web"+at)
	b.ReportMetric(median(r.d)/median(r.n), "x-desktop"+at)
	b.ReportMetric(median(r.w)/median(r.n), "x-web"+at)
}

const pairGroup = "pair"

// newPair signs two desktops in to an xxd; say has one of them send a message and waits until the other has it, and hears waits for a message that
// somebody sends.
func newPair(b *testing.B, x *server) (say func(string) (time.Time, error), hears func(string) (time.Time, error)) {
	s, err := xxd.New(xxd.Config{URL: x.Addr, Insecure: true})
	must(b, err)
	b.Cleanup(s.Close)
	sum := md5.Sum([]byte(xuanxuan.DemoPassword))
	dial := func(account string) (*xxd.Conn, legacy.UserID) {
		conn, welcome, err := s.Dial(b.Context(), account, hex.EncodeToString(sum[:]))
		must(b, err)
		b.Cleanup(func() { conn.Close() })
		return conn, legacy.UserID(welcome.User.ID)
	}
	bob, u := dial("bob")
	carol, other := dial("carol")
	_, err = bob.Call(b.Context(), legacy.Chat(u, "create", pairGroup, "pair", legacy.TypeGroup, []legacy.UserID{u, other, 4}, 0, false))
	must(b, err)
	go func() { // what others say must not pile up at bob, or his connection ends
		for {
			if _, err := bob.Next(context.Background()); err != nil {
				return // it ends with the benchmark
			}
		}
	}()
	hears = func(content string) (time.Time, error) {
		for {
			p, err := carol.Next(b.Context())
			if err != nil {
				return time.Time{}, err
			}
			var rows legacy.List[legacy.MessageRow]
			if p.Method == "message" && p.Decode(&rows) == nil && len(rows) == 1 && string(rows[0].Content) == content {
				return time.Now(), nil
			}
		}
	}
	say = func(content string) (time.Time, error) {
		answered := make(chan error, 1)
		go func() {
			_, err := bob.Call(b.Context(), legacy.Chat(u, "message", []legacy.DraftRow{{
				GID: legacy.MessageGID(content), CGID: pairGroup, User: u, Type: "normal", ContentType: "text", Content: content,
			}}))
			answered <- err
		}()
		heard, err := hears(content)
		if err != nil {
			return heard, err
		}
		return heard, <-answered
	}
	return say, hears
}

// newWebSpeaker has alice send messages from the web into the pair's group.
func newWebSpeaker(b *testing.B, gateway *server, hears func(string) (time.Time, error)) func(string) (time.Time, error) {
	head := bearer(signIn(b, gateway, "alice"))
	head.Set("Content-Type", "application/json")
	conn, err := net.Dial("tcp", strings.TrimPrefix(gateway.Addr, "http://"))
	must(b, err)
	b.Cleanup(func() { conn.Close() })
	answers := bufio.NewReader(conn)
	return func(content string) (time.Time, error) {
		body, err := json.Marshal(map[string]any{"conversation_id": pairGroup, "content": content})
		if err != nil {
			return time.Time{}, err
		}
		req, err := http.NewRequest(http.MethodPost, gateway.Addr+"/send_msg", strings.NewReader(string(body)))
		if err != nil {
			return time.Time{}, err
		}
		req.Header = head
		if err := req.Write(conn); err != nil {
			return time.Time{}, err
		}
		type hearing struct {
			at  time.Time
			err error
		}
		told := make(chan hearing, 1)
		go func() {
			at, err := hears(content)
			told <- hearing{at, err}
		}()
		if err := answered(answers, req); err != nil { // then nobody is told
			return time.Time{}, err
		}
		h := <-told
		return h.at, h.err
	}
}
