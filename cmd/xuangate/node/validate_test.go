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

// shared sets a Redis, and something about it.
func shared(set func(*node.Redis)) func(*node.Config) {
	return func(c *node.Config) {
		c.SecretKey = "a secret key of 32 characters xx"
		c.Redis.Addr, c.Redis.Prefix, c.Redis.TokenGrace = []string{"10.0.0.6:6379"}, "xuangate", time.Minute
		set(&c.Redis)
	}
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
		{"a secret key one can guess", func(c *node.Config) { c.SecretKey = "secret" }, "secret_key: has 6 characters, want at least 32; openssl rand -hex 32 makes one"},
		{"no operator", func(c *node.Config) { c.Inner.Operator = "" }, "inner.operator: is empty; name an account of the chat server, such as admin"},
		{"an origin with a path", func(c *node.Config) { c.Origins = []string{"https://a.example/x"} }, `origins: "https://a.example/x" is no origin; write https://chat.example.com, without a path`},
		{"tokens that end at once", func(c *node.Config) { c.TokenTTL = time.Second }, "token_ttl: is 1s, want 1m to 87600h"},
		{"an endless drain", func(c *node.Config) { c.Drain = time.Hour }, "drain: is 1h, want 1s to 1m"},
		{"a mode of never", func(c *node.Config) { c.Legacy.Mode = "xyz" }, `legacy.mode: "xyz" is no mode; xxb, xxd, inline and v1 are`},
		{"a backend without a scheme", func(c *node.Config) { c.Legacy.XXB.URL = "10.0.0.5/xuanxuan.php" }, `legacy.xxb.url: "10.0.0.5/xuanxuan.php" is no address of the backend; write it as http://10.0.0.5/xuanxuan.php`},
		{"a backend key too short", func(c *node.Config) { c.Legacy.XXB.Key = "8888" }, "legacy.xxb.key: has 4 characters, want 32; it is the key in the backend's and xxd's configuration"},
		{"a call that would kick everybody out", func(c *node.Config) { c.Inner.Calls = []string{"chat/getlist", "chat/nosuch"} }, `inner.calls: "chat/nosuch" is no call of the chat server, upon which it kicks every client out; write it as chat/getlist`},
		{"a call that is never made for others", func(c *node.Config) { c.Inner.Calls = []string{"chat/serverStart"} }, "inner.calls: chat/serverstart is never called for others: it sets everybody offline"},
		{"an application without a name", func(c *node.Config) { c.Legacy.API = node.API{URL: "http://127.0.0.1/api.php", Token: "t"} }, "legacy.api.code: is missing; it is the code of the application registered in the back office"},
		{"an application without a token", func(c *node.Config) { c.Legacy.API = node.API{URL: "http://127.0.0.1/api.php", Code: "c"} }, "legacy.api.token: is missing; it is the token of the application registered in the back office"},
		{"an application and nobody to ask", func(c *node.Config) { c.Legacy.API = node.API{Code: "c", Token: "t"} }, "legacy.api.url: is missing; it is the address of api.php, such as http://10.0.0.5/api.php"},
		{"a time zone nobody knows", func(c *node.Config) { c.Legacy.Timezone = "Asia/Pudong" }, `legacy.timezone: "Asia/Pudong" is no time zone; write it as Asia/Shanghai`},
		{"another way for emoji", func(c *node.Config) { c.Legacy.Emoji = "png" }, `legacy.emoji: "png" is neither shortname nor raw`},
		{"longer messages than legacy keeps", func(c *node.Config) { c.Legacy.MaxContent = 65536 }, "legacy.max_content: is 65536, want 1 to 65535; the chat server cuts what is longer"},
		{"no time for a call", func(c *node.Config) { c.Legacy.Timeout = 0 }, "legacy.timeout: is 0s, want 100ms to 1m"},
		{"polls further apart than legacy looks back", func(c *node.Config) { c.Legacy.Poll = 61 * time.Second }, "legacy.poll: is 1m1s, want 1s to 1m"},
		{"no room for a file", func(c *node.Config) { c.Files.MaxSize = 0 }, "files.max_size: is 0, want 1 to 1099511627776"},
		{"a folder that leads elsewhere", func(c *node.Config) { c.Files.ServerName = "../x" }, `files.server_name: "../x" is no name of a backend; it is made of letters, digits, - and _`},
		{"a log of nothing", func(c *node.Config) { c.EventLog.Size = 0 }, "eventlog.size: is 0, want 100 to 10000000"},
		{"a log without memory", func(c *node.Config) { c.EventLog.Bytes = 1 }, "eventlog.bytes: is 1, want at least 1048576"},
		{"a log for ever", func(c *node.Config) { c.EventLog.Age = 1000 * time.Hour }, "eventlog.age: is 1000h, want 1m to 720h"},
		{"a Redis without a port", shared(func(r *node.Redis) { r.Addr = []string{"10.0.0.6"} }), `redis.addr: "10.0.0.6" is no address of a Redis; write HOST:PORT, such as 10.0.0.6:6379`},
		{"a database below none", shared(func(r *node.Redis) { r.DB = -1 }), "redis.db: is -1, want 0 or more"},
		{"a database of a cluster", shared(func(r *node.Redis) { r.Addr, r.DB = []string{"a:1", "b:1"}, 1 }), "redis.db: is 1; a cluster has database 0 only"},
		{"a cluster and sentinels", shared(func(r *node.Redis) { r.Cluster, r.MasterName = true, "m" }), "redis.cluster: is set beside redis.master_name; a Redis is either a cluster or watched over by sentinels"},
		{"a sentinels' password without them", shared(func(r *node.Redis) { r.SentinelPassword = "x" }), "redis.sentinel_password: is set without redis.master_name"},
		{"an authority without TLS", shared(func(r *node.Redis) { r.CAFile = "ca.pem" }), "redis.ca_file: is set without redis.tls"},
		{"an authority of Redis that is not there", shared(func(r *node.Redis) { r.TLS, r.CAFile = true, "/nowhere/ca.pem" }), "redis.ca_file: open /nowhere/ca.pem: no such file or directory"},
		{"a prefix with a hash tag of its own", shared(func(r *node.Redis) { r.Prefix = "{x}" }), `redis.prefix: "{x}" is none; write 1 to 64 characters without blanks and braces`},
		{"tokens that outlive Redis", shared(func(r *node.Redis) { r.TokenGrace = 2 * time.Hour }), "redis.token_grace: is 2h, want 0s to 1h"},
		{"nodes that do not share a key", func(c *node.Config) { c.Redis.Addr = []string{"10.0.0.6:6379"} }, "secret_key: is missing; nodes that share a Redis must have the same one, openssl rand -hex 32 makes it"},
		{"another log format", func(c *node.Config) { c.Log.Format = "xml" }, `log.format: "xml" is neither text nor json`},
	} {
		t.Run(fault.name, func(t *testing.T) {
			c := valid()
			fault.set(&c)
			require.EqualError(t, errors.Join(c.Validate()...), fault.want)
		})
	}
	t.Run("every fault of mode xxd at once", func(t *testing.T) {
		c := validXXD()
		c.Legacy.XXD = node.XXD{URL: "10.0.0.5", Insecure: true, CAFile: "ca.pem"}
		require.Len(t, c.Validate(), 5)
	})
	t.Run("a 1.0 server knows no applications", func(t *testing.T) {
		c := valid()
		c.Legacy.Mode, c.Legacy.V1.Addr = "v1", "10.0.0.5:8080"
		c.Legacy.API = node.API{URL: "http://10.0.0.5/api.php", Code: "c", Token: "t"}
		require.EqualError(t, errors.Join(c.Validate()...), "legacy.api: is for backends of version 2; a chat server of version 1.0 knows no applications")
	})
	t.Run("every fault of an empty Config at once", func(t *testing.T) {
		require.Len(t, node.Config{}.Validate(), 26)
	})
	t.Run("two free ports may look the same", func(t *testing.T) {
		c := valid()
		c.Addr, c.Inner.Addr = "127.0.0.1:0", "127.0.0.1:0"
		require.Empty(t, c.Validate())
	})
}

// validXXD is a Config for mode xxd that could be served.
func validXXD() node.Config {
	c := node.Default()
	c.Legacy.Mode = "xxd"
	c.Legacy.XXD.URL = "https://127.0.0.1:11443"
	return c
}

func TestValidateXXD(t *testing.T) {
	print := strings.Repeat("5e", 32)
	for name, trust := range map[string]func(*node.XXD){
		"a known authority":         func(*node.XXD) {},
		"a fingerprint":             func(x *node.XXD) { x.Fingerprint = print },
		"one as openssl prints it":  func(x *node.XXD) { x.Fingerprint = strings.Repeat("5E:", 31) + "5E" },
		"whatever certificate":      func(x *node.XXD) { x.Insecure = true },
		"no encryption, by its URL": func(x *node.XXD) { x.URL = "http://127.0.0.1:11443" },
	} {
		t.Run("the defaults, an address and "+name+" are enough", func(t *testing.T) {
			c := validXXD()
			trust(&c.Legacy.XXD)
			require.Empty(t, c.Validate())
		})
	}
	for _, fault := range []struct {
		name string
		set  func(*node.XXD)
		want string
	}{
		{"no address", func(x *node.XXD) { x.URL = "" }, "legacy.xxd.url: is missing; it is the address of the chat server, such as https://10.0.0.5:11443"},
		{"an address without a scheme", func(x *node.XXD) { x.URL = "10.0.0.5:11443" }, `legacy.xxd.url: "10.0.0.5:11443" is no address of the chat server; write it as https://10.0.0.5:11443`},
		{"the websocket's address", func(x *node.XXD) { x.URL = "wss://10.0.0.5:11444/ws" }, `legacy.xxd.url: "wss://10.0.0.5:11444/ws" is no address of the chat server; write it as https://10.0.0.5:11443`},
		{"two ways to trust it", func(x *node.XXD) { x.Fingerprint, x.Insecure = print, true }, "legacy.xxd: set one of ca_file, fingerprint and insecure"},
		{"a fingerprint of another kind", func(x *node.XXD) { x.Fingerprint = strings.Repeat("5e", 20) }, "legacy.xxd: fingerprint: want the SHA-256 of the certificate, 64 hex digits"},
		{"an authority's file that is not there", func(x *node.XXD) { x.CAFile = "/nowhere/ca.pem" }, "legacy.xxd: ca_file: open /nowhere/ca.pem: no such file or directory"},
		{"another device", func(x *node.XXD) { x.Device = "tablet" }, `legacy.xxd.device: "tablet" is neither desktop nor mobile`},
		{"another answer to a kickoff", func(x *node.XXD) { x.OnKickoff = "fight" }, `legacy.xxd.on_kickoff: "fight" is neither yield nor reclaim`},
		{"links that end at once", func(x *node.XXD) { x.LinkIdle = 0 }, "legacy.xxd.link_idle: is 0s, want 1m to 24h"},
	} {
		t.Run(fault.name, func(t *testing.T) {
			c := validXXD()
			fault.set(&c.Legacy.XXD)
			require.EqualError(t, errors.Join(c.Validate()...), fault.want)
		})
	}
	t.Run("what mode xxb wants is not asked for, nor the reverse", func(t *testing.T) {
		c := validXXD()
		c.Legacy.XXB = node.XXB{}
		require.Empty(t, c.Validate())
		c = valid()
		c.Legacy.XXD = node.XXD{}
		require.Empty(t, c.Validate())
	})
}

func TestValidateV1(t *testing.T) {
	valid := func() node.Config {
		c := node.Default()
		c.Legacy.Mode, c.Legacy.V1.Addr = "v1", "10.0.0.5:8080"
		return c
	}
	require.Empty(t, valid().Validate())
	for _, fault := range []struct {
		name string
		set  func(*node.V1)
		want string
	}{
		{"no address", func(v *node.V1) { v.Addr = "" }, "legacy.v1.addr: is missing; it is the address of the chat server, such as 10.0.0.5:8080"},
		{"an address without a port", func(v *node.V1) { v.Addr = "10.0.0.5" }, `legacy.v1.addr: "10.0.0.5" is no address of the chat server; write it as 10.0.0.5:8080`},
		{"one without a host", func(v *node.V1) { v.Addr = ":8080" }, `legacy.v1.addr: ":8080" is no address of the chat server; write it as 10.0.0.5:8080`},
		{"a URL", func(v *node.V1) { v.Addr = "http://10.0.0.5:8080" }, `legacy.v1.addr: "http://10.0.0.5:8080" is no address of the chat server; write it as 10.0.0.5:8080`},
		{"another answer to a kickoff", func(v *node.V1) { v.OnKickoff = "fight" }, `legacy.v1.on_kickoff: "fight" is neither yield nor reclaim`},
		{"links that end at once", func(v *node.V1) { v.LinkIdle = 0 }, "legacy.v1.link_idle: is 0s, want 1m to 24h"},
	} {
		t.Run(fault.name, func(t *testing.T) {
			c := valid()
			fault.set(&c.Legacy.V1)
			require.EqualError(t, errors.Join(c.Validate()...), fault.want)
		})
	}
}

func TestSecretsStaySecret(t *testing.T) {
	c := valid()
	c.Inner.Key = "an inner key of 32 characters xx"
	c.Inner.OperatorPassword = "the operator's password"
	c.SecretKey = "a secret key of 32 characters xx"
	c.Legacy.API.Token = "the application's token"
	c.Redis.Password, c.Redis.SentinelPassword = "the password of Redis", "the password of the sentinels"
	var log strings.Builder
	slog.New(slog.NewJSONHandler(&log, nil)).Info("settings", "inner", c.Inner, "key", c.Inner.Key, "password", c.Inner.OperatorPassword, "secret", c.SecretKey, "redis", c.Redis, "legacy", c.Legacy)
	for _, shown := range []string{log.String(), fmt.Sprint(c), fmt.Sprintf("%+v %#v", c, c)} {
		require.NotContains(t, shown, string(c.Inner.Key))
		require.NotContains(t, shown, string(c.Inner.OperatorPassword))
		require.NotContains(t, shown, string(c.SecretKey))
		require.NotContains(t, shown, string(c.Redis.Password))
		require.NotContains(t, shown, string(c.Redis.SentinelPassword))
		require.NotContains(t, shown, string(c.Legacy.API.Token))
		require.NotContains(t, shown, string(c.Legacy.XXB.Key))
	}
}
