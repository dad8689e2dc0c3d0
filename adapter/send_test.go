package adapter

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/xuangate/xuangate/adapter/legacy"
	"github.com/xuangate/xuangate/gen/model"
)

var errDropped = errors.New("connection dropped")

func TestSendMessage(t *testing.T) {
	t.Run("one legacy call, and one event for the members, online or not", func(t *testing.T) {
		a, s := newScripted(t)
		s.answers["message"] = echo(t, nil)
		id, err := send(t, a, model.SendMsgRequest{Content: "hello", Type: 1})
		require.NoError(t, err)
		require.Equal(t, []string{"getlist", "message"}, s.methods())
		_, err = send(t, a, model.SendMsgRequest{Content: "again"})
		require.NoError(t, err)
		require.Equal(t, []string{"message"}, s.methods(), "membership is known by then")
		require.Len(t, s.events, 2)
		e := s.events[0]
		require.Equal(t, Recipients{Users: []legacy.UserID{4, 5}}, e.To)
		require.Equal(t, id, e.Data.(model.MsgData).MsgId)
		require.Equal(t, "hello", e.Data.(model.MsgData).Content)
		require.Equal(t, legacy.MessageID(1), e.ID)
		require.NotEmpty(t, e.Once)
	})
	t.Run("the system conversation's messages are for everybody", func(t *testing.T) {
		a, s := newScripted(t)
		s.answers["message"] = echo(t, nil)
		_, err := send(t, a, model.SendMsgRequest{ConversationId: "sys", Content: "hello"})
		require.NoError(t, err)
		require.True(t, s.events[0].To.All)
	})
	t.Run("nothing goes out to a conversation one may not speak in", func(t *testing.T) {
		for name, c := range map[string]struct {
			id, chat string
			want     model.Code
		}{
			"unknown":            {"nosuch", chatJSON("team", "group", 4), model.NotFound},
			"not a member":       {"team", chatJSON("team", "group", 5), model.NotFound},
			"another spelling":   {"TEAM", chatJSON("team", "group", 4), model.NotFound},
			"a trailing blank":   {"team ", chatJSON("team", "group", 4), model.NotFound},
			"empty":              {"", "", model.InvalidParameter},
			"too long":           {"0123456789012345678901234567890123456789x", "", model.NotFound},
			"dismissed":          {"team", `{"gid":"team","type":"group","dismissDate":1795312628,"members":[4]}`, model.Conflict},
			"no committer":       {"team", `{"gid":"team","type":"group","committers":"5,6","members":[4]}`, model.NotAllowed},
			"dismissed, no role": {"team", `{"gid":"team","type":"group","committers":"5","dismissDate":1795312628,"members":[4]}`, model.Conflict},
		} {
			a, s := newScripted(t)
			s.answers["getlist"] = says(t, frame("getlist", "["+c.chat+"]"))
			_, err := a.SendMessage(t.Context(), 4, model.SendMsgRequest{ConversationId: c.id, Content: "x"})
			require.Equal(t, c.want, code(err), name)
			require.NotContains(t, s.methods(), "message", name)
			require.Empty(t, s.events, name)
		}
	})
	t.Run("what legacy lost, changed or answered for another is an error and no event", func(t *testing.T) {
		for name, change := range map[string]func(map[string]any){
			"cut":             func(row map[string]any) { row["content"] = "hel" },
			"other chat":      func(row map[string]any) { row["cgid"] = "secret" },
			"other sender":    func(row map[string]any) { row["user"] = 5 },
			"other message":   func(row map[string]any) { row["gid"] = "x" },
			"lost its type":   func(row map[string]any) { row["contentType"] = "" },
			"no id":           func(row map[string]any) { row["id"] = 0 },
			"question marks":  func(row map[string]any) { row["content"] = "????" },
			"replaced by pic": func(row map[string]any) { row["contentType"] = "image" },
		} {
			a, s := newScripted(t)
			s.answers["message"] = echo(t, change)
			_, err := send(t, a, model.SendMsgRequest{Content: "hello"})
			require.Equal(t, model.Conflict, code(err), name)
			require.Empty(t, s.events, name)
		}
		a, s := newScripted(t)
		s.answers["message"] = says(t, frame("message", "[]"))
		_, err := send(t, a, model.SendMsgRequest{Content: "hello"})
		require.Equal(t, model.Conflict, code(err))
		require.ErrorContains(t, err, "lost the message")
	})
	t.Run("a refusal is told by its reason", func(t *testing.T) {
		a, s := newScripted(t)
		s.answers["message"] = says(t, `{"module":"chat","method":"message","result":"fail","data":[{"gid":"team","messages":"讨论组已被解散"}]}`)
		_, err := send(t, a, model.SendMsgRequest{Content: "hello"})
		require.ErrorContains(t, err, "dismissed")
	})
	t.Run("one client_msg_id, other content: refused before it goes out", func(t *testing.T) {
		a, s := newScripted(t)
		s.answers["message"] = echo(t, nil)
		_, err := send(t, a, model.SendMsgRequest{Content: `{"name":"a"}`, Type: 3, ClientMsgId: "1"})
		require.NoError(t, err)
		s.methods()
		_, err = send(t, a, model.SendMsgRequest{Content: `{"name":"b"}`, Type: 3, ClientMsgId: "1"})
		require.Equal(t, model.Conflict, code(err))
		require.Empty(t, s.methods())
	})
}

func TestSendWithoutAnswer(t *testing.T) {
	historyWith := func(t *testing.T, gid *string) func(legacy.Call) (legacy.Response, error) {
		return func(c legacy.Call) (legacy.Response, error) {
			if *gid == "" {
				return answer(t, c, `{"module":"chat","method":"history","result":"success","data":[],"pager":{"recTotal":0}}`), nil
			}
			return answer(t, c, `{"module":"chat","method":"history","result":"success","data":[{"id":7,"gid":"`+*gid+
				`","cgid":"team","user":4,"date":1795313000,"type":"normal","contentType":"text","content":"hello"}],"pager":{"recTotal":1}}`), nil
		}
	}
	gidOf := func(c legacy.Call) string { return string(c.Params.([]any)[0].([]legacy.DraftRow)[0].GID) }

	t.Run("stored all the same: found in history, sent once", func(t *testing.T) {
		a, s := newScripted(t)
		var gid string
		s.answers["message"] = func(c legacy.Call) (legacy.Response, error) { gid = gidOf(c); return legacy.Response{}, errDropped }
		s.answers["history"] = historyWith(t, &gid)
		id, err := send(t, a, model.SendMsgRequest{Content: "hello"})
		require.NoError(t, err)
		require.Equal(t, []string{"getlist", "message", "history"}, s.methods())
		require.Equal(t, id, s.events[0].Data.(model.MsgData).MsgId)
	})
	t.Run("not stored: sent once more under the same gid", func(t *testing.T) {
		a, s := newScripted(t)
		var first, none string
		stored := echo(t, nil)
		s.answers["history"] = historyWith(t, &none)
		s.answers["message"] = func(c legacy.Call) (legacy.Response, error) {
			if first == "" {
				first = gidOf(c)
				return legacy.Response{}, errDropped
			}
			require.Equal(t, first, gidOf(c))
			return stored(c)
		}
		_, err := send(t, a, model.SendMsgRequest{Content: "hello"})
		require.NoError(t, err)
		require.Equal(t, []string{"getlist", "message", "history", "message"}, s.methods())
		require.Len(t, s.events, 1)
	})
	t.Run("fate unknown: the sender is told so, and the members hear of it once legacy answers again", func(t *testing.T) {
		a, s := newScripted(t)
		var gid string
		s.answers["message"] = func(c legacy.Call) (legacy.Response, error) { gid = gidOf(c); return legacy.Response{}, errDropped }
		s.answers["history"] = func(legacy.Call) (legacy.Response, error) { return legacy.Response{}, errDropped }
		_, err := send(t, a, model.SendMsgRequest{Content: "hello"})
		require.Equal(t, model.Unreachable, code(err))
		require.Error(t, a.settleDoubts(t.Context()))
		require.Empty(t, s.events)
		s.answers["history"] = historyWith(t, &gid)
		require.NoError(t, a.settleDoubts(t.Context()))
		require.Len(t, s.events, 1)
		require.Empty(t, a.doubts.take())
	})
	t.Run("no answer came to us, and it is not there: that is no proof that nothing was stored", func(t *testing.T) {
		for data, want := range map[string]model.Code{"": model.Unreachable, "[]": model.Conflict} {
			a, s := newScripted(t)
			var none string
			s.answers["history"] = historyWith(t, &none)
			s.answers["message"] = func(c legacy.Call) (legacy.Response, error) {
				return legacy.Response{Module: c.Module, Method: c.Method, Result: legacy.Success, Data: json.RawMessage(data), Unsure: true}, nil
			}
			_, err := send(t, a, model.SendMsgRequest{Content: "hello"})
			require.Equal(t, want, code(err), data)
			require.Len(t, a.doubts.list, map[model.Code]int{model.Unreachable: 1}[want], data)
		}
	})
	t.Run("a draft that is not there is given up after a minute", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			a, s := newScripted(t)
			var none string
			s.answers["message"] = func(legacy.Call) (legacy.Response, error) { return legacy.Response{}, errDropped }
			s.answers["history"] = historyWith(t, &none)
			_, err := send(t, a, model.SendMsgRequest{Content: "hello"})
			require.Equal(t, model.Unreachable, code(err))
			require.NoError(t, a.settleDoubts(t.Context()))
			require.Len(t, a.doubts.list, 1)
			time.Sleep(doubtful)
			require.NoError(t, a.settleDoubts(t.Context()))
			require.Empty(t, a.doubts.list)
			require.Empty(t, s.events)
		})
	})
	t.Run("a client that gives up does not stop what has begun", func(t *testing.T) {
		a, s := newScripted(t)
		ctx, cancel := context.WithCancel(t.Context())
		stored := echo(t, nil)
		s.answers["message"] = func(c legacy.Call) (legacy.Response, error) { cancel(); return stored(c) }
		_, err := a.SendMessage(ctx, 4, model.SendMsgRequest{ConversationId: "team", Content: "hello"})
		require.NoError(t, err)
		require.Len(t, s.events, 1)
	})
}

func TestSendsToOneConversationGoOneByOne(t *testing.T) {
	a, s := newScripted(t)
	s.answers["message"] = echo(t, nil)
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			_, err := send(t, a, model.SendMsgRequest{Content: "hello"})
			require.NoError(t, err)
		})
	}
	wg.Wait()
	for i, e := range s.events {
		require.Equal(t, legacy.MessageID(i+1), e.ID, "the log has legacy's order")
	}
	require.Empty(t, a.lanes.busy, "no lane is left behind")
}

func TestLaneIsGivenUpWithTheRequest(t *testing.T) {
	l := newLanes()
	leave, err := l.enter(t.Context(), "c")
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = l.enter(ctx, "c")
	require.ErrorIs(t, err, context.Canceled)
	leave()
	require.Empty(t, l.busy)
}
