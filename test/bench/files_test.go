package bench

import (
	"encoding/json"
	"fmt"
	"hash/crc32"
	"io"
	"mime/multipart"
	"net/http"
	"runtime"
	"runtime/metrics"
	"testing"
	"time"
)

const (
	// bigFile is what is sent through the gateway, and maxGrowth how much of it, in bytes, the gateway may hold at any time.
	bigFile   = 200 << 20
	maxGrowth = 16 << 20
	// uploadLimit is that of the servers here, raised for it.
	uploadLimit = 1 << 30
)

// A highWater watches the heap and stacks of this process.
type highWater struct {
	before, most uint64
	stop, done   chan struct{}
}

// inUse is what MemStats calls HeapInuse and StackInuse, garbage that is not collected yet included, read without stopping
// the program.
func inUse() (sum uint64) {
	samples := []metrics.Sample{
		{Name: "/memory/classes/heap/objects:bytes"}, {Name: "/memory/classes/heap/unused:bytes"}, {Name: "/memory/classes/heap/stacks:bytes"},
	}
	metrics.Read(samples)
	for _, s := range samples {
		sum += s.Value.Uint64()
	}
	return sum
}

func watchMemory() *highWater {
	runtime.GC()
	runtime.GC()
	h := &highWater{before: inUse(), stop: make(chan struct{}), done: make(chan struct{})}
	go func() {
		defer close(h.done)
		t := time.NewTicker(time.Millisecond)
		defer t.Stop()
		for {
			h.most = max(h.most, inUse())
			select {
			case <-t.C:
			case <-h.stop:
				return
			}
		}
	}()
	return h
}

// growth ends the watch.
func (h *highWater) growth() uint64 {
	close(h.stop)
	<-h.done
	return h.most - min(h.before, h.most)
}

// BenchmarkBigFile sends 200 MB through the gateway, up and down, in each mode, and fails when heap and stacks of its process
// grow by 16 MB or more at any moment of it. How long that takes is not judged.
func BenchmarkBigFile(b *testing.B) {
	behind := run(b, "legacy", "")
	front := run(b, "xxd", behind.Addr)
	for mode, gateway := range map[string]*server{"xxb": run(b, "gateway", behind.Addr), "xxd": run(b, "linked", front.Addr)} {
		b.Run(mode, func(b *testing.B) {
			alice := bearer(signIn(b, gateway, "alice"))
			chat := call[struct{ ConversationId string }](b, gateway.Addr+"/create_conversation", alice, map[string]any{"conversation_type": 0, "name": "files"}).ConversationId
			transferred(b, gateway, alice, chat, 1<<20) // what the first one costs is not a file's
			for range b.N {
				up, down := transferred(b, gateway, alice, chat, bigFile)
				b.ReportMetric(0, "ns/op")
				b.ReportMetric(float64(up)/1e6, "MB-up")
				b.ReportMetric(float64(down)/1e6, "MB-down")
				if max(up, down) >= maxGrowth {
					b.Errorf("memory grew by %d bytes for the upload and %d for the download, want less than %d", up, down, maxGrowth)
				}
			}
		})
	}
}

// transferred uploads a file and downloads it again. It returns by how much the gateway's memory grew for each.
func transferred(b *testing.B, gateway *server, alice http.Header, chat string, size int64) (up, down uint64) {
	b.Helper()
	gateway.usage("/watch")
	sent := crc32.NewIEEE()
	id := uploaded(b, gateway, alice, chat, io.TeeReader(io.LimitReader(&noise{}, size), sent))
	up = gateway.usage("/growth").Memory

	gateway.usage("/watch")
	req, err := http.NewRequest(http.MethodGet, gateway.Addr+"/files/"+id, nil)
	must(b, err)
	req.Header = alice.Clone()
	res, err := client.Do(req)
	must(b, err)
	defer res.Body.Close()
	got := crc32.NewIEEE()
	n, err := io.Copy(got, res.Body)
	must(b, err)
	down = gateway.usage("/growth").Memory
	if n != size || got.Sum32() != sent.Sum32() {
		b.Fatalf("status %d: %d bytes came back, not the %d that were sent", res.StatusCode, n, size)
	}
	return up, down
}

func uploaded(b *testing.B, gateway *server, alice http.Header, chat string, file io.Reader) (id string) {
	b.Helper()
	out, in := io.Pipe()
	form := multipart.NewWriter(in)
	written := make(chan struct{})
	go func() {
		defer close(written)
		_ = form.WriteField("conversation_id", chat)
		part, _ := form.CreateFormFile("file", "big.bin")
		_, err := io.Copy(part, file)
		_ = form.Close()
		_ = in.CloseWithError(err)
	}()
	req, err := http.NewRequest(http.MethodPost, gateway.Addr+"/upload_file", out)
	must(b, err)
	req.Header = alice.Clone()
	req.Header.Set("Content-Type", form.FormDataContentType())
	res, err := client.Do(req)
	_ = out.Close()
	<-written
	must(b, err)
	defer res.Body.Close()
	var a struct {
		Error string
		Data  struct{ Id string }
	}
	must(b, json.NewDecoder(res.Body).Decode(&a))
	if a.Data.Id == "" {
		b.Fatal(fmt.Errorf("upload: status %d: %s", res.StatusCode, a.Error))
	}
	return a.Data.Id
}

// noise is bytes without end that no compression makes less of, the same ones each time.
type noise struct{ state uint64 }

func (n *noise) Read(p []byte) (int, error) {
	for i := range p {
		n.state = n.state*6364136223846793005 + 1442695040888963407
		p[i] = byte(n.state >> 56)
	}
	return len(p), nil
}
