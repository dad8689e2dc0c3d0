package xxd_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/xuangate/xuangate/adapter/xxd"
)

// TestHostileInfo: whatever is answered where an xxd tells of itself, who signs in gets an error that is a sentence.
func TestHostileInfo(t *testing.T) {
	token := strings.Repeat("7", 32)
	for name, body := range map[string]string{
		"nothing": "", "a page": "<html>", "null": "null", "a list": "[]", "no token": "{}", "a short token": `{"token":"x"}`,
		"a token of another type": `{"token":{"x":1},"chatPort":1}`, "half a JSON": `{"token":"` + token,
		"a port that is none":     `{"token":"` + token + `","chatPort":1e99}`,
		"a negative port":         `{"token":"` + token + `","chatPort":-1}`,
		"a port where nobody is":  `{"token":"` + token + `","chatPort":1}`,
		"brackets without end":    strings.Repeat("[", 5<<20),
		"more than it may be":     `{"token":"` + token + `","apiScheme":"` + strings.Repeat("x", 5<<20) + `"}`,
		"a websocket that is not": `{"token":"` + token + `"}`,
	} {
		t.Run(name, func(t *testing.T) {
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(body)) }))
			defer s.Close()
			server, err := xxd.New(xxd.Config{URL: s.URL})
			require.NoError(t, err)
			defer server.Close()
			_, _, err = server.Dial(t.Context(), "alice", md5)
			require.Error(t, err)
			require.Less(t, len(err.Error()), 500)
			require.NotContains(t, err.Error(), token)
		})
	}
}
