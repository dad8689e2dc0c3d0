package main

import (
	"bufio"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestServe(t *testing.T) {
	in, hold := io.Pipe()
	said, out := io.Pipe()
	ended := make(chan error, 1)
	go func() { ended <- run(t.Context(), in, out) }()
	line, err := bufio.NewReader(said).ReadString('\n')
	require.NoError(t, err)
	url := strings.TrimSuffix(strings.TrimPrefix(line, "stage "), "\n")

	post := func(path, body string) (int, string) {
		resp, err := http.Post(url+path, "application/json", strings.NewReader(body))
		require.NoError(t, err)
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		return resp.StatusCode, string(b)
	}
	status, world := post("/worlds", "{}")
	require.Equal(t, http.StatusOK, status, world)
	require.Regexp(t, `^\{"ID":"1","Url":"http://127.0.0.1:\d+","Account":"alice",.*"Position":"[0-9a-f-]+"\}\n$`, strings.Replace(world, `"Id"`, `"ID"`, 1))
	require.Contains(t, world, `"Id":"1"`)

	for body, want := range map[string]int{
		`{"say":["1"]}`: 200, `{"dance":{}}`: 400, `{}`: 400, `{"cut":{},"down":{}}`: 400, `[]`: 400, `{"say":7}`: 409,
		`{"asked":{"path":"/notify","times":1}}`: 409, `{"asked":{"path":"/notify","times":0}}`: 200,
	} {
		status, text := post("/worlds/1/do", body)
		require.Equal(t, want, status, "%s: %s", body, text)
	}
	status, _ = post("/worlds/2/do", `{"cut":{}}`)
	require.Equal(t, http.StatusNotFound, status)

	require.NoError(t, hold.Close(), "the runner has gone")
	require.NoError(t, <-ended)
	http.DefaultClient.CloseIdleConnections()
}
