package xuanxuan

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"net/url"
	"strings"

	"github.com/stretchr/testify/require"
)

// A recordedRequest is an HTTP request with its answer.
type recordedRequest struct {
	Request     json.RawMessage   `json:"request"` // the form field "data"
	Params      map[string]any    `json:"params"`
	Headers     map[string]string `json:"headers"`
	Fields      map[string]string `json:"fields"`
	Files       map[string][2]any `json:"files"` // name and size
	Status      int               `json:"status"`
	RespHeaders map[string]string `json:"resp_headers"`
	Response    string            `json:"response"`
	Body        string            `json:"body"` // its beginning
}

// request makes a recorded HTTP request and compares the answer.
func (r *replay) request(e recordedEvent) {
	var rec recordedRequest
	require.NoError(r.t, json.Unmarshal(e.Frame, &rec))
	what := strings.Fields(e.Dir)
	req, err := http.NewRequestWithContext(r.t.Context(), what[1], r.x.URL()+what[2], nil)
	require.NoError(r.t, err)
	switch {
	case rec.Request != nil:
		form(req, "application/x-www-form-urlencoded", url.Values{"data": {string(rec.Request)}}.Encode())
	case rec.Params != nil:
		req.URL.RawQuery = r.query(rec).Encode()
	case rec.Fields != nil:
		r.multipart(req, rec)
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := client.Do(req)
	require.NoError(r.t, err, e.Dir)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	require.NoError(r.t, err)
	require.Equal(r.t, rec.Status, res.StatusCode, "%s: %s", e.Dir, e.Frame)
	if rec.Body != "" {
		body = body[:len(rec.Body)]
	}
	plain := func(text string) string {
		text = tokens.ReplaceAllString(text, `"token":TOKEN`)
		text = chatPorts.ReplaceAllString(text, `"chatPort":PORT`)
		return madeUpIDs.ReplaceAllString(text, `"id":ID,"name":"a.txt"`)
	}
	require.Equal(r.t, plain(cmp.Or(rec.Response, rec.Body)), plain(string(body)), e.Dir)
	for name, v := range rec.RespHeaders {
		switch {
		case name == "Date", name == "Last-Modified":
			require.NotEmpty(r.t, res.Header.Get(name))
		case name == "Content-Length" && madeUpIDs.MatchString(rec.Response): // an id of one to six digits
		case name == "Content-Disposition": // recorded as Latin-1
			var latin1 strings.Builder
			for _, b := range []byte(res.Header.Get(name)) {
				latin1.WriteRune(rune(b))
			}
			require.Equal(r.t, v, latin1.String())
		default:
			require.Equal(r.t, v, res.Header.Get(name), "%s of %s", name, e.Dir)
		}
	}
}

func form(req *http.Request, kind, body string) {
	req.Header.Set("Content-Type", kind)
	req.Body, req.ContentLength = io.NopCloser(strings.NewReader(body)), int64(len(body))
}

// query is a recorded download's, its sid made of our session where it was made of the recorded one.
func (r *replay) query(rec recordedRequest) url.Values {
	q := url.Values{}
	for name, v := range rec.Params {
		if n, ok := v.(float64); ok {
			v = int64(n)
		}
		q.Set(name, fmt.Sprint(v))
	}
	for recorded, ours := range r.sessions {
		if q.Get("sid") == md5Hex(recorded+q.Get("fileName")) {
			q.Set("sid", md5Hex(ours+q.Get("fileName")))
			break
		}
	}
	return q
}

// multipart makes a recorded upload's body.
func (r *replay) multipart(req *http.Request, rec recordedRequest) {
	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	for name, v := range rec.Fields {
		require.NoError(r.t, w.WriteField(name, v))
	}
	for field, file := range rec.Files {
		name, size := file[0].(string), int(file[1].(float64))
		part, err := w.CreatePart(textproto.MIMEHeader{
			"Content-Disposition": {`form-data; name="` + field + `"; filename="` + strings.ReplaceAll(name, `"`, "%22") + `"`},
		})
		require.NoError(r.t, err)
		const text = "hello file "
		_, err = io.WriteString(part, strings.Repeat(text, size/len(text)+1)[:size])
		require.NoError(r.t, err)
	}
	require.NoError(r.t, w.Close())
	form(req, w.FormDataContentType(), body.String())
	for name, v := range rec.Headers {
		if name == "Authorization" && !strings.HasPrefix(v, "x") {
			v = r.x.Token()
		}
		req.Header.Set(name, v)
	}
}
