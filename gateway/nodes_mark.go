package gateway

import (
	"context"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/xuangate/xuangate/adapter/legacy"
	"github.com/xuangate/xuangate/gen/model"
)

// nodeHeader marks a request that a node sends to another: what it says of the request, and the proof that a node does.
const nodeHeader = "X-Xuangate-Node"

// markAge is how old a mark may be, or how far ahead: nodes' clocks differ. For twice as long its nonce is remembered. Without it
// who has seen one request could repeat it for ever.
const markAge = 30 * time.Second

// A hop is what one node tells another of a request that it forwards, or makes itself. It has checked who makes it.
type hop struct {
	To     string        `json:"to"`   // the node it is meant for, by its name, which no later process has
	From   string        `json:"from"` // the address of the node that forwards
	At     int64         `json:"at"`   // Unix milliseconds
	Nonce  string        `json:"nonce"`
	Client netip.Addr    `json:"client"`
	User   legacy.UserID `json:"user"`  // whose token it came with, 0 for none
	Login  string        `json:"login"` // the ID of that token's login
	Inner  bool          `json:"inner"` // it came with the inner key, from where /inner is open
}

// An arrival is a request that says it comes from a node, and what is wrong with that.
type arrival struct {
	hop
	err error
}

type arrivalKey struct{}

// arrivalOf is that of the request of ctx, nil where it comes from a client.
func arrivalOf(ctx context.Context) *arrival {
	a, _ := ctx.Value(arrivalKey{}).(*arrival)
	return a
}

func nodeKey(secret string) ([]byte, error) {
	return hkdf.Key(sha256.New, []byte(secret), nil, "xuangate requests between nodes", sha256.Size)
}

// mark proves a request to the node h.To, and names the span that it belongs to. It is the last to touch its method and address.
func (n *Nodes) mark(r *http.Request, h hop) {
	n.traces.Inject(r.Context(), r.Header)
	h.From, h.At, h.Nonce = "", time.Now().UnixMilli(), rand.Text()
	if from := addressOf(n.name); from != nil {
		h.From = from.Host
	}
	text, _ := json.Marshal(h) // of texts and numbers it cannot fail
	told := base64.RawURLEncoding.EncodeToString(text)
	r.Header.Set(nodeHeader, told+"."+base64.RawURLEncoding.EncodeToString(n.proof(r.Method, r.URL.RequestURI(), told)))
}

func (n *Nodes) proof(method, uri, told string) []byte {
	mac := hmac.New(sha256.New, n.key)
	mac.Write([]byte(method + "\n" + uri + "\n" + told))
	return mac.Sum(nil)
}

// arrive reads the mark of a request, nil where it has none.
func (n *Nodes) arrive(r *http.Request) *arrival {
	header := r.Header.Get(nodeHeader)
	if header == "" {
		return nil
	}
	told, proof, _ := strings.Cut(header, ".")
	given, err := base64.RawURLEncoding.DecodeString(proof)
	if err != nil || !hmac.Equal(given, n.proof(r.Method, r.RequestURI, told)) {
		return &arrival{err: refuse(model.NotAllowed, nodeHeader+": is not a node's; all nodes need the same secret_key")}
	}
	var h hop
	text, err := base64.RawURLEncoding.DecodeString(told)
	if err != nil || json.Unmarshal(text, &h) != nil {
		return &arrival{err: refuse(model.NotAllowed, nodeHeader+": cannot be read; all nodes need the same version")}
	}
	if age := time.Since(time.UnixMilli(h.At)); age.Abs() > markAge || !n.nonces.first(h.Nonce) {
		return &arrival{err: refuse(model.NotAllowed, nodeHeader+": was sent before, or long ago; let NTP set the clocks of all nodes")}
	}
	if h.To != n.name {
		e := refuse(model.Unreachable, "the node that held this user's connection to the chat server has ended; try again")
		return &arrival{hop: h, err: e}
	}
	return &arrival{hop: h}
}

// nonces remember what was seen in the last markAge of theirs, and in the one before.
type nonces struct {
	mu          sync.Mutex
	now, before map[string]struct{}
	since       time.Time
}

// first says whether a nonce is new. One is remembered for at least twice markAge, longer than its mark is believed.
func (s *nonces) first(nonce string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if time.Since(s.since) > 2*markAge {
		s.now, s.before, s.since = map[string]struct{}{}, s.now, time.Now()
	}
	_, again := s.now[nonce]
	_, earlier := s.before[nonce]
	s.now[nonce] = struct{}{}
	return !again && !earlier
}
