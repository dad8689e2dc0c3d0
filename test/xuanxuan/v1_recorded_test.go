package xuanxuan

import (
	"bufio"
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestRecordedV1 plays the part of the recorded clients of a 1.0 server against a fresh one, and compares every line that
// each connection got, in order: its JSON byte for byte (names and their order, types, values), its length (and so the
// escapes), and which connections were closed. What differs is what the server makes up: times, session ids, the system
// chat's gid, and the gid of what the server says itself.
func TestRecordedV1(t *testing.T) {
	users := DemoUsers()
	for i := range users { // the recorded installation counts its departments otherwise
		users[i].Dept %= 100
	}
	var seconds atomic.Int64
	b := newBackend(t, Options{Users: users, Now: func() time.Time { return time.Unix(recordedFrom+seconds.Add(1), 0) }})
	_, err := b.store.exec(t.Context(), `UPDATE im_chat SET name = '' WHERE type = 'system'`) // as 1.0 makes it
	require.NoError(t, err)
	// The second recording was made on the tables that the first one left, without what waited.
	for _, name := range []string{"v1_daemon", "v1_daemon_offline"} {
		t.Run(name, func(t *testing.T) {
			for _, statement := range []string{`DELETE FROM im_usermessage`, `DELETE FROM sqlite_sequence WHERE name = 'im_usermessage'`} {
				_, err := b.store.exec(t.Context(), statement)
				require.NoError(t, err)
			}
			r := &v1Replay{t: t, d: newV1(t, b, V1Options{}), conns: map[string]*v1Client{}, sids: map[string]string{}}
			r.play(name)
		})
	}
}

// newV1 runs a 1.0 server that ends with the test.
func newV1(t testing.TB, b *Backend, o V1Options) *V1 {
	d, err := StartV1(t.Context(), b, o, "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = d.Close() }) // that it died is the test's business
	return d
}

// A v1Client is one connection to a 1.0 server.
type v1Client struct {
	t     testing.TB
	conn  net.Conn
	lines *bufio.Reader
	sid   string
}

func dialV1(t testing.TB, d *V1) *v1Client {
	conn, err := net.Dial("tcp", d.Addr())
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	require.NoError(t, conn.SetReadDeadline(time.Now().Add(patience)))
	return &v1Client{t: t, conn: conn, lines: bufio.NewReader(conn)}
}

func (c *v1Client) write(text string) {
	c.t.Helper()
	_, err := c.conn.Write([]byte(text))
	require.NoError(c.t, err)
}

// next is the next line, without its end.
func (c *v1Client) next() string {
	c.t.Helper()
	line, err := c.lines.ReadString('\n')
	require.NoError(c.t, err)
	return strings.TrimSuffix(line, "\n")
}

// ended waits for the end of a connection, before which nothing more comes.
func (c *v1Client) ended() {
	c.t.Helper()
	line, err := c.lines.ReadString('\n')
	require.Error(c.t, err)
	require.Empty(c.t, line)
}

// leave ends a connection and waits until the server has seen it; nothing more comes before.
func (c *v1Client) leave() {
	c.t.Helper()
	require.NoError(c.t, c.conn.(*net.TCPConn).CloseWrite())
	c.ended()
}

// A v1Replay is one recording in the play.
type v1Replay struct {
	t     *testing.T
	d     *V1
	note  string
	chat  [2]string // the system chat's gid: recorded, ours
	conns map[string]*v1Client
	sids  map[string]string // ours by the recorded one
}

func (r *v1Replay) play(name string) {
	text, err := os.ReadFile(filepath.Join("testdata", "frames", name+".jsonl"))
	require.NoError(r.t, err)
	r.chat[0] = systemGID.FindStringSubmatch(string(text))[1]
	r.chat[1], err = r.d.backend.SystemChat(r.t.Context())
	require.NoError(r.t, err)
	for line := range strings.Lines(string(text)) {
		var e struct {
			recordedEvent
			Raw string `json:"raw"`
		}
		require.NoError(r.t, json.Unmarshal([]byte(line), &e))
		switch {
		case e.Dir == "C->S" && e.Raw != "":
			r.send(e.Conn, strings.ReplaceAll(e.Raw, `\n`, "\n"))
		case e.Dir == "C->S":
			r.send(e.Conn, string(e.Frame)+"\n")
		case e.Dir == "S->C":
			r.compare(e.recordedEvent)
		case e.Dir == "note":
			r.note = e.Note
			if strings.HasPrefix(e.Note, "bob aborts") {
				r.leave("bob")
			}
		default:
			r.connection(e.recordedEvent)
		}
	}
	for name := range r.conns {
		r.leave(name)
	}
	require.NoError(r.t, r.d.Err())
}

var systemGID = regexp.MustCompile(`"gid": "([-0-9a-f]+)", "name": "", "type": "system"`)

// send writes what a client did. One whose connection was closed wrote in vain.
func (r *v1Replay) send(conn, text string) {
	for recorded, ours := range r.sids {
		text = strings.ReplaceAll(text, recorded, ours)
	}
	if c := r.conns[conn]; c != nil {
		c.write(text)
	}
}

// connection begins a connection, or sees the server end it.
func (r *v1Replay) connection(e recordedEvent) {
	switch {
	case e.Event == "tcp open":
		r.conns[e.Conn] = dialV1(r.t, r.d)
		if r.note == "garbage line" {
			r.note = ""
			r.conns[e.Conn].write("this is no JSON\n")
		}
	case e.Event == "closed" && r.conns[e.Conn] != nil:
		r.conns[e.Conn].ended()
		delete(r.conns, e.Conn)
	case strings.HasPrefix(e.Event, "read error"): // closed by itself
		r.leave(e.Conn)
	}
}

// leave ends a connection, which must have got no more than was recorded, and waits until the server has seen it.
func (r *v1Replay) leave(conn string) {
	r.conns[conn].leave()
	delete(r.conns, conn)
}

var (
	v1SIDs     = regexp.MustCompile(`"sid":"([0-9a-f]{32})"`)
	serverGIDs = regexp.MustCompile(`"gid":"[0-9a-f]{32}"`)
)

// compare waits for a connection's next line, which must be the recorded one.
func (r *v1Replay) compare(e recordedEvent) {
	got := r.conns[e.Conn].next()
	want := r.canonical(string(e.Frame))
	if recorded, ours := v1SIDs.FindStringSubmatch(want), v1SIDs.FindStringSubmatch(got); recorded != nil && ours != nil {
		r.sids[recorded[1]] = ours[1]
	}
	plain := strings.ReplaceAll(got, r.chat[1], r.chat[0])
	for recorded, ours := range r.sids {
		plain = strings.ReplaceAll(plain, ours, recorded)
	}
	require.Equal(r.t, want, r.canonical(plain), "to %s at %v ms", e.Conn, e.MS)
	require.Equal(r.t, e.Bytes, len(got)+1, "length of a line to %s at %v ms: %s", e.Conn, e.MS, got)
}

// canonical writes JSON in one way, its names in their order, with what the server makes up replaced.
func (r *v1Replay) canonical(text string) string {
	v, ok := decode([]byte(text))
	require.True(r.t, ok, "%s", text)
	return serverGIDs.ReplaceAllString(normalize(string(appendJSON(nil, v)), r.chat[0]), `"gid":"MADE UP"`)
}
