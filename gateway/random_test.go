package gateway

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/stretchr/testify/require"

	"github.com/xuangate/xuangate/gateway/login"
	"github.com/xuangate/xuangate/gen/model"
)

// A prober makes requests for operations straight on the handlers, and holds each answer against the document.
type prober struct {
	w     *world
	paths []string // of the operations with a body of JSON, sorted
	token login.Token
}

func newProber(w *world) *prober {
	p := &prober{w: w}
	for name, op := range w.server.operations {
		if path, ok := strings.CutPrefix(name, http.MethodPost+" "); ok && op.media == "application/json" {
			p.paths = append(p.paths, path)
		}
	}
	slices.Sort(p.paths)
	p.token = w.signIn(alice, 1)
	return p
}

// meant are the answers of 5xx that are no fault of ours: this gateway has no such thing, or the scripted server says so.
var meant = []model.Code{model.Unsupported, model.Unreachable, model.TooSlow}

// ask calls one operation and returns its answer's status and code.
func (p *prober) ask(path string, body []byte) (int, model.Code, error) {
	handler, req := p.w.server.Public(), httptest.NewRequest(http.MethodPost, path, bytes.NewReader(body))
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+string(p.token))
	if strings.HasPrefix(path, "/inner/") {
		handler = p.w.server.Inner()
		req.RemoteAddr = "127.0.0.1:1"
		req.Header.Set("X-Inner-Key", innerKey)
	}
	rec := httptest.NewRecorder()
	handler.ServeHTTP(rec, req)
	res := rec.Result()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return 0, 0, err
	}
	var envelope struct{ Code *model.Code }
	if err := json.Unmarshal(text, &envelope); err != nil || envelope.Code == nil {
		return 0, 0, fmt.Errorf("%s %s: no envelope: %s", path, body, text)
	}
	if res.StatusCode >= 500 && !slices.Contains(meant, *envelope.Code) {
		return 0, 0, fmt.Errorf("%s %s: status %d: %s", path, body, res.StatusCode, text)
	}
	if err := p.valid(path, req, res, text); err != nil {
		return 0, 0, fmt.Errorf("%s %s: %s: %w", path, body, text, err)
	}
	if path == "/logout" || *envelope.Code == model.InvalidToken { // the next one is signed in again
		p.token = p.w.signIn(alice, 1)
	}
	return res.StatusCode, *envelope.Code, nil
}

func (p *prober) valid(path string, req *http.Request, res *http.Response, text []byte) error {
	route := p.w.server.operations[http.MethodPost+" "+path].route
	return openapi3filter.ValidateResponse(req.Context(), &openapi3filter.ResponseValidationInput{
		RequestValidationInput: &openapi3filter.RequestValidationInput{Request: req, Route: route},
		Status:                 res.StatusCode, Header: res.Header, Body: io.NopCloser(bytes.NewReader(text)),
		Options: &openapi3filter.Options{IncludeResponseStatus: true},
	})
}

// FuzzBodies: whatever body comes, no operation is at a loss, and each answer is one of the document's.
func FuzzBodies(f *testing.F) {
	p := newProber(newWorld(f, nil))
	g := generator{rand: rand.New(rand.NewPCG(1, 2))}
	for i, path := range p.paths {
		f.Add(byte(i), g.body(p.schema(path), 0))
	}
	for _, body := range []string{"", "{}", "null", "[]", `{"conversation_id":"team","conversation_id":"sys"}`, `{"conversation_id":1e999}`, "\xff", strings.Repeat("[", 10_000)} {
		f.Add(byte(len(p.paths)), []byte(body))
	}
	f.Fuzz(func(t *testing.T, op byte, body []byte) {
		_, _, err := p.ask(p.paths[int(op)%len(p.paths)], body)
		require.NoError(t, err)
	})
}

// TestRandomRequests makes requests for each operation out of its description: such as it wants, and such as are wrong in
// one place.
func TestRandomRequests(t *testing.T) {
	p := newProber(newWorld(t, nil))
	p.w.say(p.token, "hello")
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	g := generator{rand: rand.New(rand.NewPCG(seed, 0))}
	codes := map[model.Code]int{}
	for _, path := range p.paths {
		for i := range 60 {
			wrong := 0
			if i%2 == 1 {
				wrong = 1
			}
			_, code, err := p.ask(path, g.body(p.schema(path), wrong))
			require.NoError(t, err)
			codes[code]++
		}
	}
	require.Positive(t, codes[model.OK], "some of them are right: %v", codes)
	require.Positive(t, codes[model.InvalidParameter], "some of them are wrong: %v", codes)
	require.Positive(t, codes[model.NotFound], "some of them name what is not there: %v", codes)
}

func (p *prober) schema(path string) *openapi3.Schema {
	return p.w.server.operations[http.MethodPost+" "+path].route.Operation.RequestBody.Value.Content.Get("application/json").Schema.Value
}

// A generator makes values for schemas.
type generator struct{ rand *rand.Rand }

// names are values that mean something to the scripted server, beside nonsense.
var names = []string{"team", "sys", "4", "5", "1", "alice", "bob", "123456", "", " ", "x", "\u2028", "猫😀", "$ADMINS", "22222-223F-E4QT-MBW", strings.Repeat("长", 300)}

// body is a JSON text for a schema; wrong is how many of its places are spoiled.
func (g generator) body(s *openapi3.Schema, wrong int) []byte {
	v := g.value(s)
	if o, ok := v.(map[string]any); ok && wrong > 0 {
		fields := make([]string, 0, len(s.Properties))
		for name := range s.Properties {
			fields = append(fields, name)
		}
		slices.Sort(fields)
		fields = append(fields, "no_such_field")
		o[fields[g.rand.IntN(len(fields))]] = []any{nil, true, -1, 1.5, 1e300, "", []any{[]any{}}, map[string]any{"x": 1}, strings.Repeat("y", 70_000)}[g.rand.IntN(9)]
	}
	text, _ := json.Marshal(v) // maps, slices and scalars always encode
	return text
}

func (g generator) value(s *openapi3.Schema) any {
	switch {
	case len(s.Enum) > 0:
		return s.Enum[g.rand.IntN(len(s.Enum))]
	case len(s.AllOf) > 0:
		return g.value(s.AllOf[g.rand.IntN(len(s.AllOf))].Value)
	case s.Type.Is("object"):
		o := map[string]any{}
		fields := make([]string, 0, len(s.Properties))
		for name := range s.Properties {
			fields = append(fields, name)
		}
		slices.Sort(fields) // or the seed would not tell which values
		for _, name := range fields {
			if slices.Contains(s.Required, name) || g.rand.IntN(2) == 0 {
				o[name] = g.value(s.Properties[name].Value)
			}
		}
		return o
	case s.Type.Is("array"):
		list := []any{}
		for range g.rand.IntN(4) {
			list = append(list, g.value(s.Items.Value))
		}
		return list
	case s.Type.Is("integer"), s.Type.Is("number"):
		if s.Min != nil && s.Max != nil && g.rand.IntN(2) == 0 {
			return int64(*s.Min) + g.rand.Int64N(int64(min(*s.Max-*s.Min, 1<<40))+1)
		}
		return g.rand.Int64N(12)
	case s.Type.Is("boolean"):
		return g.rand.IntN(2) == 0
	default:
		return names[g.rand.IntN(len(names))]
	}
}
