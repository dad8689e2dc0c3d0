package bench

import (
	"bufio"
	"bytes"
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

const (
	streams  = 1000
	messages = 200 // a round
	window   = 32  // messages under way at most
)

// BenchmarkFanout sends messages to 1,000 streams, each of another user, and compares with a bare broadcast of the same
// bytes over the same transport: deliveries per second (ours over theirs, target at least 0.7) and CPU time of the server
// process per delivery (target at most 1.4). The legacy server behind is an instant one: see there.
func BenchmarkFanout(b *testing.B) {
	for _, transport := range []string{"sse", "ws"} {
		b.Run(transport, func(b *testing.B) {
			gateway, plain := run(b, "instant", ""), run(b, "bare", "")
			ours, send := crowd(b, gateway, transport)
			sample := ours.first(b, send)
			theirs := newAudience(b, transport, plain.Addr+"/"+transport, nil)
			publish := func() error { _, err := post(plain.Addr+"/publish", nil, sample); return err }
			var a, z fanout
			for range b.N {
				ours.round(b, gateway, send, &fanout{})
				theirs.round(b, plain, publish, &fanout{})
				for range 5 {
					ours.round(b, gateway, send, &a)
					theirs.round(b, plain, publish, &z)
				}
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(a.rate(), "deliveries/s-gateway")
			b.ReportMetric(z.rate(), "deliveries/s-bare")
			b.ReportMetric(a.rate()/z.rate(), "x-deliveries")
			b.ReportMetric(a.cost(), "µs-gateway")
			b.ReportMetric(z.cost(), "µs-bare")
			b.ReportMetric(a.cost()/z.cost(), "x-cpu")
		})
	}
}

// fanout is what rounds of messages took.
type fanout struct {
	deliveries int
	wall, cpu  time.Duration
}

func (f fanout) rate() float64 { return float64(f.deliveries) / f.wall.Seconds() }
func (f fanout) cost() float64 { return float64(f.cpu.Microseconds()) / float64(f.deliveries) }

// audience is open streams that count what they hear.
type audience struct {
	size  int
	heard atomic.Int64
	frame chan []byte  // the first message that comes, as it came
	timed func([]byte) // is given every message, if set

	mu   sync.Mutex
	cond *sync.Cond
}

func newAudience(b *testing.B, transport, url string, tokens []string) *audience {
	a := &audience{size: streams, frame: make(chan []byte, 1)}
	a.cond = sync.NewCond(&a.mu)
	open := map[string]func(*testing.B, string, http.Header){"sse": a.openSSE, "ws": a.openWS}[transport]
	for i := range streams {
		head := http.Header{}
		if tokens != nil {
			head = bearer(tokens[i])
		}
		open(b, url, head)
	}
	return a
}

func (a *audience) hear(frame []byte) {
	if a.timed != nil {
		a.timed(frame)
	}
	select {
	case a.frame <- bytes.Clone(frame):
	default:
	}
	// Once a message is complete for all somebody may wait for it.
	if a.heard.Add(1)%int64(a.size) == 0 {
		a.mu.Lock()
		a.cond.Broadcast()
		a.mu.Unlock()
	}
}

// await waits until n deliveries were counted.
func (a *audience) await(b *testing.B, n int64) {
	timer := time.AfterFunc(time.Minute, func() {
		b.Errorf("%d deliveries of %d after a minute", a.heard.Load(), n)
		a.heard.Store(n)
		a.cond.Broadcast()
	})
	defer timer.Stop()
	a.mu.Lock()
	defer a.mu.Unlock()
	for a.heard.Load() < n {
		a.cond.Wait()
	}
}

// first sends one message and returns the bytes in which it reached a stream.
func (a *audience) first(b *testing.B, send func() error) []byte {
	must(b, send())
	a.await(b, a.heard.Load()/int64(a.size)*int64(a.size)+int64(a.size))
	return <-a.frame
}

// round sends messages, at most window of them ahead of the streams, and adds what it took.
func (a *audience) round(b *testing.B, s *server, send func() error, f *fanout) {
	begin := a.heard.Load()
	cpu, start := s.cpu(), time.Now()
	work := make(chan int, messages)
	for i := range messages {
		work <- i
	}
	close(work)
	var wg sync.WaitGroup
	for range window / 4 {
		wg.Go(func() {
			for i := range work {
				a.await(b, begin+int64(max(0, i-window)*a.size))
				if err := send(); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	a.await(b, begin+int64(messages*a.size))
	f.wall += time.Since(start)
	f.cpu += s.cpu() - cpu
	f.deliveries += messages * a.size
}

func (a *audience) openSSE(b *testing.B, url string, head http.Header) {
	req, err := http.NewRequest(http.MethodGet, url, nil)
	must(b, err)
	req.Header = head
	res, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(req)
	must(b, err)
	b.Cleanup(func() { res.Body.Close() })
	go func() {
		r := bufio.NewReaderSize(res.Body, 4096)
		var block []byte
		for {
			line, err := r.ReadSlice('\n')
			if err != nil {
				return
			}
			block = append(block, line...)
			if len(line) > 1 {
				continue
			}
			if bytes.Contains(block, []byte("data:")) {
				a.hear(block)
			}
			block = block[:0]
		}
	}()
}

func (a *audience) openWS(b *testing.B, url string, head http.Header) {
	d := websocket.Dialer{ReadBufferSize: 1024, WriteBufferSize: 256}
	conn, _, err := d.Dial("ws"+strings.TrimPrefix(url, "http"), head)
	must(b, err)
	b.Cleanup(func() { conn.Close() })
	go func() {
		for {
			_, frame, err := conn.ReadMessage()
			if err != nil {
				return
			}
			if bytes.Contains(frame, []byte(`"MsgId"`)) {
				a.hear(frame)
			}
		}
	}()
}

// crowd opens a stream for each of a group's members, and returns how to say something there.
func crowd(b *testing.B, gateway *server, transport string) (*audience, func() error) {
	tokens := make([]string, streams)
	for i := range tokens {
		tokens[i] = token(b, gateway, 1000+i)
	}
	body, err := json.Marshal(map[string]any{"conversation_id": "crowd", "type": 1, "content": content})
	must(b, err)
	head := bearer(tokens[0])
	head.Set("Content-Type", "application/json")
	a := newAudience(b, transport, gateway.Addr+"/notify?protoc="+transport, tokens)
	return a, func() error { _, err := post(gateway.Addr+"/send_msg", head, body); return err }
}
