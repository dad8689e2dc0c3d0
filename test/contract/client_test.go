package contract

import (
	"crypto/tls"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/require"

	"github.com/xuangate/xuangate/adapter/legacy"
	"github.com/xuangate/xuangate/adapter/xxb"
	"github.com/xuangate/xuangate/adapter/xxd"
	"github.com/xuangate/xuangate/test/xuanxuan"
)

// client is a desktop client down to its frames, which it keeps as they came.
type client struct {
	t    *testing.T
	user int64
	ws   *websocket.Conn
	key  legacy.Key
	done chan struct{} // closed when the connection has ended

	mu     sync.Mutex
	frames []frame
	known  map[string]bool // the contents of all messages
	more   chan struct{}   // closed with the next frame
}

type frame struct {
	text, method string
	data         json.RawMessage
}

// native is a chat server without the gateway.
func native(t *testing.T, changes ...func(*site)) *world {
	s := site{xxd: xuanxuan.XXDOptions{TLS: true, TickInterval: time.Hour}}
	for _, change := range changes {
		change(&s)
	}
	behind, err := xuanxuan.Start(t.Context(), s.legacy, "127.0.0.1:0")
	require.NoError(t, err)
	s.xxd.Backend = behind.URL()
	front, err := xuanxuan.StartXXD(t.Context(), s.xxd, "127.0.0.1:0")
	require.NoError(t, err)
	w := &world{t: t, mode: "native", legacy: behind, xxd: front}
	t.Cleanup(func() {
		_ = w.xxd.Close() // which tells of a crash, where one was made
		require.NoError(t, behind.Close())
	})
	return w
}

// connect opens a connection to the chat server on which nobody is signed in.
func (w *world) connect() *client {
	w.t.Helper()
	server, err := xxd.New(xxd.Config{URL: w.xxd.URL(), Fingerprint: w.xxd.Fingerprint()})
	require.NoError(w.t, err)
	defer server.Close()
	info, err := server.Info(w.t.Context(), "admin", digest(xuanxuan.DemoPassword))
	require.NoError(w.t, err)
	ws, key, err := server.Connect(w.t.Context(), info)
	require.NoError(w.t, err)
	c := &client{t: w.t, ws: ws, key: key, done: make(chan struct{}), known: map[string]bool{}, more: make(chan struct{})}
	go c.listen()
	w.t.Cleanup(c.close)
	return c
}

// client signs an account in, as a desktop client does.
func (w *world) client(account string) *client {
	w.t.Helper()
	c := w.connect()
	c.login(account, "zh-cn")
	c.welcomed()
	return c
}

func (c *client) login(account, lang string) {
	c.t.Helper()
	c.send(object{"module": "chat", "method": "login", "params": []string{"", account, digest(xuanxuan.DemoPassword), "online"}, "v": "2.3.0", "lang": lang})
}

// welcomed waits until frames for the user reach him.
func (c *client) welcomed() {
	c.t.Helper()
	f := c.expect("login", 1)
	var row struct{ ID int64 }
	require.NoError(c.t, json.Unmarshal(f.data, &row))
	c.user = row.ID
	c.expect("notify", 1)
	c.fence()
}

func (c *client) listen() {
	defer close(c.done)
	for {
		_, sealed, err := c.ws.ReadMessage()
		if err != nil {
			return
		}
		plain, err := c.key.Open(sealed)
		if err != nil {
			return
		}
		var f struct {
			Method string
			Data   json.RawMessage
		}
		_ = json.Unmarshal(plain, &f) // what is no object has no method
		c.mu.Lock()
		c.frames = append(c.frames, frame{string(plain), strings.ToLower(f.Method), f.Data})
		var rows []legacy.MessageRow
		if f.Method == "message" && json.Unmarshal(f.Data, &rows) == nil { // a refusal has no rows
			for _, row := range rows {
				c.known[string(row.Content)] = true
			}
		}
		close(c.more)
		c.more = make(chan struct{})
		c.mu.Unlock()
	}
}

func (c *client) close() {
	_ = c.ws.Close()
	<-c.done
}

func (c *client) send(v any) {
	c.t.Helper()
	text, err := json.Marshal(v)
	require.NoError(c.t, err)
	require.NoError(c.t, c.ws.WriteMessage(websocket.BinaryMessage, c.key.Seal(text)))
}

func (c *client) call(method string, params ...any) {
	c.t.Helper()
	call := object{"module": "chat", "method": method, "userID": c.user, "v": "2.3.0", "lang": "zh-cn"}
	if len(params) > 0 {
		call["params"] = params
	}
	c.send(call)
}

// says sends a message in the form of the desktop client.
func (c *client) says(conversation, gid, content string) {
	c.t.Helper()
	c.send(object{"module": "chat", "method": "message", "userID": c.user, "v": "2.3.0", "lang": "zh-cn", "params": object{"messages": []object{{
		"gid": gid, "cgid": conversation, "user": c.user, "type": "normal", "contentType": "text", "content": content, "date": "", "order": 0,
	}}}})
}

func (c *client) heard(method string) (list []frame) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, f := range c.frames {
		if f.method == method {
			list = append(list, f)
		}
	}
	return list
}

// first is closed when a frame of a method has come, or the connection has ended.
func (c *client) first(method string) <-chan struct{} {
	come := make(chan struct{})
	go func() {
		defer close(come)
		for {
			c.mu.Lock()
			more := c.more
			c.mu.Unlock()
			if len(c.heard(method)) > 0 {
				return
			}
			select {
			case <-more:
			case <-c.done:
				return
			}
		}
	}()
	return come
}

// expect waits for the nth frame of a method.
func (c *client) expect(method string, n int) frame {
	c.t.Helper()
	require.Eventually(c.t, func() bool { return len(c.heard(method)) >= n }, patience, time.Millisecond, "%s", method)
	return c.heard(method)[n-1]
}

// fence waits until all that was told to the client before is there.
func (c *client) fence() {
	c.t.Helper()
	n := len(c.own())
	c.call("star", "no-such-chat", 1)
	require.Eventually(c.t, func() bool { return len(c.own()) > n }, patience, time.Millisecond)
}

func (c *client) own() []frame { return c.heard("star") }

// contents are those of all messages that the client has, waiting ones included, each once.
func (c *client) contents() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Collect(maps.Keys(c.known))
}

func (c *client) has(content string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.known[content]
}

// awaits waits until the client has a message. It may be used from any goroutine.
func (c *client) awaits(content string) bool {
	end := time.NewTimer(patience)
	defer end.Stop()
	for {
		c.mu.Lock()
		known, more := c.known[content], c.more
		c.mu.Unlock()
		if known {
			return true
		}
		select {
		case <-more:
		case <-c.done:
			return c.has(content)
		case <-end.C:
			return false
		}
	}
}

func (c *client) dropped() {
	c.t.Helper()
	select {
	case <-c.done:
	case <-time.After(patience):
		c.t.Fatal("the connection was not dropped")
	}
}

// status is how the backend has a user.
func (w *world) status(account string) string {
	w.t.Helper()
	key, err := legacy.NewKey(xuanxuan.DefaultKey)
	require.NoError(w.t, err)
	backend := xxb.New(xxb.Config{URL: w.legacy.URL(), Key: key})
	defer backend.Close()
	r, err := backend.Call(w.t.Context(), legacy.Chat(0, "userGetlist", ""))
	require.NoError(w.t, err)
	var rows []legacy.UserRow
	require.NoError(w.t, r.Decode(&rows))
	for _, u := range rows {
		if string(u.Account) == account {
			return string(u.Status)
		}
	}
	return ""
}

// serverInfo asks the chat server's HTTP port and returns the status.
func (w *world) serverInfo(call object) int {
	w.t.Helper()
	text, err := json.Marshal(call)
	require.NoError(w.t, err)
	res, err := w.insecure().PostForm(w.xxd.URL()+"/serverInfo", url.Values{"data": {string(text)}})
	require.NoError(w.t, err)
	defer res.Body.Close()
	_, err = io.Copy(io.Discard, res.Body)
	require.NoError(w.t, err)
	return res.StatusCode
}

// insecure is for the certificate that the chat server made itself.
func (w *world) insecure() *http.Client {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.TLSClientConfig = &tls.Config{InsecureSkipVerify: true}
	w.t.Cleanup(t.CloseIdleConnections)
	return &http.Client{Transport: t}
}
