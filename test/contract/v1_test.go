package contract

import (
	"bufio"
	"encoding/json"
	"net"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/xuangate/xuangate/adapter/legacy"
)

// oldDesktop is desktop in mode v1: a line on a connection of its own, in a session of the user.
func (w *world) oldDesktop(c legacy.Call) {
	w.t.Helper()
	sid, err := w.v1.Session(w.t.Context(), int64(c.User))
	require.NoError(w.t, err)
	conn, err := net.Dial("tcp", w.v1.Addr())
	require.NoError(w.t, err)
	defer conn.Close()
	require.NoError(w.t, conn.SetDeadline(time.Now().Add(patience)))
	params := c.Params
	if list, ok := params.([]any); ok && c.Method == "message" { // which has fewer fields in 1.0
		rows := []object{}
		for _, d := range list[0].([]legacy.DraftRow) {
			rows = append(rows, object{"gid": d.GID, "cgid": d.CGID, "type": d.Type, "contentType": d.ContentType, "content": d.Content})
		}
		params = object{"messages": rows}
	}
	text, err := json.Marshal(object{"module": c.Module, "method": c.Method, "params": params, "sid": sid})
	require.NoError(w.t, err)
	_, err = conn.Write(append(text, '\n'))
	require.NoError(w.t, err)
	line, err := bufio.NewReader(conn).ReadBytes('\n')
	require.NoError(w.t, err)
	var r legacy.Response
	require.NoError(w.t, json.Unmarshal(line, &r))
	require.Equal(w.t, legacy.Success, r.Result, r.Reason())
}
