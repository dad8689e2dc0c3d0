package contract

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"

	"github.com/stretchr/testify/require"

	"github.com/xuangate/xuangate/adapter/legacy"
	"github.com/xuangate/xuangate/adapter/xxb"
	"github.com/xuangate/xuangate/gen/model"
	"github.com/xuangate/xuangate/test/xuanxuan"
)

// answer is the envelope, with the HTTP status it came under.
type answer struct {
	Status int             `json:"-"`
	Code   model.Code      `json:"code"`
	Error  string          `json:"error"`
	Data   json.RawMessage `json:"data"`
}

// post sends a request and checks the promises that hold for every answer.
func (w *world) post(path string, head http.Header, body any) answer {
	w.t.Helper()
	a, err := w.ask(path, head, body)
	require.NoError(w.t, err)
	return a
}

// ask is post for goroutines other than the test's: an answer that breaks a promise is an error.
func (w *world) ask(path string, head http.Header, body any) (a answer, err error) {
	b, err := json.Marshal(body)
	if err != nil {
		return a, err
	}
	req, err := http.NewRequest(http.MethodPost, w.url+path, bytes.NewReader(b))
	if err != nil {
		return a, err
	}
	if head != nil {
		req.Header = head.Clone()
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := w.http.Do(req)
	if err != nil {
		return a, err
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		return a, err
	}
	a.Status = res.StatusCode
	if err := json.Unmarshal(raw, &a); err != nil {
		return a, fmt.Errorf("%s: %w", raw, err)
	}
	ok := a.Code == model.OK
	if ok != (a.Status == http.StatusOK) || ok != (a.Error == "") || (!ok && a.Data != nil) || res.Header.Get("X-Request-Id") == "" {
		return a, fmt.Errorf("%s: not an envelope: status %d %v: %s", path, a.Status, res.Header, raw)
	}
	return a, nil
}

// desktop makes a legacy call past the gateway, as a desktop client would.
func (w *world) desktop(c legacy.Call) {
	w.t.Helper()
	if w.v1 != nil {
		w.oldDesktop(c)
		return
	}
	w.behind(c)
}

// behind makes a call of 2.x to what has the data, past any server in front of it.
func (w *world) behind(c legacy.Call) {
	w.t.Helper()
	key, err := legacy.NewKey(xuanxuan.DefaultKey)
	require.NoError(w.t, err)
	client := xxb.New(xxb.Config{URL: w.legacy.URL(), Key: key})
	defer client.Close()
	r, err := client.Call(w.t.Context(), c)
	require.NoError(w.t, err)
	require.Equal(w.t, legacy.Success, r.Result, r.Reason())
}

// inner calls an internal operation.
func (w *world) inner(path string, body any) answer {
	w.t.Helper()
	return w.post("/inner"+path, http.Header{"X-Inner-Key": {innerKey}}, body)
}
