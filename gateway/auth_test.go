package gateway

import (
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/xuangate/xuangate/gen/model"
)

func TestToken(t *testing.T) {
	w := newWorld(t, nil)
	token := w.signIn(alice, 1)
	asked := func(r *http.Request) answer {
		a := w.ask(r)
		if a.status == http.StatusUnauthorized {
			require.Equal(t, "Bearer", a.header.Get("WWW-Authenticate"))
		}
		return a
	}

	t.Run("without one, or with what is none, 10101", func(t *testing.T) {
		for _, header := range []string{"", "Bearer", "Bearer ", "Basic YWxpY2U6MTIzNDU2", string(token), "Bearer xg_wrong", "Bearer " + string(token) + "x"} {
			r := w.request(http.MethodPost, "/get_joined_conversation", "", nil)
			if header != "" {
				r.Header.Set("Authorization", header)
			}
			a := asked(r)
			require.Equal(t, http.StatusUnauthorized, a.status, header)
			require.Equal(t, model.InvalidToken, a.code, header)
		}
	})

	t.Run("the scheme's name may be in any case", func(t *testing.T) {
		r := w.request(http.MethodPost, "/get_joined_conversation", "", nil)
		r.Header.Set("Authorization", "bearer "+string(token))
		require.Equal(t, model.OK, asked(r).code)
	})

	t.Run("in the query only /notify takes it", func(t *testing.T) {
		require.Equal(t, model.InvalidToken, asked(w.request(http.MethodPost, "/get_joined_conversation?token="+string(token), "", nil)).code)
		require.Equal(t, model.OK, asked(w.request(http.MethodGet, "/notify?protoc=poll&timeout=0&token="+string(token), "", nil)).code)
		require.Equal(t, model.InvalidToken, asked(w.request(http.MethodGet, "/notify?protoc=poll&timeout=0&token=x", "", nil)).code)
		require.Equal(t, model.InvalidToken, asked(w.request(http.MethodGet, "/notify?protoc=poll&timeout=0", "", nil)).code)
	})

	t.Run("an expired token looks like an unknown one", func(t *testing.T) {
		issued, err := w.logins.Create(t.Context(), alice, 9, time.Now().Add(-time.Second))
		require.NoError(t, err)
		expired := w.post("/get_joined_conversation", issued.Token, nil)
		unknown := w.post("/get_joined_conversation", "xg_unknown", nil)
		require.Equal(t, unknown.body, expired.body)
	})

	t.Run("signed in again on the same platform: 10103; other platforms stay", func(t *testing.T) {
		first, other := w.signIn(bob, 1), w.signIn(bob, 2)
		w.signIn(bob, 1)
		a := w.post("/get_joined_conversation", first, nil)
		require.Equal(t, http.StatusUnauthorized, a.status)
		require.Equal(t, model.SignedInElsewhere, a.code)
		require.Equal(t, model.OK, w.post("/get_joined_conversation", other, nil).code)
	})

	t.Run("a token is refused before the body is looked at", func(t *testing.T) {
		require.Equal(t, model.InvalidToken, w.post("/send_msg", "", `{"nonsense":`).code)
	})
}

func TestInner(t *testing.T) {
	const body = `{"session":"4"}`
	w := newWorld(t, func(c *Config) { c.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")} })
	refused := func(t *testing.T, a answer) {
		require.Equal(t, http.StatusForbidden, a.status)
		require.Equal(t, model.NotAllowed, a.code)
	}

	t.Run("with the key, from loopback", func(t *testing.T) {
		require.Equal(t, model.OK, w.post("/inner/get_token", "", body).code)
	})

	t.Run("without the key, or with another, 10003", func(t *testing.T) {
		for _, key := range []string{"", "x", innerKey + "x", innerKey[:len(innerKey)-1]} {
			r := w.request(http.MethodPost, "/inner/get_token", "", body)
			r.Header.Set("X-Inner-Key", key)
			refused(t, w.ask(r))
		}
	})

	t.Run("a user's token opens nothing inner", func(t *testing.T) {
		r := w.request(http.MethodPost, "/inner/get_token", w.signIn(alice, 1), body)
		r.Header.Del("X-Inner-Key")
		refused(t, w.ask(r))
	})

	t.Run("a forwarded request from an untrusted peer never passes", func(t *testing.T) {
		for _, name := range []string{"X-Forwarded-For", "Forwarded", "X-Real-IP"} {
			r := w.request(http.MethodPost, "/inner/get_token", "", body)
			r.Header.Set(name, "127.0.0.1")
			refused(t, w.ask(r))
		}
	})

	t.Run("a trusted proxy's word for its client counts", func(t *testing.T) {
		w := newWorld(t, func(c *Config) {
			c.TrustedProxies = loopback
			c.InnerAllow = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}
		})
		for client, code := range map[string]model.Code{"192.0.2.7": model.OK, "198.51.100.1, 192.0.2.7": model.OK, "192.0.2.7, 198.51.100.1": model.NotAllowed, "x": model.NotAllowed, "": model.NotAllowed} {
			r := w.request(http.MethodPost, "/inner/get_token", "", body)
			r.Header.Set("X-Forwarded-For", client)
			require.Equal(t, code, w.ask(r).code, client)
		}
	})

	t.Run("the public listener has no /inner", func(t *testing.T) {
		r := w.request(http.MethodPost, "/inner/get_token", "", body)
		r.URL.Host = strings.TrimPrefix(w.url, "http://")
		require.Equal(t, model.NotFound, w.ask(r).code)
	})

	t.Run("the inner listener has nothing else", func(t *testing.T) {
		r := w.request(http.MethodPost, "/login", "", body)
		r.URL.Host = strings.TrimPrefix(w.inner, "http://")
		require.Equal(t, model.NotFound, w.ask(r).code)
	})

	t.Run("no key configured: 10003, an empty key does not help", func(t *testing.T) {
		w := newWorld(t, func(c *Config) { c.InnerKey = "" })
		r := w.request(http.MethodPost, "/inner/get_token", "", body)
		r.Header.Set("X-Inner-Key", "")
		refused(t, w.ask(r))
	})

	t.Run("other addresses than those allowed, 10003", func(t *testing.T) {
		w := newWorld(t, func(c *Config) { c.InnerAllow = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")} })
		refused(t, w.post("/inner/get_token", "", body))
	})

	t.Run("shared, the public listener has it", func(t *testing.T) {
		w := newWorld(t, func(c *Config) { c.InnerShared = true })
		r := w.request(http.MethodPost, "/inner/get_token", "", body)
		r.URL.Host = strings.TrimPrefix(w.url, "http://")
		require.Equal(t, model.OK, w.ask(r).code)
	})

	t.Run("session or account, one of them, and a known one", func(t *testing.T) {
		require.Equal(t, model.OK, w.post("/inner/get_token", "", `{"account":"bob"}`).code)
		require.Equal(t, model.InvalidParameter, w.post("/inner/get_token", "", `{}`).code)
		require.Equal(t, model.InvalidParameter, w.post("/inner/get_token", "", `{"session":"4","account":"alice"}`).code)
		require.Equal(t, model.NotFound, w.post("/inner/get_token", "", `{"session":"99"}`).code)
		require.Equal(t, model.InvalidParameter, w.post("/inner/get_token", "", `{"session":"9223372036854775808"}`).code)
	})
}
