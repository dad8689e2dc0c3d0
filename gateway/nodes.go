package gateway

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/xuangate/xuangate/adapter/legacy"
	"github.com/xuangate/xuangate/gateway/eventlog"
	"github.com/xuangate/xuangate/gateway/traces"
	"github.com/xuangate/xuangate/gen/model"
)

const (
	// nodeDialTimeout is how long another node may take to be connected to. Longer, and calls wait for one that is gone.
	nodeDialTimeout = 2 * time.Second
	// nodeAnswerTimeout is how long another node may take to begin its answer, once it has the request: longer than the calls to
	// the chat server behind it. Without it a node that is stopped holds requests for ever.
	nodeAnswerTimeout = 30 * time.Second
	// maxNodeAnswer bounds what is read of an answer that is for this node itself.
	maxNodeAnswer = 64 << 10
)

// What a node asks another for in its own name; a session follows. The public API has no such paths.
const attendPath, callPath = "/node/attend/", "/node/call/"

// Nodes are the other nodes, where each user's connection to the chat server stands at one of them: requests of his are forwarded to
// that one, whose name tells its address. A nil Nodes is that of the only node. All methods may be used from any goroutine.
type Nodes struct {
	name      string
	key       []byte
	transport *http.Transport
	nonces    nonces
	traces    *traces.Traces // that requests to other nodes belong to; New sets it
}

// NodeName is the name under which a node holds claims: id is unique, and address, where others reach its API, may be empty.
func NodeName(id, address string) string { return id + " " + address }

// addressOf is where the node of that name is reached, nil where it did not say.
func addressOf(name string) *url.URL {
	_, address, _ := strings.Cut(name, " ")
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return nil
	}
	return u
}

// NewNodes makes the others of the node of that name (see NodeName). All have the same secret, which a key is derived from that
// proves a node to another.
func NewNodes(name, secret string) (*Nodes, error) {
	key, err := nodeKey(secret)
	if err != nil {
		return nil, fmt.Errorf("derive the key of nodes: %w", err)
	}
	return &Nodes{name: name, key: key, transport: &http.Transport{
		DialContext:           (&net.Dialer{Timeout: nodeDialTimeout}).DialContext,
		TLSHandshakeTimeout:   nodeDialTimeout,
		ResponseHeaderTimeout: nodeAnswerTimeout,
		MaxIdleConnsPerHost:   64,
		IdleConnTimeout:       time.Minute,
	}}, nil
}

// Close gives up the connections to other nodes that are idle.
func (n *Nodes) Close() {
	if n != nil {
		n.transport.CloseIdleConnections()
	}
}

// attend tells the node that holds the link of u of a stream here, and returns where what waited for u begins; the zero Position
// where nothing did.
func (n *Nodes) attend(ctx context.Context, holder string, u legacy.UserID) (at eventlog.Position, err error) {
	var begins string
	answer, err := n.ask(ctx, holder, attendPath, u, nil, maxNodeAnswer)
	if err == nil && answer.Code != model.OK {
		err = fmt.Errorf("the node that holds the user's link answered %d: %s", answer.Code, answer.Error)
	}
	if err == nil {
		err = json.Unmarshal(answer.Data, &begins)
	}
	if err != nil || begins == "" {
		return at, err
	}
	return eventlog.ParsePosition(begins)
}

// nodeAnswer is what a node answers that was asked for something in the name of another.
type nodeAnswer struct {
	Code  model.Code      `json:"code"`
	Error string          `json:"error"`
	Data  json.RawMessage `json:"data"`
}

// ask asks the node that holds the link of u for something, with an answer of at most so many bytes.
func (n *Nodes) ask(ctx context.Context, holder, path string, u legacy.UserID, body []byte, most int64) (answer nodeAnswer, err error) {
	to := addressOf(holder)
	if to == nil {
		return answer, fmt.Errorf("%w: the node that holds the user's link has no node.advertise_url", legacy.ErrNotSent)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, to.JoinPath(path, u.String()).String(), bytes.NewReader(body))
	if err != nil {
		return answer, err
	}
	n.mark(req, hop{To: holder})
	res, err := n.transport.RoundTrip(req)
	if err != nil {
		return answer, fmt.Errorf("ask the node that holds the user's link: %w", err)
	}
	defer res.Body.Close()
	if err := json.NewDecoder(io.LimitReader(res.Body, most)).Decode(&answer); err != nil {
		return answer, fmt.Errorf("the node that holds the user's link answered no JSON: %w", err)
	}
	return answer, nil
}
