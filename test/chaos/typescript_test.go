package chaos

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/xuangate/xuangate/gen/model"
	"github.com/xuangate/xuangate/test/xuanxuan"
)

// typescript is a Node process with the built TypeScript SDK, in which any number of people read and write. Orders go in as lines of
// JSON, and what the SDK's users saw comes out the same way; sdk/typescript/test/people.mjs says which there are.
type typescript struct {
	done chan struct{} // closed when the process has ended

	mu      sync.Mutex
	in      io.WriteCloser
	readers []*reader
	sends   map[int]chan<- answered
	last    int
}

// answered is what became of one message.
type answered struct {
	id      model.MsgId
	refused *errRefused
}

// An order is one line to the process.
type order struct {
	Do       string                `json:"do"`
	ID       int                   `json:"id"`
	URL      string                `json:"url,omitempty"`
	Account  string                `json:"account,omitempty"`
	Password string                `json:"password,omitempty"`
	Platform int                   `json:"platform,omitempty"`
	Over     model.Protocol        `json:"over,omitempty"`
	Rooms    []string              `json:"rooms,omitempty"`
	Message  *model.SendMsgRequest `json:"message,omitempty"`
}

// A report is one line from it.
type report struct {
	ID      int
	Online  bool
	Reset   bool
	Message *model.MsgData
	Read    []model.MsgData
	Sent    model.MsgId
	Code    model.Code
	Error   string
}

var buildOnce sync.Once

// build makes the SDK's package as it is published.
func build(t *testing.T) {
	buildOnce.Do(func() {
		for _, command := range [][]string{{"../../.ci/npm", "../../sdk/typescript"}, {"npm", "--prefix", "../../sdk/typescript", "run", "build", "--silent"}} {
			said, err := exec.Command(command[0], command[1:]...).CombinedOutput()
			require.NoError(t, err, "%v: %s", command, said)
		}
	})
}

// typescript is the round's process, started when somebody needs it.
func (in *round) typescript() *typescript {
	if in.ts != nil {
		return in.ts
	}
	build(in.t)
	cmd := exec.Command("node", "../../sdk/typescript/test/people.mjs")
	cmd.Stderr = os.Stderr
	orders, err := cmd.StdinPipe()
	require.NoError(in.t, err)
	reports, err := cmd.StdoutPipe()
	require.NoError(in.t, err)
	require.NoError(in.t, cmd.Start())
	ts := &typescript{in: orders, done: make(chan struct{}), sends: map[int]chan<- answered{}}
	go func() {
		defer close(ts.done)
		ts.hear(in.t, reports)
		if err := cmd.Wait(); err != nil {
			in.t.Errorf("node: %v", err)
		}
	}()
	in.t.Cleanup(func() { // it ends when its standard input does
		_ = orders.Close()
		<-ts.done
	})
	in.ts = ts
	return ts
}

// hear takes reports until there are no more.
func (ts *typescript) hear(t *testing.T, from io.Reader) {
	for lines := json.NewDecoder(bufio.NewReader(from)); ; {
		var one report
		if err := lines.Decode(&one); err != nil {
			if err != io.EOF {
				t.Errorf("node says what is no report: %v", err)
				_, _ = io.Copy(io.Discard, from)
			}
			return
		}
		ts.take(one)
	}
}

func (ts *typescript) take(one report) {
	ts.mu.Lock()
	sent := ts.sends[one.ID]
	delete(ts.sends, one.ID)
	var r *reader
	if sent == nil {
		r = ts.readers[one.ID]
	}
	ts.mu.Unlock()
	switch {
	case sent != nil && one.Code != 0:
		sent <- answered{refused: &errRefused{one.Code, one.Error}}
	case sent != nil:
		sent <- answered{id: one.Sent}
	case one.Online:
		r.begins()
	case one.Reset:
		r.startsOver()
	case one.Message != nil:
		r.hears(*one.Message)
	default:
		r.reads(one.Read)
	}
}

func (ts *typescript) order(o order) error {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	return json.NewEncoder(ts.in).Encode(o)
}

// reads has somebody listen in the process until the context ends that what it returns is given.
func (ts *typescript) reads(r *reader) func(context.Context) {
	ts.mu.Lock()
	id := len(ts.readers)
	ts.readers = append(ts.readers, r)
	ts.mu.Unlock()
	o := order{
		ID: id, URL: r.line.url(), Account: r.account, Password: xuanxuan.DemoPassword, Platform: r.platform, Over: r.protocol, Rooms: r.rooms,
	}
	return func(ctx context.Context) {
		o.Do = "listen"
		_ = ts.order(o) // a process that is gone has said so
		<-ctx.Done()
		_ = ts.order(order{Do: "leave", ID: id})
	}
}

// sendIDs begin above those of readers.
const sendIDs = 1000

// writes has somebody write in the process.
func (ts *typescript) writes(w *writer, l *line) func(context.Context, model.SendMsgRequest) (model.MsgId, error) {
	o := order{Do: "send", URL: l.url(), Account: w.account, Password: xuanxuan.DemoPassword, Platform: w.platform + apart}
	return func(ctx context.Context, d model.SendMsgRequest) (model.MsgId, error) {
		came := make(chan answered, 1)
		ts.mu.Lock()
		ts.last++
		o := o
		o.ID, o.Message = sendIDs+ts.last, &d
		ts.sends[o.ID] = came
		ts.mu.Unlock()
		if err := ts.order(o); err != nil {
			return "", err
		}
		select {
		case a := <-came:
			if a.refused != nil {
				return "", a.refused
			}
			return a.id, nil
		case <-ts.done:
			return "", io.ErrUnexpectedEOF
		case <-ctx.Done():
			return "", ctx.Err()
		}
	}
}
