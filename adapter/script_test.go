package adapter

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/xuangate/xuangate/adapter/legacy"
	"github.com/xuangate/xuangate/gen/model"
)

// script is a Caller that answers by method, and keeps the calls. A method it does not know fails the test.
type script struct {
	t       *testing.T
	answers map[string]func(legacy.Call) (legacy.Response, error)
	slow    func(legacy.Call) // takes its time before each call; nil takes none

	mu     sync.Mutex
	calls  []legacy.Call
	events []Event
}

func (s *script) Call(_ context.Context, c legacy.Call) (legacy.Response, error) {
	if s.slow != nil {
		s.slow(c)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = append(s.calls, c)
	answer, ok := s.answers[c.Method]
	if !ok {
		s.t.Errorf("unexpected call %s %v", c, c.Params)
		return legacy.Response{}, fmt.Errorf("unexpected call %s", c)
	}
	return answer(c)
}

func (s *script) sink(_ context.Context, e Event) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.events = append(s.events, e)
	return nil
}

// methods are the calls made since the last time, without the reading of the user list.
func (s *script) methods() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []string
	for _, c := range s.calls {
		if c.Method != "userGetlist" {
			list = append(list, c.Method)
		}
	}
	s.calls = nil
	return list
}

// answer makes an answer from the frame of a server.
func answer(t *testing.T, c legacy.Call, frame string) legacy.Response {
	r, err := legacy.DecodeResponse(c, []byte(frame))
	require.NoError(t, err)
	return r
}

func says(t *testing.T, frame string) func(legacy.Call) (legacy.Response, error) {
	return func(c legacy.Call) (legacy.Response, error) { return answer(t, c, frame), nil }
}

const usersFrame = `{"module":"chat","method":"usergetlist","result":"success","users":[0],"data":[` +
	`{"id":1,"account":"admin","realname":"Admin","admin":"super","status":"offline"},` +
	`{"id":4,"account":"alice","realname":"Alice","admin":"no","status":"online"},` +
	`{"id":5,"account":"bob","realname":"Bob","admin":"no","status":"offline"},` +
	`{"id":6,"account":"carol","realname":"Carol","admin":"no","status":"offline"}],"roles":{},"depts":[],"lang":"zh-cn","v":"2.2.0"}`

// chatJSON is a chat as legacy answers it.
func chatJSON(gid, typ string, members ...int) string {
	m, _ := json.Marshal(slices.Concat([]int{}, members))
	return fmt.Sprintf(`{"id":2,"gid":%q,"name":"Team","type":%q,"admins":"","committers":"","subject":0,"public":0,"createdBy":"alice","createdDate":1795312628,"editedBy":"","editedDate":0,"lastActiveTime":1795312700,"dismissDate":0,"members":%s}`, gid, typ, m)
}

func frame(method, data string) string {
	return fmt.Sprintf(`{"module":"chat","method":%q,"result":"success","users":[4],"data":%s,"lang":"zh-cn","v":"2.2.0"}`, method, data)
}

func failFrame(method, why string) string {
	return fmt.Sprintf(`{"module":"chat","method":%q,"result":"fail","message":%q,"lang":"zh-cn","v":"2.2.0"}`, method, why)
}

// newScripted makes an Adapter whose server knows four users, and alice in the group "team" with bob.
func newScripted(t *testing.T) (*Adapter, *script) {
	s := &script{t: t}
	s.answers = map[string]func(legacy.Call) (legacy.Response, error){
		"userGetlist": says(t, usersFrame),
		"getlist": says(t, frame("getlist", "["+strings.Join([]string{
			chatJSON("sys", "system", 1, 4, 5, 6), chatJSON("team", "group", 4, 5),
		}, ",")+"]")),
		"history": says(t, `{"module":"chat","method":"history","result":"success","data":[],"pager":{"recPerPage":5,"pageID":1,"recTotal":0}}`),
	}
	a, err := New(Config{Caller: s, Apps: s, Sink: s.sink, Timeout: time.Second})
	require.NoError(t, err)
	return a, s
}

// echo answers chat/message the way legacy does: it stores what came and answers the rows.
func echo(t *testing.T, change func(row map[string]any)) func(legacy.Call) (legacy.Response, error) {
	id := 0
	return func(c legacy.Call) (legacy.Response, error) {
		var drafts [][]map[string]any
		b, err := json.Marshal(c.Params)
		require.NoError(t, err)
		require.NoError(t, json.Unmarshal(b, &drafts))
		id++
		row := drafts[0][0]
		row["id"], row["date"], row["data"] = id, 1795313000+id, ""
		if change != nil {
			change(row)
		}
		data, err := json.Marshal([]any{row})
		require.NoError(t, err)
		return answer(t, c, frame("message", string(data))), nil
	}
}

func send(t *testing.T, a *Adapter, r model.SendMsgRequest) (model.MsgId, error) {
	if r.ConversationId == "" {
		r.ConversationId = "team"
	}
	return a.SendMessage(t.Context(), 4, r)
}
