package gateway

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/common/expfmt"
	common "github.com/prometheus/common/model"
	"github.com/stretchr/testify/require"

	"github.com/xuangate/xuangate/adapter/legacy"
	"github.com/xuangate/xuangate/gateway/login"
	"github.com/xuangate/xuangate/gen/model"
)

// uncounted takes no count of limits that are hit.
func uncounted(string) {}

func TestLimits(t *testing.T) {
	t.Run("a bucket empties, fills again, and says when", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			hits := map[string]int{}
			l := NewLimits(LimitsConfig{Token: Rate{PerSecond: 0.5, Burst: 3}}, func(limit string) { hits[limit]++ })
			for range 3 {
				require.NoError(t, l.token("a"))
			}
			for range 5 {
				p := newProblem(l.token("a"))
				require.Equal(t, model.TooManyRequests, p.code)
				require.Equal(t, 2*time.Second, p.retryAfter, "being refused costs nothing")
			}
			require.NoError(t, l.token("b"), "others have their own")
			time.Sleep(2 * time.Second)
			require.NoError(t, l.token("a"))
			require.Error(t, l.token("a"))
			require.Equal(t, map[string]int{"token_rate": 6}, hits)
		})
	})
	t.Run("a /64 of IPv6 is one address, of IPv4 each is", func(t *testing.T) {
		l := NewLimits(LimitsConfig{Address: Rate{PerSecond: 0.001, Burst: 1}}, uncounted)
		for _, pass := range []struct {
			from string
			ok   bool
		}{
			{"2001:db8::1", true},
			{"2001:db8::2", false},
			{"2001:db8:0:1::1", true},
			{"192.0.2.1", true},
			{"192.0.2.2", true},
			{"::ffff:192.0.2.1", false},
		} {
			require.Equal(t, pass.ok, l.address(netip.MustParseAddr(pass.from)) == nil, pass.from)
		}
	})
	t.Run("limits change while they are in use; the same ones begin nothing anew", func(t *testing.T) {
		c := LimitsConfig{Token: Rate{PerSecond: 0.001, Burst: 1}}
		l := NewLimits(c, uncounted)
		require.NoError(t, l.token("a"))
		l.Set(c)
		require.Error(t, l.token("a"))
		l.Set(LimitsConfig{Token: Rate{PerSecond: 0.001, Burst: 2}})
		require.NoError(t, l.token("a"))
		l.Set(LimitsConfig{})
		for range 100 {
			require.NoError(t, l.token("a"))
		}
	})
	t.Run("buckets are bounded", func(t *testing.T) {
		l := NewLimits(LimitsConfig{Token: Rate{PerSecond: 0.001, Burst: 1}}, uncounted)
		for i := range maxBuckets + 1 {
			require.NoError(t, l.token(fmt.Sprint(i)))
		}
		require.Len(t, l.tokens.byKey, maxBuckets)
		require.NoError(t, l.token("0"), "the one used longest ago is forgotten")
		require.Error(t, l.token(fmt.Sprint(maxBuckets)))
	})
}

func TestLimitsOverHTTP(t *testing.T) {
	limited := func(t *testing.T, c LimitsConfig) *world {
		return newWorld(t, func(config *Config) {
			config.Limits = c
			config.TrustedProxies = loopback
			config.InnerAllow = []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")}
		})
	}
	refused := func(t *testing.T, a answer) {
		require.Equal(t, http.StatusTooManyRequests, a.status)
		require.Equal(t, model.TooManyRequests, a.code)
		require.Regexp(t, `^[1-9]\d*$`, a.header.Get("Retry-After"))
	}
	from := func(w *world, address, path string, token login.Token, body any) answer {
		r := w.request(http.MethodPost, path, token, body)
		r.Header.Set("X-Forwarded-For", address)
		return w.ask(r)
	}

	t.Run("by token, whichever address it comes from", func(t *testing.T) {
		w := limited(t, LimitsConfig{Token: Rate{PerSecond: 0.01, Burst: 2}})
		token := w.signIn(alice, 1)
		for i := range 2 {
			require.Equal(t, model.OK, from(w, fmt.Sprint("192.0.2.", i), "/get_joined_conversation", token, nil).code)
		}
		a := from(w, "192.0.2.9", "/get_joined_conversation", token, nil)
		refused(t, a)
		require.Contains(t, []string{"99", "100"}, a.header.Get("Retry-After"))
		require.Equal(t, model.OK, w.post("/get_joined_conversation", w.signIn(bob, 1), nil).code)
	})
	t.Run("by address, before a token is looked for; health is always told", func(t *testing.T) {
		w := limited(t, LimitsConfig{Address: Rate{PerSecond: 0.01, Burst: 2}})
		for range 2 {
			require.Equal(t, model.InvalidToken, from(w, "192.0.2.1", "/get_joined_conversation", "xg_none", nil).code)
		}
		refused(t, from(w, "192.0.2.1", "/get_joined_conversation", "xg_none", nil))
		refused(t, from(w, "192.0.2.1", "/nowhere", "", nil))
		require.Equal(t, model.InvalidToken, from(w, "192.0.2.2", "/get_joined_conversation", "xg_none", nil).code)
		for range 5 {
			r := w.request(http.MethodGet, "/livez", "", nil)
			r.Header.Set("X-Forwarded-For", "192.0.2.1")
			require.Equal(t, model.OK, w.ask(r).code)
		}
	})
	t.Run("sign-ins, by address and by account there", func(t *testing.T) {
		w := limited(t, LimitsConfig{SignIn: Rate{PerSecond: 0.01, Burst: 3}, Account: Rate{PerSecond: 0.01, Burst: 2}})
		body := func(account string) any { return map[string]any{"account": account, "password": "123456"} }
		for range 2 {
			require.Equal(t, model.OK, from(w, "192.0.2.1", "/login", "", body("alice")).code)
		}
		refused(t, from(w, "192.0.2.1", "/login", "", body("ALICE ")))
		require.Equal(t, model.OK, from(w, "192.0.2.2", "/login", "", body("alice")).code, "he gets in from elsewhere")
		refused(t, from(w, "192.0.2.1", "/login", "", body("bob")))
	})
	t.Run("each refusal is counted under its limit", func(t *testing.T) {
		w := limited(t, LimitsConfig{
			Token: Rate{PerSecond: 0.01, Burst: 1}, Address: Rate{PerSecond: 0.01, Burst: 4},
			SignIn: Rate{PerSecond: 0.01, Burst: 3}, Account: Rate{PerSecond: 0.01, Burst: 1},
		})
		token := w.signIn(alice, 1)
		for range 5 {
			from(w, "192.0.2.1", "/get_joined_conversation", token, nil) // one is answered, then the token has no more, then the address
		}
		for _, account := range []string{"alice", "alice", "alice", "bob"} { // one is answered, then the account has no more, then all sign-ins
			from(w, "192.0.2.2", "/login", "", map[string]any{"account": account, "password": "123456"})
		}
		require.Equal(t, map[string]float64{"token_rate": 3, "address_rate": 1, "account_rate": 2, "sign_in_rate": 1}, w.hits(t))
	})
	t.Run("so are wrong passwords that are kept from the chat server", func(t *testing.T) {
		w := newWorld(t, nil)
		w.legacy.answer("login", func(legacy.Call) (string, error) { return fail("login", "登录失败") })
		for range 5 {
			w.post("/login", "", map[string]any{"account": "alice", "password": "wrong"})
		}
		require.Equal(t, map[string]float64{"wrong_passwords": 3}, w.hits(t))
	})
}

// hits are the limits that were hit, as the metrics count them.
func (w *world) hits(t *testing.T) map[string]float64 {
	t.Helper()
	page := httptest.NewRecorder()
	w.server.metrics.Handler().ServeHTTP(page, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	parser := expfmt.NewTextParser(common.UTF8Validation)
	families, err := parser.TextToMetricFamilies(page.Body)
	require.NoError(t, err)
	hits := map[string]float64{}
	for _, m := range families["xuangate_limits_hit_total"].GetMetric() {
		hits[m.GetLabel()[0].GetValue()] = m.GetCounter().GetValue()
	}
	return hits
}

func TestGuardOutcomes(t *testing.T) {
	body := map[string]any{"account": "alice", "password": "123456"}
	t.Run("tries that the chat server did not count are given back", func(t *testing.T) {
		w := newWorld(t, nil)
		w.legacy.answer("login", down)
		for range 4 {
			require.Equal(t, model.Unreachable, w.post("/login", "", body).code)
		}
	})
	t.Run("a lock is told, and nothing is tried meanwhile", func(t *testing.T) {
		w := newWorld(t, nil)
		w.legacy.answer("login", func(legacy.Call) (string, error) { return fail("login", "账号已经被锁定") })
		require.Equal(t, model.AccountLocked, w.post("/login", "", body).code)
		a := w.post("/login", "", body)
		require.Equal(t, model.TooManyRequests, a.code)
		require.Equal(t, "600", a.header.Get("Retry-After"))
		require.Equal(t, 1, w.legacy.count("login", 0))
	})
}

func TestSecurityHeaders(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.Chat = true })
	for _, path := range []string{"/livez", "/nowhere", "/login", "/openapi.json", "/", "/docs/"} {
		res, err := w.http.Get(w.url + path)
		require.NoError(t, err)
		require.NoError(t, res.Body.Close())
		require.Equal(t, "nosniff", res.Header.Get("X-Content-Type-Options"), path)
		require.Equal(t, "DENY", res.Header.Get("X-Frame-Options"), path)
		require.Equal(t, "no-referrer", res.Header.Get("Referrer-Policy"), path)
		require.Contains(t, res.Header.Get("Content-Security-Policy"), "frame-ancestors 'none'", path)
		require.Empty(t, res.Header.Get("Strict-Transport-Security"), path)
	}
}

func TestAudit(t *testing.T) {
	w := newWorld(t, nil)
	require.Equal(t, model.OK, w.post("/login", "", `{"account":"alice","password":"very secret"}`).code)
	w.legacy.answer("login", func(legacy.Call) (string, error) { return fail("login", "登录失败") })
	require.Equal(t, model.WrongPassword, w.post("/login", "", `{"account":"bob","password":"not this"}`).code)
	token := w.signIn(carol, 2)
	w.signIn(carol, 2)
	last := w.signIn(carol, 3)
	require.Equal(t, model.OK, w.post("/logout", last, nil).code)
	r := w.request(http.MethodPost, "/inner/get_token", "", `{"session":"4"}`)
	r.Header.Set("X-Inner-Key", "wrong key")
	require.Equal(t, model.NotAllowed, w.ask(r).code)
	require.NoError(t, w.server.Kicked(t.Context(), alice))

	var got []string
	for line := range strings.Lines(w.log.String()) {
		var rec map[string]any
		require.NoError(t, json.Unmarshal([]byte(line), &rec))
		if rec["audit"] != true {
			continue
		}
		if rec["event"] != "kick" && !(rec["event"] == "token_ended" && rec["user"] == "4") {
			require.NotEmpty(t, rec["request"], line)
			require.Equal(t, "127.0.0.1", rec["client"], line)
		}
		one := fmt.Sprint(rec["event"])
		for _, name := range []string{"ok", "code", "account", "session", "user", "on", "why"} {
			if v, ok := rec[name]; ok {
				one += fmt.Sprintf(" %s=%v", name, v)
			}
		}
		got = append(got, one)
	}
	require.Equal(t, []string{
		"token_issued user=4 on=0",
		"sign_in ok=true code=0 account=alice user=4 on=0",
		"sign_in ok=false code=10104 account=bob why=wrong account or password; the chat server locks the account after three wrong tries",
		"token_issued user=6 on=2",
		"inner ok=true code=0 session=6 user=6 on=2",
		"token_issued user=6 on=2",
		"token_ended user=6 on=2 why=kickoff",
		"inner ok=true code=0 session=6 user=6 on=2",
		"token_issued user=6 on=3",
		"inner ok=true code=0 session=6 user=6 on=3",
		"token_ended user=6 on=3 why=revoked",
		"sign_out ok=true code=0 user=6 on=3",
		"inner ok=false code=10003 why=X-Inner-Key is missing or wrong",
		"kick session=4",
		"token_ended user=4 on=0 why=kickoff",
	}, got)
	for _, secret := range []string{"very secret", "not this", string(token), string(last), innerKey, "wrong key"} {
		require.NotContains(t, w.log.String(), secret)
	}
}
