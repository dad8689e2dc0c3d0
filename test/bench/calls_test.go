package bench

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/xuangate/xuangate/adapter/legacy"
	"github.com/xuangate/xuangate/gen/model"
	"github.com/xuangate/xuangate/test/xuanxuan"
)

const (
	rounds = 8   // of each side, in turn
	each   = 250 // requests a round and worker at one client; a sixteenth of it at sixteen
)

// op is one operation, asked through the gateway and as the legacy call it comes down to.
type op struct {
	path   string
	facade func(conversation string) any
	legacy func(user legacy.UserID, chat legacy.ChatGID) legacy.Call
}

var ops = []op{
	{
		"/send_msg",
		func(c string) any { return map[string]any{"conversation_id": c, "type": 1, "content": content} },
		func(u legacy.UserID, c legacy.ChatGID) legacy.Call {
			return legacy.Chat(u, "message", []legacy.DraftRow{{GID: legacy.MessageGID(uuid.NewString()), CGID: c, Type: "normal", ContentType: "plain", Content: content, User: u}})
		},
	},
	{
		"/get_conversation_last_30_msg",
		func(c string) any { return map[string]any{"conversation_id": c} },
		func(u legacy.UserID, c legacy.ChatGID) legacy.Call {
			return legacy.Chat(u, "history", c, 30, 1, 0, false, 0)
		},
	},
}

const content = "The quick brown fox jumps over the lazy dog. 敏捷的棕色狐狸跳过懒狗。"

// BenchmarkCalls compares an operation through the gateway with the same legacy call through a bare reverse proxy in
// front of the same server: median latency at one client (target at most 1.5 to send, 2.0 to read), and requests per
// second at sixteen, each in a conversation of his own (proxy over gateway: the same targets).
func BenchmarkCalls(b *testing.B) {
	behind := run(b, "legacy", "")
	gateway, proxy := run(b, "gateway", behind.Addr), run(b, "proxy", behind.Addr)
	key, err := legacy.NewKey(xuanxuan.DefaultKey)
	must(b, err)
	for _, o := range ops {
		for _, clients := range []int{1, 16} {
			b.Run(fmt.Sprintf("%s/clients=%d", o.path[1:], clients), func(b *testing.B) {
				var ours, theirs []func() error
				for i := range clients {
					user := 1000 + i
					head := bearer(token(b, gateway, user))
					room := call[model.ConversationRef](b, gateway.Addr+"/create_conversation", head, map[string]any{"conversation_type": 0, "name": "bench"}).ConversationId
					for range 40 {
						call[model.SentMsg](b, gateway.Addr+"/send_msg", head, map[string]any{"conversation_id": room, "type": 1, "content": content})
					}
					body, err := json.Marshal(o.facade(room))
					must(b, err)
					head.Set("Content-Type", "application/json")
					ours = append(ours, func() error { _, err := post(gateway.Addr+o.path, head, body); return err })
					theirs = append(theirs, func() error {
						sealed, err := sealCall(key, o.legacy(legacy.UserID(user), legacy.ChatGID(room)))
						if err != nil {
							return err
						}
						_, err = post(proxy.Addr, http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}, sealed)
						return err
					})
				}
				for range b.N {
					compare(b, ours, theirs)
				}
			})
		}
	}
}

func sealCall(key legacy.Key, c legacy.Call) ([]byte, error) {
	plain, err := json.Marshal(map[string]any{"userID": c.User, "module": c.Module, "method": c.Method, "params": c.Params, "lang": "zh-cn", "v": "2.3.0"})
	return key.Seal(plain), err
}

// compare reports ours over theirs; one round of each warms up and does not count.
func compare(b *testing.B, ours, theirs []func() error) {
	var a, z sample
	measure(b, ours, &sample{})
	measure(b, theirs, &sample{})
	for range rounds {
		measure(b, ours, &a)
		measure(b, theirs, &z)
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(a.median().Microseconds()), "µs-gateway")
	b.ReportMetric(float64(z.median().Microseconds()), "µs-proxy")
	if len(ours) == 1 {
		b.ReportMetric(float64(a.median())/float64(z.median()), "x-latency")
		return
	}
	b.ReportMetric(a.rate(), "req/s-gateway")
	b.ReportMetric(z.rate(), "req/s-proxy")
	b.ReportMetric(z.rate()/a.rate(), "x-requests")
}

// sample is what one side took, over all its rounds.
type sample struct {
	took []time.Duration
	wall time.Duration
}

func (s *sample) median() time.Duration {
	slices.Sort(s.took)
	return s.took[len(s.took)/2]
}

func (s *sample) rate() float64 { return float64(len(s.took)) / s.wall.Seconds() }

// measure lets each worker ask one after the other.
func measure(b *testing.B, workers []func() error, s *sample) {
	n := max(each/len(workers), 40)
	took := make([][]time.Duration, len(workers))
	var wg sync.WaitGroup
	var failed atomic.Pointer[error]
	start := time.Now()
	for i, ask := range workers {
		wg.Go(func() {
			for range n {
				t := time.Now()
				if err := ask(); err != nil {
					println("FAILED AT", len(took[i]))
					failed.Store(&err)
					return
				}
				took[i] = append(took[i], time.Since(t))
			}
		})
	}
	wg.Wait()
	s.wall += time.Since(start)
	if err := failed.Load(); err != nil {
		b.Fatal(*err)
	}
	s.took = append(s.took, slices.Concat(took...)...)
}
