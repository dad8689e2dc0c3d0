package xuanxuan

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"
)

// BenchmarkMessage is a message to a group of four, two of them offline, without HTTP's own cost.
func BenchmarkMessage(b *testing.B) {
	s := newBackend(b, Options{})
	login(b, s, "alice", "bob")
	call(b, s, 4, "create", "g", "G", "group", []any{4, 5, 6, 7}, 0, false)
	n := 0
	for b.Loop() {
		n++
		frame := fmt.Sprintf(`{"module":"chat","method":"message","userID":4,"v":"2.3.0","lang":"zh-cn","params":[[{"gid":"m%d","cgid":"g",`+
			`"type":"normal","contentType":"text","content":"hello","date":"","user":4,"order":%d}]]}`, n, n)
		require.Equal(b, http.StatusOK, post(s, frame).Code)
	}
}

// BenchmarkHistory is a page of 30 in the middle of 10,000 messages.
func BenchmarkHistory(b *testing.B) {
	s := newBackend(b, Options{})
	call(b, s, 4, "create", "g", "G", "group", []any{4, 5}, 0, false)
	require.NoError(b, s.InsertMessages(b.Context(), "g", 10000, func(int) Message { return Message{User: 4, Content: "hello"} }))
	frame := `{"module":"chat","method":"history","userID":4,"v":"2.3.0","lang":"zh-cn","params":["g",30,160,0,true,0]}`
	for b.Loop() {
		require.Equal(b, http.StatusOK, post(s, frame).Code)
	}
}

// BenchmarkInsertMessages is 10,000 rows.
func BenchmarkInsertMessages(b *testing.B) {
	s := newBackend(b, Options{})
	for b.Loop() {
		require.NoError(b, s.InsertMessages(b.Context(), "g", 10000, func(int) Message { return Message{User: 4, Content: "hello"} }))
	}
}

func post(s *Backend, frame string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	s.ServeHTTP(w, httptest.NewRequest(http.MethodPost, Path, bytes.NewReader(s.key.Seal([]byte(frame)))))
	return w
}
