package node_test

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/xuangate/xuangate/cmd/xuangate/node"
)

// valid is a Config that could be served.
func valid() node.Config {
	c := node.Default()
	c.Legacy.XXB = node.XXB{URL: "http://127.0.0.1/xuanxuan.php", Key: "88888888888888888888888888888888"}
	return c
}

func TestValidate(t *testing.T) {
	t.Run("the defaults and a backend are enough", func(t *testing.T) {
		require.Empty(t, valid().Validate())
	})
	for _, fault := range []struct {
		name string
		set  func(*node.Config)
		want string
	}{
		{"addr without a port", func(c *node.Config) { c.Addr = "localhost" }, `addr: "localhost" is no address to listen on; write HOST:PORT, such as 127.0.0.1:8080 or :8080`},
		{"addr with a port too high", func(c *node.Config) { c.Addr = ":65536" }, `addr: ":65536" is no address to listen on; write HOST:PORT, such as 127.0.0.1:8080 or :8080`},
		{"inner.addr is addr", func(c *node.Config) { c.Inner.Addr = c.Addr }, "inner.addr: is the same as addr; give /inner a port of its own"},
		{"an inner key one can guess", func(c *node.Config) { c.Inner.Key = "secret" }, "inner.key: has 6 characters, want at least 32; openssl rand -hex 32 makes one"},
		{"no operator", func(c *node.Config) { c.Inner.Operator = "" }, "inner.operator: is empty; name an account of the chat server, such as admin"},
		{"an origin with a path", func(c *node.Config) { c.Origins = []string{"https://a.example/x"} }, `origins: "https://a.example/x" is no origin; write https://chat.example.com, without a path`},
		{"tokens that end at once", func(c *node.Config) { c.TokenTTL = time.Second }, "token_ttl: is 1s, want 1m to 87600h"},
		{"an endless drain", func(c *node.Config) { c.Drain = time.Hour }, "drain: is 1h, want 1s to 1m"},
		{"a mode of later", func(c *node.Config) { c.Legacy.Mode = "xxd" }, "legacy.mode: xxd is not in this version; xxb is"},
		{"a mode of never", func(c *node.Config) { c.Legacy.Mode = "xyz" }, `legacy.mode: "xyz" is no mode; xxb is`},
		{"a backend without a scheme", func(c *node.Config) { c.Legacy.XXB.URL = "10.0.0.5/xuanxuan.php" }, `legacy.xxb.url: "10.0.0.5/xuanxuan.php" is no address of a backend; write http://HOST/xuanxuan.php`},
		{"a backend key too short", func(c *node.Config) { c.Legacy.XXB.Key = "8888" }, "legacy.xxb.key: has 4 characters, want 32; it is the key in the backend's and xxd's configuration"},
		{"a time zone nobody knows", func(c *node.Config) { c.Legacy.Timezone = "Asia/Pudong" }, `legacy.timezone: "Asia/Pudong" is no time zone; write it as Asia/Shanghai`},
		{"another way for emoji", func(c *node.Config) { c.Legacy.Emoji = "png" }, `legacy.emoji: "png" is neither shortname nor raw`},
		{"longer messages than legacy keeps", func(c *node.Config) { c.Legacy.MaxContent = 65536 }, "legacy.max_content: is 65536, want 1 to 65535; the chat server cuts what is longer"},
		{"no time for a call", func(c *node.Config) { c.Legacy.Timeout = 0 }, "legacy.timeout: is 0s, want 100ms to 1m"},
		{"polls further apart than legacy looks back", func(c *node.Config) { c.Legacy.Poll = 61 * time.Second }, "legacy.poll: is 1m1s, want 1s to 1m"},
		{"a log of nothing", func(c *node.Config) { c.EventLog.Size = 0 }, "eventlog.size: is 0, want 100 to 10000000"},
		{"a log without memory", func(c *node.Config) { c.EventLog.Bytes = 1 }, "eventlog.bytes: is 1, want at least 1048576"},
		{"another log format", func(c *node.Config) { c.Log.Format = "xml" }, `log.format: "xml" is neither text nor json`},
	} {
		t.Run(fault.name, func(t *testing.T) {
			c := valid()
			fault.set(&c)
			require.EqualError(t, errors.Join(c.Validate()...), fault.want)
		})
	}
	t.Run("every fault of an empty Config at once", func(t *testing.T) {
		require.Len(t, node.Config{}.Validate(), 13)
	})
	t.Run("two free ports may look the same", func(t *testing.T) {
		c := valid()
		c.Addr, c.Inner.Addr = "127.0.0.1:0", "127.0.0.1:0"
		require.Empty(t, c.Validate())
	})
}

func TestSecretsStaySecret(t *testing.T) {
	c := valid()
	c.Inner.Key = "an inner key of 32 characters xx"
	var log strings.Builder
	slog.New(slog.NewJSONHandler(&log, nil)).Info("settings", "inner", c.Inner, "key", c.Inner.Key, "legacy", c.Legacy)
	for _, shown := range []string{log.String(), fmt.Sprint(c), fmt.Sprintf("%+v %#v", c, c)} {
		require.NotContains(t, shown, string(c.Inner.Key))
		require.NotContains(t, shown, string(c.Legacy.XXB.Key))
	}
}
