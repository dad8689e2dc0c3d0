package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/xuangate/xuangate/gen/model"
	"github.com/xuangate/xuangate/test/xuanxuan"
)

// served is `xuangate serve` with a file that can be written anew.
type served struct {
	file, api, inner string
	backend          *xuanxuan.Server
	log              *lines
}

func startServe(t *testing.T, more string) *served {
	t.Helper()
	backend, err := xuanxuan.Start(t.Context(), xuanxuan.Options{}, "127.0.0.1:0")
	require.NoError(t, err)
	s := &served{file: filepath.Join(t.TempDir(), "xuangate.yaml"), backend: backend, log: newLines()}
	s.write(t, more)
	ctx, end := context.WithTimeout(t.Context(), 2*patience)
	ended := make(chan int, 1)
	go func() { ended <- run(ctx, []string{"serve", "--config", s.file}, noEnv, output{t.Output(), s.log}) }()
	t.Cleanup(func() {
		http.DefaultClient.CloseIdleConnections()
		end()
		require.Zero(t, <-ended, s.log.text())
		require.NoError(t, backend.Close())
	})
	at := regexp.MustCompile(` addr=(\S+) .* inner=(\S+)`).FindStringSubmatch(s.log.wait(t, "must be the only chat server"))
	require.NotNil(t, at, s.log.text())
	s.api, s.inner = "http://"+at[1], "http://"+at[2]
	return s
}

func (s *served) write(t *testing.T, more string) {
	t.Helper()
	text := fmt.Sprintf("addr: 127.0.0.1:0\nlegacy: {xxb: {url: %q, key: %q}}\n%s\n", s.backend.URL(), xuanxuan.DefaultKey, more)
	require.NoError(t, os.WriteFile(s.file, []byte(text), 0o600))
}

// hangup sends this process the signal, and waits until the log has a further line with what.
func (s *served) hangup(t *testing.T, what string) {
	t.Helper()
	before := strings.Count(s.log.text(), what)
	self, err := os.FindProcess(os.Getpid())
	require.NoError(t, err)
	require.NoError(t, self.Signal(syscall.SIGHUP))
	require.Eventually(t, func() bool { return strings.Count(s.log.text(), what) > before }, patience, time.Millisecond, s.log.text())
}

// ask makes a request and answers its code and header.
func (s *served) ask(t *testing.T, url string, in any, header http.Header) (code model.Code, data json.RawMessage, head http.Header) {
	t.Helper()
	body, err := json.Marshal(in)
	require.NoError(t, err)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, bytes.NewReader(body))
	require.NoError(t, err)
	req.Header = header.Clone()
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer res.Body.Close()
	var a struct {
		Code model.Code
		Data json.RawMessage
	}
	require.NoError(t, json.NewDecoder(res.Body).Decode(&a))
	return a.Code, a.Data, res.Header
}

func (s *served) signIn(t *testing.T, account string) string {
	t.Helper()
	code, data, _ := s.ask(t, s.api+"/login", model.LoginRequest{Account: account, Password: xuanxuan.DemoPassword}, http.Header{})
	require.Equal(t, model.OK, code)
	var in model.Login
	require.NoError(t, json.Unmarshal(data, &in))
	return in.Token
}

// open opens a stream and reads until it has begun. The answer is nil where it was refused.
func (s *served) open(t *testing.T, token string) *bufio.Scanner {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.api+"/notify?protoc=sse", nil)
	require.NoError(t, err)
	req.Header.Set("Authorization", "Bearer "+token)
	res, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	t.Cleanup(func() { _ = res.Body.Close() })
	if res.StatusCode != http.StatusOK {
		return nil
	}
	stream := bufio.NewScanner(res.Body)
	require.True(t, stream.Scan())
	return stream
}

func TestReload(t *testing.T) {
	const oldKey, newKey = "the-inner-key-of-before-32-chars", "the-inner-key-of-later-32-chars-"
	const taken, refused = `msg="settings reloaded"`, `msg="settings are not reloaded`
	folder := t.TempDir()
	secret := filepath.Join(folder, "inner")
	require.NoError(t, os.WriteFile(secret, []byte(oldKey+"\n"), 0o600))
	base := "inner: {addr: '127.0.0.1:0', key_file: " + secret + "}\n"
	s := startServe(t, base)
	inner := func(key string) model.Code {
		code, _, _ := s.ask(t, s.inner+"/inner/get_token", model.GetTokenRequest{Account: "carol"}, http.Header{"X-Inner-Key": {key}})
		return code
	}
	token := s.signIn(t, "bob")
	stream := s.open(t, token)
	require.NotNil(t, stream)
	require.Equal(t, model.OK, inner(oldKey))

	t.Run("a bad file is refused with all its faults, and what was stays", func(t *testing.T) {
		require.NoError(t, os.WriteFile(secret, []byte("short"), 0o600))
		s.write(t, base+"streams: {per_address: 0}\norigin: [x]\ntoken_ttl: soon\n")
		s.hangup(t, refused)
		for _, fault := range []string{"unknown key origin; did you mean origins?", "is no duration", "streams.per_address: is 0", "inner.key: has 5 characters"} {
			s.log.wait(t, fault)
		}
		require.NotContains(t, s.log.text(), taken)
		require.Equal(t, model.OK, inner(oldKey))
		require.NotNil(t, s.open(t, token), "the limit of before")
	})
	t.Run("a secret's file that is gone is named", func(t *testing.T) {
		require.NoError(t, os.Remove(secret))
		s.write(t, base)
		s.hangup(t, "inner.key_file: cannot be read: open "+secret)
		require.Equal(t, model.OK, inner(oldKey))
	})
	t.Run("keys, origins, limits and the log level hold from then on", func(t *testing.T) {
		require.NoError(t, os.WriteFile(secret, []byte(newKey+"\n"), 0o600))
		s.write(t, base+"streams: {per_address: 1}\norigins: ['https://chat.example.com']\nlog: {level: debug}\n")
		s.hangup(t, taken)
		require.Equal(t, model.NotAllowed, inner(oldKey))
		require.Equal(t, model.OK, inner(newKey))
		require.Nil(t, s.open(t, token), "one is open, and no more may be")
		_, _, head := s.ask(t, s.api+"/get_me", struct{}{}, http.Header{"Origin": {"https://chat.example.com"}})
		require.Equal(t, "https://chat.example.com", head.Get("Access-Control-Allow-Origin"))
		require.NotContains(t, s.log.text(), newKey)
		s.log.wait(t, `changed="[origins inner.key streams.per_address log.level]"`)
	})
	t.Run("who may call inner, and which proxies are believed", func(t *testing.T) {
		s.write(t, "inner: {addr: '127.0.0.1:0', key_file: "+secret+", allow: [192.0.2.0/24]}\n")
		s.hangup(t, taken)
		require.Equal(t, model.NotAllowed, inner(newKey))
		s.write(t, "trusted_proxies: [127.0.0.0/8]\ninner: {addr: '127.0.0.1:0', key_file: "+secret+", allow: [192.0.2.0/24]}\n")
		s.hangup(t, taken)
		code, _, _ := s.ask(t, s.inner+"/inner/get_token", model.GetTokenRequest{Account: "carol"}, http.Header{"X-Inner-Key": {newKey}, "X-Forwarded-For": {"192.0.2.7"}})
		require.Equal(t, model.OK, code)
	})
	t.Run("what needs a restart is named", func(t *testing.T) {
		s.write(t, base+"drain: 20s\nsecret_key: 0123456789abcdef0123456789abcdef\n")
		s.hangup(t, "take effect after a restart only")
		s.log.wait(t, `settings="[secret_key drain]"`)
		require.NotContains(t, s.log.text(), "0123456789abcdef")
	})
	t.Run("a stream stays open over all that", func(t *testing.T) {
		alice := http.Header{"Authorization": {"Bearer " + s.signIn(t, "alice")}}
		code, data, _ := s.ask(t, s.api+"/create_conversation", model.CreateConversationRequest{Name: "周报", Members: []string{"5"}}, alice)
		require.Equal(t, model.OK, code)
		var group model.ConversationRef
		require.NoError(t, json.Unmarshal(data, &group))
		code, _, _ = s.ask(t, s.api+"/send_msg", model.SendMsgRequest{ConversationId: group.ConversationId, Type: 1, Content: "大家好"}, alice)
		require.Equal(t, model.OK, code)
		for !strings.Contains(stream.Text(), "大家好") {
			require.True(t, stream.Scan(), "the stream ended: %v", stream.Err())
		}
	})
}
