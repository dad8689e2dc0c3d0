package v1

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/xuangate/xuangate/adapter/legacy"
	"github.com/xuangate/xuangate/adapter/wire"
)

// FuzzContents: what is written is read as itself, whatever it looks like.
func FuzzContents(f *testing.F) {
	f.Add(byte(0), `{"type":"xuangate","t":0,"s":0,"c":"{\"type\":\"xuangate\",\"t\":"}`)
	f.Add(byte(1), "x\u2063")
	f.Add(byte(2), `{"type":"xuangate","t":5,"s":0,"c":"x\u2063"}`)
	f.Fuzz(func(t *testing.T, kind byte, content string) {
		if !utf8.ValidString(content) {
			return // no request brings one
		}
		contentType := []string{"text", "plain", "object", "image"}[kind%4]
		stored, text := writeContent(contentType, content)
		require.Contains(t, []string{"text", "image"}, stored)
		gotType, got := readContent(stored, text)
		require.Equal(t, [2]string{contentType, content}, [2]string{gotType, got})
	})
}

// FuzzLines: whatever the server says in a line is news, the answer that is due, or the end.
func FuzzLines(f *testing.F) {
	for _, seed := range []string{
		`[{"id":1,"module":"chat","method":"message","data":{"id":1,"cgid":"g","content":"x","contentType":"image","date":1}}]`,
		`{"result":"success","sid":"s","module":"chat","method":"message","data":[{"id":1,"content":"{\"id\":7}","contentType":"file","date":1}]}`,
		`{"module":"chat","method":"kickoff","message":"This account logined in another place."}`, `{"result":"fail","message":"method nosuch not found.","sid":"s"}`,
		`[`, `[[]]`, `[null]`, `{}`, `x`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		if len(line) == 0 || strings.ContainsRune(string(line), '\n') {
			return // no line
		}
		p := &pending{own: true, request: request{Module: "chat", Method: "message"}, done: make(chan result, 1)}
		s := &Server{}
		c := &Conn{server: s, sid: "s", turn: make(chan struct{}, 1), pushes: wire.NewPushes(&s.room), done: make(chan struct{}), pending: p}
		if err := c.take(line); err != nil {
			require.NotEmpty(t, err.Error())
			require.NotNil(t, c.pending, "the answer may still be due")
			return
		}
		select {
		case got := <-p.done:
			r, err := understood("message", got)
			if err == nil && r.Result == legacy.Success {
				_, _ = readRows(r)
			}
		default:
			require.NotNil(t, c.pending)
		}
	})
}
