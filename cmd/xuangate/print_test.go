package main

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/xuangate/xuangate/cmd/xuangate/node"
)

func TestPrintConfig(t *testing.T) {
	t.Run("the defaults read again are the defaults", func(t *testing.T) {
		code, out, errOut := command(t, "print-config")
		require.Zero(t, code, errOut)
		c, err := settle(t, out, nil)
		require.ErrorContains(t, err, "legacy.xxb.url: is missing", "which has no default")
		require.NotContains(t, err.Error(), "xuangate.yaml", "each line can be read")
		requireSame(t, node.Default(), c)
	})
	t.Run("what is set stands there, and reads the same again", func(t *testing.T) {
		flags := []string{
			"--legacy.xxb.url=http://10.0.0.5/xuanxuan.php?a=b#c", "--origins=https://a.example,https://b.example", "--inner.allow=10.0.0.0/8,::1/128",
			"--drain=15s", "--token-ttl=90m", "--log.level=debug", "--web.enabled", "--files.max-size=1000", "--legacy.api.code=yes: # no", "--inner.operator=007",
		}
		code, out, errOut := command(t, append([]string{"print-config"}, flags...)...)
		require.Zero(t, code, errOut)
		fromFile, _ := settle(t, out, nil)
		fromFlags, _ := settle(t, "", nil, flags...)
		requireSame(t, fromFlags, fromFile)
		require.Contains(t, out, "drain: 15s\n")
	})
	t.Run("secrets are not shown, and do not read as other ones", func(t *testing.T) {
		code, out, _ := command(t, "print-config", "--legacy.xxb.key=very-secret", "--redis.password=hidden-too", "--inner.key-file=/run/secrets/inner")
		require.Zero(t, code)
		require.NotContains(t, out, "very-secret")
		require.NotContains(t, out, "hidden-too")
		require.Contains(t, out, "    # key: [redacted]\n")
		require.Contains(t, out, "  key_file: /run/secrets/inner\n")
		c, _ := settle(t, out, nil)
		require.Empty(t, c.Legacy.XXB.Key)
		require.Empty(t, c.Redis.Password)
	})
	t.Run("a setting that cannot be read is no silent default", func(t *testing.T) {
		code, out, errOut := command(t, "print-config", "--config", "/nowhere/xuangate.yaml")
		require.Equal(t, 1, code)
		require.Empty(t, out)
		require.Contains(t, errOut, "/nowhere/xuangate.yaml")
	})
}

// requireSame compares settings; a list that is not there is an empty one.
func requireSame(t *testing.T, want, got node.Config) {
	t.Helper()
	for _, c := range []*node.Config{&want, &got} {
		for _, list := range []*[]string{&c.Origins, &c.Inner.Calls, &c.Legacy.Inline.Others, &c.Redis.Addr} {
			if len(*list) == 0 {
				*list = nil
			}
		}
		if len(c.TrustedProxies) == 0 {
			c.TrustedProxies = nil
		}
	}
	require.Equal(t, want, got)
}
