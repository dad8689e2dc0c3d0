package gateway

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/require"

	"github.com/xuangate/xuangate/gateway/login"
	"github.com/xuangate/xuangate/gen/model"
)

// transports are all there are. A promise about streams holds on each.
var transports = []model.Protocol{model.ProtocolSse, model.ProtocolWs, model.ProtocolPoll}

func onEachTransport(t *testing.T, rule string, promise func(t *testing.T, protocol model.Protocol)) {
	t.Run(rule, func(t *testing.T) {
		for _, protocol := range transports {
			t.Run(string(protocol), func(t *testing.T) { promise(t, protocol) })
		}
	})
}

// A listener is a client of /notify on one transport.
type listener struct {
	protocol model.Protocol
	patience time.Duration // if not the usual
	heard    chan heard
	retry    string // sse: the last hint; ws: the close reason
	cancel   context.CancelFunc
	closed   chan struct{}
}

// heard is one thing that a listener heard. The last one has the end in it: how the stream ended.
type heard struct {
	kind     string // message, …, position, reset; "" with end
	position string
	content  string // of a message
	data     json.RawMessage
	end      string // "eof", "close 4001 kickoff", "10101 sentence"
}

// authorization is the header that carries a token, if there is one.
func authorization(token login.Token) http.Header {
	if token == "" {
		return http.Header{}
	}
	return http.Header{"Authorization": {"Bearer " + string(token)}}
}

// open connects a listener. query is added to the address.
func (w *world) open(t *testing.T, protocol model.Protocol, token login.Token, query string) *listener {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	l := &listener{protocol: protocol, heard: make(chan heard, 10000), cancel: cancel, closed: make(chan struct{})}
	all := strings.Contains(query, "events=all")
	url := fmt.Sprintf("%s/notify?protoc=%s&%s", w.url, protocol, query)
	switch protocol {
	case model.ProtocolSse:
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		require.NoError(t, err)
		r.Header = authorization(token)
		resp, err := w.http.Do(r)
		require.NoError(t, err)
		if resp.StatusCode != http.StatusOK {
			defer resp.Body.Close()
			l.refuse(t, resp.Body)
			break
		}
		require.Equal(t, "text/event-stream", resp.Header.Get("Content-Type"))
		require.Equal(t, "no", resp.Header.Get("X-Accel-Buffering"))
		go l.readSSE(resp.Body, all)
		first := <-l.heard
		require.Equal(t, "position", first.kind, "the first block says where the stream begins")
		l.heard <- first
	case model.ProtocolWs:
		dialer := websocket.Dialer{NetDialContext: w.dial}
		conn, resp, err := dialer.DialContext(ctx, "ws"+strings.TrimPrefix(url, "http"), authorization(token))
		if err != nil {
			require.NotNil(t, resp, "%v", err)
			l.refuse(t, resp.Body)
			break
		}
		go l.readWS(ctx, conn, all)
	case model.ProtocolPoll:
		go l.poll(ctx, w, url, token, all)
	}
	t.Cleanup(l.close)
	return l
}

func (l *listener) refuse(t *testing.T, body io.Reader) {
	var p model.Problem
	require.NoError(t, json.NewDecoder(body).Decode(&p))
	l.heard <- heard{end: fmt.Sprintf("%d %s", p.Code, p.Error)}
	close(l.closed)
}

func (l *listener) close() {
	l.cancel()
	<-l.closed
}

func (l *listener) readSSE(body io.ReadCloser, all bool) {
	defer close(l.closed)
	defer body.Close()
	lines := bufio.NewScanner(body)
	lines.Buffer(nil, 1<<20)
	var h heard
	for lines.Scan() {
		field, value, _ := strings.Cut(lines.Text(), ": ")
		switch field {
		case "id":
			h.position = value
		case "event":
			h.kind = value
		case "data":
			h.data = json.RawMessage(value)
		case "retry":
			l.retry = value
		case "":
			if h.kind == "" && h.position != "" {
				h.kind = "position"
			}
			if h.kind != "" {
				l.heard <- h.read(all)
			}
			h = heard{}
		}
	}
	l.heard <- heard{end: "eof"}
}

func (l *listener) readWS(ctx context.Context, conn *websocket.Conn, all bool) {
	defer close(l.closed)
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	defer conn.Close()
	for {
		_, b, err := conn.ReadMessage()
		if err != nil {
			end := heard{end: "eof"}
			if e, ok := err.(*websocket.CloseError); ok && e.Code != websocket.CloseAbnormalClosure {
				end.end = fmt.Sprintf("close %d %s", e.Code, e.Text)
				l.retry = e.Text
			}
			l.heard <- end
			return
		}
		l.heard <- heard{data: b}.unwrap(all)
	}
}

// poll polls as a client does: each time from where the last answer ended.
func (l *listener) poll(ctx context.Context, w *world, url string, token login.Token, all bool) {
	defer close(l.closed)
	after := ""
	for {
		r, _ := http.NewRequestWithContext(ctx, http.MethodGet, url+after, nil)
		r.Header.Set("Authorization", "Bearer "+string(token))
		resp, err := w.http.Do(r)
		if err != nil {
			l.heard <- heard{end: "eof"}
			return
		}
		var a struct {
			Code  int
			Error string
			Data  struct {
				Msg, Events []json.RawMessage
				Position    string
			}
		}
		err = json.NewDecoder(resp.Body).Decode(&a)
		_ = resp.Body.Close()
		if err != nil || a.Code != 0 {
			l.heard <- heard{end: fmt.Sprintf("%d %s", a.Code, a.Error)}
			return
		}
		for _, one := range append(a.Data.Msg, a.Data.Events...) {
			l.heard <- heard{data: one}.unwrap(all)
		}
		l.heard <- heard{kind: "position", position: a.Data.Position}
		after = "&after=" + a.Data.Position
		url = strings.Split(url, "&after=")[0]
	}
}

// unwrap reads what ws and poll send: the event, or in the default form the message alone.
func (h heard) unwrap(all bool) heard {
	var e struct {
		Event, Position string
		Data            json.RawMessage
	}
	_ = json.Unmarshal(h.data, &e)
	h.kind, h.position = e.Event, e.Position
	if e.Event == "" {
		h.kind = "message"
	}
	return h.read(all)
}

func (h heard) read(all bool) heard {
	var m struct {
		Content string
		Data    struct{ Content string }
	}
	_ = json.Unmarshal(h.data, &m)
	if h.content = m.Content; all {
		h.content = m.Data.Content
	}
	return h
}

// next is the next thing that is no mere position.
func (l *listener) next(t *testing.T) heard {
	t.Helper()
	for {
		if h := l.any(t); h.kind != "position" {
			return h
		}
	}
}

func (l *listener) any(t *testing.T) heard {
	t.Helper()
	select {
	case h := <-l.heard:
		return h
	case <-time.After(cmp.Or(l.patience, patience)):
		t.Fatal("nothing heard")
		return heard{}
	}
}

// hears asserts the contents of the next messages.
func (l *listener) hears(t *testing.T, contents ...string) (last heard) {
	t.Helper()
	for _, want := range contents {
		last = l.next(t)
		require.Equal(t, "message", last.kind, "%+v", last)
		require.Equal(t, want, last.content)
		require.NotEmpty(t, last.position)
	}
	return last
}
