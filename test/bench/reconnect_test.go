package bench

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"
)

const (
	herd     = 5000 // streams that are lost at once
	dialling = 64   // of them that come back at a time
)

// BenchmarkReconnect loses 5,000 streams at once, says one thing meanwhile, and has all of them come back with the position
// they had: every one must get what it missed, and nothing twice. It tells how long that takes from the first to the last, a
// stream's share of the server's CPU time, and how much memory they take the second time more than the first.
func BenchmarkReconnect(b *testing.B) {
	gateway := run(b, "instant", "")
	tokens := make([]string, streams)
	for i := range tokens {
		tokens[i] = token(b, gateway, 1000+i)
	}
	say := saying(b, gateway, token(b, gateway, stalledUser))
	var took time.Duration
	var cpu time.Duration
	var grown float64
	all := make([]*returning, herd)
	for i := range all {
		all[i] = &returning{url: gateway.Addr + "/notify?protoc=sse", token: tokens[i%streams]}
	}
	for range b.N {
		for _, r := range all {
			r.at = "" // from now on
		}
		abreast(b, all, (*returning).open)
		before := gateway.memory()
		for _, r := range all {
			r.conn.Close()
		}
		say()
		used, start := gateway.cpu(), time.Now()
		abreast(b, all, (*returning).open)
		abreast(b, all, (*returning).hearOne)
		took += time.Since(start)
		cpu += gateway.cpu() - used
		grown = max(grown, float64(gateway.memory())-float64(before))
		for _, r := range all {
			r.conn.Close()
		}
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(took.Seconds()/float64(b.N), "s-all-back")
	b.ReportMetric(float64(cpu.Microseconds())/float64(b.N*herd), "µs-cpu/stream")
	b.ReportMetric(grown/1e6, "MB-more")
}

// saying sends one message to the crowd each time it is called.
func saying(b *testing.B, gateway *server, token string) func() {
	head := bearer(token)
	head.Set("Content-Type", "application/json")
	body := []byte(`{"conversation_id":"crowd","content":"while you were away"}`)
	return func() {
		_, err := post(gateway.Addr+"/send_msg", head, body)
		must(b, err)
	}
}

// abreast does one thing with every stream, dialling of them at a time.
func abreast(b *testing.B, all []*returning, do func(*returning) error) {
	b.Helper()
	work := make(chan *returning)
	var wg sync.WaitGroup
	for range dialling {
		wg.Go(func() {
			for r := range work {
				if err := do(r); err != nil {
					b.Error(err)
				}
			}
		})
	}
	for _, r := range all {
		work <- r
	}
	close(work)
	wg.Wait()
}

// returning is a client of one stream that keeps its place.
type returning struct {
	url, token, at string
	conn           net.Conn
	lines          *bufio.Reader
}

// open connects, with the place it had, and reads up to the block that says where the stream goes on.
func (r *returning) open() (err error) {
	req, err := http.NewRequest(http.MethodGet, r.url, nil)
	if err != nil {
		return err
	}
	req.Header = bearer(r.token)
	if r.at != "" {
		req.Header.Set("Last-Event-ID", r.at)
	}
	if r.conn, err = net.Dial("tcp", req.URL.Host); err != nil {
		return err
	}
	if err := req.Write(r.conn); err != nil {
		return err
	}
	r.lines = bufio.NewReaderSize(r.conn, 1024)
	_, err = r.block()
	return err
}

// hearOne waits for the one event that was missed.
func (r *returning) hearOne() error {
	kind, err := r.block()
	if err == nil && kind != "message" {
		err = fmt.Errorf("%q where a message was missed", kind)
	}
	return err
}

// block reads one block of the stream that has an id, past what belongs to HTTP, and notes the place.
func (r *returning) block() (kind string, err error) {
	_ = r.conn.SetReadDeadline(time.Now().Add(time.Minute))
	for placed := false; ; {
		line, err := r.lines.ReadSlice('\n')
		if err != nil {
			return kind, err
		}
		if id, ok := bytes.CutPrefix(line, []byte("id: ")); ok {
			r.at, placed = string(bytes.TrimSpace(id)), true
		}
		if event, ok := bytes.CutPrefix(line, []byte("event: ")); ok {
			kind = string(bytes.TrimSpace(event))
		}
		if placed && len(bytes.TrimSpace(line)) == 0 {
			return kind, nil
		}
	}
}
