package gateway

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/xuangate/xuangate/adapter"
	"github.com/xuangate/xuangate/adapter/legacy"
	"github.com/xuangate/xuangate/gen/model"
)

const (
	// maxNodeCall bounds a call of another node in bytes: it takes the longest message, each of its characters escaped. Without it a
	// node that has gone wrong fills the memory of another.
	maxNodeCall = 1 << 20
	// maxCallAnswer bounds the answer to it: a page of history with the longest messages fits.
	maxCallAnswer = 64 << 20
)

// A told call is how one node has another make it over the link that stands there.
type toldCall struct {
	Module string `json:"module"`
	Method string `json:"method"`
	Params any    `json:"params,omitempty"`
}

// A told answer is what came of it: the chat server's answer, or that there is none, and then whether nothing was sent.
type toldAnswer struct {
	Answer  legacy.Response `json:"answer"`         // but for the two below
	Data    json.RawMessage `json:"data,omitempty"` // no data, and null, are two things
	Unsure  bool            `json:"unsure,omitempty"`
	NotSent bool            `json:"not_sent,omitempty"`
}

// Call has the node that holds a link make a call over it. It is an adapter.Config's Elsewhere.
func (n *Nodes) Call(ctx context.Context, holder string, c legacy.Call) (legacy.Response, error) {
	body, err := json.Marshal(toldCall{c.Module, c.Method, c.Params})
	if err != nil {
		return legacy.Response{}, err
	}
	answer, err := n.ask(ctx, holder, callPath, c.User, body, maxCallAnswer)
	if err != nil {
		return legacy.Response{}, err
	}
	var told toldAnswer
	if len(answer.Data) > 0 {
		if err := json.Unmarshal(answer.Data, &told); err != nil {
			return legacy.Response{}, fmt.Errorf("the node that holds the user's link answered no call: %w", err)
		}
	}
	if answer.Code == model.OK {
		told.Answer.Data, told.Answer.Unsure = told.Data, told.Unsure
		return told.Answer, nil
	}
	e := &adapter.Error{Code: answer.Code, Op: "call at another node", Text: answer.Error}
	if e.Code == model.Unreachable {
		e.RetryAfter = retryAfter
	}
	if told.NotSent {
		e.Err = legacy.ErrNotSent
	}
	return legacy.Response{}, e
}

// callFor makes a call for another node, over a link that stands here.
func (s *Server) callFor(c echo.Context) error {
	ctx := c.Request().Context()
	var u legacy.UserID // nobody is no session
	if name := c.Param("session"); name != u.String() {
		var err error
		if u, err = adapter.ParseSession(name); err != nil {
			return err
		}
	}
	call, err := readCall(http.MaxBytesReader(c.Response(), c.Request().Body, maxNodeCall))
	if err != nil {
		return refuse(model.InvalidParameter, "%s", err)
	}
	call.User = u
	r, err := s.legacy.CallHere(ctx, call)
	if err == nil {
		told := toldAnswer{Answer: r, Data: r.Data, Unsure: r.Unsure}
		told.Answer.Data = nil
		return c.JSON(http.StatusOK, map[string]any{"code": model.OK, "data": told})
	}
	recordOf(ctx).err = err
	p := newProblem(err)
	return c.JSON(p.status, map[string]any{"code": p.code, "error": p.text, "data": toldAnswer{NotSent: errors.Is(err, legacy.ErrNotSent)}})
}

// readCall reads a call as Call has told it. Wires look into messages, so those have their own type again.
func readCall(from io.Reader) (legacy.Call, error) {
	var told struct {
		Module, Method string
		Params         json.RawMessage
	}
	d := json.NewDecoder(from)
	if err := d.Decode(&told); err != nil {
		return legacy.Call{}, fmt.Errorf("no call: %w", err)
	}
	call := legacy.Call{Module: told.Module, Method: told.Method}
	if len(told.Params) == 0 {
		return call, nil
	}
	if told.Method == "message" {
		var drafts [][]legacy.DraftRow
		if err := json.Unmarshal(told.Params, &drafts); err != nil || len(drafts) != 1 {
			return call, fmt.Errorf("no message: %w", err)
		}
		call.Params = []any{drafts[0]}
		return call, nil
	}
	d = json.NewDecoder(bytes.NewReader(told.Params))
	d.UseNumber() // as they were written
	return call, d.Decode(&call.Params)
}
