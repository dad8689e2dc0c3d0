package gateway

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/xuangate/xuangate/adapter"
	"github.com/xuangate/xuangate/adapter/folder"
	"github.com/xuangate/xuangate/adapter/legacy"
	"github.com/xuangate/xuangate/gateway/eventlog"
	"github.com/xuangate/xuangate/gateway/login"
	"github.com/xuangate/xuangate/gen/model"
)

func TestMain(m *testing.M) {
	// net/http waits half a second before it closes a connection whose request it has not read to the end.
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("net/http.(*conn).closeWriteAndWait"))
}

// patience is how long a thing that should happen may take. It is never waited out where all is well.
const patience = 10 * time.Second

const innerKey = "an-inner-key-of-32-characters-and"

// The users of the scripted legacy server. Alice and bob are in the group "team"; everybody is in "sys".
const (
	admin legacy.UserID = 1
	alice legacy.UserID = 4
	bob   legacy.UserID = 5
	carol legacy.UserID = 6
)

// world is a Server on real sockets, with a real Adapter, on a scripted legacy server.
type world struct {
	t      testing.TB
	server *Server
	legacy *script
	events *eventlog.Memory
	logins *login.Memory
	log    *logBook
	http   *http.Client
	dial   func(ctx context.Context, network, addr string) (net.Conn, error) // nil: the usual
	url    string
	inner  string
	stop   func() // ends Run, and returns when it has
}

// newWorld starts a world that ends with the test. change, if not nil, changes the config first.
func newWorld(t testing.TB, change func(*Config)) *world {
	return newWorldOn(t, change, func() net.Listener {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		return l
	})
}

func newWorldOn(t testing.TB, change func(*Config), listen func() net.Listener) *world {
	w := &world{t: t, legacy: newScript(), logins: login.NewMemory(), log: &logBook{}}
	w.events = eventlog.NewMemory(eventlog.MemoryOptions{Size: 500})
	c := Config{Events: w.events, Logins: w.logins, Log: slog.New(slog.NewJSONHandler(w.log, nil)), InnerKey: innerKey}
	if change != nil {
		change(&c)
	}
	if m, ok := c.Events.(*eventlog.Memory); ok {
		w.events = m
	}
	files, err := folder.New(t.TempDir(), "xuanxuan")
	require.NoError(t, err)
	a, err := adapter.New(adapter.Config{
		Caller: w.legacy, Timeout: time.Second, Log: c.Log, Folder: files,
		Sink: func(ctx context.Context, e adapter.Event) error {
			_, err := c.Events.Append(ctx, e)
			return err
		},
	})
	require.NoError(t, err)
	c.Legacy = a
	w.server, err = New(c)
	require.NoError(t, err)

	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	running := make(chan error, 1)
	go func() { running <- w.server.Run(ctx) }()
	w.stop = sync.OnceFunc(func() {
		cancel()
		require.NoError(t, <-running)
	})
	public, inner := listen(), listen()
	for _, one := range []struct {
		l net.Listener
		h http.Handler
	}{{public, w.server.Public()}, {inner, w.server.Inner()}} {
		// With a limit on the whole answer, as a node's server has: what takes longer must say so.
		hs := &http.Server{Handler: one.h, WriteTimeout: 2 * time.Minute, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, 0)}
		served := make(chan struct{})
		go func() {
			defer close(served)
			_ = hs.Serve(one.l)
		}()
		t.Cleanup(func() {
			_ = hs.Close()
			<-served
			if _, ok := one.l.(*pipes); ok {
				time.Sleep(time.Second) // net/http closes some connections late; in a bubble that costs nothing
			}
		})
	}
	if p, ok := public.(*pipes); ok {
		w.dial = func(_ context.Context, _, addr string) (net.Conn, error) {
			if strings.HasPrefix(addr, "inner") {
				return inner.(*pipes).dial()
			}
			return p.dial()
		}
		w.url, w.inner = "http://public", "http://inner"
	} else {
		w.url, w.inner = "http://"+public.Addr().String(), "http://"+inner.Addr().String()
	}
	transport := &http.Transport{DialContext: w.dial, MaxIdleConnsPerHost: 300}
	w.http = &http.Client{Transport: transport}
	t.Cleanup(func() {
		w.stop()
		transport.CloseIdleConnections()
	})
	return w
}

// answer is what came back on a call.
type answer struct {
	status int
	header http.Header
	body   string
	code   model.Code
	text   string // of error
	data   json.RawMessage
}

// ask makes a call and checks that the answer is the envelope: data with code 0, a sentence with any other.
func (w *world) ask(r *http.Request) answer {
	w.t.Helper()
	resp, err := w.http.Do(r)
	require.NoError(w.t, err)
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	require.NoError(w.t, err)
	var envelope struct {
		Code  *model.Code
		Error *string
		Data  json.RawMessage
	}
	require.NoError(w.t, json.Unmarshal(b, &envelope), "%s", b)
	require.NotNil(w.t, envelope.Code, "%s", b)
	a := answer{status: resp.StatusCode, header: resp.Header, body: string(b), code: *envelope.Code, data: envelope.Data}
	if a.code == model.OK {
		require.Nil(w.t, envelope.Error, "%s", b)
	} else if r.URL.Path != "/readyz" {
		require.NotNil(w.t, envelope.Error, "%s", b)
		require.Nil(w.t, envelope.Data, "%s", b)
		a.text = *envelope.Error
		require.NotEmpty(w.t, a.text)
	}
	require.NotEmpty(w.t, a.header.Get("X-Request-Id"))
	return a
}

// request makes a request to the public listener; body is JSON text, or anything to encode, or nil.
func (w *world) request(method, path string, token login.Token, body any) *http.Request {
	var r io.Reader
	switch b := body.(type) {
	case nil:
	case string:
		r = strings.NewReader(b)
	case io.Reader:
		r = b
	default:
		text, err := json.Marshal(b)
		require.NoError(w.t, err)
		r = bytes.NewReader(text)
	}
	base := w.url
	if strings.HasPrefix(path, "/inner/") {
		base = w.inner
	}
	req, err := http.NewRequestWithContext(w.t.Context(), method, base+path, r)
	require.NoError(w.t, err)
	if r != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+string(token))
	}
	if strings.HasPrefix(path, "/inner/") {
		req.Header.Set("X-Inner-Key", innerKey)
	}
	return req
}

func (w *world) post(path string, token login.Token, body any) answer {
	w.t.Helper()
	return w.ask(w.request(http.MethodPost, path, token, body))
}

// signIn gives a token of a user by the inner interface.
func (w *world) signIn(u legacy.UserID, platform int) login.Token {
	w.t.Helper()
	a := w.post("/inner/get_token", "", map[string]any{"session": u.String(), "platform": platform})
	require.Equal(w.t, model.OK, a.code, a.text)
	var token string
	require.NoError(w.t, json.Unmarshal(a.data, &token))
	return login.Token(token)
}

// say sends a message to the group "team" as the login of a token.
func (w *world) say(token login.Token, content string) {
	w.t.Helper()
	a := w.post("/send_msg", token, map[string]any{"conversation_id": "team", "type": 1, "content": content})
	require.Equal(w.t, model.OK, a.code, a.text)
}

// tell puts a message for users into the log, as if legacy had told it.
func (w *world) tell(content string, to ...legacy.UserID) eventlog.Position {
	at, err := w.events.Append(w.t.Context(), adapter.Event{
		Kind: model.EventKindMessage, To: adapter.Recipients{Users: to},
		Data: model.MsgData{MsgId: "m", ConversationID: "team", FromSession: "4", Content: content},
	})
	require.NoError(w.t, err)
	return at
}

// eventually waits until a condition holds.
func eventually(t *testing.T, condition func() bool) {
	t.Helper()
	require.Eventually(t, condition, patience, time.Millisecond)
}

// logBook keeps what is logged.
type logBook struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logBook) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logBook) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// requests are the access log's records so far.
func (l *logBook) requests(t *testing.T) (list []map[string]any) {
	for line := range strings.Lines(l.String()) {
		var rec map[string]any
		require.NoError(t, json.Unmarshal([]byte(line), &rec))
		if rec["msg"] == "request" {
			list = append(list, rec)
		}
	}
	return list
}

var errDown = errors.New("connection refused")

var userRows = []map[string]any{userRow(admin, "offline"), userRow(alice, "offline"), userRow(bob, "offline"), userRow(carol, "offline")}

var chatRows = []map[string]any{
	{"id": 1, "gid": "sys", "name": "", "type": "system", "members": []int{1, 4, 5, 6}, "lastActiveTime": 0},
	{"id": 2, "gid": "team", "name": "Team", "type": "group", "createdBy": "alice", "members": []int{4, 5}, "lastActiveTime": 1795312700},
}
