package contract

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/xuangate/xuangate/adapter/legacy"
	"github.com/xuangate/xuangate/adapter/xxb"
	"github.com/xuangate/xuangate/cmd/xuangate/node"
	"github.com/xuangate/xuangate/gen/model"
	"github.com/xuangate/xuangate/test/xuanxuan"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const innerKey = "contract-inner-key-of-32-letters"

// patience is how long a thing that should happen may take. It is never waited out where all is well.
const patience = 20 * time.Second

// world is one gateway with one legacy server behind it.
type world struct {
	t       *testing.T
	mode    string
	url     string
	legacy  *xuanxuan.Server
	xxd     *xuanxuan.XXD // in mode xxd
	v1      *xuanxuan.V1  // in mode v1
	files   string        // where uploads are kept
	backend string        // what the xxd takes for its backend, in mode inline
	http    *http.Client
}

// inEachMode runs a promise in every mode, in a fresh world each time.
func inEachMode(t *testing.T, promise func(t *testing.T, w *world), changes ...func(*site)) {
	inEachModeWith(t, "", promise, changes...)
}

// inEachModeWith is inEachMode for a promise about something that not all servers have. What it lacks, a mode leaves out.
func inEachModeWith(t *testing.T, what string, promise func(t *testing.T, w *world), changes ...func(*site)) {
	inModes(t, slices.DeleteFunc(slices.Clone(modes), func(mode string) bool { return slices.Contains(lacks[mode], what) }), promise, changes...)
}

// inModes is inEachMode for a promise that some modes keep for all.
func inModes(t *testing.T, modes []string, promise func(t *testing.T, w *world), changes ...func(*site)) {
	for _, mode := range modes {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			promise(t, start(t, mode, changes...))
		})
	}
}

// site is the settings of all that a world is made of. What listens or depends on another part's address is set by start.
type site struct {
	legacy xuanxuan.Options
	xxd    xuanxuan.XXDOptions
	v1     xuanxuan.V1Options
	node   node.Config
	noApp  bool // no application is registered for the gateway
}

// patiently is for promises about something else than slowness.
func patiently(s *site) { s.node.Legacy.Timeout = patience }

// start builds a world, with the settings changed that a test wants to be others.
func start(t *testing.T, mode string, changes ...func(*site)) *world {
	s := site{xxd: xuanxuan.XXDOptions{TLS: true, TickInterval: time.Second}, node: node.Default()}
	s.node.Inner.OperatorPassword = xuanxuan.DemoPassword
	s.node.Legacy.Timeout = 2 * time.Second                   // xxd gives its backend three tries, 600 ms
	s.node.Limits.TokenRate, s.node.Limits.AddressRate = 0, 0 // a world's users are one address, and ask again and again
	s.node.Files.Dir = t.TempDir()
	s.xxd.UploadDir, s.v1.UploadDir = s.node.Files.Dir, s.node.Files.Dir
	for _, change := range changes {
		change(&s)
	}
	s.legacy.AppCode, s.legacy.AppToken = "xuangate", "contract-app-token"
	behind, err := xuanxuan.Start(t.Context(), s.legacy, "127.0.0.1:0")
	require.NoError(t, err)
	w := &world{t: t, mode: mode, legacy: behind, http: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}}

	c := s.node
	w.files = c.Files.Dir
	c.Addr, c.Dev = "127.0.0.1:0", true
	c.Drain = time.Second
	c.Inner.Key = innerKey
	c.Legacy.Mode = mode
	c.Legacy.XXB.URL, c.Legacy.XXB.Key = behind.URL(), xuanxuan.DefaultKey
	c.Legacy.API = node.API{URL: behind.APIURL(), Code: "xuangate", Token: "contract-app-token"}
	if s.noApp || mode == "v1" {
		c.Legacy.API = node.API{}
	}
	c.Legacy.Poll = time.Second
	switch mode {
	case "v1":
		w.v1, err = xuanxuan.StartV1(t.Context(), behind.Backend, s.v1, "127.0.0.1:0")
		require.NoError(t, err)
		c.Legacy.V1.Addr, c.Legacy.V1.FilesURL = w.v1.Addr(), w.v1.FilesURL()
	case "xxd":
		s.xxd.Backend = behind.URL()
		w.xxd, err = xuanxuan.StartXXD(t.Context(), s.xxd, "127.0.0.1:0")
		require.NoError(t, err)
		c.Legacy.XXD.URL, c.Legacy.XXD.Fingerprint = w.xxd.URL(), w.xxd.Fingerprint()
	}
	var reserved net.Listener
	if mode == "inline" {
		// The chat server cannot start before its backend, and the gateway must know where it will be.
		reserved, err = net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		c.Legacy.XXD = node.XXD{URL: "https://" + reserved.Addr().String(), Insecure: true, Device: "desktop", LinkIdle: time.Minute, OnKickoff: "yield"}
		c.Legacy.Inline.Listen = "127.0.0.1:0"
	}
	c.LogTo = io.Discard
	ready := make(chan node.Addresses, 1)
	c.Ready = func(a node.Addresses) { ready <- a }

	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- node.Run(ctx, c) }()
	select {
	case a := <-ready:
		w.url = "http://" + a.API.String()
		if mode == "inline" {
			w.backend = "http://" + a.Backend.String() + xuanxuan.Path
			s.xxd.Backend = w.backend
			s.xxd.Listener = reserved
			w.startXXD(s.xxd)
		}
	case err := <-done:
		require.NoError(t, err)
	}
	t.Cleanup(func() {
		w.http.CloseIdleConnections()
		stop()
		require.NoError(t, <-done)
		if w.xxd != nil {
			require.NoError(t, w.xxd.Close())
		}
		if w.v1 != nil {
			require.NoError(t, w.v1.Close())
		}
		require.NoError(t, behind.Close())
	})
	return w
}

// startXXD starts the chat server whose backend the gateway is, and waits until the gateway is in.
func (w *world) startXXD(o xuanxuan.XXDOptions) {
	var err error
	w.xxd, err = xuanxuan.StartXXD(w.t.Context(), o, "")
	require.NoError(w.t, err)
	w.botIn()
}

// botIn waits until the gateway is in the chat server.
func (w *world) botIn() {
	require.Eventually(w.t, func() bool { return w.xxd.Stats().Online > 0 }, patience, time.Millisecond, "the gateway gets into the chat server")
}

// answer is the envelope, with the HTTP status it came under.
type answer struct {
	Status int             `json:"-"`
	Code   model.Code      `json:"code"`
	Error  string          `json:"error"`
	Data   json.RawMessage `json:"data"`
}

// post sends a request and checks the promises that hold for every answer.
func (w *world) post(path string, head http.Header, body any) answer {
	w.t.Helper()
	a, err := w.ask(path, head, body)
	require.NoError(w.t, err)
	return a
}

// ask is post for goroutines other than the test's: an answer that breaks a promise is an error.
func (w *world) ask(path string, head http.Header, body any) (a answer, err error) {
	b, err := json.Marshal(body)
	if err != nil {
		return a, err
	}
	req, err := http.NewRequest(http.MethodPost, w.url+path, bytes.NewReader(b))
	if err != nil {
		return a, err
	}
	if head != nil {
		req.Header = head.Clone()
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := w.http.Do(req)
	if err != nil {
		return a, err
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		return a, err
	}
	a.Status = res.StatusCode
	if err := json.Unmarshal(raw, &a); err != nil {
		return a, fmt.Errorf("%s: %w", raw, err)
	}
	ok := a.Code == model.OK
	if ok != (a.Status == http.StatusOK) || ok != (a.Error == "") || (!ok && a.Data != nil) || res.Header.Get("X-Request-Id") == "" {
		return a, fmt.Errorf("%s: not an envelope: status %d %v: %s", path, a.Status, res.Header, raw)
	}
	return a, nil
}

// desktop makes a legacy call past the gateway, as a desktop client would.
func (w *world) desktop(c legacy.Call) {
	w.t.Helper()
	if w.v1 != nil {
		w.oldDesktop(c)
		return
	}
	key, err := legacy.NewKey(xuanxuan.DefaultKey)
	require.NoError(w.t, err)
	client := xxb.New(xxb.Config{URL: w.legacy.URL(), Key: key})
	defer client.Close()
	r, err := client.Call(w.t.Context(), c)
	require.NoError(w.t, err)
	require.Equal(w.t, legacy.Success, r.Result, r.Reason())
}

// inner calls an internal operation.
func (w *world) inner(path string, body any) answer {
	w.t.Helper()
	return w.post("/inner"+path, http.Header{"X-Inner-Key": {innerKey}}, body)
}

// user is somebody signed in.
type user struct {
	w       *world
	account string
	session string
	token   string
}

type object = map[string]any

func (w *world) signIn(account string) *user {
	w.t.Helper()
	return w.signInOn(account, 1)
}

func (w *world) signInOn(account string, platform int) *user {
	w.t.Helper()
	a := w.post("/login", http.Header{}, object{"account": account, "password": xuanxuan.DemoPassword, "platform": platform})
	require.Equal(w.t, model.OK, a.Code, a.Error)
	var l model.Login
	require.NoError(w.t, json.Unmarshal(a.Data, &l))
	return &user{w: w, account: account, session: l.Session, token: l.Token}
}

func (u *user) post(path string, body any) answer {
	u.w.t.Helper()
	return u.w.post(path, http.Header{"Authorization": {"Bearer " + u.token}}, body)
}

// ask is post for goroutines other than the test's.
func (u *user) ask(path string, body any) (answer, error) {
	return u.w.ask(path, http.Header{"Authorization": {"Bearer " + u.token}}, body)
}

// get is post for what must work; it decodes the data.
func get[T any](u *user, path string, body any) T {
	u.w.t.Helper()
	v, err := decoded[T](u.post(path, body))
	require.NoError(u.w.t, err)
	return v
}

// decoded is the data of an answer, which must not be a refusal.
func decoded[T any](a answer) (v T, err error) {
	if a.Code != model.OK {
		return v, fmt.Errorf("code %d: %s", a.Code, a.Error)
	}
	return v, json.Unmarshal(a.Data, &v)
}

func (u *user) fails(want model.Code, path string, body any) string {
	u.w.t.Helper()
	a := u.post(path, body)
	require.Equal(u.w.t, want, a.Code, "%s %s", path, a.Error)
	return a.Error
}

// group creates a group of u and others.
func (u *user) group(name string, others ...*user) string {
	u.w.t.Helper()
	members := []string{}
	for _, o := range others {
		members = append(members, o.session)
	}
	return get[model.ConversationRef](u, "/create_conversation", object{"conversation_type": 0, "name": name, "members": members}).ConversationId
}

func (u *user) say(conversation, content string) string {
	u.w.t.Helper()
	return get[model.SentMsg](u, "/send_msg", object{"conversation_id": conversation, "content": content}).MsgID
}

func (u *user) last30(conversation string) []model.MsgData {
	u.w.t.Helper()
	return get[model.Messages](u, "/get_conversation_last_30_msg", object{"conversation_id": conversation}).Msg
}

func contents(list []model.MsgData) []string {
	out := []string{}
	for _, m := range list {
		out = append(out, m.Content)
	}
	return out
}

// numbers are the decimal numbers lo…hi-1, which InsertMessages below stores as contents.
func numbers(lo, hi int) []string {
	out := []string{}
	for i := max(lo, 0); i < hi; i++ {
		out = append(out, fmt.Sprint(i))
	}
	return out
}

// fill stores n messages of u straight in the legacy server, numbered from 0.
func (u *user) fill(conversation string, n int, date func(i int) time.Time) {
	u.w.t.Helper()
	err := u.w.legacy.InsertMessages(u.w.t.Context(), conversation, n, func(i int) xuanxuan.Message {
		return xuanxuan.Message{User: 4, Content: fmt.Sprint(i), Date: date(i)}
	})
	require.NoError(u.w.t, err)
}

// event is an event as a stream with events=all tells it.
type event struct {
	Event    model.EventKind
	Position string
	Data     json.RawMessage
}

// into decodes the event's data, if it is of that form.
func (e event) into(v any) bool { return json.Unmarshal(e.Data, v) == nil }

func (e event) message(t *testing.T) model.MsgData {
	t.Helper()
	require.Equal(t, model.EventKindMessage, e.Event)
	var m model.MsgData
	require.NoError(t, json.Unmarshal(e.Data, &m))
	return m
}

// poll asks once for what happened after a position, waiting up to timeout seconds.
func (u *user) poll(after string, timeout int) ([]event, string) {
	u.w.t.Helper()
	url := fmt.Sprintf("%s/notify?protoc=poll&events=all&timeout=%d&after=%s", u.w.url, timeout, after)
	req, err := http.NewRequestWithContext(u.w.t.Context(), http.MethodGet, url, nil)
	require.NoError(u.w.t, err)
	req.Header.Set("Authorization", "Bearer "+u.token)
	res, err := u.w.http.Do(req)
	require.NoError(u.w.t, err)
	defer res.Body.Close()
	var a struct {
		Code  model.Code
		Error string
		Data  struct {
			Events   []event
			Position string
		}
	}
	require.NoError(u.w.t, json.NewDecoder(res.Body).Decode(&a))
	require.Equal(u.w.t, model.OK, a.Code, a.Error)
	return a.Data.Events, a.Data.Position
}

// until polls on from a position until it heard what it waits for, and returns all it heard.
func (u *user) until(after string, enough func([]event) bool) ([]event, string) {
	u.w.t.Helper()
	var heard []event
	for end := time.Now().Add(patience); ; {
		list, next := u.poll(after, 1)
		heard, after = append(heard, list...), next
		if enough(heard) {
			return heard, after
		}
		require.True(u.w.t, time.Now().Before(end), "%s waits in vain; heard %s", u.account, kinds(heard))
	}
}

// here is a position from which u misses nothing: his streams begin there.
func (u *user) here() string {
	u.w.t.Helper()
	_, at := u.poll("", 0)
	return at
}

func kinds(list []event) string {
	var b strings.Builder
	for _, e := range list {
		fmt.Fprintf(&b, "%s %s\n", e.Event, e.Data)
	}
	return b.String()
}

func only(list []event, kind model.EventKind) []event {
	var out []event
	for _, e := range list {
		if e.Event == kind {
			out = append(out, e)
		}
	}
	return out
}

// count is an until condition: n events of a kind.
func count(kind model.EventKind, n int) func([]event) bool {
	return func(list []event) bool { return len(only(list, kind)) >= n }
}
