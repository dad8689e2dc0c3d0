package contract

import (
	"bytes"
	"encoding/binary"
	"io"
	"maps"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/xuangate/xuangate/gen/model"
	"github.com/xuangate/xuangate/test/xuanxuan"
)

// Hostile chat servers that users' own connections lead to: what they say instead of an answer, as a frame or a line of its own, and
// bytes that are neither.

// hostility is bytes on the wire, until they end or nobody takes them.
type hostility map[string]func(w io.Writer) error

// endless repeats a piece until nobody takes it, behind a head.
func endless(head, piece []byte) func(io.Writer) error {
	return func(w io.Writer) error {
		_, err := w.Write(head)
		for err == nil {
			_, err = w.Write(piece)
		}
		return err
	}
}

func once(b []byte) func(io.Writer) error {
	return func(w io.Writer) error {
		_, err := w.Write(b)
		return err
	}
}

// frameHead begins a websocket frame of a server. Opcode 2 is binary, 0 goes on with it; the highest bit of first says it is the last.
func frameHead(first byte, size uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte{first, 127}, size)
}

var (
	chunk = bytes.Repeat([]byte{'['}, 1<<16)

	// framed is what is wrong with websocket frames, and lined with lines.
	framed = hostility{
		"half a frame":                     once(append(frameHead(0x82, 1<<20), "half"...)),
		"a frame of all bytes there are":   endless(frameHead(0x82, 1<<62), chunk),
		"a frame without end, in parts":    endless(append(frameHead(0x02, uint64(len(chunk))), chunk...), append(frameHead(0x00, uint64(len(chunk))), chunk...)),
		"an opcode that is none":           once([]byte{0x8f, 0}),
		"no websocket":                     once([]byte("HTTP/1.1 200 OK\r\n\r\n<html>")),
		"a size that is none of envelopes": once(append([]byte{0x82, 17}, chunk[:17]...)),
		"pings, and nothing else":          endless(nil, bytes.Repeat([]byte{0x89, 1, 'x'}, 1000)),
	}
	lined = hostility{
		"half a line":            once([]byte(`{"result":"success","sid":"`)),
		"a line without end":     endless(nil, chunk),
		"empty lines":            endless(nil, bytes.Repeat([]byte{'\n'}, 1<<16)),
		"bytes that are no text": once([]byte("\xff\xfe\x00\x01\n")),
		"pushes without end":     endless(nil, []byte(`[{"id":1,"module":"chat","method":"login","data":{"id":5}}]`+"\n")),
	}
)

// peak watches the heap until stop is called, which says by how many bytes it was larger than at the beginning.
func peak() (stop func() uint64) {
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	runtime.GC()
	first, most := heap(), uint64(0)
	done := make(chan struct{})
	var watching sync.WaitGroup
	watching.Go(func() {
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				most = max(most, heap())
			case <-done:
				return
			}
		}
	})
	return func() uint64 {
		close(done)
		watching.Wait()
		return max(most, first) - first
	}
}

// maxPeak is what one hostile answer may cost at a time: it is held at most twice, sealed and open, and buffers grow by doubling. The
// rest is for what else is in this process, the chat server and other worlds.
const maxPeak = 768 << 20

// besieged has a user ask while every answer is spoiled, and sees that he is told so, and that all is well afterwards.
func besieged(t *testing.T, w *world, names []string, spoil func(name, method string), well func()) {
	alice, bob := w.signIn("alice"), w.signIn("bob")
	team := alice.group("team", bob)
	alice.say(team, "before")
	watch := peak()
	asked := []struct {
		method, path string
		body         object
	}{
		{"getlist", "/get_conversations", object{}},
		{"history", "/get_conversation_last_30_msg", object{"conversation_id": team}},
		{"message", "/send_msg", object{"conversation_id": team, "content": "x"}},
	}
	for i, name := range names { // the modes and the orders of the names differ, so that each call meets most of them
		c := asked[i%len(asked)]
		spoil(name, c.method)
		a := alice.post(c.path, c.body)
		require.Contains(t, meantToFail, a.Code, "%s, %s: %s", name, c.path, a.Error)
		require.Less(t, len(a.Error), 500, "%s, %s", name, c.path)
		well()
		alice.recovers("/get_conversation_last_30_msg", object{"conversation_id": team})
	}
	require.Less(t, watch(), uint64(maxPeak), "bytes of heap at the worst")
	require.Equal(t, model.UpstreamOnline, get[model.Me](alice, "/get_me", object{}).Upstream, "the link was made again")
	at := bob.here()
	alice.recovers("/send_msg", object{"conversation_id": team, "content": "after", "client_msg_id": "after"})
	bob.until(at, func(list []event) bool {
		return slices.ContainsFunc(only(list, model.EventKindMessage), func(e event) bool { return e.message(t).Content == "after" })
	})
	history := contents(alice.last30(team))
	require.Equal(t, []string{"before", "after"}, []string{history[0], history[len(history)-1]})
}

func TestAHostileXXD(t *testing.T) {
	t.Parallel()
	w := start(t, "xxd", func(s *site) { s.node.Legacy.Timeout = 2 * time.Second })
	said := hostile()
	said["frames without end"] = nil
	names := slices.Sorted(maps.Keys(said))
	besieged(t, w, names, func(name, method string) {
		frames := [][]byte{said[name]}
		if said[name] == nil {
			frames = slices.Repeat([][]byte{[]byte(`{"module":"chat","method":"` + method + `","result":"success","data":{"id":1}}`)}, 250)
		}
		w.xxd.SetFaults(xuanxuan.XXDFault{User: aliceID, Method: method, Instead: frames})
	}, func() { w.xxd.SetFaults() })
}

func TestAnXXDThatSpeaksNoWebsocket(t *testing.T) {
	t.Parallel()
	w := start(t, "xxd", func(s *site) { s.node.Legacy.Timeout = 2 * time.Second })
	besieged(t, w, slices.Sorted(maps.Keys(framed)), func(name, method string) {
		w.xxd.SetFaults(xuanxuan.XXDFault{User: aliceID, Method: method, Times: 1, Raw: framed[name]})
	}, func() { w.xxd.SetFaults() })
}

func TestAHostile10Server(t *testing.T) {
	t.Parallel()
	w := start(t, "v1", func(s *site) { s.node.Legacy.Timeout = 2 * time.Second })
	said := hostile()
	besieged(t, w, slices.Concat(slices.Sorted(maps.Keys(said)), slices.Sorted(maps.Keys(lined))), func(name, method string) {
		fault := xuanxuan.V1Fault{User: aliceID, Method: method, Times: 1}
		if raw := lined[name]; raw != nil {
			fault.Raw = raw
		} else {
			fault.Garbage = bytes.ReplaceAll(said[name], []byte("\n"), nil)
		}
		w.v1.SetFaults(fault)
	}, func() { w.v1.SetFaults() })
}
