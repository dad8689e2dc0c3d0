package node_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/xuangate/xuangate/adapter/claims"
	"github.com/xuangate/xuangate/cmd/xuangate/node"
	"github.com/xuangate/xuangate/gen/model"
	"github.com/xuangate/xuangate/test/redisd"
	"github.com/xuangate/xuangate/test/xuanxuan"
)

// on is a Config for one of several nodes before s, which share a Redis.
func on(r *redisd.Server, s *xuanxuan.Server) node.Config {
	c := before(s)
	c.SecretKey = "a secret key of 32 characters xx"
	c.Redis.Addr = []string{r.Addr}
	return c
}

// resume opens a stream of every kind that goes on after a position.
func (n *running) resume(t *testing.T, token, after string) *bufio.Scanner {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, n.api+"/notify?protoc=sse&events=all&token="+token, nil)
	require.NoError(t, err)
	req.Header.Set("Last-Event-ID", after)
	res, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	t.Cleanup(func() { _ = res.Body.Close() })
	require.Equal(t, http.StatusOK, res.StatusCode)
	return bufio.NewScanner(res.Body)
}

func (n *running) say(t *testing.T, token, group, content string) {
	t.Helper()
	must[model.SentMsg](t, post(t, n.api+"/send_msg", bearer(token), model.SendMsgRequest{ConversationId: group, Type: 1, Content: content}))
}

func (n *running) group(t *testing.T, token string, members ...string) string {
	t.Helper()
	return must[model.ConversationRef](t, post(t, n.api+"/create_conversation", bearer(token),
		model.CreateConversationRequest{Name: "周报", Members: members})).ConversationId
}

func (n *running) ready(t *testing.T) string {
	t.Helper()
	res, err := http.Get(n.api + "/readyz")
	require.NoError(t, err)
	defer res.Body.Close()
	var b strings.Builder
	_, err = bufio.NewReader(res.Body).WriteTo(&b)
	require.NoError(t, err)
	return b.String()
}

func TestNodesOnOneRedis(t *testing.T) {
	t.Run("a client goes on at the other node, with everything once and in order", func(t *testing.T) {
		r, s := redisd.Start(t), backend(t)
		a, b := run(t, on(r, s)), run(t, on(r, s))
		alice, bob := a.signIn(t, "alice"), b.signIn(t, "bob")
		stream := a.listen(t, bob) // his token was issued by the other node
		next(t, stream, "id")
		group := a.group(t, alice, "5")
		var at string
		for i := range 40 {
			[]*running{a, b}[i%2].say(t, alice, group, fmt.Sprint("m", i))
			if i%10 == 9 { // he changes over
				for heard := i - 9; heard <= i; {
					at = next(t, stream, "id")
					if next(t, stream, "event") != "message" {
						continue
					}
					require.Contains(t, next(t, stream, "data"), fmt.Sprintf(`"Content":"m%d"`, heard))
					heard++
				}
				stream = []*running{b, a}[i/10%2].resume(t, bob, at)
			}
		}
		require.JSONEq(t, `{"code":0,"data":{"Status":"ok"}}`, b.ready(t))
	})

	t.Run("a sign-in at one node ends the streams of the former at another", func(t *testing.T) {
		r, s := redisd.Start(t), backend(t)
		a, b := run(t, on(r, s)), run(t, on(r, s))
		stream := a.listen(t, a.signIn(t, "bob"))
		next(t, stream, "id")
		b.signIn(t, "bob")
		require.Equal(t, "kickoff", next(t, stream, "event"))
	})

	t.Run("while Redis is away users are served on, and what needs it is refused; then they are told to reload", func(t *testing.T) {
		r, s := redisd.Start(t, "--appendonly", "yes", "--appendfsync", "always"), backend(t)
		n := run(t, on(r, s))
		alice, bob := n.signIn(t, "alice"), n.signIn(t, "bob")
		stream := n.listen(t, bob)
		next(t, stream, "id")
		group := n.group(t, alice, "5")
		n.say(t, alice, group, "before")
		require.Contains(t, next(t, stream, "data"), "before")

		r.Kill()
		n.say(t, alice, group, "meanwhile")
		require.Contains(t, next(t, stream, "data"), "meanwhile")
		require.Contains(t, n.ready(t), `"degraded"`)
		require.Contains(t, n.ready(t), "Redis")
		a := post(t, n.api+"/login", http.Header{}, model.LoginRequest{Account: "carol", Password: xuanxuan.DemoPassword})
		require.Equal(t, model.Unreachable, a.Code)

		r.Start()
		require.Equal(t, "reset", next(t, stream, "event"))
		redisd.Until(t, "all is well again", func(context.Context) error {
			if state := n.ready(t); !strings.Contains(state, `"ok"`) {
				return errors.New(state)
			}
			return nil
		})
		n.say(t, alice, group, "after") // the tokens are still there
		for !strings.Contains(next(t, stream, "data"), "after") {
		}
	})
}

func TestConversationsOfNodes(t *testing.T) {
	t.Run("who was invited at one node hears what is said at another right after, and who was removed does not", func(t *testing.T) {
		r, s := redisd.Start(t), backend(t)
		a, b := run(t, on(r, s)), run(t, on(r, s))
		alice, carol := a.signIn(t, "alice"), b.signIn(t, "carol")
		stream := b.listen(t, carol)
		next(t, stream, "id")
		for i := range 10 {
			group := a.group(t, alice, "5")
			b.say(t, alice, group, "she is not there yet") // b knows the members now
			must[json.RawMessage](t, post(t, a.api+"/invite_members", bearer(alice), map[string]any{"conversation_id": group, "sessions": []string{"6"}}))
			b.say(t, alice, group, fmt.Sprint("welcome ", i))
			must[json.RawMessage](t, post(t, a.api+"/remove_members", bearer(alice), map[string]any{"conversation_id": group, "sessions": []string{"6"}}))
			b.say(t, alice, group, "she is gone")
		}
		for i := range 10 {
			require.Contains(t, next(t, stream, "data"), fmt.Sprintf(`"Content":"welcome %d"`, i))
		}
	})

	t.Run("what is said in one conversation at both nodes at once has one order", func(t *testing.T) {
		r, s := redisd.Start(t), backend(t)
		a, b := run(t, on(r, s)), run(t, on(r, s))
		alice, bob := a.signIn(t, "alice"), b.signIn(t, "bob")
		stream := a.listen(t, bob)
		next(t, stream, "id")
		group := a.group(t, alice, "5")
		var talk errgroup.Group
		for _, n := range []*running{a, b} {
			for range 3 {
				talk.Go(func() error {
					for range 15 {
						answer, err := ask(t.Context(), n.api+"/send_msg", bearer(alice), model.SendMsgRequest{ConversationId: group, Type: 1, Content: "x"})
						if err != nil || answer.Code != model.OK {
							return fmt.Errorf("%s %w", answer.Error, err)
						}
					}
					return nil
				})
			}
		}
		require.NoError(t, talk.Wait())
		before := ""
		for range 90 {
			var m model.MsgData
			require.NoError(t, json.Unmarshal([]byte(next(t, stream, "data")), &m))
			require.Greater(t, m.MsgId, before)
			require.False(t, m.Late)
			before = m.MsgId
		}
	})

	t.Run("a change of a conversation is told by a node that was started again, too", func(t *testing.T) {
		r, s := redisd.Start(t), backend(t)
		c := on(r, s)
		n := run(t, c)
		alice, bob := n.signIn(t, "alice"), n.signIn(t, "bob")
		begin := next(t, n.listen(t, bob), "id")
		group := n.group(t, alice, "5")
		names := []string{"first", "second", "third"}
		for _, name := range names {
			must[json.RawMessage](t, post(t, n.api+"/rename_conversation", bearer(alice), map[string]any{"conversation_id": group, "name": name}))
			n.stop(t)
			n = run(t, c)
		}
		stream := n.resume(t, bob, begin)
		for _, name := range names {
			for !strings.Contains(next(t, stream, "data"), `"Name":"`+name+`"`) {
			}
		}
	})
}

func TestUsersOfNodes(t *testing.T) {
	r, s := redisd.Start(t), backend(t)
	a, b := run(t, on(r, s)), run(t, on(r, s))
	alice, bob := a.signIn(t, "alice"), b.signIn(t, "bob")
	group := a.group(t, alice, "5")

	t.Run("what somebody chose to be seen as at one node is shown by another", func(t *testing.T) {
		must[model.User](t, post(t, a.api+"/set_status", bearer(alice), map[string]any{"status": "busy"}))
		require.NotEmpty(t, next(t, b.listen(t, alice), "id"))
		seen := must[model.Users](t, post(t, b.api+"/get_users", bearer(bob), map[string]any{"sessions": []string{"4"}}))
		require.Equal(t, "busy", seen.Users[0].Status)
	})

	t.Run("a client_msg_id that was used for a picture at one node is not used again at another", func(t *testing.T) {
		send := func(n *running, content string) answer {
			return post(t, n.api+"/send_msg", bearer(alice), map[string]any{"conversation_id": group, "type": 3, "content": content, "client_msg_id": "once"})
		}
		first := must[model.SentMsg](t, send(a, `{"name":"one"}`))
		for range 2 {
			refused := send(b, `{"name":"two"}`)
			require.Equal(t, model.Conflict, refused.Code)
			require.Contains(t, refused.Error, "client_msg_id")
		}
		require.Equal(t, first, must[model.SentMsg](t, send(b, `{"name":"one"}`)), "a repetition")
	})

	t.Run("settings are saved at one node at a time", func(t *testing.T) {
		other := claims.NewRedis(r.Client(), "xuangate", "another node")
		lane, err := other.Take(t.Context(), "lane:settings of 4", time.Minute)
		require.NoError(t, err)
		saved := make(chan answer, 1)
		go func() {
			got, err := ask(t.Context(), b.api+"/save_settings", bearer(alice), map[string]any{"settings": map[string]any{"theme": "dark"}})
			if err != nil {
				got.Error = err.Error()
			}
			saved <- got
		}()
		asked := r.Calls("hmget")
		redisd.Until(t, "it has asked for its turn again and again", func(context.Context) error {
			if n := r.Calls("hmget") - asked; n < 20 {
				return fmt.Errorf("%d times", n)
			}
			return nil
		})
		require.Empty(t, saved)
		require.NoError(t, other.Release(t.Context(), lane))
		got := <-saved
		require.Equal(t, model.OK, got.Code, got.Error)
	})
}

// wrongClock leads to a Redis, whose clock it has wrong by so much: TIME answers seconds and microseconds, both as text.
func wrongClock(t *testing.T, addr string, ahead time.Duration) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var serving sync.WaitGroup
	t.Cleanup(func() {
		_ = l.Close()
		serving.Wait()
	})
	answer := regexp.MustCompile(`^\*2\r\n\$10\r\n(\d{10})\r\n`)
	serve := func(client net.Conn) {
		defer client.Close()
		server, err := net.Dial("tcp", addr)
		if err != nil {
			return
		}
		serving.Go(func() {
			defer server.Close()
			_, _ = io.Copy(server, client) // until one of them has gone
		})
		b := make([]byte, 64<<10)
		for {
			n, err := server.Read(b)
			if err != nil {
				return
			}
			said := b[:n]
			if seconds := answer.FindSubmatchIndex(said); seconds != nil {
				at, _ := strconv.ParseInt(string(said[seconds[2]:seconds[3]]), 10, 64)
				copy(said[seconds[2]:], strconv.FormatInt(at+int64(ahead.Seconds()), 10))
			}
			if _, err := client.Write(said); err != nil {
				return
			}
		}
	}
	serving.Go(func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			serving.Go(func() { serve(client) })
		}
	})
	return l.Addr().String()
}

func TestCheckRedis(t *testing.T) {
	s := backend(t)
	r := redisd.Start(t, "--requirepass", "open sesame")
	c := on(r, s)
	c.Redis.Password = "open sesame"
	found := node.Check(t.Context(), c)
	require.False(t, found[0].Fault)
	require.Contains(t, found[0].Text, "redis.addr: Redis answers, version 7.")

	full := redisd.Start(t, "--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru")
	found = node.Check(t.Context(), on(full, s))
	require.Contains(t, found[1].Text, "set noeviction")

	for ahead, want := range map[time.Duration]string{time.Hour: "1h0m0s ahead of", -time.Hour: "1h0m0s behind"} {
		c := c
		c.Redis.Addr = []string{wrongClock(t, r.Addr, ahead)}
		found := node.Check(t.Context(), c)
		require.False(t, found[1].Fault)
		require.Equal(t, "redis.addr: the clock of Redis is "+want+" ours; let NTP set both", found[1].Text)
	}
	for _, f := range node.Check(t.Context(), c) {
		require.NotContains(t, f.Text, "clock", "the real one is right")
	}

	dead := redisd.Start(t)
	dead.Kill()
	ca := filepath.Join(t.TempDir(), "ca.pem")
	require.NoError(t, os.WriteFile(ca, []byte("none"), 0o600))
	for _, fault := range []struct {
		name string
		set  func(*node.Redis)
		want string
	}{
		{"another password", func(r *node.Redis) { r.Password = "x" }, "redis.addr: Redis wants another password"},
		{"nothing listens", func(r *node.Redis) { r.Addr = []string{dead.Addr} }, "redis.addr: nothing listens there"},
		{"no cluster", func(r *node.Redis) { r.Cluster = true }, "redis.addr: that is no cluster"},
		{"a file that is no certificate", func(r *node.Redis) { r.TLS, r.CAFile = true, ca }, "holds no certificate"},
		{"TLS where there is none", func(r *node.Redis) { r.TLS = true }, "redis.addr: "},
	} {
		t.Run(fault.name, func(t *testing.T) {
			c := c
			fault.set(&c.Redis)
			found := node.Check(t.Context(), c)
			require.True(t, found[0].Fault, found)
			require.Contains(t, found[0].Text, fault.want)
			require.NotContains(t, found[0].Text, "open sesame")
		})
	}
}
