package contract

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/xuangate/xuangate/gen/model"
)

// event is an event as a stream with events=all tells it.
type event struct {
	Event    model.EventKind
	Position string
	Data     json.RawMessage
}

// into decodes the event's data, if it is of that form.
func (e event) into(v any) bool { return json.Unmarshal(e.Data, v) == nil }

func (e event) message(t *testing.T) model.MsgData {
	t.Helper()
	require.Equal(t, model.EventKindMessage, e.Event)
	var m model.MsgData
	require.NoError(t, json.Unmarshal(e.Data, &m))
	return m
}

func kinds(list []event) string {
	var b strings.Builder
	for _, e := range list {
		fmt.Fprintf(&b, "%s %s\n", e.Event, e.Data)
	}
	return b.String()
}

func only(list []event, kind model.EventKind) []event {
	var out []event
	for _, e := range list {
		if e.Event == kind {
			out = append(out, e)
		}
	}
	return out
}

// count is an until condition: n events of a kind.
func count(kind model.EventKind, n int) func([]event) bool {
	return func(list []event) bool { return len(only(list, kind)) >= n }
}

// poll asks once for what happened after a position, waiting up to timeout seconds.
func (u *user) poll(after string, timeout int) ([]event, string) {
	u.w.t.Helper()
	url := fmt.Sprintf("%s/notify?protoc=poll&events=all&timeout=%d&after=%s", u.w.url, timeout, after)
	req, err := http.NewRequestWithContext(u.w.t.Context(), http.MethodGet, url, nil)
	require.NoError(u.w.t, err)
	req.Header.Set("Authorization", "Bearer "+u.token)
	res, err := u.w.http.Do(req)
	require.NoError(u.w.t, err)
	defer res.Body.Close()
	var a struct {
		Code  model.Code
		Error string
		Data  struct {
			Events   []event
			Position string
		}
	}
	require.NoError(u.w.t, json.NewDecoder(res.Body).Decode(&a))
	require.Equal(u.w.t, model.OK, a.Code, a.Error)
	return a.Data.Events, a.Data.Position
}

// until polls on from a position until it heard what it waits for, and returns all it heard.
func (u *user) until(after string, enough func([]event) bool) ([]event, string) {
	u.w.t.Helper()
	var heard []event
	for end := time.Now().Add(patience); ; {
		list, next := u.poll(after, 1)
		heard, after = append(heard, list...), next
		if enough(heard) {
			return heard, after
		}
		require.True(u.w.t, time.Now().Before(end), "%s waits in vain; heard %s", u.account, kinds(heard))
	}
}

// here is a position from which u misses nothing: his streams begin there.
func (u *user) here() string {
	u.w.t.Helper()
	_, at := u.poll("", 0)
	return at
}
