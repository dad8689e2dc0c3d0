package v1

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/xuangate/xuangate/adapter/legacy"
	"github.com/xuangate/xuangate/adapter/wire"
)

const (
	// loginTimeout bounds the way from the dial to the lists behind the login's answer.
	loginTimeout = 15 * time.Second
	writeTimeout = 10 * time.Second
	// farewell is how long the server may take over a logout before we hang up on it: others hear of one who logs out, but not
	// of one who is gone.
	farewell = time.Second
)

// Conn is one user's connection, signed in. Its reader goroutine alone reads and closes it; everything else may be used from
// any goroutine. Once it is gone, Next and every call return why.
type Conn struct {
	server  *Server
	tcp     net.Conn
	lines   *bufio.Reader
	account string
	proof   []byte // of the password
	user    legacy.UserID
	sid     string

	challenged atomic.Int32 // sign-ins of ours that may end this connection, or did

	turn   wire.Turn // had while a call is under way
	pushes *wire.Pushes
	done   chan struct{} // closed when the reader has ended
	beats  sync.WaitGroup
	leave  sync.Once

	mu      sync.Mutex
	pending *pending // the call under way, if there is one
	cause   error    // why it ended; set once
}

// open connects.
func (s *Server) open(ctx context.Context) (*Conn, error) {
	tcp, err := (&net.Dialer{Timeout: 5 * time.Second}).DialContext(ctx, "tcp", s.addr)
	if err != nil {
		return nil, err
	}
	c := &Conn{
		server: s, tcp: tcp, lines: bufio.NewReader(tcp),
		turn: wire.NewTurn(), pushes: wire.NewPushes(&s.room), done: make(chan struct{}),
	}
	return c, nil
}

// connect signs in on a new connection, which nobody reads yet.
func (s *Server) connect(ctx context.Context, account, passwordMD5 string) (*Conn, legacy.Welcome, error) {
	ctx, cancel := context.WithTimeout(ctx, loginTimeout)
	defer cancel()
	c, err := s.open(ctx)
	if err != nil {
		return nil, legacy.Welcome{}, err
	}
	stop := context.AfterFunc(ctx, func() { _ = c.tcp.Close() })
	c.account, c.proof = account, s.prove(account, passwordMD5)
	welcome, err := c.signIn(account, passwordMD5)
	if !stop() && err == nil {
		err = ctx.Err()
	}
	if err != nil {
		c.pushes.Drop()
		return nil, legacy.Welcome{}, errors.Join(err, c.tcp.Close())
	}
	return c, welcome, nil
}

// signIn sends the login and reads its answer, and the array behind it: the users, the chats, and what waited.
func (c *Conn) signIn(account, passwordMD5 string) (w legacy.Welcome, err error) {
	if err := c.write(request{Module: "chat", Method: "login", Params: []any{account, passwordMD5, "online"}}); err != nil {
		return w, err
	}
	a, err := c.firstAnswer("login")
	switch {
	case err != nil:
		return w, err
	case a.Result != legacy.Success && a.Message != "":
		return w, fmt.Errorf("refused: %s", a.Message) // its database is away
	case a.Result != legacy.Success:
		return w, legacy.ErrPassword // one sentence for a wrong password and for a locked account
	}
	if err := json.Unmarshal(a.Data, &w.User); err != nil || w.User.ID <= 0 || a.SID == "" {
		return w, fmt.Errorf("a login's answer that names no user: %.100q", a.Data)
	}
	c.user, c.sid, w.Server.Version = legacy.UserID(w.User.ID), a.SID, version
	for listed := false; !listed; {
		items, err := c.firstNews()
		if err != nil {
			return w, err
		}
		for _, p := range items {
			switch strings.ToLower(p.Method) {
			case "usergetlist":
				listed = true
				err = p.Decode(&w.Users)
			case "getlist":
				err = p.Decode(&w.Chats)
			case "message":
				var rows []legacy.MessageRow
				if n, ok := translate(p); ok {
					err = n.Decode(&rows)
				}
				w.Messages = append(w.Messages, rows...)
			default:
				err = c.pushes.Put(news([]legacy.Push{p})...)
			}
			if err != nil {
				return w, err
			}
		}
	}
	return w, nil
}

// firstAnswer reads the answer to a call before there is a reader. The sid is not known yet.
func (c *Conn) firstAnswer(method string) (a answer, err error) {
	line, err := c.read()
	if err != nil {
		return a, err
	}
	defer c.server.room.Give(len(line))
	if err := json.Unmarshal(line, &a); err != nil || !strings.EqualFold(a.Method, method) {
		return a, c.surprise(line)
	}
	return a, nil
}

// firstNews reads an array of pushes before there is a reader.
func (c *Conn) firstNews() ([]legacy.Push, error) {
	line, err := c.read()
	if err != nil {
		return nil, err
	}
	defer c.server.room.Give(len(line))
	if line[0] != '[' {
		return nil, c.surprise(line)
	}
	return parsePushes(line)
}

// read reads one line. Its length is to be given back to the server's room once nothing of it is needed any more.
func (c *Conn) read() (line []byte, err error) {
	defer func() {
		if err != nil {
			c.server.room.Give(len(line))
			line = nil
		}
	}()
	for {
		part, err := c.lines.ReadSlice('\n')
		if more := c.server.room.More(len(line), len(part)); more != nil {
			return line, more
		}
		line = append(line, part...)
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
		case err == io.EOF && len(line) > 0:
			return line, io.ErrUnexpectedEOF
		case err != nil:
			return line, err
		default:
			all := len(line)
			line = bytes.TrimSpace(line)
			c.server.room.Give(all - len(line))
			if len(line) > 0 {
				return line, nil
			}
		}
	}
}

// write sends one request in one piece.
func (c *Conn) write(r request) error {
	var b bytes.Buffer
	e := json.NewEncoder(&b) // ends with the line's end
	e.SetEscapeHTML(false)
	if err := e.Encode(r); err != nil {
		return err
	}
	_ = c.tcp.SetWriteDeadline(time.Now().Add(writeTimeout))
	_, err := c.tcp.Write(b.Bytes())
	return err
}

// start begins to read, and to tell the server now and then that the user is there.
func (c *Conn) start() {
	go c.run()
	c.beats.Go(c.beat)
}

// run reads until the connection ends, and then ends everything once.
func (c *Conn) run() {
	var err error
	for err == nil {
		var line []byte
		if line, err = c.read(); err == nil {
			err = c.take(line)
			c.server.room.Give(len(line))
		}
	}
	c.end(err)
	_ = c.tcp.Close()
	c.server.forget(c)
	c.mu.Lock()
	if p := c.pending; p != nil {
		c.pending = nil
		p.finish(result{err: c.cause})
	}
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

// take handles one line: an array of pushes, the answer to the call under way, or the end.
func (c *Conn) take(line []byte) error {
	if line[0] == '[' {
		items, err := parsePushes(line)
		if err != nil {
			return err
		}
		return c.pushes.Put(news(items)...)
	}
	var a answer
	if err := json.Unmarshal(line, &a); err != nil {
		return c.surprise(line)
	}
	c.mu.Lock()
	p := c.pending
	c.mu.Unlock()
	if p == nil || a.SID != c.sid || !strings.EqualFold(a.Module, p.request.Module) || !strings.EqualFold(a.Method, p.request.Method) {
		return c.surprise(line)
	}
	if p.own { // the server pushes a message to everybody but the one who sent it
		if err := c.pushes.Put(ownNews(a)...); err != nil {
			return err
		}
	}
	c.mu.Lock()
	c.pending = nil
	c.mu.Unlock()
	p.finish(result{answer: a})
	c.turn.Give()
	return nil
}

// errReplaced is why a connection ends that a later sign-in of ours has taken the place of.
var errReplaced = errors.New("signed in again here")

// surprise is the error for a line that is neither a push nor the answer that is due. After it nobody knows which answer
// belongs to which call.
func (c *Conn) surprise(line []byte) error {
	var kick legacy.Push
	if json.Unmarshal(line, &kick) == nil && strings.EqualFold(kick.Method, "kickoff") {
		if c.challenged.Load() > 0 {
			return errReplaced
		}
		return legacy.ErrKicked
	}
	var a answer
	if json.Unmarshal(line, &a) == nil && a.Method != "" {
		return fmt.Errorf("the 1.0 server answers %s/%s, which was not asked", a.Module, a.Method)
	}
	return fmt.Errorf("the 1.0 server says something that is no answer: %.100q", line)
}

// Next returns the next push, waiting for one if need be. One goroutine at a time. Once the connection is gone and all
// pushes are read it returns the reason, every time.
func (c *Conn) Next(ctx context.Context) (legacy.Push, error) { return c.pushes.Next(ctx) }

// beat keeps the session alive, and notices a server that is gone without a word.
func (c *Conn) beat() {
	t := time.NewTicker(c.server.beat)
	defer t.Stop()
	for {
		select {
		case <-t.C:
			ctx, cancel := context.WithTimeout(context.Background(), c.server.beat)
			_, _ = c.ask(ctx, "ping") // what is wrong ends the connection
			cancel()
		case <-c.done:
			return
		}
	}
}

// Close logs the user out and hangs up, and waits until nothing of the connection is left. What nobody has read by then is gone. It may
// be called again.
func (c *Conn) Close() error {
	c.end(legacy.ErrClosed)
	c.leave.Do(c.logout)
	<-c.done
	c.beats.Wait()
	c.pushes.Drop()
	return nil
}

// logout says goodbye, unless a call is under way that does not end.
func (c *Conn) logout() {
	defer c.tcp.Close()
	late := time.NewTimer(farewell)
	defer late.Stop()
	select {
	case <-c.turn:
	case <-c.done:
		return
	case <-late.C:
		return
	}
	if c.write(request{Module: "chat", Method: "logout", SID: c.sid}) != nil {
		return
	}
	select {
	case <-c.done: // the reader does not expect its answer, and ends with it
	case <-late.C:
	}
}
