package xxd

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/websocket"

	"github.com/xuangate/xuangate/adapter/legacy"
	"github.com/xuangate/xuangate/adapter/wire"
)

const (
	// loginTimeout bounds the way from the dial to the sixth login frame, five backend calls in series.
	loginTimeout = 15 * time.Second
	writeTimeout = 10 * time.Second
)

// Conn is one user's websocket to xxd, signed in. Its reader goroutine alone reads and closes it; everything else may be
// used from any goroutine. Once it is gone, Next and every call return why.
type Conn struct {
	ws    *websocket.Conn
	room  *legacy.Room // for what comes, and for the data of what waits
	key   legacy.Key
	user  legacy.UserID
	quiet time.Duration
	files Files
	begun time.Time // when its user was signed in
	nonce string    // begins the names of its fences

	turn   wire.Turn // had while somebody writes
	pushes *wire.Pushes
	done   chan struct{} // closed when the reader has ended

	mu        sync.Mutex
	abandoned *pending   // the last call that nobody waits for any more
	pending   []*pending // in the order in which they were written
	fences    []*pending // whose fence was sent and not answered, in the order in which they were written
	named     uint64     // fences so far
	cause     error      // why it ended; set once
}

// Dial signs a user in, who must have no other connection: xxd would kick that one out. It checks the password first,
// which is where a wrong one is told from a server in trouble.
func (s *Server) Dial(ctx context.Context, account, passwordMD5 string) (*Conn, legacy.Welcome, error) {
	ctx, cancel := context.WithTimeout(ctx, loginTimeout)
	defer cancel()
	info, err := s.Info(ctx, account, passwordMD5)
	if err != nil {
		return nil, legacy.Welcome{}, err
	}
	ws, key, err := s.Connect(ctx, info)
	if err != nil {
		return nil, legacy.Welcome{}, err
	}
	c := &Conn{
		ws: ws, room: &s.room, key: key, quiet: s.silence, files: Files{server: s, token: string(info.Token), limit: int64(info.UploadFileSize)},
		turn: wire.NewTurn(), pushes: wire.NewPushes(&s.room), done: make(chan struct{}),
		nonce: fenceName + rand.Text()[:12] + "-",
	}
	stop := context.AfterFunc(ctx, func() { _ = ws.Close() })
	welcome, err := c.signIn(s.name, account, passwordMD5)
	if !stop() && err == nil {
		err = ctx.Err()
	}
	if err != nil {
		c.pushes.Drop()
		return nil, legacy.Welcome{}, errors.Join(fmt.Errorf("sign in to xxd: %w", err), ws.Close())
	}
	welcome.Server = info.ServerInfo
	c.begun = time.Now()
	go c.run()
	return c, welcome, nil
}

// Connect opens a websocket that nobody is signed in on, and answers the key of its frames.
func (s *Server) Connect(ctx context.Context, info Info) (*websocket.Conn, legacy.Key, error) {
	key, err := legacy.NewKey(string(info.Token))
	if err != nil {
		return nil, key, err
	}
	dialer := websocket.Dialer{TLSClientConfig: s.tls, HandshakeTimeout: loginTimeout, ReadBufferSize: 4 << 10, WriteBufferSize: 4 << 10, WriteBufferPool: &buffers}
	ws, _, err := dialer.DialContext(ctx, s.chatURL(int(info.ChatPort)), nil)
	if err != nil {
		return nil, key, fmt.Errorf("connect to xxd: %w", err)
	}
	return ws, key, nil
}

var buffers sync.Pool // write buffers, shared: idle connections hold none

func (s *Server) chatURL(port int) string {
	u := url.URL{Scheme: "wss", Host: s.base.Host, Path: "/ws"}
	if s.base.Scheme == "http" {
		u.Scheme = "ws"
	}
	if port > 0 {
		u.Host = net.JoinHostPort(s.base.Hostname(), strconv.Itoa(port))
	}
	return u.String()
}

// signIn sends the login and reads its six frames, which come in this order but may have other users' news between them
// (recorded: 01_login_sequence). They are the backend's own text, so unlike all later ones they still name users.
func (c *Conn) signIn(serverName, account, passwordMD5 string) (w legacy.Welcome, err error) {
	login := map[string]any{"module": "chat", "method": "login", "params": []string{serverName, account, passwordMD5, "online"}, "v": clientVersion, "lang": lang}
	if err := c.write(login); err != nil {
		return w, err
	}
	_ = c.ws.SetReadDeadline(time.Now().Add(loginTimeout))
	for _, want := range []string{"login", "sessionid", "usergetlist", "getlist", "message", "notify"} {
		p, err := c.expect(want)
		if err != nil {
			return w, fmt.Errorf("wait for %s: %w", want, err)
		}
		switch want {
		case "login":
			err = p.Decode(&w.User)
			c.user = legacy.UserID(w.User.ID)
			c.files.user = c.user
			if err == nil && c.user <= 0 {
				err = fmt.Errorf("refused: %s%s", p.Message, p.Data)
			}
		case "sessionid":
			c.files.session = string(p.SessionID)
		case "usergetlist":
			w.Directory = p.Directory
			err = p.Decode(&w.Users)
		case "getlist":
			err = p.Decode(&w.Chats)
		case "message":
			err = p.Decode(&w.Messages)
		case "notify":
			err = p.Decode(&w.Notices)
		}
		if err != nil {
			return w, err
		}
	}
	return w, nil
}

// expect reads up to the next login frame and keeps what comes before it as pushes.
func (c *Conn) expect(method string) (legacy.Push, error) {
	for {
		p, named, err := c.read()
		if err != nil {
			return p, err
		}
		switch m := strings.ToLower(p.Method); {
		case m == "blocklogin":
			return p, legacy.ErrFull
		case m == method && (named || m == "sessionid" || p.Result == legacy.Fail):
			return p, nil
		case m == "kickoff" && p.Message != "":
			return p, legacy.ErrKicked
		case p.Result != legacy.Fail:
			if err := c.pushes.Put(p); err != nil { // xxd itself queues 256 for one connection
				return p, err
			}
		}
	}
}

// read reads one frame. named says that it names users, as only login frames do.
func (c *Conn) read() (p legacy.Push, named bool, err error) {
	_, r, err := c.ws.NextReader()
	if err != nil {
		return p, false, err
	}
	sealed, err := c.room.ReadAll(r)
	if err != nil {
		return p, false, err
	}
	defer c.room.Give(len(sealed))
	if len(sealed) == 0 {
		return p, false, errors.New("an empty frame: xxd lets us not in") // seen before it drops a login
	}
	plain, err := c.key.Open(sealed)
	if err != nil {
		return p, false, err
	}
	var frame struct {
		legacy.Push
		Users json.RawMessage `json:"users"`
	}
	if err := json.Unmarshal(plain, &frame); err != nil {
		return p, false, fmt.Errorf("a frame that is no JSON object: %w", err)
	}
	return frame.Push, frame.Users != nil, nil
}

// run reads until the connection ends, and then ends everything once.
func (c *Conn) run() {
	alive := func() { _ = c.ws.SetReadDeadline(time.Now().Add(c.quiet)) }
	c.ws.SetPingHandler(func(data string) error {
		alive()
		// Only a pong keeps xxd from hanging up after 20 s.
		return c.ws.WriteControl(websocket.PongMessage, []byte(data), time.Now().Add(writeTimeout))
	})
	alive()
	var err error
	for err == nil {
		var p legacy.Push
		if p, _, err = c.read(); err == nil {
			alive()
			err = c.take(p)
		}
	}
	c.end(err)
	_ = c.ws.Close()
	c.mu.Lock()
	for _, p := range c.pending {
		p.fail(c.cause)
	}
	c.pending = nil
	c.mu.Unlock()
	c.pushes.End(c.cause)
	close(c.done)
}

// end notes why the connection ends; the first reason counts.
func (c *Conn) end(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cause == nil {
		c.cause = err
	}
}

// take handles one frame: an answer of ours, news, or noise.
func (c *Conn) take(p legacy.Push) error {
	if strings.EqualFold(p.Method, "kickoff") {
		if p.Message != "" {
			return legacy.ErrKicked
		}
		return nil // "Illegal Requset.": somebody's bad call, told to everybody
	}
	c.mu.Lock()
	news := c.answer(p)
	c.mu.Unlock()
	if !news {
		return nil
	}
	return c.pushes.Put(p)
}

// Next returns the next push in the order in which xxd sent it, waiting for one if need be. One goroutine at a time. Once
// the connection is gone and all pushes are read it returns the reason, every time.
func (c *Conn) Next(ctx context.Context) (legacy.Push, error) { return c.pushes.Next(ctx) }

// Close hangs up, which logs the user out, and waits for the reader. What nobody has read by then is gone. It may be called again.
func (c *Conn) Close() error {
	c.end(legacy.ErrClosed)
	_ = c.ws.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(websocket.CloseNormalClosure, ""), time.Now().Add(time.Second))
	_ = c.ws.Close()
	<-c.done
	c.pushes.Drop()
	return nil
}

// write seals and sends frames, one after the other with nobody else's between. The caller has the turn, or is alone.
func (c *Conn) write(frames ...any) error {
	for _, f := range frames {
		plain, ok := f.([]byte)
		if !ok {
			var err error
			if plain, err = encode(f); err != nil {
				return err
			}
		}
		_ = c.ws.SetWriteDeadline(time.Now().Add(writeTimeout))
		if err := c.ws.WriteMessage(websocket.BinaryMessage, c.key.Seal(plain)); err != nil {
			return err
		}
	}
	return nil
}

// encode writes JSON as short as it gets: the frame's limit counts bytes.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimRight(b.Bytes(), "\n"), nil
}
