package contract

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestAnswersAreHeldAgainstTheDocument has a server answer what is not described, each of which must be noticed.
func TestAnswersAreHeldAgainstTheDocument(t *testing.T) {
	const message = `{"MsgId":"22222-333E-NVN2-9L4","ConversationID":"c","FromSession":"4","SendTime":1,"Status":0,"Type":1,"Content":"x"}`
	const position = "5e1d0c2b4a69f7e8-000000000000002a"
	for _, c := range []struct {
		name, ask   string
		status      int
		media, body string
		wrong       string // "" for none
	}{
		{"as described", "POST /star_conversation", 200, "application/json", `{"code":0,"data":{"ConversationId":"c"}}`, ""},
		{"a field too many", "POST /star_conversation", 200, "application/json", `{"code":0,"data":{"ConversationId":"c","More":1}}`, "More"},
		{"a field missing", "POST /send_msg", 200, "application/json", `{"code":0,"data":{}}`, "MsgID"},
		{"a field of another type", "POST /send_msg", 200, "application/json", `{"code":0,"data":{"MsgID":7}}`, "MsgID"},
		{"a field too many in what is put together of others", "POST /get_me", 200, "application/json", `{"code":0,"data":{"Upstream":"online","More":1}}`, "More"},
		{"a code that is none", "POST /send_msg", 400, "application/json", `{"code":7,"error":"x"}`, "code"},
		{"another content type", "POST /send_msg", 200, "text/html", `<html>`, "content type"},
		{"a file", "GET /files/x", 200, "application/pdf", `%PDF`, ""},
		{"part of a file that is not there", "GET /files/x", 404, "application/pdf", `%PDF`, "content type"},
		{"nothing of ours", "GET /favicon.ico", 404, "text/plain", `x`, ""},
		{"a poll", "GET /notify?protoc=poll", 200, "application/json", `{"code":0,"data":{"Msg":[],"Position":"` + position + `"}}`, ""},
		{"a poll whose event carries what is another kind's", "GET /notify", 200, "application/json", `{"code":0,"data":{"Events":[{"Event":"user","Position":"` + position + `","Data":` + message + `}],"Position":"` + position + `"}}`, "User"},
		{"a stream", "GET /notify", 200, "text/event-stream", "retry: 3\nid: " + position + "\n\nevent: message\ndata: " + message + "\n\n", ""},
		{"a stream with everything", "GET /notify?events=all", 200, "text/event-stream", "event: message\ndata: {\"Event\":\"message\",\"Position\":\"" + position + "\",\"Data\":" + message + "}\n\n", ""},
		{"a stream that is told more than it asked for", "GET /notify", 200, "text/event-stream", "event: message\ndata: {\"Event\":\"message\",\"Position\":\"" + position + "\",\"Data\":" + message + "}\n\n", "MsgData"},
		{"a stream with an unknown kind", "GET /notify?events=all", 200, "text/event-stream", "event: x\ndata: {\"Event\":\"x\",\"Position\":\"" + position + "\"}\n\n", "Event"},
		{"a stream with an unknown line", "GET /notify", 200, "text/event-stream", "color: red\n\n", "color"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", c.media)
				w.WriteHeader(c.status)
				_, _ = io.WriteString(w, c.body)
			}))
			defer s.Close()
			answers, err := newDocumented()
			require.NoError(t, err)
			defer answers.CloseIdleConnections()
			method, path, _ := strings.Cut(c.ask, " ")
			req, err := http.NewRequestWithContext(t.Context(), method, s.URL+path, nil)
			require.NoError(t, err)
			res, err := (&http.Client{Transport: answers}).Do(req)
			if err == nil {
				_, err = io.ReadAll(res.Body)
				_ = res.Body.Close()
			}
			if c.wrong == "" {
				require.NoError(t, err)
				require.Empty(t, answers.broken())
				return
			}
			require.ErrorContains(t, err, c.wrong)
			require.Len(t, answers.broken(), 1)
		})
	}
}
