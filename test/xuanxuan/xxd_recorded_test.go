package xuanxuan

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/require"
)

// recordedUploads is the second in which all files of 15_upload_download were uploaded.
const recordedUploads = 1795313274

// A recordedEvent is one line of a client-side recording: a frame, an HTTP request with its answer, the beginning or
// end of a connection, or a note of the one who recorded. A tick of xxd is added from the other recording.
type recordedEvent struct {
	MS     float64         `json:"ms"`
	Conn   string          `json:"conn"`
	Dir    string          `json:"dir"`
	Event  string          `json:"event"`
	Error  string          `json:"error"`
	Note   string          `json:"note"`
	Frame  json.RawMessage `json:"frame"`
	Bytes  int             `json:"bytes"`
	RawLen *int            `json:"raw_len"`
	tick   int             // number of the call that the tick began with
}

// TestRecordedClients plays the part of the recorded clients against a fresh xxd and xxb, and compares every frame that
// each connection got, in order: its JSON byte for byte (names and their order, types, values), its sealed size (and so
// the escapes), every HTTP answer, how each connection ended, and every call that xxd made to xxb, with headers, size
// and order. What differs is what the servers make up: times, tokens, the system chat's gid, sessions, ports.
func TestRecordedClients(t *testing.T) {
	for _, rec := range recordings {
		t.Run(rec.name, func(t *testing.T) {
			users := DemoUsers()
			if rec.eve {
				users = append(users, Eve())
			}
			if rec.email != "" {
				users[3].Email = rec.email
			}
			b := newBackend(t, Options{Users: users, Extensions: recordedExtensions})
			r := &replay{t: t, before: rec.before, calls: readRecording(t, rec.name), conns: map[string]*desktop{}, sessions: map[string]string{}}
			r.wire.backend = b
			server := httptest.NewServer(&r.wire)
			t.Cleanup(server.Close)
			r.site = server.URL
			r.x = newXXD(t, &Server{Backend: b, listener: server.Listener}, XXDOptions{
				Now: func() time.Time { return time.Unix(recordedUploads, 0) },
			})
			r.chats = gidsOfSystemChat(t, b, r.calls)
			r.leaveLosses()
			for _, e := range r.events(rec.name) {
				r.play(e)
			}
			r.finish()
			r.compareCalls(rec.name != "11_kickoff_second_login")
		})
	}
}

// A replay is one recording in the play.
type replay struct {
	t        *testing.T
	x        *XXD
	wire     tappedBackend
	site     string                             // xxb's URL, without the path
	chats    [2]string                          // the system chat's gid: recorded, ours
	before   map[int]func(*testing.T, *Backend) // by number of the call that begins a tick
	calls    []*recordedCall
	conns    map[string]*desktop
	sent     int64
	note     string            // the last one
	sessions map[string]string // ours by the recorded one
}

// events merges the client-side recording with xxd's ticks.
func (r *replay) events(name string) []recordedEvent {
	f, err := os.Open(filepath.Join("testdata", "frames", name+".jsonl"))
	require.NoError(r.t, err)
	defer f.Close()
	var events []recordedEvent
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var e recordedEvent
		require.NoError(r.t, json.Unmarshal(lines.Bytes(), &e))
		events = append(events, e)
	}
	require.NoError(r.t, lines.Err())
	require.NotEmpty(r.t, events)
	for _, c := range r.calls {
		if isTick(c) {
			events = append(events, recordedEvent{MS: c.request.MS, tick: c.request.N})
		}
	}
	slices.SortStableFunc(events, func(a, b recordedEvent) int { return cmp.Compare(a.MS, b.MS) })
	return events
}

func isTick(c *recordedCall) bool { return bytes.Contains(c.request.Frame, []byte(`"sendfail"`)) }

// leaveLosses gives xxd the users that it still had to report from earlier recordings.
func (r *replay) leaveLosses() {
	for _, c := range r.calls {
		if isTick(c) {
			var tick struct{ Params struct{ Offline []int64 } }
			require.NoError(r.t, json.Unmarshal(c.request.Frame, &tick))
			r.x.hub.offline = tick.Params.Offline
			return
		}
	}
}

func (r *replay) play(e recordedEvent) {
	switch {
	case e.tick != 0:
		if before := r.before[e.tick]; before != nil {
			before(r.t, r.wire.backend)
		}
		r.x.Tick(r.t.Context())
	case e.Dir == "C->S" && e.RawLen != nil:
		r.sendRaw(e)
	case e.Dir == "C->S":
		r.conns[e.Conn].write(websocket.BinaryMessage, r.x.key.Seal(e.Frame))
		r.handled()
	case e.Dir == "note":
		r.note = e.Note
	case e.Dir == "S->C" && e.Event == "ws PING": // times are another test's business
	case e.Dir == "S->C" && e.Event == "ws CLOSE frame":
		r.leave(e.Conn)
	case e.Dir == "S->C":
		r.compare(e)
	case strings.HasPrefix(e.Dir, "HTTP "):
		r.request(e)
	default:
		r.connection(e)
	}
}

// connection begins or ends a connection as its client did, or sees the server end it.
func (r *replay) connection(e recordedEvent) {
	switch e.Event {
	case "ws open", "client reconnects and logs in again":
		r.conns[e.Conn] = dial(r.t, r.x)
	case "client aborts TCP (RST, no close frame)":
		r.conns[e.Conn].abort()
		delete(r.conns, e.Conn)
	case "ws closed by peer / read error":
		d := r.conns[e.Conn]
		switch {
		case d == nil: // aborted
		case strings.Contains(e.Error, "lost"), strings.Contains(e.Error, "reset"):
			before, how := d.end()
			require.Empty(r.t, before)
			require.False(r.t, closedProperly(how), "%v", how)
			require.Equal(r.t, strings.Contains(e.Error, "reset"), strings.Contains(how.Error(), "reset"), "%v", how)
		default: // closed by itself
			require.NoError(r.t, d.conn.Close())
		}
		delete(r.conns, e.Conn)
	default:
		r.t.Fatalf("what is %q?", e.Event)
	}
}

// handled waits until xxd is through with everything sent.
func (r *replay) handled() {
	r.sent++
	require.Eventually(r.t, func() bool { return r.x.Stats().FramesIn == r.sent }, patience, time.Millisecond)
}

// sendRaw sends what was recorded by its length alone.
func (r *replay) sendRaw(e recordedEvent) {
	const ping = `{"module": "chat", "method": "ping", "userID": 4}`
	d := r.conns[e.Conn]
	kind, sealed := websocket.BinaryMessage, []byte(nil)
	switch note := cmp.Or(strings.TrimPrefix(e.Note, "raw bytes"), r.note); note {
	case "malformed ciphertext 16 bytes":
		sealed = []byte("0123456789abcdef")
	case "malformed ciphertext 7 bytes":
		sealed = []byte("1234567")
	case "empty frame":
		sealed = []byte{}
	case "text frame plaintext json":
		kind, sealed = websocket.TextMessage, []byte(strings.ReplaceAll(ping, " ", ""))
	case "valid ciphertext in a TEXT frame":
		kind, sealed = websocket.TextMessage, r.x.key.Seal([]byte(ping))
	case "encrypted non-object json: array, string, number":
		sealed = r.x.key.Seal([]byte(`[1, 2]`))
	case "settings put, 20480 bytes", "settings put, 20496 bytes":
		const head, tail = `{"module": "chat", "method": "settings", "params": ["alice", {"p": "`, `"}], "userID": 4}`
		sealed = r.x.key.Seal([]byte(head + strings.Repeat("x", *e.RawLen-len(head)-len(tail)-1) + tail))
	default:
		r.t.Fatalf("what is %q?", note)
	}
	require.Len(r.t, sealed, *e.RawLen)
	d.write(kind, sealed)
	if len(sealed) <= maxFrame {
		r.handled()
	}
}

// compare waits for a connection's next frame, which must be the recorded one.
func (r *replay) compare(e recordedEvent) {
	got := r.conns[e.Conn].next()
	var session struct{ SessionID string }
	require.NoError(r.t, json.Unmarshal(e.Frame, &session))
	if session.SessionID != "" {
		var ours struct{ SessionID string }
		require.NoError(r.t, json.Unmarshal([]byte(got.raw), &ours))
		r.sessions[session.SessionID] = ours.SessionID
		got.raw = strings.ReplaceAll(got.raw, ours.SessionID, session.SessionID)
	}
	raw := strings.NewReplacer(
		r.chats[1], r.chats[0],
		r.site, "http://127.0.0.1:8082",
		strings.ReplaceAll(r.site, "/", `\/`), `http:\/\/127.0.0.1:8082`,
	).Replace(got.raw)
	require.Equal(r.t, r.canonical(e.Frame), r.canonical([]byte(raw)), "to %s at %v ms: %s", e.Conn, e.MS, got.raw)
	require.Equal(r.t, e.Bytes, sealedSize(raw), "size of a frame to %s at %v ms: %s", e.Conn, e.MS, got.raw)
}

func sealedSize(plain string) int { return (len(plain)/16 + 1) * 16 }

// canonical writes JSON in one way, its names in their order, with what servers make up replaced.
func (r *replay) canonical(text []byte) string {
	v, ok := decode(text)
	require.True(r.t, ok, "%s", text)
	return normalize(string(appendJSON(nil, v)), r.chats[0])
}

// leave ends a connection as its client did. Others may have left at the same time, and been seen leaving or not.
func (r *replay) leave(name string) {
	d := r.conns[name]
	d.write(websocket.CloseMessage, websocket.FormatCloseMessage(websocket.CloseNormalClosure, ""))
	before, how := d.end()
	for _, f := range before {
		require.Equal(r.t, "logout", f.Method, f.raw)
	}
	require.True(r.t, websocket.IsCloseError(how, websocket.CloseNormalClosure), "%v", how)
	delete(r.conns, name)
}

// finish shows that nobody got more than was recorded.
func (r *replay) finish() {
	for name := range r.conns {
		r.leave(name)
	}
	require.NoError(r.t, r.x.Err())
	require.Eventually(r.t, func() bool { return r.x.Stats().Connections == 0 && r.wire.count() >= len(r.calls)+1 },
		patience, time.Millisecond, "the last logouts")
}

var ports = regexp.MustCompile(`"Port":\d{5}`)

var (
	tokens    = regexp.MustCompile(`"token":"[0-9a-f]{32}"`)
	chatPorts = regexp.MustCompile(`"chatPort":\d{5}`)
	madeUpIDs = regexp.MustCompile(`"id":\d+,"name":"a.txt"`) // of the one file for an unknown chat
)
