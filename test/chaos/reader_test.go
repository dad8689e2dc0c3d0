package chaos

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/websocket"

	"github.com/xuangate/xuangate/gen/model"
)

// A reader listens on one transport by the rule that every client follows: it goes on after the last position it was given,
// on whichever node, and when it is told reset it reloads its conversations.
type reader struct {
	*client
	protocol model.Protocol
	rooms    []string
	via      string                    // what it speaks through: wire, go or typescript
	listens  func(ctx context.Context) // until ctx ends
	line     *line                     // to the nodes, where it speaks through an SDK

	mu     sync.Mutex
	after  string
	heard  []heard
	known  map[string]bool // contents heard, or reloaded
	cut    context.CancelFunc
	stall  time.Time // until when nothing is read
	online bool      // an SDK has said so
	resets int
	opened int
}

// heard is one message as it came, or a reset.
type heard struct {
	model.MsgData
	reset bool
}

func newReader(c *client, protocol model.Protocol, rooms []string) *reader {
	r := &reader{client: c, protocol: protocol, rooms: rooms, via: "wire", known: map[string]bool{}}
	r.listens = r.onWire
	return r
}

func (r *reader) String() string { return fmt.Sprint(r.account, " on ", r.protocol, " by ", r.via) }

// onWire listens until ctx ends, by the rule that SDKs follow, but speaking the wire itself.
func (r *reader) onWire(ctx context.Context) {
	for ctx.Err() == nil {
		token, err := r.signedIn(ctx)
		if err != nil {
			return
		}
		one, cut := context.WithCancel(ctx)
		r.mu.Lock()
		r.cut = cut
		r.opened++
		r.mu.Unlock()
		if r.begun() {
			err = r.listen(one, token)
		} else {
			err = r.poll(one, token) // only to learn where to begin, which a WebSocket says after 25 s
		}
		cut()
		var refused *errRefused
		if errors.As(err, &refused) && refused.dead() {
			r.lost(token)
		}
		if r.protocol != model.ProtocolPoll || err != nil {
			r.pause(ctx)
		}
	}
}

// errDeadToken is the end of a stream whose login has ended.
var errDeadToken = &errRefused{model.InvalidToken, "the stream said so"}

func (r *reader) listen(ctx context.Context, token string) error {
	switch r.protocol {
	case model.ProtocolSse:
		return r.listenSSE(ctx, token)
	case model.ProtocolWs:
		return r.listenWS(ctx, token)
	default:
		return r.poll(ctx, token)
	}
}

func (r *reader) address(timeout int) string {
	r.mu.Lock()
	after := r.after
	r.mu.Unlock()
	protocol := r.protocol
	if after == "" {
		protocol = model.ProtocolPoll
	}
	u := fmt.Sprintf("%s/notify?protoc=%s&timeout=%d", r.node(), protocol, timeout)
	if after != "" {
		u += "&after=" + url.QueryEscape(after)
	}
	return u
}

// open begins a request whose answer may take as long as it likes; ctx ends it.
func (r *reader) open(ctx context.Context, token string, timeout int) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, r.address(timeout), nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	res, err := r.http.Do(req)
	if err != nil || res.StatusCode == http.StatusOK {
		return res, err
	}
	defer res.Body.Close()
	var p model.Problem
	if err := json.NewDecoder(res.Body).Decode(&p); err != nil {
		return nil, err
	}
	return nil, &errRefused{p.Code, p.Error}
}

// silence is how long a stream may say nothing: the server's beats come more often.
const silence = 40 * time.Second

func (r *reader) listenSSE(ctx context.Context, token string) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	watch := time.AfterFunc(silence, cancel)
	defer watch.Stop()
	res, err := r.open(ctx, token, 0)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	lines := bufio.NewReader(res.Body)
	var id, kind string
	var data []byte
	for {
		r.stalled(ctx)
		line, err := lines.ReadBytes('\n')
		if err != nil {
			return err
		}
		watch.Reset(silence)
		field, value, _ := strings.Cut(strings.TrimSuffix(string(line), "\n"), ": ")
		switch field {
		case "id":
			id = value
		case "event":
			kind = value
		case "data":
			data = []byte(value)
		case "":
			if err := r.take(ctx, model.EventKind(kind), data, id); err != nil {
				return err
			}
			kind, data = "", nil
		}
	}
}

func (r *reader) listenWS(ctx context.Context, token string) error {
	u := "ws" + strings.TrimPrefix(r.address(0), "http")
	dialer := websocket.Dialer{HandshakeTimeout: callTimeout}
	conn, res, err := dialer.DialContext(ctx, u, http.Header{"Authorization": {"Bearer " + token}})
	if err != nil {
		if res == nil {
			return err
		}
		var p model.Problem
		if json.NewDecoder(res.Body).Decode(&p) != nil {
			return err
		}
		return &errRefused{p.Code, p.Error}
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	for {
		r.stalled(ctx)
		_ = conn.SetReadDeadline(time.Now().Add(silence))
		_, b, err := conn.ReadMessage()
		if err != nil {
			if websocket.IsCloseError(err, 4001, 4002) {
				return errDeadToken
			}
			return err
		}
		var e struct{ Event, Position string }
		if err := json.Unmarshal(b, &e); err != nil {
			return err
		}
		if e.Event == "" {
			e.Event = string(model.EventKindMessage)
		}
		if err := r.take(ctx, model.EventKind(e.Event), b, e.Position); err != nil {
			return err
		}
	}
}

// poll asks once. A lost position comes as a refusal, with the new one in the sentence.
func (r *reader) poll(ctx context.Context, token string) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second+callTimeout)
	defer cancel()
	r.stalled(ctx)
	wait := 5
	if !r.begun() {
		wait = 0 // the first answer only says where to begin
	}
	res, err := r.open(ctx, token, wait)
	if err != nil {
		var refused *errRefused
		if errors.As(err, &refused) && refused.code == model.PositionLost {
			at := refused.text[strings.LastIndexByte(refused.text, ' ')+1:]
			return r.take(ctx, model.EventKindReset, nil, at)
		}
		return err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	var a struct {
		Data struct {
			Msg      []json.RawMessage
			Position string
		}
	}
	if err := json.NewDecoder(bytes.NewReader(b)).Decode(&a); err != nil {
		return err
	}
	for _, m := range a.Data.Msg {
		if err := r.take(ctx, model.EventKindMessage, m, ""); err != nil {
			return err
		}
	}
	return r.take(ctx, model.EventKindPosition, nil, a.Data.Position)
}

// take notes one event, and that the reader has come as far as its position.
func (r *reader) take(ctx context.Context, kind model.EventKind, data []byte, at string) error {
	var m model.MsgData
	switch kind {
	case model.EventKindMessage:
		if err := json.Unmarshal(data, &m); err != nil {
			return err
		}
	case model.EventKindKickoff, model.EventKindRevoked, model.EventKindExpired:
		return errDeadToken
	}
	switch kind {
	case model.EventKindMessage:
		r.hears(m)
		if at == "" {
			at = m.Position
		}
	case model.EventKindReset:
		r.startsOver()
	}
	if at != "" {
		r.mu.Lock()
		r.after = at
		r.mu.Unlock()
	}
	if kind == model.EventKindReset {
		return r.reload(ctx)
	}
	return nil
}

// reload reads all that its conversations hold, as a client does who missed something. If it cannot, it will be told reset
// again: it forgets how far it had come.
func (r *reader) reload(ctx context.Context) error {
	for _, room := range r.rooms {
		for end := model.MsgId(""); ; {
			var page model.Messages
			path, in := "/get_conversation_last_30_msg", map[string]any{"conversation_id": room}
			if end != "" {
				path, in["msg_id"] = "/get_conversation_30msg_before_the_id", end
			}
			if err := r.call(ctx, path, in, &page, nil); err != nil {
				r.mu.Lock()
				r.after = lostPosition
				r.mu.Unlock()
				return err
			}
			r.reads(page.Msg)
			if len(page.Msg) < 30 {
				break
			}
			end = page.Msg[0].MsgId
		}
	}
	return nil
}

// lostPosition is a position of no log.
const lostPosition = "0000000000000001-0000000000000001"

// stalled waits as long as the reader is to read nothing.
func (r *reader) stalled(ctx context.Context) {
	r.mu.Lock()
	d := time.Until(r.stall)
	r.mu.Unlock()
	if d <= 0 {
		return
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// hears notes a message that came.
func (r *reader) hears(m model.MsgData) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.heard = append(r.heard, heard{MsgData: m})
	r.known[m.Content] = true
}

// startsOver notes that it was told reset.
func (r *reader) startsOver() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.heard = append(r.heard, heard{reset: true})
	r.resets++
}

// reads notes what it found in the history.
func (r *reader) reads(page []model.MsgData) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, m := range page {
		r.known[m.Content] = true
	}
}

// begins notes that from now on nothing may be missed.
func (r *reader) begins() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.online = true
}

// knows says whether the reader has got a message, by its content.
func (r *reader) knows(content string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.known[content]
}

func (r *reader) begun() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.after != "" || r.online
}
