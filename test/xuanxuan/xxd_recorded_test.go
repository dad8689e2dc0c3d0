package xuanxuan

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/textproto"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
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

// A tappedBackend notes what xxd asks it.
type tappedBackend struct {
	backend *Backend

	mu    sync.Mutex
	calls []recordedFrame
}

func (b *tappedBackend) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	sealed, err := io.ReadAll(req.Body)
	if err != nil {
		panic(err)
	}
	plain, err := b.backend.key.Open(sealed)
	if err != nil {
		panic(err)
	}
	c := recordedFrame{Frame: plain, Bytes: len(sealed), Headers: map[string]string{}}
	for name, v := range req.Header {
		if name == "Xxd-Version" {
			name = "xxd-version" // as xxd writes it; HTTP does not tell
		}
		if name != "Accept-Encoding" && name != "Content-Length" {
			c.Headers[name] = strings.Join(v, ",")
		}
	}
	b.mu.Lock()
	b.calls = append(b.calls, c)
	b.mu.Unlock()
	req.Body = io.NopCloser(bytes.NewReader(sealed))
	b.backend.ServeHTTP(w, req)
}

func (b *tappedBackend) count() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.calls)
}

var ports = regexp.MustCompile(`"Port":\d{5}`)

// compareCalls compares what xxd asked xxb. Logouts at the end went over several connections at once. inOrder is false
// where others did too.
func (r *replay) compareCalls(inOrder bool) {
	r.wire.mu.Lock()
	calls := r.wire.calls[1:] // after serverStart, which the recordings begin behind
	r.wire.mu.Unlock()
	text := func(f recordedFrame) string {
		if !bytes.Contains(f.Frame, []byte(`"client":`)) {
			f.Bytes = 0 // xxd's own calls have blanks here and there, which the recorder dropped
		}
		return fmt.Sprint(f.Bytes, f.Headers, ports.ReplaceAllString(r.canonical(f.Frame), `"Port":PORT`))
	}
	var want, got []string
	for _, c := range r.calls {
		want = append(want, text(c.request))
	}
	for _, c := range calls {
		got = append(got, text(c))
	}
	aside := func(call string) bool { return strings.Contains(call, `"checkUserChange"`) } // behind another call or before it
	require.Equal(r.t, slices.IndexFunc(want, aside) < 0, slices.IndexFunc(got, aside) < 0)
	want, got = slices.DeleteFunc(want, aside), slices.DeleteFunc(got, aside)
	for _, list := range [][]string{want, got} {
		end := len(list)
		for inOrder && end > 0 && strings.Contains(list[end-1], `"logout"`) {
			end--
		}
		if !inOrder {
			end = 0
		}
		slices.Sort(list[end:])
	}
	require.Equal(r.t, strings.Join(want, "\n"), strings.Join(got, "\n"))
}

// A recordedRequest is an HTTP request with its answer.
type recordedRequest struct {
	Request     json.RawMessage   `json:"request"` // the form field "data"
	Params      map[string]any    `json:"params"`
	Headers     map[string]string `json:"headers"`
	Fields      map[string]string `json:"fields"`
	Files       map[string][2]any `json:"files"` // name and size
	Status      int               `json:"status"`
	RespHeaders map[string]string `json:"resp_headers"`
	Response    string            `json:"response"`
	Body        string            `json:"body"` // its beginning
}

var (
	tokens    = regexp.MustCompile(`"token":"[0-9a-f]{32}"`)
	chatPorts = regexp.MustCompile(`"chatPort":\d{5}`)
	madeUpIDs = regexp.MustCompile(`"id":\d+,"name":"a.txt"`) // of the one file for an unknown chat
)

// request makes a recorded HTTP request and compares the answer.
func (r *replay) request(e recordedEvent) {
	var rec recordedRequest
	require.NoError(r.t, json.Unmarshal(e.Frame, &rec))
	what := strings.Fields(e.Dir)
	req, err := http.NewRequestWithContext(r.t.Context(), what[1], r.x.URL()+what[2], nil)
	require.NoError(r.t, err)
	switch {
	case rec.Request != nil:
		form(req, "application/x-www-form-urlencoded", url.Values{"data": {string(rec.Request)}}.Encode())
	case rec.Params != nil:
		req.URL.RawQuery = r.query(rec).Encode()
	case rec.Fields != nil:
		r.multipart(req, rec)
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := client.Do(req)
	require.NoError(r.t, err, e.Dir)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	require.NoError(r.t, err)
	require.Equal(r.t, rec.Status, res.StatusCode, "%s: %s", e.Dir, e.Frame)
	if rec.Body != "" {
		body = body[:len(rec.Body)]
	}
	plain := func(text string) string {
		text = tokens.ReplaceAllString(text, `"token":TOKEN`)
		text = chatPorts.ReplaceAllString(text, `"chatPort":PORT`)
		return madeUpIDs.ReplaceAllString(text, `"id":ID,"name":"a.txt"`)
	}
	require.Equal(r.t, plain(cmp.Or(rec.Response, rec.Body)), plain(string(body)), e.Dir)
	for name, v := range rec.RespHeaders {
		switch {
		case name == "Date", name == "Last-Modified":
			require.NotEmpty(r.t, res.Header.Get(name))
		case name == "Content-Length" && madeUpIDs.MatchString(rec.Response): // an id of one to six digits
		case name == "Content-Disposition": // recorded as Latin-1
			var latin1 strings.Builder
			for _, b := range []byte(res.Header.Get(name)) {
				latin1.WriteRune(rune(b))
			}
			require.Equal(r.t, v, latin1.String())
		default:
			require.Equal(r.t, v, res.Header.Get(name), "%s of %s", name, e.Dir)
		}
	}
}

func form(req *http.Request, kind, body string) {
	req.Header.Set("Content-Type", kind)
	req.Body, req.ContentLength = io.NopCloser(strings.NewReader(body)), int64(len(body))
}

// query is a recorded download's, its sid made of our session where it was made of the recorded one.
func (r *replay) query(rec recordedRequest) url.Values {
	q := url.Values{}
	for name, v := range rec.Params {
		if n, ok := v.(float64); ok {
			v = int64(n)
		}
		q.Set(name, fmt.Sprint(v))
	}
	for recorded, ours := range r.sessions {
		if q.Get("sid") == md5Hex(recorded+q.Get("fileName")) {
			q.Set("sid", md5Hex(ours+q.Get("fileName")))
			break
		}
	}
	return q
}

// multipart makes a recorded upload's body.
func (r *replay) multipart(req *http.Request, rec recordedRequest) {
	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	for name, v := range rec.Fields {
		require.NoError(r.t, w.WriteField(name, v))
	}
	for field, file := range rec.Files {
		name, size := file[0].(string), int(file[1].(float64))
		part, err := w.CreatePart(textproto.MIMEHeader{
			"Content-Disposition": {`form-data; name="` + field + `"; filename="` + strings.ReplaceAll(name, `"`, "%22") + `"`},
		})
		require.NoError(r.t, err)
		const text = "hello file "
		_, err = io.WriteString(part, strings.Repeat(text, size/len(text)+1)[:size])
		require.NoError(r.t, err)
	}
	require.NoError(r.t, w.Close())
	form(req, w.FormDataContentType(), body.String())
	for name, v := range rec.Headers {
		if name == "Authorization" && !strings.HasPrefix(v, "x") {
			v = r.x.Token()
		}
		req.Header.Set(name, v)
	}
}
