package gateway

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/xuangate/xuangate/adapter/legacy"
	"github.com/xuangate/xuangate/gateway/login"
	"github.com/xuangate/xuangate/gen/model"
)

func TestOperations(t *testing.T) {
	w := newWorld(t, nil)
	token := w.signIn(alice, 1)

	t.Run("sign in, act, sign out", func(t *testing.T) {
		a := w.post("/login", "", `{"account":"alice","password":"123456","platform":7}`)
		require.Equal(t, http.StatusOK, a.status)
		var in model.Login
		require.NoError(t, json.Unmarshal(a.data, &in))
		require.Equal(t, "4", in.Session)
		require.Equal(t, "alice", in.User.Account)
		require.Greater(t, in.ExpiresAt, time.Now().Add(29*24*time.Hour).UnixMicro())
		require.Equal(t, model.OK, w.post("/get_joined_conversation", login.Token(in.Token), nil).code)
		a = w.post("/logout", login.Token(in.Token), nil)
		require.Equal(t, "{\"code\":0}\n", a.body)
		require.Equal(t, model.InvalidToken, w.post("/get_joined_conversation", login.Token(in.Token), nil).code)
	})

	t.Run("legacy gets the password's MD5, whichever form the client sends", func(t *testing.T) {
		const digest = "e10adc3949ba59abbe56e057f20f883e"
		for _, body := range []string{`{"account":"alice","password":"123456"}`, `{"account":"alice","password_md5":"E10ADC3949BA59ABBE56E057F20F883E"}`} {
			require.Equal(t, model.OK, w.post("/login", "", body).code)
			w.legacy.mu.Lock()
			for _, c := range w.legacy.calls {
				if c.Method == "login" {
					require.Contains(t, fmt.Sprint(c.Params), digest)
				}
			}
			w.legacy.mu.Unlock()
		}
	})

	t.Run("every operation answers", func(t *testing.T) {
		w.say(token, "hello")
		for path, body := range map[string]string{
			"/check_joined_conversation":            `{"conversation_id":"team"}`,
			"/get_joined_conversation":              `{"SessionId":"4"}`,
			"/get_conversation_detail":              `{"conversation_id":"team"}`,
			"/get_lastone_msgid":                    `{"conversation_id":"team"}`,
			"/get_conversation_last_30_msg":         `{"conversation_id":"team","desc":true}`,
			"/get_conversation_lastone_msg":         `{"conversation_id":"team"}`,
			"/get_conversation_msg_by_range":        `{"conversation_id":"team","start_msg_id":"","end_msg_id":""}`,
			"/get_conversation_30msg_before_the_id": `{"conversation_id":"team","msg_id":"x"}`,
			"/get_conversation_30msg_after_the_id":  `{"conversation_id":"team","msg_id":"x"}`,
		} {
			a := w.post(path, token, body)
			if strings.Contains(body, "msg_id") {
				require.Equal(t, model.InvalidParameter, a.code, path)
				continue
			}
			require.Equal(t, model.OK, a.code, "%s: %s", path, a.text)
		}
	})

	t.Run("lists are lists, never null", func(t *testing.T) {
		a := w.post("/get_conversation_last_30_msg", token, `{"conversation_id":"team"}`)
		require.JSONEq(t, `{"Msg":[]}`, string(a.data))
	})

	t.Run("the document is served", func(t *testing.T) {
		resp, err := w.http.Get(w.url + "/openapi.json")
		require.NoError(t, err)
		defer resp.Body.Close()
		var document map[string]any
		require.NoError(t, json.NewDecoder(resp.Body).Decode(&document))
		require.Equal(t, "3.0.3", document["openapi"])
	})

	t.Run("another user's conversations are not listed", func(t *testing.T) {
		a := w.post("/get_joined_conversation", token, `{"SessionId":"5"}`)
		require.Equal(t, model.NotAllowed, a.code)
		require.Equal(t, "SessionId: only your own session, 4, or none", a.text)
	})
}

func TestToken(t *testing.T) {
	w := newWorld(t, nil)
	token := w.signIn(alice, 1)
	asked := func(r *http.Request) answer {
		a := w.ask(r)
		if a.status == http.StatusUnauthorized {
			require.Equal(t, "Bearer", a.header.Get("WWW-Authenticate"))
		}
		return a
	}

	t.Run("without one, or with what is none, 10101", func(t *testing.T) {
		for _, header := range []string{"", "Bearer", "Bearer ", "Basic YWxpY2U6MTIzNDU2", string(token), "Bearer xg_wrong", "Bearer " + string(token) + "x"} {
			r := w.request(http.MethodPost, "/get_joined_conversation", "", nil)
			if header != "" {
				r.Header.Set("Authorization", header)
			}
			a := asked(r)
			require.Equal(t, http.StatusUnauthorized, a.status, header)
			require.Equal(t, model.InvalidToken, a.code, header)
		}
	})

	t.Run("the scheme's name may be in any case", func(t *testing.T) {
		r := w.request(http.MethodPost, "/get_joined_conversation", "", nil)
		r.Header.Set("Authorization", "bearer "+string(token))
		require.Equal(t, model.OK, asked(r).code)
	})

	t.Run("in the query only /notify takes it", func(t *testing.T) {
		require.Equal(t, model.InvalidToken, asked(w.request(http.MethodPost, "/get_joined_conversation?token="+string(token), "", nil)).code)
		require.Equal(t, model.OK, asked(w.request(http.MethodGet, "/notify?protoc=poll&timeout=0&token="+string(token), "", nil)).code)
		require.Equal(t, model.InvalidToken, asked(w.request(http.MethodGet, "/notify?protoc=poll&timeout=0&token=x", "", nil)).code)
		require.Equal(t, model.InvalidToken, asked(w.request(http.MethodGet, "/notify?protoc=poll&timeout=0", "", nil)).code)
	})

	t.Run("an expired token looks like an unknown one", func(t *testing.T) {
		issued, err := w.logins.Create(t.Context(), alice, 9, time.Now().Add(-time.Second))
		require.NoError(t, err)
		expired := w.post("/get_joined_conversation", issued.Token, nil)
		unknown := w.post("/get_joined_conversation", "xg_unknown", nil)
		require.Equal(t, unknown.body, expired.body)
	})

	t.Run("signed in again on the same platform: 10103; other platforms stay", func(t *testing.T) {
		first, other := w.signIn(bob, 1), w.signIn(bob, 2)
		w.signIn(bob, 1)
		a := w.post("/get_joined_conversation", first, nil)
		require.Equal(t, http.StatusUnauthorized, a.status)
		require.Equal(t, model.SignedInElsewhere, a.code)
		require.Equal(t, model.OK, w.post("/get_joined_conversation", other, nil).code)
	})

	t.Run("a token is refused before the body is looked at", func(t *testing.T) {
		require.Equal(t, model.InvalidToken, w.post("/send_msg", "", `{"nonsense":`).code)
	})
}

func TestInner(t *testing.T) {
	const body = `{"session":"4"}`
	w := newWorld(t, func(c *Config) { c.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")} })
	refused := func(t *testing.T, a answer) {
		require.Equal(t, http.StatusForbidden, a.status)
		require.Equal(t, model.NotAllowed, a.code)
	}

	t.Run("with the key, from loopback", func(t *testing.T) {
		require.Equal(t, model.OK, w.post("/inner/get_token", "", body).code)
	})

	t.Run("without the key, or with another, 10003", func(t *testing.T) {
		for _, key := range []string{"", "x", innerKey + "x", innerKey[:len(innerKey)-1]} {
			r := w.request(http.MethodPost, "/inner/get_token", "", body)
			r.Header.Set("X-Inner-Key", key)
			refused(t, w.ask(r))
		}
	})

	t.Run("a user's token opens nothing inner", func(t *testing.T) {
		r := w.request(http.MethodPost, "/inner/get_token", w.signIn(alice, 1), body)
		r.Header.Del("X-Inner-Key")
		refused(t, w.ask(r))
	})

	t.Run("a forwarded request from an untrusted peer never passes", func(t *testing.T) {
		for _, name := range []string{"X-Forwarded-For", "Forwarded", "X-Real-IP"} {
			r := w.request(http.MethodPost, "/inner/get_token", "", body)
			r.Header.Set(name, "127.0.0.1")
			refused(t, w.ask(r))
		}
	})

	t.Run("a trusted proxy's word for its client counts", func(t *testing.T) {
		w := newWorld(t, func(c *Config) {
			c.TrustedProxies = loopback
			c.InnerAllow = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}
		})
		for client, code := range map[string]model.Code{"192.0.2.7": model.OK, "198.51.100.1, 192.0.2.7": model.OK, "192.0.2.7, 198.51.100.1": model.NotAllowed, "x": model.NotAllowed, "": model.NotAllowed} {
			r := w.request(http.MethodPost, "/inner/get_token", "", body)
			r.Header.Set("X-Forwarded-For", client)
			require.Equal(t, code, w.ask(r).code, client)
		}
	})

	t.Run("the public listener has no /inner", func(t *testing.T) {
		r := w.request(http.MethodPost, "/inner/get_token", "", body)
		r.URL.Host = strings.TrimPrefix(w.url, "http://")
		require.Equal(t, model.NotFound, w.ask(r).code)
	})

	t.Run("the inner listener has nothing else", func(t *testing.T) {
		r := w.request(http.MethodPost, "/login", "", body)
		r.URL.Host = strings.TrimPrefix(w.inner, "http://")
		require.Equal(t, model.NotFound, w.ask(r).code)
	})

	t.Run("no key configured: 10003, an empty key does not help", func(t *testing.T) {
		w := newWorld(t, func(c *Config) { c.InnerKey = "" })
		r := w.request(http.MethodPost, "/inner/get_token", "", body)
		r.Header.Set("X-Inner-Key", "")
		refused(t, w.ask(r))
	})

	t.Run("other addresses than those allowed, 10003", func(t *testing.T) {
		w := newWorld(t, func(c *Config) { c.InnerAllow = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")} })
		refused(t, w.post("/inner/get_token", "", body))
	})

	t.Run("shared, the public listener has it", func(t *testing.T) {
		w := newWorld(t, func(c *Config) { c.InnerShared = true })
		r := w.request(http.MethodPost, "/inner/get_token", "", body)
		r.URL.Host = strings.TrimPrefix(w.url, "http://")
		require.Equal(t, model.OK, w.ask(r).code)
	})

	t.Run("session or account, one of them, and a known one", func(t *testing.T) {
		require.Equal(t, model.OK, w.post("/inner/get_token", "", `{"account":"bob"}`).code)
		require.Equal(t, model.InvalidParameter, w.post("/inner/get_token", "", `{}`).code)
		require.Equal(t, model.InvalidParameter, w.post("/inner/get_token", "", `{"session":"4","account":"alice"}`).code)
		require.Equal(t, model.NotFound, w.post("/inner/get_token", "", `{"session":"99"}`).code)
		require.Equal(t, model.InvalidParameter, w.post("/inner/get_token", "", `{"session":"9223372036854775808"}`).code)
	})
}

func TestClientAddr(t *testing.T) {
	s := &Server{trustedProxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}}
	for _, c := range []struct{ rule, peer, forwarded, want string }{
		{"the socket's, without proxies", "192.0.2.1:5", "", "192.0.2.1"},
		{"an untrusted peer's word counts nothing", "192.0.2.1:5", "127.0.0.1", "192.0.2.1"},
		{"a trusted peer's word counts", "10.0.0.1:5", "192.0.2.7", "192.0.2.7"},
		{"the last untrusted hop counts, what stands before it is invented", "10.0.0.1:5", "127.0.0.1, 192.0.2.7, 10.0.0.2", "192.0.2.7"},
		{"through trusted hops only: the first of them", "10.0.0.1:5", "10.0.0.9, 10.0.0.2", "10.0.0.9"},
		{"garbage is no address", "10.0.0.1:5", "unknown", "invalid IP"},
		{"a port is passed over", "10.0.0.1:5", "192.0.2.7:99", "192.0.2.7"},
		{"IPv6 and mapped IPv4", "[::ffff:10.0.0.1]:5", "[2001:db8::1]:80", "2001:db8::1"},
		{"no word from a trusted peer", "10.0.0.1:5", "", "10.0.0.1"},
		{"a peer without an address", "@", "127.0.0.1", "invalid IP"},
	} {
		t.Run(c.rule, func(t *testing.T) {
			r := &http.Request{RemoteAddr: c.peer, Header: http.Header{}}
			if c.forwarded != "" {
				r.Header.Set("X-Forwarded-For", c.forwarded)
			}
			require.Equal(t, c.want, s.clientAddr(r).String())
		})
	}
}

func TestBadInput(t *testing.T) {
	w := newWorld(t, nil)
	token := w.signIn(alice, 1)
	send := func(body any) answer { return w.post("/send_msg", token, body) }

	for _, c := range []struct{ rule, body, text string }{
		{"a missing field", `{"content":"x"}`, "conversation_id: is missing"},
		{"a field of another type", `{"conversation_id":"team","content":5}`, "content: must be a string"},
		{"null is not left out", `{"conversation_id":"team","content":null}`, "content: must be a string"},
		{"a number that is no integer", `{"conversation_id":"team","content":"x","type":1.5}`, "type: must be an integer"},
		{"an unknown field", `{"conversation_id":"team","content":"x","password":"y"}`, `body: has an unknown field "password"`},
		{"a field in another case is an unknown one", `{"conversation_id":"team","content":"x","Content":"y"}`, `body: has an unknown field "Content"`},
		{"too long a field", `{"conversation_id":"team","content":"x","client_msg_id":"` + strings.Repeat("é", 129) + `"}`, "client_msg_id: longer than 128 characters"},
		{"an empty field", `{"conversation_id":"","content":"x"}`, "conversation_id: must not be empty"},
		{"no object", `[]`, "body: must be an object"},
		{"malformed", `{"conversation_id":"team",`, "body: not valid JSON at byte 26: unexpected end of JSON input"},
		{"a second value", `{"conversation_id":"team","content":"x"}{}`, "body: not valid JSON at byte 41: invalid character '{' after top-level value"},
		{"not UTF-8", "{\"conversation_id\":\"team\",\"content\":\"\xff\"}", "body: must be UTF-8"},
		{"half a surrogate pair", `{"conversation_id":"team","content":"\ud83d"}`, `body: has half of a surrogate pair (\ud800 to \udfff)`},
		{"its other half", `{"conversation_id":"team","content":"\ude00 \ud83d\ude00"}`, `body: has half of a surrogate pair (\ud800 to \udfff)`},
		{"nothing", ``, "body: must not be empty"},
	} {
		t.Run(c.rule, func(t *testing.T) {
			a := send(c.body)
			require.Equal(t, http.StatusBadRequest, a.status)
			require.Equal(t, model.InvalidParameter, a.code)
			require.Equal(t, c.text, a.text)
		})
	}

	t.Run("escapes that are characters pass", func(t *testing.T) {
		require.Equal(t, model.OK, send(`{"conversation_id":"team","content":"\\ud83d \u4e2d \\"}`).code)
	})

	t.Run("elsewhere", func(t *testing.T) {
		for body, text := range map[string]string{
			`{"conversation_type":0,"members":["4","x"]}`:                                 "members.1: must match ^[1-9][0-9]*$",
			`{"conversation_type":0,"members":["` + strings.Repeat(`4","`, 1000) + `5"]}`: "members: has more than 1000 items",
		} {
			require.Equal(t, text, w.post("/create_conversation", token, body).text)
		}
		require.Equal(t, "platform: must be at most 1000", w.post("/login", "", `{"account":"a","password":"x","platform":1001}`).text)
		require.Equal(t, "password: give either password or password_md5", w.post("/login", "", `{"account":"a"}`).text)
		for query, text := range map[string]string{
			"timeout=x":                        "timeout: must be an integer",
			"timeout=61":                       "timeout: must be at most 60",
			"timeout=-1":                       "timeout: must be at least 0",
			"protoc=tcp":                       "protoc: must be one of [ws sse poll]",
			"events=some":                      "events: must be one of [all]",
			"after=x":                          "after: not a position; give one that an event carried",
			"protoc=ws":                        "protoc: ws needs a WebSocket handshake",
			"after=" + strings.Repeat("x", 65): "after: longer than 64 characters",
		} {
			a := w.ask(w.request(http.MethodGet, "/notify?"+query, token, nil))
			require.Equal(t, model.InvalidParameter, a.code, query)
			require.Equal(t, text, a.text, query)
		}
	})

	t.Run("another content type, or none, is 415", func(t *testing.T) {
		for _, media := range []string{"", "text/plain", "application/x-www-form-urlencoded", "application/jsonx", ";"} {
			r := w.request(http.MethodPost, "/send_msg", token, `{"conversation_id":"team","content":"x"}`)
			r.Header.Set("Content-Type", media)
			a := w.ask(r)
			require.Equal(t, http.StatusUnsupportedMediaType, a.status, media)
			require.Equal(t, model.InvalidParameter, a.code, media)
		}
		r := w.request(http.MethodPost, "/send_msg", token, `{"conversation_id":"team","content":"x"}`)
		r.Header.Set("Content-Type", "Application/JSON; charset=utf-8")
		require.Equal(t, model.OK, w.ask(r).code)
	})

	t.Run("1 MiB passes, a byte more is 10008, with and without a length", func(t *testing.T) {
		const frame = len(`{"conversation_id":"nope","content":""}`)
		exact := `{"conversation_id":"nope","content":"` + strings.Repeat("x", maxBody-frame) + `"}`
		require.Len(t, exact, maxBody)
		require.Equal(t, model.NotFound, send(exact).code)
		for rule, body := range map[string]any{
			"length":        exact + " ",
			"chunked":       io.MultiReader(strings.NewReader(exact), strings.NewReader(" ")),
			"length, 5 MB":  strings.Repeat(" ", 5<<20),
			"chunked, 5 MB": io.LimitReader(blanks{}, 5<<20),
		} {
			a := send(body)
			require.Equal(t, http.StatusRequestEntityTooLarge, a.status, rule)
			require.Equal(t, model.TooLarge, a.code, rule)
		}
	})

	t.Run("a client that asks first need not send what is too large", func(t *testing.T) {
		conn, err := net.Dial("tcp", strings.TrimPrefix(w.url, "http://"))
		require.NoError(t, err)
		defer conn.Close()
		fmt.Fprintf(conn, "POST /send_msg HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: 5000000\r\nExpect: 100-continue\r\n\r\n", string(token))
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		require.NoError(t, err)
		defer resp.Body.Close()
		require.Equal(t, http.StatusRequestEntityTooLarge, resp.StatusCode)
	})

	t.Run("a body that does not arrive is not waited for longer than 30 seconds", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorldOn(t, nil, newPipes)
			conn, err := w.dial(t.Context(), "tcp", "public")
			require.NoError(t, err)
			defer conn.Close()
			start := time.Now()
			fmt.Fprintf(conn, "POST /login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{")
			resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
			require.NoError(t, err)
			defer resp.Body.Close()
			require.Equal(t, http.StatusBadRequest, resp.StatusCode)
			require.Equal(t, bodyTimeout, time.Since(start))
		})
	})

	t.Run("what is too large is waited for two seconds, not until it has come", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorldOn(t, nil, newPipes)
			conn, err := w.dial(t.Context(), "tcp", "public")
			require.NoError(t, err)
			defer conn.Close()
			start := time.Now()
			fmt.Fprintf(conn, "POST /login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 5000000\r\n\r\n{")
			resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
			require.NoError(t, err)
			defer resp.Body.Close()
			require.Equal(t, http.StatusRequestEntityTooLarge, resp.StatusCode)
			require.Equal(t, drainTimeout, time.Since(start))
		})
	})

	t.Run("a WebSocket handshake that is none is answered in the envelope", func(t *testing.T) {
		r := w.request(http.MethodGet, "/notify", token, nil)
		r.Header.Set("Connection", "Upgrade")
		r.Header.Set("Upgrade", "websocket")
		r.Header.Set("Sec-WebSocket-Version", "12")
		a := w.ask(r)
		require.Equal(t, model.InvalidParameter, a.code)
		require.Contains(t, a.text, "protoc: websocket: unsupported version")
		eventually(t, func() bool { return w.server.streams.count() == 0 })
	})

	t.Run("a body without end is cut off, with an answer", func(t *testing.T) {
		conn, err := net.Dial("tcp", strings.TrimPrefix(w.url, "http://"))
		require.NoError(t, err)
		defer conn.Close()
		fmt.Fprintf(conn, "POST /send_msg HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n", string(token))
		go func() {
			chunk := "10000\r\n" + strings.Repeat(" ", 0x10000) + "\r\n"
			for {
				if _, err := io.WriteString(conn, chunk); err != nil {
					return
				}
			}
		}()
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		require.NoError(t, err)
		defer resp.Body.Close()
		require.Equal(t, http.StatusRequestEntityTooLarge, resp.StatusCode)
		require.True(t, resp.Close)
	})

	t.Run("an unknown path is 404 in the envelope, another method 405", func(t *testing.T) {
		for _, path := range []string{"/", "/nope", "/send_msg/", "/inner/", "/notify/x"} {
			a := w.ask(w.request(http.MethodPost, path, token, nil))
			require.Equal(t, http.StatusNotFound, a.status, path)
			require.Equal(t, model.NotFound, a.code, path)
		}
		for method, path := range map[string]string{http.MethodGet: "/send_msg", http.MethodPost: "/notify", http.MethodDelete: "/login"} {
			a := w.ask(w.request(method, path, token, nil))
			require.Equal(t, http.StatusMethodNotAllowed, a.status, path)
			require.Equal(t, model.MethodNotAllowed, a.code, path)
			require.NotEmpty(t, a.header.Get("Allow"))
		}
	})

	t.Run("a panic is 10500 and tells nothing", func(t *testing.T) {
		w.legacy.answer("getlist", func(legacy.Call) (string, error) { panic("secret state") })
		defer w.legacy.answer("getlist", func(legacy.Call) (string, error) { return success("getlist", chatRows) })
		a := w.post("/get_joined_conversation", token, nil)
		require.Equal(t, http.StatusInternalServerError, a.status)
		require.Equal(t, model.Internal, a.code)
		require.NotContains(t, a.body, "secret")
		require.Contains(t, w.log.String(), "secret state")
	})
}

type blanks struct{}

func (blanks) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	return len(p), nil
}

func TestRequestID(t *testing.T) {
	w := newWorld(t, nil)
	id := func(given string) string {
		r := w.request(http.MethodGet, "/livez", "", nil)
		if given != "" {
			r.Header.Set("X-Request-Id", given)
		}
		return w.ask(r).header.Get("X-Request-Id")
	}
	t.Run("a harmless one is kept", func(t *testing.T) { require.Equal(t, "a.B-9_z", id("a.B-9_z")) })
	t.Run("without one each request gets its own", func(t *testing.T) { require.NotEqual(t, id(""), id("")) })
	t.Run("any other is replaced", func(t *testing.T) {
		for _, given := range []string{"a b", `a"b`, "é", strings.Repeat("x", 65)} {
			require.Regexp(t, `^[A-Z2-7]{26}$`, id(given))
		}
	})
}

func TestAccessLog(t *testing.T) {
	w := newWorld(t, nil)
	token := w.signIn(alice, 1)

	t.Run("one record per request, with all that is known", func(t *testing.T) {
		r := w.request(http.MethodPost, "/send_msg", token, `{"conversation_id":"team","content":"very private"}`)
		r.Header.Set("X-Request-Id", "here")
		w.ask(r)
		var rec map[string]any
		eventually(t, func() bool {
			for _, one := range w.log.requests(t) {
				if one["request"] == "here" {
					rec = one
				}
			}
			return rec != nil
		})
		require.Equal(t, "SendMsg", rec["operation"])
		require.Equal(t, "/send_msg", rec["path"])
		require.Equal(t, "POST", rec["method"])
		require.EqualValues(t, 200, rec["status"])
		require.EqualValues(t, 0, rec["code"])
		require.Equal(t, "4", rec["session"])
		require.Equal(t, "127.0.0.1", rec["client"])
		require.NotEmpty(t, rec["login"])
		require.Positive(t, rec["took"])
		require.Positive(t, rec["bytes"])
	})

	t.Run("a sign-in's record names who it was", func(t *testing.T) {
		first := w.log.requests(t)[0]
		require.Equal(t, "InnerGetToken", first["operation"])
		require.Equal(t, "4", first["session"])
	})

	t.Run("a stream's record is written when it ends, with what it carried", func(t *testing.T) {
		for p, status := range map[model.Protocol]float64{model.ProtocolSse: 200, model.ProtocolWs: 101} {
			l := w.open(t, p, token, w.here())
			w.tell("hello", alice)
			l.hears(t, "hello")
			l.close()
			eventually(t, func() bool {
				list := w.log.requests(t)
				last := list[len(list)-1]
				return last["operation"] == "Notify" && last["status"] == status && last["events"] == 1.0 &&
					last["bytes"].(float64) > 100 && last["session"] == "4"
			})
		}
	})

	t.Run("a refusal says why", func(t *testing.T) {
		w.post("/send_msg", token, `{"conversation_id":"nope","content":"very private"}`)
		eventually(t, func() bool {
			list := w.log.requests(t)
			last := list[len(list)-1]
			return last["code"] == float64(model.NotFound) && strings.Contains(fmt.Sprint(last["err"]), "no such conversation")
		})
	})

	t.Run("no token, key, password or text of a message is in it", func(t *testing.T) {
		w.post("/login", "", `{"account":"alice","password":"my-password"}`)
		w.ask(w.request(http.MethodGet, "/notify?protoc=poll&timeout=0&token="+string(token), "", nil))
		w.ask(w.request(http.MethodGet, "/notify?protoc=nope&token="+string(token), "", nil))
		w.ask(w.request(http.MethodPost, "/nope?token="+string(token), token, "x"))
		for _, secret := range []string{string(token), innerKey, "my-password", "very private", "e10adc39"} {
			require.NotContains(t, w.log.String(), secret)
		}
	})
}

func TestCORS(t *testing.T) {
	const ours = "https://chat.example.com"
	w := newWorld(t, func(c *Config) { c.Origins = []string{ours} })
	preflight := func(path, origin string) *http.Response {
		r := w.request(http.MethodOptions, path, "", nil)
		r.Header.Set("Origin", origin)
		r.Header.Set("Access-Control-Request-Method", "POST")
		resp, err := w.http.Do(r)
		require.NoError(t, err)
		_ = resp.Body.Close()
		return resp
	}

	t.Run("a configured origin may ask", func(t *testing.T) {
		resp := preflight("/send_msg", ours)
		require.Equal(t, http.StatusNoContent, resp.StatusCode)
		require.Equal(t, ours, resp.Header.Get("Access-Control-Allow-Origin"))
		for _, name := range []string{"Authorization", "Content-Type", "Last-Event-ID"} {
			require.Contains(t, resp.Header.Get("Access-Control-Allow-Headers"), name)
		}
	})

	t.Run("and read the answer, an error too", func(t *testing.T) {
		r := w.request(http.MethodPost, "/get_joined_conversation", "", nil)
		r.Header.Set("Origin", ours)
		a := w.ask(r)
		require.Equal(t, ours, a.header.Get("Access-Control-Allow-Origin"))
		require.Contains(t, a.header.Get("Access-Control-Expose-Headers"), "X-Request-Id")
		require.Equal(t, "Origin", a.header.Get("Vary"))
	})

	t.Run("any other may not", func(t *testing.T) {
		for _, origin := range []string{"https://evil.example.com", ours + ".evil.com", "http://chat.example.com", "null"} {
			resp := preflight("/send_msg", origin)
			require.Equal(t, http.StatusForbidden, resp.StatusCode)
			require.Empty(t, resp.Header.Get("Access-Control-Allow-Origin"))
		}
	})

	t.Run("no page may use /inner", func(t *testing.T) {
		require.Empty(t, preflight("/inner/get_token", ours).Header.Get("Access-Control-Allow-Origin"))
	})

	t.Run("by default none", func(t *testing.T) {
		w := newWorld(t, nil)
		r := w.request(http.MethodGet, "/livez", "", nil)
		r.Header.Set("Origin", ours)
		require.Empty(t, w.ask(r).header.Get("Access-Control-Allow-Origin"))
	})
}

func TestHealth(t *testing.T) {
	t.Run("degraded while legacy does not answer, and asked at most every two seconds", func(t *testing.T) {
		w := newWorld(t, nil)
		w.legacy.answer("ping", down)
		for range 20 {
			a := w.ask(w.request(http.MethodGet, "/readyz", "", nil))
			require.Equal(t, http.StatusOK, a.status)
			require.Contains(t, string(a.data), `"degraded"`)
		}
		require.LessOrEqual(t, w.legacy.count("ping", admin), 4)
		require.Contains(t, string(w.ask(w.request(http.MethodGet, "/livez", "", nil)).data), `"ok"`)
	})

	t.Run("not ready once draining", func(t *testing.T) {
		w := newWorld(t, nil)
		require.Contains(t, string(w.ask(w.request(http.MethodGet, "/readyz", "", nil)).data), `"ok"`)
		w.server.Drain(t.Context())
		a := w.ask(w.request(http.MethodGet, "/readyz", "", nil))
		require.Equal(t, http.StatusServiceUnavailable, a.status)
		require.Contains(t, string(a.data), `"draining"`)
		require.Contains(t, string(w.ask(w.request(http.MethodGet, "/livez", "", nil)).data), `"ok"`)
	})
}
