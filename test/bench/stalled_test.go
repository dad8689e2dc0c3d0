package bench

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

const (
	stalledUser = 1000 + streams // who has no stream of the crowd's
	beat        = 50 * time.Millisecond
	beats       = 60 // messages a round
)

// BenchmarkStalled has one client stop reading, beside 1,000 streams that hear 20 messages a second, and compares how long a
// message takes to the others, 99 of 100 times, with the same without it (target at most 1.1). The stalled connection must
// be cut, and what it takes of the server's memory until then is told; what was said to it is the log's.
func BenchmarkStalled(b *testing.B) {
	for _, transport := range []string{"sse", "ws"} {
		b.Run(transport, func(b *testing.B) {
			gateway := run(b, "instant", "")
			times := &latencies{}
			ours, _ := crowd(b, gateway, transport)
			ours.timed = times.add
			stalled := token(b, gateway, stalledUser)
			say := timedSay(b, gateway, stalled)
			var with, without []time.Duration
			var memory float64
			paced(b, ours, say)
			for range b.N {
				for range 3 {
					times.take()
					paced(b, ours, say)
					without = append(without, times.take()...)

					conn := stall(b, gateway, transport, stalled)
					during := gateway.memory()
					paced(b, ours, say)
					with = append(with, times.take()...)
					mustBeCut(b, conn)
					memory = max(memory, float64(during)-float64(gateway.memory()))
				}
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(percentile(with, 99), "µs-p99-beside-stalled")
			b.ReportMetric(percentile(without, 99), "µs-p99")
			b.ReportMetric(percentile(with, 99)/percentile(without, 99), "x-p99")
			b.ReportMetric(memory/1000, "kB-stalled")
		})
	}
}

// latencies gathers how long messages took.
type latencies struct {
	mu   sync.Mutex
	list []time.Duration
}

// add takes a frame with a timed message, as it was heard.
func (l *latencies) add(frame []byte) {
	now := time.Now()
	_, text, ok := bytes.Cut(frame, []byte(`"Content":"sent `))
	digits, _, _ := bytes.Cut(text, []byte(`"`))
	sent, err := strconv.ParseInt(string(digits), 10, 64)
	if !ok || err != nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.list = append(l.list, now.Sub(time.Unix(0, sent)))
}

func (l *latencies) take() []time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	list := l.list
	l.list = nil
	return list
}

func percentile(list []time.Duration, p int) float64 {
	slices.Sort(list)
	return float64(list[(len(list)-1)*p/100].Nanoseconds()) / 1000
}

// timedSay sends a message whose content says when.
func timedSay(b *testing.B, gateway *server, token string) func() {
	head := bearer(token)
	head.Set("Content-Type", "application/json")
	return func() {
		body, err := json.Marshal(map[string]any{"conversation_id": "crowd", "content": fmt.Sprint("sent ", time.Now().UnixNano())})
		must(b, err)
		_, err = post(gateway.Addr+"/send_msg", head, body)
		must(b, err)
	}
}

// paced sends a round of messages, one each beat, and waits until all have heard them.
func paced(b *testing.B, a *audience, say func()) {
	begin := a.heard.Load()
	tick := time.NewTicker(beat)
	defer tick.Stop()
	for range beats {
		say()
		<-tick.C
	}
	a.await(b, begin+int64(beats*a.size))
}

// stall opens a stream that is never read, and has so much sent to it that the server cannot get rid of it.
func stall(b *testing.B, gateway *server, transport, token string) net.Conn {
	host := strings.TrimPrefix(gateway.Addr, "http://")
	conn, err := net.Dial("tcp", host)
	must(b, err)
	must(b, conn.(*net.TCPConn).SetReadBuffer(4<<10))
	req, err := http.NewRequest(http.MethodGet, gateway.Addr+"/notify?protoc="+transport, nil)
	must(b, err)
	req.Header = bearer(token)
	if transport == "ws" {
		for name, value := range map[string]string{"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "c3RhbGxlZCBjbGllbnQhIQ=="} {
			req.Header.Set(name, value)
		}
	}
	must(b, req.Write(conn))
	if _, err := io.ReadFull(conn, make([]byte, len("HTTP/1.1 200"))); err != nil { // it listens from here on
		b.Fatal(err)
	}
	head := bearer(token)
	head.Set("Content-Type", "application/json")
	for range 200 { // 12 MB, more than any socket buffers hold
		body, err := json.Marshal(map[string]any{"conversation_id": fmt.Sprint("alone-", stalledUser), "content": strings.Repeat("x", 60_000)})
		must(b, err)
		_, err = post(gateway.Addr+"/send_msg", head, body)
		must(b, err)
	}
	return conn
}

// mustBeCut waits as long as a client may stall, and one second more: then what it says must be refused, for nobody is there.
func mustBeCut(b *testing.B, conn net.Conn) {
	defer conn.Close()
	time.Sleep(11 * time.Second)
	_, _ = conn.Write([]byte("x"))
	_ = conn.SetReadDeadline(time.Now().Add(10 * time.Second))
	_, err := io.Copy(io.Discard, conn)
	if timeout, ok := err.(net.Error); ok && timeout.Timeout() {
		b.Fatal("a stalled connection was not cut")
	}
}
