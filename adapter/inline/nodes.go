package inline

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/xuangate/xuangate/adapter/legacy"
)

const (
	// nodePath is where one node asks another; the address of an xxd is a different one, so nothing that clients send to an xxd
	// arrives there.
	nodePath = "/node"
	// nodeHeader marks what comes from another node, which is not handed on again: two that each take the other for the active
	// one would send it to and fro. At nodePath it proves that a node sends it.
	nodeHeader = "X-Xuangate-Node"
	// nodeDial is how long the active node may take to be connected to. Longer, and calls wait for one that is gone.
	nodeDial = 300 * time.Millisecond
	// nodeGrace is how long a node that is active no more may take over the calls that it has begun. Without it those that went to a machine
	// that is gone wait until they time out.
	nodeGrace = time.Second
)

// notHere is what a node answers another that takes it for the active one.
var notHere = reply{status: http.StatusServiceUnavailable}

var errNobody = errors.New("no gateway is the chat servers' backend at the moment, or it cannot be reached: see legacy.inline.advertise_url")

// handOn has the active node answer a call of an xxd. here says that this is the one by now.
func (s *Server) handOn(ctx context.Context, r *http.Request, sealed []byte) (a reply, here bool) {
	ctx, cancel := context.WithTimeout(ctx, forwardTimeout)
	defer cancel()
	head := r.Header.Clone()
	head.Set(nodeHeader, "hop")
	// xxd makes a call again that was not answered, so that may be done here.
	a, here, err := s.atActive(ctx, r.URL.RequestURI(), sealed, head, true)
	if err != nil {
		s.log.WarnContext(ctx, "a chat server's call is not answered", "error", err)
		return notHere, false
	}
	return a, here
}

// callOn has the active node make a call of a web user's. here says that this is the one by now.
func (s *Server) callOn(ctx context.Context, c legacy.Call) (r legacy.Response, here bool, err error) {
	text, here, err := s.askActive(ctx, nodeAsk{Module: c.Module, Method: c.Method, User: c.User, Params: c.Params})
	if here || err != nil {
		return r, here, err
	}
	r, err = legacy.DecodeResponse(c, text)
	return r, false, err
}

// nodeAsk is what one node asks another: a call, or with neither module nor method how files go through an xxd.
type nodeAsk struct {
	Module string        `json:"module"`
	Method string        `json:"method"`
	User   legacy.UserID `json:"user"`
	Params any           `json:"params"`
	Site   string        `json:"site"`
}

func (s *Server) askActive(ctx context.Context, ask nodeAsk) (text []byte, here bool, err error) {
	plain, err := json.Marshal(ask)
	if err != nil {
		return nil, false, err
	}
	sealed := s.key.Seal(plain)
	a, here, err := s.atActive(ctx, nodePath, sealed, http.Header{nodeHeader: {s.proves(sealed)}}, false)
	switch {
	case here || err != nil:
		return nil, here, err
	case a.status != http.StatusOK:
		return nil, false, fmt.Errorf("the active gateway answered status %d: the backend did not answer", a.status)
	}
	text, err = s.key.Open(a.sealed)
	return text, false, err
}

func (s *Server) proves(sealed []byte) string {
	mac := hmac.New(sha256.New, s.proof)
	mac.Write(sealed)
	return hex.EncodeToString(mac.Sum(nil))
}

// atActive sends what is sealed to the active node, and waits for one until ctx ends; once this is the one, here is true. repeat says that
// it may be sent again though it may have arrived.
func (s *Server) atActive(ctx context.Context, path string, sealed []byte, head http.Header, repeat bool) (a reply, here bool, err error) {
	for last := errNobody; ; {
		here, at, term := s.lead.where()
		switch {
		case here:
			return reply{}, true, nil
		case s.lead.ended():
			return reply{}, false, last
		case at == "":
			s.lead.wanted()
		default:
			a, err := s.during(ctx, term, at+path, sealed, head)
			if err == nil && a.status != notHere.status {
				return a, false, nil
			}
			if err != nil && !repeat && !unsent(err) {
				return reply{}, false, err
			}
			if err != nil {
				last = err
				s.lead.wanted()
			}
		}
		wait := time.NewTimer(activeAgain)
		select {
		case <-wait.C:
		case <-term.Done():
		case <-ctx.Done():
			wait.Stop()
			return reply{}, false, errors.Join(ctx.Err(), last)
		}
		wait.Stop()
	}
}

// during sends something to the active node, which must answer in its term, or soon after.
func (s *Server) during(ctx, term context.Context, url string, sealed []byte, head http.Header) (reply, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(term, func() { time.AfterFunc(nodeGrace, cancel) })()
	return post(ctx, s.nodes, url, sealed, head)
}

// unsent says of an error that there was no connection to send anything on.
func unsent(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial"
}

// nodeCall answers what another node asks. An error says that it is none.
func (s *Server) nodeCall(ctx context.Context, r *http.Request, sealed, plain []byte) (reply, error) {
	if !hmac.Equal([]byte(r.Header.Get(nodeHeader)), []byte(s.proves(sealed))) {
		return reply{}, errors.New("not from another gateway")
	}
	var params json.RawMessage
	ask := nodeAsk{Params: &params}
	if err := json.Unmarshal(plain, &ask); err != nil {
		return reply{}, err
	}
	if ask.Module == "" {
		return s.tellFiles(ask.Site)
	}
	c := legacy.Call{Module: ask.Module, Method: ask.Method, User: ask.User}
	if len(params) > 0 && string(params) != "null" {
		c.Params = params
	}
	_, text, err := s.carryOut(ctx, c)
	if text == nil {
		s.log.WarnContext(ctx, "the backend does not answer a web user's call", "error", err)
		return reply{status: http.StatusBadGateway}, nil
	}
	return say(text), nil
}
