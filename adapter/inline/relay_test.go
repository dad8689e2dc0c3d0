package inline

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/xuangate/xuangate/adapter"
	"github.com/xuangate/xuangate/adapter/legacy"
	"github.com/xuangate/xuangate/adapter/xxb"
	"github.com/xuangate/xuangate/adapter/xxd"
	"github.com/xuangate/xuangate/test/xuanxuan"
)

// A stand is a Server between a reference xxd and a reference backend.
type stand struct {
	*Server
	legacy *xuanxuan.Server
	xxd    *xuanxuan.XXD
	run    func()           // starts the bot
	end    func()           // and ends it
	door   *httptest.Server // what the xxd takes for its backend
}

func newStand(t testing.TB) *stand {
	behind, err := xuanxuan.Start(t.Context(), xuanxuan.Options{}, "127.0.0.1:0")
	require.NoError(t, err)
	place, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	key, err := legacy.NewKey(xuanxuan.DefaultKey)
	require.NoError(t, err)
	s := &stand{legacy: behind}
	s.Server, err = New(Config{
		Backend: xxb.Config{URL: behind.URL(), Key: key},
		Sites:   []Site{{XXD: xxd.Config{URL: "http://" + place.Addr().String()}}},
		Hear:    func(context.Context, adapter.News) error { return nil },
		Log:     slog.New(slog.DiscardHandler),
	})
	require.NoError(t, err)
	s.door = httptest.NewServer(http.HandlerFunc(s.ServeHTTP))
	s.xxd, err = xuanxuan.StartXXD(t.Context(), xuanxuan.XXDOptions{Backend: s.door.URL + Path, Listener: place}, "")
	require.NoError(t, err)
	var running sync.WaitGroup
	var stop context.CancelFunc
	s.run = func() {
		var ctx context.Context
		ctx, stop = context.WithCancel(context.Background())
		running.Go(func() { s.Run(ctx) })
	}
	s.end = func() { stop(); running.Wait() }
	t.Cleanup(func() {
		s.end()
		require.NoError(t, s.xxd.Close())
		s.door.Close()
		s.Close()
		require.NoError(t, behind.Close())
	})
	s.run()
	s.isInSoon(t)
	return s
}

const patience = 20 * time.Second

func (s *stand) isInSoon(t testing.TB) {
	t.Helper()
	require.Eventually(t, s.In, patience, time.Millisecond)
}

// realRate is how many messages a second the real backend stores for four at once: 270 to 350 (LEGACY).
const realRate = 300

// BenchmarkRelay tells how many frames a second the bot has handed out, over how many messages a second the backend stores for
// four at once (target at least 10): over the real one's, and over the reference's, which stores thousands.
func BenchmarkRelay(b *testing.B) {
	s := newStand(b)
	const frames = 20000
	_, err := s.backend.Call(b.Context(), legacy.Chat(4, "create", "g", "g", legacy.TypeGroup, []legacy.UserID{4, 5}, 0, false))
	require.NoError(b, err)
	var relayed, stored time.Duration
	messages := 0
	for range b.N {
		began := time.Now()
		for i := range frames {
			if i%1000 == 0 {
				s.Drain(b.Context()) // what waits is bounded
			}
			o, err := parseObject(fmt.Appendf(nil, `{"module":"chat","method":"changename","result":"success","data":{"gid":"%d","name":"x"}}`, i))
			require.NoError(b, err)
			s.sites[""].bot.relay(o, []int64{4, 5})
		}
		s.Drain(b.Context())
		relayed += time.Since(began)
		began = time.Now()
		var callers sync.WaitGroup
		for c := range 4 {
			callers.Go(func() {
				for i := range 250 {
					gid := fmt.Sprint(began.UnixNano(), c, i)
					_, err := s.backend.Call(b.Context(), legacy.Chat(4, "message", []legacy.DraftRow{{GID: legacy.MessageGID(gid), CGID: "g", User: 4, Type: "normal", ContentType: "text", Content: gid}}))
					if err != nil {
						b.Error(err)
					}
				}
			})
		}
		callers.Wait()
		stored += time.Since(began)
		messages += 1000
	}
	perSecond := float64(frames*b.N) / relayed.Seconds()
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(perSecond, "relays/s")
	b.ReportMetric(float64(messages)/stored.Seconds(), "messages/s")
	b.ReportMetric(perSecond/(float64(messages)/stored.Seconds()), "x-reference")
	b.ReportMetric(perSecond/realRate, "x-real")
}

func TestBot(t *testing.T) {
	s := newStand(t)
	b := s.sites[""].bot
	t.Run("is back when its connection is cut, and relays what was said meanwhile", func(t *testing.T) {
		o, err := parseObject([]byte(`{"module":"chat","method":"message","data":[]}`))
		require.NoError(t, err)
		logins := s.xxd.Stats().Logins
		require.True(t, s.xxd.Drop(b.id))
		b.relay(o, []int64{4})
		limit, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		s.Drain(limit)
		require.NoError(t, limit.Err())
		require.Greater(t, s.xxd.Stats().Logins, logins)
	})
	t.Run("no desktop ever hears of it in the backend", func(t *testing.T) {
		require.Zero(t, s.legacy.Calls()["chat/login"])
		require.Zero(t, s.legacy.Calls()["other"])
	})
	t.Run("is back when the chat server starts anew, with another key", func(t *testing.T) {
		again, err := s.xxd.Restart(t.Context())
		require.NoError(t, err)
		s.xxd = again
		require.Eventually(t, func() bool { return again.Stats().Online == 1 }, patience, time.Millisecond)
		s.isInSoon(t)
	})
	t.Run("nobody else signs in as it, and nothing else is let in by its id", func(t *testing.T) {
		server, err := xxd.New(xxd.Config{URL: s.xxd.URL()})
		require.NoError(t, err)
		defer server.Close()
		_, err = server.Info(t.Context(), botAccount, "guess")
		require.ErrorIs(t, err, legacy.ErrPassword)
		for _, text := range []string{
			`{"module":"xuangate","method":"mark","params":["1"],"userID":%d}`,
			`{"lang":"zh-cn","method":"getlist","module":"chat","userID":%d}`,
		} {
			q, err := parseRequest(s.sites[""], fmt.Appendf(nil, text, b.id))
			require.NoError(t, err)
			require.Equal(t, string(notIn), string(s.answer(t.Context(), q, nil).plain), text)
		}
	})
	t.Run("a probe with the backend's key is let in", func(t *testing.T) {
		at := Site{XXD: xxd.Config{URL: s.xxd.URL()}}
		require.NoError(t, Probe(t.Context(), at, s.key))
		other, err := legacy.NewKey("12345678901234567890123456789012")
		require.NoError(t, err)
		require.ErrorIs(t, Probe(t.Context(), at, other), legacy.ErrPassword)
	})
}

func TestEndpointRefuses(t *testing.T) {
	s := newStand(t)
	post := func(address string, body []byte) int {
		res, err := http.Post(address, "", bytes.NewReader(body))
		require.NoError(t, err)
		defer res.Body.Close()
		return res.StatusCode
	}
	ping := s.key.Seal([]byte(`{"module":"chat","method":"ping"}`))
	require.Equal(t, http.StatusNotFound, post(s.door.URL+"/", ping))
	require.Equal(t, http.StatusNotFound, post(s.door.URL+Path+"?x=nosuch", ping))
	require.Equal(t, http.StatusBadRequest, post(s.door.URL+Path, []byte("in clear")))
	require.Equal(t, http.StatusBadRequest, post(s.door.URL+Path, s.key.Seal([]byte(`[]`))))
	res, err := http.Get(s.door.URL + Path)
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	require.Equal(t, http.StatusBadRequest, res.StatusCode)
	http.DefaultClient.CloseIdleConnections()
}
