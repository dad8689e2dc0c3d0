package xuanxuan

import (
	"crypto/tls"
	"encoding/json"
	"net"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/require"

	"github.com/xuangate/xuangate/adapter/legacy"
)

// patience is how long a test waits for what must come.
const patience = 10 * time.Second

// newSite runs an xxb and an xxd in front of it, both ending with the test.
func newSite(t testing.TB, o Options, xo XXDOptions) (*Server, *XXD) {
	s, err := Start(t.Context(), o, "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s, newXXD(t, s, xo)
}

func newXXD(t testing.TB, s *Server, o XXDOptions) *XXD {
	o.Backend = s.URL()
	x, err := StartXXD(t.Context(), o, "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = x.Close() }) // a crash is the test's business
	return x
}

// A desktop is a client on one websocket. A goroutine of its own reads what comes, so that the socket answers pings.
type desktop struct {
	t      testing.TB
	conn   *websocket.Conn
	key    legacy.Key
	user   int
	frames chan reply
	ended  chan error // why there are no more frames
}

// dial connects without signing in. Each set up is made before the first frame is read.
func dial(t testing.TB, x *XXD, setup ...func(*websocket.Conn)) *desktop {
	t.Helper()
	conn := handshake(t, x)
	for _, set := range setup {
		set(conn)
	}
	c := &desktop{t: t, conn: conn, key: x.key, frames: make(chan reply, 4096), ended: make(chan error, 1)}
	read := make(chan struct{})
	go func() {
		defer close(read)
		c.read()
	}()
	t.Cleanup(func() {
		conn.Close()
		<-read
	})
	return c
}

// handshake makes a connection that nobody reads.
func handshake(t testing.TB, x *XXD) *websocket.Conn {
	t.Helper()
	d := websocket.Dialer{HandshakeTimeout: patience, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	conn, res, err := d.DialContext(t.Context(), x.WSURL(), nil)
	require.NoError(t, err)
	require.Equal(t, "easysoft/xuan.im", res.Header.Get("User-Agent"))
	require.Equal(t, xxdVersion, res.Header.Get("xxd-version"))
	return conn
}

func (d *desktop) read() {
	for {
		kind, sealed, err := d.conn.ReadMessage()
		if err != nil {
			d.ended <- err
			close(d.frames)
			return
		}
		var r reply
		plain, err := d.key.Open(sealed)
		if err == nil {
			err = json.Unmarshal(plain, &r)
		}
		if err != nil || kind != websocket.BinaryMessage {
			r.Method = "garbage"
		}
		r.raw, r.size = string(plain), len(sealed)
		d.frames <- r
	}
}

// signInto connects and signs in, and expects all six frames.
func signInto(t testing.TB, x *XXD, account string) *desktop {
	t.Helper()
	d := dial(t, x)
	d.login(account, DemoPassword, "online")
	d.welcomed()
	return d
}

// welcomed expects what follows a login.
func (d *desktop) welcomed() {
	d.t.Helper()
	for _, method := range []string{"login", "SessionID", "usergetlist", "getlist", "message", "notify"} {
		r := d.expect(method)
		if method == "login" {
			d.user = int(r.object()["id"].(float64))
		}
	}
}

func (d *desktop) login(account, password, status string) {
	d.t.Helper()
	d.send(map[string]any{"module": "chat", "method": "login", "params": []any{"", account, md5Hex(password), status}, "v": "2.3.0", "lang": "zh-cn"})
}

// call makes a call of module chat as the user signed in.
func (d *desktop) call(method string, params ...any) {
	d.t.Helper()
	if params == nil {
		params = []any{}
	}
	d.send(map[string]any{"module": "chat", "method": method, "params": params, "userID": d.user, "v": "2.3.0", "lang": "zh-cn"})
}

func (d *desktop) send(frame map[string]any) {
	d.t.Helper()
	text, err := json.Marshal(frame)
	require.NoError(d.t, err)
	d.write(websocket.BinaryMessage, d.key.Seal(text))
}

func (d *desktop) write(kind int, sealed []byte) {
	d.t.Helper()
	require.NoError(d.t, d.conn.WriteMessage(kind, sealed))
}

// next waits for a frame.
func (d *desktop) next() reply {
	d.t.Helper()
	select {
	case r, ok := <-d.frames:
		if !ok {
			d.t.Fatalf("the connection of user %d ended: %v", d.user, <-d.ended)
		}
		return r
	case <-time.After(patience):
		d.t.Fatalf("no frame for user %d", d.user)
		return reply{}
	}
}

// expect waits for a frame, which must be of the method.
func (d *desktop) expect(method string) reply {
	d.t.Helper()
	r := d.next()
	require.Equal(d.t, method, r.Method, r.raw)
	return r
}

// hearsNothing shows that no frame came before the answer to a ping, which is handled behind all else.
func (d *desktop) hearsNothing() {
	d.t.Helper()
	d.call("ping")
	d.expect("ping")
}

// end waits until the server has ended the connection, and returns what came before and how it ended.
func (d *desktop) end() (before []reply, how error) {
	d.t.Helper()
	late := time.After(patience)
	for {
		select {
		case r, ok := <-d.frames:
			if !ok {
				how = <-d.ended
				d.ended <- how
				return before, how
			}
			before = append(before, r)
		case <-late:
			d.t.Fatalf("the connection of user %d does not end", d.user)
		}
	}
}

// dropped waits for an end without a word: no frame, and no close frame either.
func (d *desktop) dropped() {
	d.t.Helper()
	before, how := d.end()
	require.Empty(d.t, before)
	require.False(d.t, closedProperly(how), "closed with a close frame: %v", how)
}

// closedProperly tells whether a connection ended with a close frame.
func closedProperly(how error) bool {
	c, ok := how.(*websocket.CloseError)
	return ok && c.Code != websocket.CloseAbnormalClosure
}

// leave closes as clients do, and waits for the server's close frame.
func (d *desktop) leave() {
	d.t.Helper()
	d.write(websocket.CloseMessage, websocket.FormatCloseMessage(websocket.CloseNormalClosure, ""))
	_, how := d.end()
	require.True(d.t, websocket.IsCloseError(how, websocket.CloseNormalClosure), "%v", how)
}

// abort resets the TCP connection.
func (d *desktop) abort() {
	d.t.Helper()
	require.NoError(d.t, d.conn.NetConn().(*net.TCPConn).SetLinger(0))
	require.NoError(d.t, d.conn.Close())
}
