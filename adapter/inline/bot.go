package inline

import (
	"context"
	"crypto/hmac"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/websocket"

	"github.com/xuangate/xuangate/adapter/legacy"
	"github.com/xuangate/xuangate/adapter/xxd"
)

const (
	// botAccount is what our connection signs in as. No backend has it: we answer its login ourselves.
	botAccount = "xuangate-bot"
	// firstBot is the user id of the first bot, far above any user's, and within what xxd holds exactly.
	firstBot = int64(2147480000)

	// Between tries to get in, first and at most. Web users' doings reach no desktop meanwhile.
	againFirst, againMost = 20 * time.Millisecond, 500 * time.Millisecond
	// beat is how often a quiet bot sees whether it still hears itself, and deafAfter how long that may take. A bot whose id
	// somebody else signed in with can speak, and hears nothing.
	beat, deafAfter = 5 * time.Second, time.Second
	// botWrite bounds the writing of one small frame.
	botWrite = 5 * time.Second
	// botSilence is how long xxd may say nothing; it pings every 18 s.
	botSilence = 45 * time.Second
)

// A bot is our connection into one xxd, which hands out to desktops what it asks for. run alone dials, reads and closes it;
// everything else may be used from any goroutine.
type bot struct {
	s          *Server
	site       *site
	server     *xxd.Server
	serverName string
	id         int64
	secret     string // nobody but nodes signs in as the bot
	out        outbox

	mu   sync.Mutex
	in   bool
	said bool // that it is out
	file botFiles
	told time.Time // when another node told file
}

func newBot(s *Server, at *site, server *xxd.Server, name string, id int64) *bot {
	return &bot{s: s, site: at, server: server, serverName: name, id: id, secret: secretOf(s.key, botAccount), out: outbox{wake: make(chan struct{}, 1)}}
}

func (b *bot) isIn() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.in
}

// signedIn is the answer to a bot's login. Nobody is shown: clients drop a method that they do not know of (LEGACY: xxc keeps a
// login of somebody unknown as a contact).
func signedIn(id int64) []byte {
	return []byte(`{"module":"chat","method":"ping","result":"success","data":{"id":` + strconv.FormatInt(id, 10) + `}}`)
}

// signIn answers a login under the bot's account.
func (b *bot) signIn(q *request, password string) reply {
	if !hmac.Equal([]byte(password), []byte(b.secret)) {
		return say(notIn)
	}
	return say(signedIn(b.id))
}

// answer is what the bot's xxd hears of the backend about the bot: it is unknown to the real one.
func (b *bot) answer(q *request) reply {
	_, genuine := q.own()
	switch {
	case genuine:
		method := map[string]string{"chat/getofflinemessages": "message", "chat/getofflinenotify": "notify"}[q.method]
		if method == "" {
			method = strings.ToLower(q.text("method"))
		}
		users := b.id
		if q.method == "chat/logout" {
			users = 0 // nobody is told
		}
		return say(fmt.Appendf(nil, `{"module":"chat","method":%q,"result":"success","users":[%d],"data":[]}`, method, users))
	case q.client == "":
		return say(notIn) // through /serverInfo, by somebody who knows the id
	}
	params := q.params()
	if len(params) == 1 {
		name, _ := params[0].(string)
		switch q.method {
		case "xuangate/relay":
			if frame := b.out.frame(name); frame != nil {
				return say(frame)
			}
		case "xuangate/mark":
			text, err := json.Marshal(map[string]any{"module": "chat", "method": "ping", "data": name, "users": []int64{b.id}})
			if err == nil {
				return say(text)
			}
		}
	}
	return say(refusal(b.id, "unknown"))
}

// relay has the desktops of this xxd told a frame, those of users.
func (b *bot) relay(o object, users []int64) { b.out.put(o, users) }

// broadcast has all of them told.
func (b *bot) broadcast(o object) { b.out.put(o, nil) }

// run keeps the bot in until ctx ends.
func (b *bot) run(ctx context.Context) {
	again := againFirst
	for ctx.Err() == nil {
		began := time.Now()
		err := b.once(ctx)
		if ctx.Err() != nil {
			return
		}
		if time.Since(began) > againMost {
			again = againFirst
		}
		b.lost(ctx, err)
		wait := time.NewTimer(again)
		select {
		case <-wait.C:
		case <-ctx.Done():
		}
		wait.Stop()
		again = min(2*again, againMost)
	}
}

func (b *bot) lost(ctx context.Context, err error) {
	b.mu.Lock()
	was, said := b.in, b.said
	b.in, b.said = false, true
	b.mu.Unlock()
	if was || !said { // what fails twice a second is logged once
		b.s.log.LogAttrs(ctx, slog.LevelWarn, "not in the chat server: web users' doings do not reach the desktops until we are",
			slog.String("xxd", b.site.name), slog.Any("error", err))
	}
}

// once signs in and relays until the connection ends, and returns why.
func (b *bot) once(ctx context.Context) (err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	dial, stop := context.WithTimeout(ctx, 10*time.Second)
	defer stop()
	info, err := b.server.Info(dial, botAccount, b.secret)
	if errors.Is(err, legacy.ErrPassword) {
		return errors.New("this chat server's backend is not this gateway: set the backend address in its xxd.conf to legacy.inline.listen, and start it anew")
	}
	if err != nil {
		return err
	}
	ws, key, err := b.server.Connect(dial, info)
	if err != nil {
		return err
	}
	c := &botConn{b: b, ws: ws, key: key, marks: make(chan int64, 1)}
	hang := context.AfterFunc(ctx, func() { _ = ws.Close() })
	defer hang()
	var reader sync.WaitGroup
	defer reader.Wait()
	defer ws.Close()
	login := map[string]any{"module": "chat", "method": "login", "params": []string{b.serverName, botAccount, b.secret, "online"}, "v": "2.3.0", "lang": "zh-cn"}
	if err := c.write(login); err != nil {
		return err
	}
	b.mu.Lock()
	b.file = botFiles{Token: string(info.Token), Limit: int64(info.UploadFileSize)}
	b.mu.Unlock()
	reader.Go(func() { cancel(c.read(ctx)) })
	return c.send(ctx)
}

// botConn is one connection of a bot: read has the reading of it, send the writing.
type botConn struct {
	b     *bot
	ws    *websocket.Conn
	key   legacy.Key
	marks chan int64 // the latest mark that was heard; holds one
}

func (c *botConn) write(v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	_ = c.ws.SetWriteDeadline(time.Now().Add(botWrite))
	return c.ws.WriteMessage(websocket.BinaryMessage, c.key.Seal(text))
}

func (c *botConn) ask(method, param string) error {
	return c.write(map[string]any{"module": "xuangate", "method": method, "params": []string{param}, "userID": c.b.id, "v": "2.3.0", "lang": "zh-cn"})
}

// read hears what xxd says until the connection ends, and returns why.
func (c *botConn) read(ctx context.Context) error {
	alive := func() { _ = c.ws.SetReadDeadline(time.Now().Add(botSilence)) }
	c.ws.SetPingHandler(func(data string) error {
		alive()
		return c.ws.WriteControl(websocket.PongMessage, []byte(data), time.Now().Add(botWrite))
	})
	c.ws.SetReadLimit(legacy.MaxAnswer)
	for {
		alive()
		_, sealed, err := c.ws.ReadMessage()
		if err != nil {
			return err
		}
		plain, err := c.key.Open(sealed)
		if err != nil {
			return err
		}
		var f struct {
			Method, SessionID string
			Message           string
			Data              json.RawMessage
		}
		if json.Unmarshal(plain, &f) != nil {
			continue // of another form; nothing of ours
		}
		if err := c.hear(ctx, f.Method, f.SessionID, f.Message, f.Data); err != nil {
			return err
		}
	}
}

func (c *botConn) hear(ctx context.Context, method, session, message string, data json.RawMessage) error {
	switch strings.ToLower(method) {
	case "ping":
		var name string
		if json.Unmarshal(data, &name) != nil {
			return nil // the answer to the login
		}
		n, err := strconv.ParseInt(name, 10, 64)
		if err != nil {
			return nil
		}
		select {
		case <-c.marks: // an older one that nobody took
		default:
		}
		c.marks <- n
	case "sessionid":
		c.b.mu.Lock()
		c.b.file.Session = session
		c.b.mu.Unlock()
	case "login":
		var row struct{ ID int64 }
		if json.Unmarshal(data, &row) == nil && row.ID > 0 {
			c.b.s.heardLogin(ctx, c.b.site, row.ID)
		}
	case "kickoff":
		if message != "" {
			c.b.s.lead.rivalled()
			return errors.New("somebody else signed in as the bot: is another gateway running for this chat server?")
		}
	case "error":
		return errors.New("the chat server had no answer to a relay")
	}
	return nil
}

// send relays what there is until ctx ends, and returns why. Frames whose mark was not heard go out again with the next
// connection.
func (c *botConn) send(ctx context.Context) error {
	b := c.b
	b.out.again()
	mark, heard := int64(1), int64(0)
	if err := c.ask("mark", "1"); err != nil { // handled when the login is over
		return err
	}
	quiet := time.NewTicker(beat)
	defer quiet.Stop()
	deaf := time.NewTimer(10 * time.Second)
	defer deaf.Stop()
	for {
		select {
		case heard = <-c.marks:
			b.out.done(heard)
			b.came(ctx)
			if heard == mark {
				deaf.Stop()
			}
		case <-quiet.C:
			if heard == mark {
				mark++
				if err := c.ask("mark", strconv.FormatInt(mark, 10)); err != nil {
					return err
				}
				deaf.Reset(deafAfter)
			}
		case <-deaf.C:
			return errors.New("the bot does not hear itself")
		case <-b.out.wake:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		if heard == 0 {
			continue // not in yet
		}
		names := b.out.take(mark + 1)
		if len(names) == 0 {
			continue
		}
		for _, name := range names {
			if err := c.ask("relay", name); err != nil {
				return err
			}
		}
		mark++
		if err := c.ask("mark", strconv.FormatInt(mark, 10)); err != nil {
			return err
		}
		deaf.Reset(deafAfter)
	}
}

func (b *bot) came(ctx context.Context) {
	b.mu.Lock()
	was := b.in
	b.in, b.said = true, false
	b.mu.Unlock()
	if !was {
		b.s.log.LogAttrs(ctx, slog.LevelInfo, "in the chat server: web and desktop users hear each other", slog.String("xxd", b.site.name))
	}
}
