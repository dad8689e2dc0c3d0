package gateway

import (
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/require"

	"github.com/xuangate/xuangate/gateway/login"
	"github.com/xuangate/xuangate/gen/model"
)

// ticket asks for a ticket as the login of a token.
func (w *world) ticket(token login.Token) string {
	w.t.Helper()
	a := w.post("/notify_ticket", token, nil)
	require.Equal(w.t, model.OK, a.code, a.text)
	var ticket model.NotifyTicket
	require.NoError(w.t, json.Unmarshal(a.data, &ticket))
	return ticket.Ticket
}

// redeem opens a poll with a ticket.
func (w *world) redeem(ticket string) answer {
	w.t.Helper()
	return w.ask(w.request(http.MethodGet, "/notify?protoc=poll&timeout=0&ticket="+ticket, "", nil))
}

func TestTickets(t *testing.T) {
	onEachTransport(t, "a ticket opens one stream, which ends with the login and not with the ticket", func(t *testing.T, p model.Protocol) {
		w := newWorld(t, nil)
		token := w.signIn(alice, 1)
		ticket := w.ticket(token)
		if p == model.ProtocolPoll {
			at := w.tell("1", alice)
			w.tell("2", alice)
			a := w.ask(w.request(http.MethodGet, "/notify?protoc=poll&ticket="+ticket+"&after="+at.String(), "", nil))
			require.Contains(t, string(a.data), `"Content":"2"`)
		} else {
			l := w.open(t, p, "", "ticket="+ticket)
			w.online(t, alice)
			w.tell("1", alice)
			l.hears(t, "1")
			w.post("/logout", token, nil)
			last := l.next(t)
			require.Contains(t, last.kind+last.end, "revoked")
		}
		a := w.redeem(ticket)
		require.Equal(t, http.StatusUnauthorized, a.status)
		require.Equal(t, model.InvalidToken, a.code)
	})

	t.Run("replayed, forged, cut short or taken for a token: 10101 with the way out", func(t *testing.T) {
		w := newWorld(t, nil)
		token := w.signIn(alice, 1)
		ticket := w.ticket(token)
		for _, wrong := range []string{"xt_wrong", ticket + "x", ticket[:len(ticket)-1], string(token), "xt_" + strings.Repeat("A", 43)} {
			a := w.redeem(wrong)
			require.Equal(t, model.InvalidToken, a.code, wrong)
			require.Contains(t, a.text, "/notify_ticket")
		}
		require.Equal(t, model.InvalidToken, w.ask(w.request(http.MethodGet, "/notify?protoc=poll&timeout=0&token="+ticket, "", nil)).code)
		require.Equal(t, model.OK, w.redeem(ticket).code, "none of that used it up")
		require.Equal(t, model.InvalidToken, w.redeem(ticket).code, "replayed")
	})

	t.Run("of many who redeem a ticket at once one gets in", func(t *testing.T) {
		w := newWorld(t, nil)
		ticket := w.ticket(w.signIn(alice, 1))
		codes := make([]model.Code, 20)
		var all sync.WaitGroup
		for i := range codes {
			all.Go(func() {
				resp, err := w.http.Get(w.url + "/notify?protoc=poll&timeout=0&ticket=" + ticket)
				if err != nil {
					return
				}
				defer resp.Body.Close()
				var a struct{ Code model.Code }
				if json.NewDecoder(resp.Body).Decode(&a) == nil && a.Code == model.OK {
					codes[i] = 1
				}
			})
		}
		all.Wait()
		sum := model.Code(0)
		for _, one := range codes {
			sum += one
		}
		require.EqualValues(t, 1, sum)
	})

	t.Run("a ticket is valid for 30 seconds", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorldOn(t, nil, newPipes)
			token := w.signIn(alice, 1)
			early, late := w.ticket(token), w.ticket(token)
			time.Sleep(ticketTTL - time.Second)
			require.Equal(t, model.OK, w.redeem(early).code)
			time.Sleep(time.Second)
			require.Equal(t, model.InvalidToken, w.redeem(late).code)
		})
	})

	t.Run("an ended login ends its tickets", func(t *testing.T) {
		w := newWorld(t, nil)
		token := w.signIn(alice, 1)
		revoked := w.ticket(token)
		w.post("/logout", token, nil)
		require.Equal(t, model.InvalidToken, w.redeem(revoked).code)
		kicked := w.ticket(w.signIn(alice, 1))
		w.signIn(alice, 1)
		require.Equal(t, model.InvalidToken, w.redeem(kicked).code)
	})

	t.Run("only /notify takes one, and only a token asks for one", func(t *testing.T) {
		w := newWorld(t, nil)
		token := w.signIn(alice, 1)
		ticket := w.ticket(token)
		for _, path := range []string{"/get_joined_conversation", "/notify_ticket"} {
			require.Equal(t, model.InvalidToken, w.ask(w.request(http.MethodPost, path+"?ticket="+ticket, "", nil)).code)
		}
		require.Equal(t, model.OK, w.redeem(ticket).code)
	})

	t.Run("a token in the header goes first and leaves the ticket as it is", func(t *testing.T) {
		w := newWorld(t, nil)
		token := w.signIn(alice, 1)
		ticket := w.ticket(token)
		require.Equal(t, model.OK, w.ask(w.request(http.MethodGet, "/notify?protoc=poll&timeout=0&ticket="+ticket, token, nil)).code)
		require.Equal(t, model.OK, w.redeem(ticket).code)
	})

	t.Run("neither tokens nor tickets get into the log, whatever becomes of the request", func(t *testing.T) {
		w := newWorld(t, func(c *Config) { c.Streams.User = 1 })
		token := w.signIn(alice, 1)
		var secrets []string
		fresh := func() string {
			ticket := w.ticket(token)
			secrets = append(secrets, ticket)
			return "ticket=" + ticket
		}
		secrets = append(secrets, string(token))
		for _, secret := range []string{"token=" + string(token), fresh(), fresh(), fresh(), fresh(), fresh(), fresh()} {
			for _, rest := range []string{
				"/notify?protoc=poll&timeout=0&", "/notify?protoc=nope&", "/notify?protoc=ws&", "/notify?protoc=poll&after=x&",
				"/notify?protoc=poll&timeout=x&", "/nope?", "/notify/?",
			} {
				w.ask(w.request(http.MethodGet, rest+secret, "", nil))
			}
			w.ask(w.request(http.MethodPost, "/notify?"+secret, "", nil))
			w.ask(w.request(http.MethodGet, "/notify?protoc=poll&timeout=0&after="+strings.SplitN(secret, "=", 2)[1], token, nil))
		}
		for range 2 { // the second ends the first
			conn, _, err := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(w.url, "http")+"/notify?"+fresh(), nil)
			require.NoError(t, err)
			defer conn.Close()
		}
		w.legacy.answer("userGetlist", down)
		w.ask(w.request(http.MethodPost, "/get_me?token="+string(token), token, nil))
		log := w.log.String()
		require.Contains(t, log, `"operation":"NotifyTicket"`)
		for _, secret := range secrets {
			require.NotContains(t, log, secret)
			require.NotContains(t, log, secret[3:])
		}
	})
}
