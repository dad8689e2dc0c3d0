package node_test

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/xuangate/xuangate/adapter/xxd"
	"github.com/xuangate/xuangate/cmd/xuangate/node"
	"github.com/xuangate/xuangate/gen/model"
	"github.com/xuangate/xuangate/test/redisd"
	"github.com/xuangate/xuangate/test/xuanxuan"
)

// A road leads to a node, whose address is known only once it listens: other nodes reach it there.
type road struct {
	*httptest.Server
	to atomic.Pointer[url.URL]
}

func newRoad(t *testing.T) *road {
	r := &road{}
	r.Server = httptest.NewServer(&httputil.ReverseProxy{Rewrite: func(p *httputil.ProxyRequest) { p.SetURL(r.to.Load()) }})
	t.Cleanup(r.Close)
	return r
}

// linked starts a node that signs users in to x and shares r with others, who reach it.
func linked(t *testing.T, r *redisd.Server, x *xuanxuan.XXD, set func(*node.Config)) (*running, *road) {
	return reached(t, r, beside(x), set)
}

// near starts a node that shares r with others, who reach it.
func near(t *testing.T, r *redisd.Server, c node.Config) *running {
	n, _ := reached(t, r, c, nil)
	return n
}

func reached(t *testing.T, r *redisd.Server, c node.Config, set func(*node.Config)) (*running, *road) {
	way := newRoad(t)
	c.SecretKey = "a secret key of 32 characters xx"
	c.Redis.Addr = []string{r.Addr}
	c.Node.AdvertiseURL = way.URL
	c.Inner.Key = innerKey
	if set != nil {
		set(&c)
	}
	n := run(t, c)
	to, err := url.Parse(n.api)
	require.NoError(t, err)
	way.to.Store(to)
	return n, way
}

// newDesk signs an account in to x without a node, as a desktop client does.
func newDesk(t *testing.T, x *xuanxuan.XXD, account string) *xxd.Conn {
	server, err := xxd.New(xxd.Config{URL: x.URL(), Fingerprint: x.Fingerprint()})
	require.NoError(t, err)
	defer server.Close()
	sum := md5.Sum([]byte(xuanxuan.DemoPassword))
	desk, _, err := server.Dial(t.Context(), account, hex.EncodeToString(sum[:]))
	require.NoError(t, err)
	return desk
}

const innerKey = "an inner key of 32 characters xx"

// A record of the log, that may be written to by many.
type record struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (r *record) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.Write(p)
}

func (r *record) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.String()
}

func TestLinksOfNodes(t *testing.T) {
	r, s := redisd.Start(t), backend(t)
	x := front(t, s)
	said, heard := &record{}, &record{}
	a, way := linked(t, r, x, func(c *node.Config) { c.LogTo = heard })
	b, _ := linked(t, r, x, func(c *node.Config) { c.LogTo = said })
	alice, bob := a.signIn(t, "alice"), a.signIn(t, "bob")

	// A call reaches the node that holds her link, with its id, and what is refused there comes back as it is.
	header := bearer(alice)
	header.Set("X-Request-Id", "call-1")
	require.Equal(t, model.OK, post(t, b.api+"/get_me", header, struct{}{}).Code)
	require.Contains(t, heard.String(), "forwarded_by=")
	require.Contains(t, heard.String(), "request=call-1")
	require.Contains(t, said.String(), "forwarded_to="+strings.TrimPrefix(way.URL, "http://"))
	require.NotContains(t, heard.String()+said.String(), alice)
	there := post(t, a.api+"/get_conversation_detail", bearer(alice), map[string]any{"conversation_id": "no such"})
	require.Equal(t, there, post(t, b.api+"/get_conversation_detail", bearer(alice), map[string]any{"conversation_id": "no such"}))

	// So does a sign-in, and what internal systems ask in her name.
	in := model.LoginRequest{Account: "Alice", Password: "wrong"}
	require.Equal(t, model.WrongPassword, post(t, b.api+"/login", http.Header{}, in).Code)
	alice = b.signIn(t, "alice")
	group := b.group(t, alice, "5")
	inner := http.Header{"X-Inner-Key": {innerKey}}
	must[model.SentMsg](t, post(t, b.inner+"/inner/send_msg", inner, map[string]any{"conversation_id": group, "session": "4", "type": 1, "content": "by inner"}))
	require.NotEqual(t, model.OK, post(t, a.api+"/inner/send_msg", inner, map[string]any{"conversation_id": group, "session": "4", "type": 1, "content": "x"}).Code)

	// Streams are served by the node that they reach.
	stream := b.listen(t, bob)
	for !strings.Contains(next(t, stream, "data"), "by inner") {
	} // it waited for his first stream, at the other node
	for i := range 5 {
		b.say(t, alice, group, fmt.Sprint("said ", i))
	}
	for i := range 5 {
		require.Contains(t, next(t, stream, "data"), fmt.Sprint("said ", i))
	}

	// Who was kicked out at one node and signed in again at another is served by both.
	carol := a.signIn(t, "carol")
	desk := newDesk(t, x, "carol")
	redisd.Until(t, "carol is kicked out", func(context.Context) error {
		if code := post(t, a.api+"/get_me", bearer(carol), struct{}{}).Code; code != model.SignedInElsewhere {
			return fmt.Errorf("code %d", code)
		}
		return nil
	})
	require.NoError(t, desk.Close())
	carol = b.signIn(t, "carol")
	require.Equal(t, model.OK, post(t, a.api+"/get_me", bearer(carol), struct{}{}).Code)

	// Nobody poses as a node.
	for _, mark := range []string{"x", "x.x", "e30.AAAA"} {
		forged := bearer(alice)
		forged.Set("X-Xuangate-Node", mark)
		require.Equal(t, model.NotAllowed, post(t, a.api+"/get_me", forged, struct{}{}).Code)
	}
	require.Equal(t, model.NotFound, post(t, a.api+"/node/attend/4", bearer(alice), struct{}{}).Code)

	// What was held at a node that ends is taken over for who listens elsewhere, and the stream goes on.
	a.stop(t)
	redisd.Until(t, "the other node has bob", func(ctx context.Context) error {
		if !strings.Contains(said.String(), `msg="signed in at the chat server" session=5`) {
			return errors.New("not yet")
		}
		return nil
	})
	b.say(t, alice, group, "after")
	for !strings.Contains(next(t, stream, "data"), "after") {
	}
}

func TestNodesOfAnotherKey(t *testing.T) {
	r, s := redisd.Start(t), backend(t)
	x := front(t, s)
	a, way := linked(t, r, x, nil)
	b, _ := linked(t, r, x, func(c *node.Config) { c.SecretKey = "another key of 32 characters xxx" })
	alice := a.signIn(t, "alice")
	in := model.LoginRequest{Account: "alice", Password: xuanxuan.DemoPassword}
	require.Equal(t, model.NotAllowed, post(t, b.api+"/login", http.Header{}, in).Code)
	require.Equal(t, model.OK, post(t, a.api+"/get_me", bearer(alice), struct{}{}).Code)

	// A node that names another as the way to itself sends nobody to and fro.
	c, _ := linked(t, r, x, nil)
	d, _ := linked(t, r, x, nil)
	to, err := url.Parse(d.api)
	require.NoError(t, err)
	way.to.Store(to)
	lost := post(t, c.api+"/login", http.Header{}, in)
	require.Equal(t, model.Unreachable, lost.Code)
	require.Contains(t, lost.Error, "has ended")
}
