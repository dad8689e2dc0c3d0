package gateway

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/xuangate/xuangate/adapter/legacy"
	"github.com/xuangate/xuangate/gen/model"
)

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
