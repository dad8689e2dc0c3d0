package xuanxuan

import (
	"bytes"
	"encoding/json"
	"io"
	"mime/multipart"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// signIntoV1 connects and signs in, and returns with the connection the array behind the answer.
func signIntoV1(t testing.TB, d *V1, account string) (c *v1Client, pushes []reply) {
	t.Helper()
	c = dialV1(t, d)
	r := c.ask("login", account, md5Hex(DemoPassword), "online")
	require.Equal(t, "success", r.Result, r.raw)
	return c, c.pushes()
}

// call writes a request of module chat on the connection's session.
func (c *v1Client) call(method string, params ...any) {
	c.t.Helper()
	c.frame(map[string]any{"module": "chat", "method": method, "params": params, "sid": c.sid})
}

func (c *v1Client) frame(f map[string]any) {
	c.t.Helper()
	text, err := json.Marshal(f)
	require.NoError(c.t, err)
	c.write(string(text) + "\n")
}

// ask is call with its answer, from which the session is taken.
func (c *v1Client) ask(method string, params ...any) reply {
	c.t.Helper()
	c.call(method, params...)
	return c.answer()
}

func (c *v1Client) answer() reply {
	c.t.Helper()
	line := c.next()
	var r struct {
		reply
		SID string
	}
	require.NoError(c.t, json.Unmarshal([]byte(line), &r), line)
	r.raw = line
	if c.sid == "" {
		c.sid = r.SID
	}
	return r.reply
}

// pushes are those of the next line.
func (c *v1Client) pushes() (list []reply) {
	c.t.Helper()
	line := c.next()
	require.NoError(c.t, json.Unmarshal([]byte(line), &list), line)
	return list
}

func v1Message(cgid, gid, content string) map[string]any {
	return map[string]any{"gid": gid, "cgid": cgid, "type": "normal", "contentType": "text", "content": content, "date": "", "user": ""}
}

// newV1Chat runs a 1.0 server with alice and bob signed in and in the group "g".
func newV1Chat(t testing.TB) (d *V1, alice, bob *v1Client) { return newV1ChatWith(t, V1Options{}) }

func newV1ChatWith(t testing.TB, o V1Options) (d *V1, alice, bob *v1Client) {
	d = newV1(t, newBackend(t, Options{}), o)
	alice, _ = signIntoV1(t, d, "alice")
	bob, _ = signIntoV1(t, d, "bob")
	require.Equal(t, "login", alice.pushes()[0].Method)
	require.Equal(t, "success", alice.ask("create", "g", "Team", "group", []int{4, 5}, 0, false).Result)
	require.Equal(t, "create", bob.pushes()[0].Method)
	return d, alice, bob
}

func TestV1Lines(t *testing.T) {
	t.Run("half a line holds up everybody until the rest has come", func(t *testing.T) {
		d, alice, bob := newV1Chat(t)
		d.Stats() // the thread is free now, and nobody but alice will want it
		alice.write(`{"module":"chat",`)
		require.Eventually(t, func() bool {
			free := d.thread.TryLock()
			if free {
				d.thread.Unlock()
			}
			return !free
		}, patience, time.Millisecond)
		bob.call("ping")
		require.NoError(t, bob.conn.SetReadDeadline(time.Now().Add(50*time.Millisecond)))
		_, err := bob.lines.ReadByte()
		require.Error(t, err, "no answer comes")
		require.NoError(t, bob.conn.SetReadDeadline(time.Now().Add(patience)))
		alice.write(`"method":"ping","sid":"` + alice.sid + "\"}\n")
		require.Equal(t, "success", alice.answer().Result)
		require.Equal(t, "success", bob.answer().Result)
	})
	t.Run("one who leaves amid a line frees the others", func(t *testing.T) {
		_, alice, bob := newV1Chat(t)
		alice.write(`{"module"`)
		require.NoError(t, alice.conn.Close())
		require.Equal(t, "success", bob.ask("ping").Result)
	})
	t.Run("two lines in one piece are garbage, and repeat what was asked last, by anybody", func(t *testing.T) {
		_, alice, bob := newV1Chat(t)
		bob.ask("members", "g")
		line := `{"module":"chat","method":"ping","sid":"` + alice.sid + "\"}\n"
		alice.write(line + line)
		r := alice.answer()
		require.Equal(t, "members", r.Method)
		require.Equal(t, map[string]any{"gid": "", "members": []any{}}, r.object())
		require.NotContains(t, r.raw, alice.sid)
		require.Equal(t, "success", alice.ask("ping").Result, "one answer for the two")
	})
	t.Run("a long request arrives in pieces", func(t *testing.T) {
		_, alice, _ := newV1Chat(t)
		long := strings.Repeat("猫", 10000)
		r := alice.ask("message", []any{v1Message("g", "m", long)})
		require.Equal(t, long, r.rows()[0]["content"])
	})
}

func TestV1Sessions(t *testing.T) {
	d, alice, bob := newV1Chat(t)
	t.Run("a sid acts as its user, on any connection", func(t *testing.T) {
		other := dialV1(t, d)
		other.sid = alice.sid
		require.Len(t, other.ask("getList").rows(), 2)
		sid, err := d.Session(t.Context(), 5)
		require.NoError(t, err)
		other.sid = sid
		require.Equal(t, "success", other.ask("message", []any{v1Message("g", "by sid", "x")}).Result)
		require.Equal(t, "message", alice.pushes()[0].Method)
		other.sid = "unheard of"
		require.Len(t, other.ask("getList").rows(), 1, "nobody's")
		other.leave()
	})
	t.Run("who signs in twice on one connection kicks himself out", func(t *testing.T) {
		bob.call("login", "bob", md5Hex(DemoPassword), "online")
		require.Equal(t, "kickoff", bob.answer().Method)
		require.Equal(t, "success", bob.answer().Result)
		bob.conn.(*net.TCPConn).CloseWrite()
		_, _ = io.Copy(io.Discard, bob.lines)
		require.Equal(t, "login", alice.pushes()[0].Method)
		require.Eventually(t, func() bool { return d.Stats().Online == 1 }, patience, time.Millisecond)
	})
	t.Run("wrong passwords lock, with the same words", func(t *testing.T) {
		stranger := dialV1(t, d)
		for range 3 {
			require.Equal(t, "fail", stranger.ask("login", "carol", md5Hex("x"), "online").Result)
		}
		r := stranger.ask("login", "carol", md5Hex(DemoPassword), "online")
		require.Equal(t, "fail", r.Result)
		require.Equal(t, textLoginFailed.in("zh-cn"), r.Data)
	})
}

func TestV1Chats(t *testing.T) {
	t.Run("who has left is not let back in, and told success", func(t *testing.T) {
		_, alice, bob := newV1Chat(t)
		alice.ask("changePublic", "g", true)
		require.Equal(t, "changepublic", bob.pushes()[0].Method)
		require.Equal(t, "success", bob.ask("joinchat", "g", false).Result)
		require.Equal(t, "joinchat", alice.pushes()[0].Method)
		r := bob.ask("joinchat", "g", true)
		require.Equal(t, "success", r.Result)
		require.Equal(t, []any{4.0}, r.object()["chat"].(map[string]any)["members"])
	})
	t.Run("what is no group cannot be changed", func(t *testing.T) {
		d, alice, _ := newV1Chat(t)
		system, err := d.backend.SystemChat(t.Context())
		require.NoError(t, err)
		for _, gid := range []string{system, "nosuch"} {
			for method, param := range map[string]any{"changeName": "x", "changePublic": true, "setCommitters": "4", "joinchat": true, "addmember": []int{6}} {
				require.Equal(t, textNotGroup.in("zh-cn"), alice.ask(method, gid, param).Message, method)
			}
		}
	})
	t.Run("where a chat has admins they alone speak; committers count for nothing", func(t *testing.T) {
		d, alice, _ := newV1Chat(t)
		system, err := d.backend.SystemChat(t.Context())
		require.NoError(t, err)
		require.Equal(t, textNotAdmin.in("zh-cn"), alice.ask("setAdmin", system, []int{4}, true).Message)
		admin, _ := signIntoV1(t, d, "admin")
		require.Equal(t, "success", admin.ask("setAdmin", system, []int{1}, true).Result)
		alice.pushes()
		alice.pushes()
		r := alice.ask("message", []any{v1Message(system, "m1", "x")})
		require.Contains(t, r.raw, string(appendString(nil, textCannotChat.in("zh-cn"))))
		require.Equal(t, "success", alice.ask("setCommitters", "g", "5").Result)
		require.Equal(t, "success", alice.ask("message", []any{v1Message("g", "m2", "x")}).Result)
	})
}

func TestV1Messages(t *testing.T) {
	_, alice, bob := newV1Chat(t)
	t.Run("a field that the table does not have loses the message", func(t *testing.T) {
		for _, field := range []string{"order", "data", "nosuch"} {
			m := v1Message("g", "lost "+field, "x")
			m[field] = 0
			r := alice.ask("message", []any{m})
			require.Equal(t, "success", r.Result)
			require.Empty(t, r.rows())
		}
	})
	t.Run("a content type that it does not know becomes none", func(t *testing.T) {
		for _, kind := range []string{"plain", "object"} {
			m := v1Message("g", "kind "+kind, "x")
			m["contentType"] = kind
			require.Equal(t, []any{""}, alice.ask("message", []any{m}).column("contentType"))
			bob.pushes()
		}
	})
	t.Run("of several those that fit are stored, and the others named", func(t *testing.T) {
		r := alice.ask("message", []any{v1Message("nosuch", "a", "x"), v1Message("g", "b", "x")})
		require.Equal(t, "fail", r.Result)
		require.Equal(t, []any{"nosuch"}, r.column("gid"))
		require.Equal(t, "b", bob.pushes()[0].object()["gid"])
	})
	t.Run("a date in history is not looked at", func(t *testing.T) {
		r := alice.ask("history", "g", 100, 1, 0, false, time.Now().Add(time.Hour).Unix())
		require.Len(t, r.rows(), 3)
	})
}

func TestV1Settings(t *testing.T) {
	d, alice, _ := newV1Chat(t)
	require.Nil(t, alice.ask("settings", "alice", "").Data)
	alice.ask("settings", "alice", `{"a":"猫"}`)
	require.Equal(t, `{"a":"猫"}`, alice.ask("settings", "alice", "").Data)
	t.Run("what is no text kills the server", func(t *testing.T) {
		alice.call("settings", "alice", map[string]int{"a": 1})
		<-d.done
		require.ErrorIs(t, d.Err(), errFatal)
		again, err := d.Restart(t.Context())
		require.NoError(t, err)
		defer again.Close()
		signIntoV1(t, again, "alice")
	})
}

func TestV1Faults(t *testing.T) {
	t.Run("a slow request holds up everybody until the faults are over", func(t *testing.T) {
		d, alice, bob := newV1Chat(t)
		for _, slow := range []func(){
			func() { d.SetFaults(V1Fault{User: 4, Delay: time.Hour}) },
			func() { d.backend.SetFaults(Fault{Method: "members", Delay: time.Hour}) },
		} {
			slow()
			calls := d.backend.Calls()["chat/members"]
			alice.call("members", "g")
			require.Eventually(t, func() bool { return d.backend.Calls()["chat/members"] > calls }, patience, time.Millisecond)
			bob.call("ping")
			d.SetFaults()
			d.backend.SetFaults()
			require.Equal(t, "members", alice.answer().Method)
			require.Equal(t, "ping", bob.answer().Method)
		}
	})
	t.Run("one that is held up does not keep the server from closing", func(t *testing.T) {
		d, alice, _ := newV1Chat(t)
		d.SetFaults(V1Fault{Delay: time.Hour})
		alice.call("ping")
		require.NoError(t, d.Close())
	})
	t.Run("a connection can break over a request, carried out or not", func(t *testing.T) {
		d, alice, bob := newV1Chat(t)
		d.SetFaults(V1Fault{Method: "MESSAGE", Times: 1, Cut: true})
		alice.call("message", []any{v1Message("g", "lost", "x")})
		alice.ended()
		d.SetFaults(V1Fault{Cut: true, CarryOut: true})
		bob.call("message", []any{v1Message("g", "kept", "x")})
		bob.ended()
		d.SetFaults()
		_, pushes := signIntoV1(t, d, "alice")
		require.Len(t, pushes, 3)
		require.Equal(t, "kept", pushes[2].object()["gid"])
	})
	t.Run("an answer can be garbage, or half", func(t *testing.T) {
		d, alice, _ := newV1Chat(t)
		d.SetFaults(V1Fault{Garbage: []byte("<br/>"), Times: 1}, V1Fault{Half: true})
		alice.call("ping")
		require.Equal(t, "<br/>", alice.next())
		alice.call("ping")
		half, err := io.ReadAll(alice.lines)
		require.NoError(t, err)
		require.Equal(t, `{"result":"success"`, string(half[:19]))
	})
	t.Run("without its database it says so", func(t *testing.T) {
		d, alice, bob := newV1Chat(t)
		d.backend.SetFaults(Fault{Status: 500}, Fault{Drop: true})
		require.Equal(t, textNoDatabase, alice.ask("ping").Message)
		d.backend.SetFaults(Fault{Drop: true, CarryOut: true})
		require.Equal(t, textNoDatabase, alice.ask("message", []any{v1Message("g", "m", "x")}).Message)
		require.Equal(t, "message", bob.pushes()[0].Method)
	})
	t.Run("a connection can break, or all of them, and the server be started anew", func(t *testing.T) {
		d, alice, bob := newV1Chat(t)
		require.False(t, d.Drop(7))
		require.True(t, d.Drop(4))
		alice.ended()
		d.DropAll()
		bob.ended()
		again, err := d.Restart(t.Context())
		require.NoError(t, err)
		defer again.Close()
		require.Equal(t, d.Addr(), again.Addr())
		carol, _ := signIntoV1(t, again, "carol")
		require.Equal(t, V1Stats{Connections: 1, Online: 1, Accepted: 1, Logins: 1}, again.Stats())
		carol.leave()
	})
}

func TestV1Files(t *testing.T) {
	for kind, o := range map[string]V1Options{"GET": {}, "PATH_INFO": {PathInfo: true}} {
		t.Run(kind, func(t *testing.T) {
			d, alice, _ := newV1ChatWith(t, o)
			page := func(method, param, sid string) string {
				if o.PathInfo {
					return d.FilesURL() + "sys/attach-" + method + strings.TrimSuffix("-"+param, "-") + ".json?sid=" + sid
				}
				if param != "" {
					param = "&fileID=" + param
				}
				return d.FilesURL() + "sys/index.php?m=attach&f=" + method + param + "&type=json&sid=" + sid
			}
			client := http.Client{
				Transport:     &http.Transport{DisableKeepAlives: true},
				CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
			}
			read := func(res *http.Response, err error) (*http.Response, string) {
				require.NoError(t, err)
				defer res.Body.Close()
				text, err := io.ReadAll(res.Body)
				require.NoError(t, err)
				return res, string(text)
			}
			upload := func(gid, name, sid string, chunked bool) string {
				var form bytes.Buffer
				w := multipart.NewWriter(&form)
				part, err := w.CreateFormFile("files[]", name)
				require.NoError(t, err)
				_, _ = io.WriteString(part, "hello file")
				require.NoError(t, w.WriteField("gid", gid))
				require.NoError(t, w.Close())
				var body io.Reader = &form
				if chunked {
					body = io.MultiReader(body)
				}
				_, text := read(client.Post(page("upload", "", sid), w.FormDataContentType(), body))
				return text
			}
			_, text := read(client.Get(d.FilesURL() + "index.php?mode=getconfig"))
			require.Contains(t, text, `"requestType":"`+kind+`"`)
			require.Equal(t, `{"module":"attach","method":"upload","result":"success","data":[{"id":1,"title":"\u732b"}]}`, upload("g", "猫.txt", alice.sid, false))
			require.Contains(t, upload("nosuch", "b.php", "x", false), `[{"id":2,"title":"b.php"}]`, "anybody uploads, anywhere")
			require.Contains(t, upload("g", "c.txt", alice.sid, true), `"data":[]`)

			res, text := read(client.Get(page("download", "1", alice.sid)))
			require.Equal(t, "hello file", text)
			require.Equal(t, `attachment; filename="猫.txt"`, res.Header.Get("Content-Disposition"))
			require.EqualValues(t, 10, res.ContentLength)
			res, text = read(client.Get(page("download", "9", alice.sid)))
			require.Equal(t, "file not found!", text)
			require.Equal(t, http.StatusOK, res.StatusCode)
			res, _ = read(client.Get(page("download", "1", "x")))
			require.Equal(t, http.StatusFound, res.StatusCode)
			res, _ = read(client.Get(d.FilesURL() + "sys/other.php"))
			require.Equal(t, http.StatusNotFound, res.StatusCode)

			alice.frame(map[string]any{"module": "attach", "method": "getList", "params": []any{"g"}, "sid": alice.sid})
			require.Equal(t, []map[string]any{{"id": 1.0, "title": "猫.txt", "size": 10.0, "addedBy": "alice"}}, alice.answer().rows())
		})
	}
}
