package sdk

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/xuangate/xuangate/gen/model"
)

// asked is one request that a server got.
type asked struct {
	path, token, body string
}

// server answers as a function says, and keeps what it was asked.
type server struct {
	mu   sync.Mutex
	list []asked
}

// serve starts a server, whose n-th request, from 1, answer answers; and a client of it.
func serve(t *testing.T, o Options, answer func(w http.ResponseWriter, r *http.Request, n int)) (*server, *Client) {
	s := &server{}
	hs := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		s.mu.Lock()
		s.list = append(s.list, asked{r.URL.RequestURI(), r.Header.Get("Authorization"), string(body)})
		n := len(s.list)
		s.mu.Unlock()
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("X-Request-Id", fmt.Sprint("r", n))
		answer(w, r, n)
	}))
	if o.MinDelay == 0 {
		o.MinDelay, o.MaxDelay = time.Millisecond, time.Millisecond
	}
	c, err := New(hs.URL, o)
	require.NoError(t, err)
	t.Cleanup(func() {
		c.Close()
		hs.Close()
	})
	return s, c
}

func (s *server) asked() []asked {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.list
}

func refuse(w http.ResponseWriter, status int, code Code) {
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(model.Problem{Code: code, Error: "a sentence"})
}

const sent = `{"code":0,"data":{"MsgID":"m"}}`

func TestErrors(t *testing.T) {
	t.Run("every code has its value, and is no other", func(t *testing.T) {
		values := []error{
			ErrInvalidParameter, ErrUnreachable, ErrNotAllowed, ErrTooSlow, ErrNotFound, ErrConflict, ErrUnsupported, ErrTooLarge, ErrTooManyRequests,
			ErrPositionLost, ErrMethodNotAllowed, ErrInvalidToken, ErrSignedInElsewhere, ErrWrongPassword, ErrAccountLocked, ErrAccountDisabled, ErrInternal,
			ErrSuperseded, ErrNotGateway,
		}
		for code := Code(1); code < 20000; code++ {
			if !code.Valid() {
				continue
			}
			n := 0
			for _, value := range values {
				if errors.Is(fmt.Errorf("wrapped: %w", &Error{Code: code}), value) {
					n++
				}
			}
			require.Equal(t, 1, n, "code %d", code)
		}
	})

	t.Run("an error has the server's sentence, its wait and the request id", func(t *testing.T) {
		_, c := serve(t, Options{Tries: 1}, func(w http.ResponseWriter, _ *http.Request, _ int) {
			w.Header().Set("Retry-After", "7")
			refuse(w, http.StatusTooManyRequests, model.TooManyRequests)
		})
		_, err := c.Conversations(t.Context())
		require.ErrorIs(t, err, ErrTooManyRequests)
		var e *Error
		require.ErrorAs(t, err, &e)
		require.Equal(t, Error{Code: model.TooManyRequests, Text: "a sentence", Status: 429, RetryAfter: 7 * time.Second, RequestID: "r1"}, *e)
		require.Equal(t, "xuangate: a sentence (code 10009, request r1)", err.Error())
	})

	t.Run("what is not the gateway is told from it", func(t *testing.T) {
		for _, body := range []string{"<html>", "", `{"ok":true}`, "null", "[]"} {
			_, c := serve(t, Options{Tries: 1}, func(w http.ResponseWriter, _ *http.Request, _ int) { _, _ = io.WriteString(w, body) })
			_, err := c.Conversations(t.Context())
			require.ErrorIs(t, err, ErrNotGateway, body)
		}
	})

	t.Run("the address must be one", func(t *testing.T) {
		for _, address := range []string{"", "chat.example.com", "ftp://x", "http://", "http://x?a=b", "http://alice:secret@x", "http://x:y:z"} {
			_, err := New(address, Options{})
			require.Error(t, err, address)
			require.NotContains(t, err.Error(), "secret")
		}
		_, err := New("http://x", Options{Transport: "smoke"})
		require.Error(t, err)
	})
}

func TestCalls(t *testing.T) {
	t.Run("the token goes in the header, and not with a sign-in", func(t *testing.T) {
		s, c := serve(t, Options{Token: "old"}, func(w http.ResponseWriter, _ *http.Request, n int) {
			if n == 1 {
				_, _ = io.WriteString(w, `{"code":0,"data":{"Token":"xg_1","Session":"4","User":{"Session":"4"}}}`)
				return
			}
			_, _ = io.WriteString(w, sent)
		})
		l, err := c.Login(t.Context(), "alice", "123456", 1)
		require.NoError(t, err)
		require.Equal(t, "4", l.Session)
		_, err = c.Send(t.Context(), Draft{ConversationId: "team", Content: "x"})
		require.NoError(t, err)
		require.Equal(t, "", s.asked()[0].token)
		require.Equal(t, "Bearer xg_1", s.asked()[1].token)
		require.NotContains(t, s.asked()[1].path, "xg_1")
	})

	t.Run("a send is repeated with the same client_msg_id, of the SDK's making or the caller's", func(t *testing.T) {
		for _, own := range []string{"", "mine"} {
			s, c := serve(t, Options{}, func(w http.ResponseWriter, _ *http.Request, n int) {
				switch n {
				case 1:
					refuse(w, http.StatusServiceUnavailable, model.Unreachable)
				case 2:
					panic(http.ErrAbortHandler)
				case 3:
					w.WriteHeader(http.StatusBadGateway)
				default:
					_, _ = io.WriteString(w, sent)
				}
			})
			id, err := c.Send(t.Context(), Draft{ConversationId: "team", Content: "x", ClientMsgId: own})
			require.NoError(t, err)
			require.Equal(t, "m", id)
			require.Len(t, s.asked(), 4)
			for _, one := range s.asked() {
				require.Equal(t, s.asked()[0].body, one.body)
				require.Regexp(t, `"client_msg_id":"(`+own+`|[A-Z2-7]{26})"`, one.body)
			}
		}
	})

	t.Run("what may have been done is not done again, but for what is marked", func(t *testing.T) {
		fails := func(w http.ResponseWriter, _ *http.Request, _ int) {
			refuse(w, http.StatusServiceUnavailable, model.Unreachable)
		}
		s, c := serve(t, Options{Tries: 3}, fails)
		_, err := c.CreateGroup(t.Context(), "x")
		require.ErrorIs(t, err, ErrUnreachable)
		require.Len(t, s.asked(), 1)
		_, err = c.CreateGroup(Repeatable(t.Context()), "x")
		require.ErrorIs(t, err, ErrUnreachable)
		require.Len(t, s.asked(), 1+3)
	})

	t.Run("429 was not done, and is", func(t *testing.T) {
		s, c := serve(t, Options{}, func(w http.ResponseWriter, _ *http.Request, n int) {
			if n == 1 {
				refuse(w, http.StatusTooManyRequests, model.TooManyRequests)
				return
			}
			_, _ = io.WriteString(w, `{"code":0,"data":{"ConversationId":"c"}}`)
		})
		id, err := c.CreateGroup(t.Context(), "x")
		require.NoError(t, err)
		require.Equal(t, "c", id)
		require.Len(t, s.asked(), 2)
	})

	t.Run("no other refusal is repeated", func(t *testing.T) {
		for code, status := range map[Code]int{model.InvalidToken: 401, model.NotFound: 404, model.NotAllowed: 403, model.Internal: 500, model.WrongPassword: 401} {
			s, c := serve(t, Options{}, func(w http.ResponseWriter, _ *http.Request, _ int) { refuse(w, status, code) })
			_, err := c.Conversations(t.Context())
			require.Error(t, err)
			require.Len(t, s.asked(), 1)
		}
	})

	t.Run("a wait that is too long is left to the caller", func(t *testing.T) {
		s, c := serve(t, Options{}, func(w http.ResponseWriter, _ *http.Request, _ int) {
			w.Header().Set("Retry-After", "61")
			refuse(w, http.StatusTooManyRequests, model.TooManyRequests)
		})
		_, err := c.Conversations(t.Context())
		require.ErrorIs(t, err, ErrTooManyRequests)
		require.Len(t, s.asked(), 1)
		w, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		_, err = c.Conversations(w)
		require.ErrorIs(t, err, ErrTooManyRequests)
	})

	t.Run("the end of the context ends a call", func(t *testing.T) {
		_, c := serve(t, Options{}, func(w http.ResponseWriter, r *http.Request, _ int) { <-r.Context().Done() })
		ctx, cancel := context.WithCancel(t.Context())
		go cancel()
		_, err := c.Conversations(ctx)
		require.ErrorIs(t, err, context.Canceled)
	})

	t.Run("a path in the address is kept", func(t *testing.T) {
		s, c := serve(t, Options{}, func(w http.ResponseWriter, _ *http.Request, n int) {
			if n == 1 {
				w.WriteHeader(http.StatusBadGateway)
				return
			}
			_, _ = io.WriteString(w, `{"code":0,"data":{"Conversations":[]}}`)
		})
		under, err := New(c.base.String()+"/chat/", Options{MinDelay: 1, MaxDelay: 1})
		require.NoError(t, err)
		defer under.Close()
		_, err = under.Conversations(t.Context())
		require.NoError(t, err)
		require.Equal(t, "/chat/get_joined_conversation", s.asked()[0].path)
	})
}

func TestDelays(t *testing.T) {
	c, err := New("http://x", Options{})
	require.NoError(t, err)
	t.Run("they are spread, grow, and stay between half a second and twenty", func(t *testing.T) {
		for n := range 100 {
			seen := map[time.Duration]bool{}
			for range 50 {
				d := c.jitter(n)
				require.GreaterOrEqual(t, d, 500*time.Millisecond)
				require.LessOrEqual(t, d, min(20*time.Second, time.Second<<min(n, 10)))
				seen[d] = true
			}
			require.Greater(t, len(seen), 40)
		}
	})
	t.Run("what the server asks for is never cut short", func(t *testing.T) {
		for range 100 {
			d := later(time.Second, 8*time.Second)
			require.GreaterOrEqual(t, d, 8*time.Second)
			require.LessOrEqual(t, d, 12*time.Second)
			require.Equal(t, time.Second, later(time.Second, 0))
		}
	})
	t.Run("Retry-After is seconds or a date", func(t *testing.T) {
		require.Equal(t, 3*time.Second, retryAfter(http.Header{"Retry-After": {"3"}}))
		at := time.Now().Add(time.Hour).UTC().Format(http.TimeFormat)
		require.InDelta(t, time.Hour.Seconds(), retryAfter(http.Header{"Retry-After": {at}}).Seconds(), 5)
		for _, nonsense := range []string{"", "-3", "soon", strings.Repeat("9", 40)} {
			require.Zero(t, retryAfter(http.Header{"Retry-After": {nonsense}}))
		}
	})
}
