package main

import (
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/xuangate/xuangate/cmd/xuangate/node"
)

// complete are the settings that have no default, as a file.
const complete = `legacy:
  xxb:
    url: http://10.0.0.5/xuanxuan.php
    key: 88888888888888888888888888888888
`

// settle reads the settings of `xuangate serve` from a file, the environment and flags, and checks them.
func settle(t *testing.T, file string, env map[string]string, flags ...string) (node.Config, error) {
	t.Helper()
	name := filepath.Join(t.TempDir(), "xuangate.yaml")
	require.NoError(t, os.WriteFile(name, []byte(file), 0o600))
	s := &settings{env: func(name string) (string, bool) { v, ok := env[name]; return v, ok }}
	var line commandLine
	_, err := parse(&line, append([]string{"serve", "--config", name}, flags...), s, output{io.Discard, io.Discard})
	require.NoError(t, err)
	err = s.check(line.Serve.Node)
	if err != nil { // the file's folder is another one each time
		err = &shortened{strings.ReplaceAll(err.Error(), name, "xuangate.yaml")}
	}
	return line.Serve.Node, err
}

type shortened struct{ text string }

func (s *shortened) Error() string { return s.text }

func TestPrecedence(t *testing.T) {
	file := complete + "addr: 127.0.0.1:1001\n"
	env := map[string]string{"XUANGATE_ADDR": "127.0.0.1:1002"}

	t.Run("a default where nothing is said", func(t *testing.T) {
		c, err := settle(t, complete, nil)
		require.NoError(t, err)
		require.Equal(t, "127.0.0.1:8080", c.Addr)
	})
	t.Run("the file over the default", func(t *testing.T) {
		c, err := settle(t, file, nil)
		require.NoError(t, err)
		require.Equal(t, "127.0.0.1:1001", c.Addr)
	})
	t.Run("the environment over the file", func(t *testing.T) {
		c, err := settle(t, file, env)
		require.NoError(t, err)
		require.Equal(t, "127.0.0.1:1002", c.Addr)
	})
	t.Run("a flag over the environment", func(t *testing.T) {
		c, err := settle(t, file, env, "--addr", "127.0.0.1:1003")
		require.NoError(t, err)
		require.Equal(t, "127.0.0.1:1003", c.Addr)
	})
	t.Run("a value that a better source hides is not looked at", func(t *testing.T) {
		_, err := settle(t, complete+"drain: soon\n", map[string]string{"XUANGATE_DRAIN": "later"}, "--drain", "2s")
		require.NoError(t, err)
	})
}

func TestEverySourceReadsTheSame(t *testing.T) {
	t.Run("lists, durations, numbers and switches", func(t *testing.T) {
		want := node.Default()
		want.Legacy.XXB = node.XXB{URL: "http://10.0.0.5/xuanxuan.php", Key: "88888888888888888888888888888888", OwnPresence: true}
		want.Inner.Allow = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("::1/128")}
		want.TokenTTL = time.Hour
		want.EventLog.Size = 1000

		fromFile, err := settle(t, complete+`    own_presence: true
inner: {allow: [10.0.0.0/8, "::1/128"]}
token_ttl: 1h
eventlog: {size: 1000}
`, nil)
		require.NoError(t, err)
		require.Equal(t, want, fromFile)

		fromEnv, err := settle(t, complete, map[string]string{
			"XUANGATE_LEGACY_XXB_OWN_PRESENCE": "true", "XUANGATE_INNER_ALLOW": "10.0.0.0/8,::1/128",
			"XUANGATE_TOKEN_TTL": "1h", "XUANGATE_EVENTLOG_SIZE": "1000",
		})
		require.NoError(t, err)
		require.Equal(t, want, fromEnv)

		fromFlags, err := settle(t, complete, nil, "--legacy.xxb.own-presence", "--inner.allow=10.0.0.0/8,::1/128", "--token-ttl=1h", "--eventlog.size=1000")
		require.NoError(t, err)
		require.Equal(t, want, fromFlags)
	})
	t.Run("an empty list is a list", func(t *testing.T) {
		fromFile, err := settle(t, complete+"inner: {allow: []}\n", nil)
		require.NoError(t, err)
		require.Empty(t, fromFile.Inner.Allow)

		fromEnv, err := settle(t, complete, map[string]string{"XUANGATE_INNER_ALLOW": ""})
		require.NoError(t, err)
		require.Empty(t, fromEnv.Inner.Allow)
	})
	t.Run("an empty file says nothing", func(t *testing.T) {
		_, err := settle(t, "# nothing yet\n", map[string]string{
			"XUANGATE_LEGACY_XXB_URL": "http://10.0.0.5/xuanxuan.php", "XUANGATE_LEGACY_XXB_KEY": strings.Repeat("8", 32),
		})
		require.NoError(t, err)
	})
	t.Run("a section without settings says nothing", func(t *testing.T) {
		_, err := settle(t, complete+"inner:\n", nil)
		require.NoError(t, err)
	})
}

func TestFaultsOfTheFile(t *testing.T) {
	for _, fault := range []struct{ name, file, want string }{
		{"a mistyped key names the right one", "adr: :80\n", "xuangate.yaml:5: unknown key adr; did you mean addr?"},
		{"a key in the wrong place names its place", "url: http://x/\n", "xuangate.yaml:5: unknown key url; did you mean legacy.xxb.url?"},
		{"a mistyped section names the right key", "eventlogs: {size: 5}\n", "xuangate.yaml:5: unknown key eventlogs.size; did you mean eventlog.size?"},
		{"dashes are for flags", "token-ttl: 1h\n", "xuangate.yaml:5: unknown key token-ttl; did you mean token_ttl?"},
		{"a value where a section stands", "inner: 127.0.0.1\n", "xuangate.yaml:5: inner holds settings of its own, such as inner.addr"},
		{"a key twice", "addr: :80\naddr: :81\n", "xuangate.yaml:6: addr stands here a second time"},
		{"a list of lists", "origins: [[a]]\n", "xuangate.yaml:5: origins wants plain values"},
		{"a duration without a unit", "drain: 5\n", `xuangate.yaml:5: drain: "5" is no duration such as 10s, 5m or 720h`},
		{"no number", "eventlog: {size: many}\n", `xuangate.yaml:5: eventlog.size: "many" is no whole number`},
		{"no switch", "legacy: {xxb: {own_presence: maybe}}\n", `xuangate.yaml:5: legacy.xxb.own_presence: "maybe" is no switch: true or false`},
		{"no level", "log: {level: loud}\n", `xuangate.yaml:5: log.level: "loud" is no level such as debug, info, warn or error`},
		{"no address range", "inner: {allow: localhost}\n", `xuangate.yaml:5: inner.allow: "localhost" is no list of address ranges such as 10.0.0.0/8`},
	} {
		t.Run(fault.name, func(t *testing.T) {
			_, err := settle(t, complete+fault.file, nil)
			require.EqualError(t, err, fault.want)
		})
	}
	t.Run("text instead of settings", func(t *testing.T) {
		_, err := settle(t, "hello", nil)
		require.ErrorContains(t, err, "xuangate.yaml:1: this is no list of settings")
	})
	t.Run("broken YAML says where", func(t *testing.T) {
		_, err := settle(t, "addr: [", nil)
		require.ErrorContains(t, err, "xuangate.yaml: yaml: line 1")
	})
	t.Run("all at once, from every source", func(t *testing.T) {
		_, err := settle(t, "adr: :80\ndrain: soon\nlegacy: {poll: 5m}\n", map[string]string{"XUANGATE_TOKEN_TTL": "long"})
		require.Error(t, err)
		require.Equal(t, []string{
			`xuangate.yaml:1: unknown key adr; did you mean addr?`,
			`XUANGATE_TOKEN_TTL: "long" is no duration such as 10s, 5m or 720h`,
			`xuangate.yaml:2: drain: "soon" is no duration such as 10s, 5m or 720h`,
			`legacy.xxb.url: is missing; it is the address of the backend, such as http://10.0.0.5/xuanxuan.php`,
			`legacy.xxb.key: is missing; it is the 32-character key in the backend's and xxd's configuration`,
			`legacy.poll: is 5m, want 1s to 1m`,
		}, strings.Split(err.Error(), "\n"))
	})
}

func TestKeysAreNeverShown(t *testing.T) {
	const key = "this-key-is-too-short"
	_, err := settle(t, "legacy: {xxb: {url: 'http://x/', key: "+key+"}}\ninner: {key: "+key+"}\n", nil)
	require.Error(t, err)
	require.NotContains(t, err.Error(), key)
}
