package gateway

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/xuangate/xuangate/gen/model"
)

func TestRequestID(t *testing.T) {
	w := newWorld(t, nil)
	id := func(given string) string {
		r := w.request(http.MethodGet, "/livez", "", nil)
		if given != "" {
			r.Header.Set("X-Request-Id", given)
		}
		return w.ask(r).header.Get("X-Request-Id")
	}
	t.Run("a harmless one is kept", func(t *testing.T) { require.Equal(t, "a.B-9_z", id("a.B-9_z")) })
	t.Run("without one each request gets its own", func(t *testing.T) { require.NotEqual(t, id(""), id("")) })
	t.Run("any other is replaced", func(t *testing.T) {
		for _, given := range []string{"a b", `a"b`, "é", strings.Repeat("x", 65)} {
			require.Regexp(t, `^[A-Z2-7]{26}$`, id(given))
		}
	})
}

func TestAccessLog(t *testing.T) {
	w := newWorld(t, nil)
	token := w.signIn(alice, 1)

	t.Run("one record per request, with all that is known", func(t *testing.T) {
		r := w.request(http.MethodPost, "/send_msg", token, `{"conversation_id":"team","content":"very private"}`)
		r.Header.Set("X-Request-Id", "here")
		w.ask(r)
		var rec map[string]any
		eventually(t, func() bool {
			for _, one := range w.log.requests(t) {
				if one["request"] == "here" {
					rec = one
				}
			}
			return rec != nil
		})
		require.Equal(t, "SendMsg", rec["operation"])
		require.Equal(t, "/send_msg", rec["path"])
		require.Equal(t, "POST", rec["method"])
		require.EqualValues(t, 200, rec["status"])
		require.EqualValues(t, 0, rec["code"])
		require.Equal(t, "4", rec["session"])
		require.Equal(t, "127.0.0.1", rec["client"])
		require.NotEmpty(t, rec["login"])
		require.Positive(t, rec["took"])
		require.Positive(t, rec["bytes"])
	})

	t.Run("a sign-in's record names who it was", func(t *testing.T) {
		first := w.log.requests(t)[0]
		require.Equal(t, "InnerGetToken", first["operation"])
		require.Equal(t, "4", first["session"])
	})

	t.Run("a stream's record is written when it ends, with what it carried", func(t *testing.T) {
		for p, status := range map[model.Protocol]float64{model.ProtocolSse: 200, model.ProtocolWs: 101} {
			l := w.open(t, p, token, w.here())
			w.tell("hello", alice)
			l.hears(t, "hello")
			l.close()
			eventually(t, func() bool {
				list := w.log.requests(t)
				last := list[len(list)-1]
				return last["operation"] == "Notify" && last["status"] == status && last["events"] == 1.0 &&
					last["bytes"].(float64) > 100 && last["session"] == "4"
			})
		}
	})

	t.Run("a refusal says why", func(t *testing.T) {
		w.post("/send_msg", token, `{"conversation_id":"nope","content":"very private"}`)
		eventually(t, func() bool {
			list := w.log.requests(t)
			last := list[len(list)-1]
			return last["code"] == float64(model.NotFound) && strings.Contains(fmt.Sprint(last["err"]), "no such conversation")
		})
	})

	t.Run("no token, key, password or text of a message is in it", func(t *testing.T) {
		w.post("/login", "", `{"account":"alice","password":"my-password"}`)
		w.ask(w.request(http.MethodGet, "/notify?protoc=poll&timeout=0&token="+string(token), "", nil))
		w.ask(w.request(http.MethodGet, "/notify?protoc=nope&token="+string(token), "", nil))
		w.ask(w.request(http.MethodPost, "/nope?token="+string(token), token, "x"))
		for _, secret := range []string{string(token), innerKey, "my-password", "very private", "e10adc39"} {
			require.NotContains(t, w.log.String(), secret)
		}
	})
}
