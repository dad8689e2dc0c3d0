package contract

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"mime"
	"net/http"
	"strings"
	"sync"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"

	"github.com/xuangate/xuangate/gen/model"
	"github.com/xuangate/xuangate/gen/server"
)

// A document is the API's description, read once for all tests.
type document struct {
	routes  map[string]*routers.Route // by method and path, with a blank between
	schemas openapi3.Schemas
}

// described is the document made strict: an answer's field that it does not name is wrong.
var described = sync.OnceValues(func() (*document, error) {
	spec, err := server.GetSpec()
	if err != nil {
		return nil, err
	}
	seen := map[*openapi3.Schema]bool{}
	for _, s := range spec.Components.Schemas {
		restrict(s, seen)
	}
	d := &document{routes: map[string]*routers.Route{}, schemas: spec.Components.Schemas}
	for path, item := range spec.Paths.Map() {
		for method, op := range item.Operations() {
			d.routes[method+" "+path] = &routers.Route{Spec: spec, Path: path, PathItem: item, Method: method, Operation: op}
		}
	}
	return d, nil
})

// restrict has a schema let no fields pass but its own. One put together of others becomes one of all their fields.
func restrict(ref *openapi3.SchemaRef, seen map[*openapi3.Schema]bool) {
	s := ref.Value
	if seen[s] {
		return
	}
	seen[s] = true
	for _, part := range s.AllOf {
		restrict(part, seen)
		if s.Properties == nil {
			s.Type, s.Properties = &openapi3.Types{openapi3.TypeObject}, openapi3.Schemas{}
		}
		maps.Copy(s.Properties, part.Value.Properties)
		s.Required = append(s.Required, part.Value.Required...)
	}
	s.AllOf = nil
	for _, p := range s.Properties {
		restrict(p, seen)
	}
	if s.Items != nil {
		restrict(s.Items, seen)
	}
	if len(s.Properties) > 0 && s.AdditionalProperties.Has == nil && s.AdditionalProperties.Schema == nil {
		no := false
		s.AdditionalProperties.Has = &no
	}
}

// documented is the way of all requests of a world, on which every answer is held against the document. One that the document does
// not know is an error to whoever asked, and fails the test even if he does not care.
type documented struct {
	*http.Transport
	*document

	mu    sync.Mutex
	wrong []string
}

func newDocumented() (*documented, error) {
	d, err := described()
	return &documented{Transport: &http.Transport{MaxIdleConnsPerHost: 64}, document: d}, err
}

func (d *documented) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := d.Transport.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	if err := d.hold(r, res); err != nil {
		_ = res.Body.Close()
		return nil, d.note(err)
	}
	return res, nil
}

func (d *documented) note(err error) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.wrong = append(d.wrong, err.Error())
	return err
}

// broken are the answers so far that were not as described.
func (d *documented) broken() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.wrong
}

// hold compares an answer with what the document says of it. Streams are compared as they are read.
func (d *documented) hold(r *http.Request, res *http.Response) error {
	path := r.URL.Path
	if strings.HasPrefix(path, "/files/") {
		path = "/files/{id}"
	}
	route := d.routes[r.Method+" "+path]
	if route == nil {
		return nil // there is nothing of the kind
	}
	said := route.Operation.Responses.Status(res.StatusCode)
	if said == nil {
		said = route.Operation.Responses.Default()
	}
	if said == nil {
		return fmt.Errorf("%s %s: the document knows no status %d", r.Method, path, res.StatusCode)
	}
	media, _, _ := mime.ParseMediaType(res.Header.Get("Content-Type"))
	empty := r.Method == http.MethodHead || res.StatusCode == http.StatusNotModified
	if !empty && said.Value.Content.Get(media) == nil {
		return fmt.Errorf("%s %s: status %d: the document knows no content type %q there", r.Method, path, res.StatusCode, media)
	}
	switch {
	case empty:
		return nil
	case media == "text/event-stream":
		res.Body = &eventStream{ReadCloser: res.Body, d: d, all: r.URL.Query().Get("events") == "all"}
		return nil
	case media != "application/json" || res.StatusCode < 300 && path == "/files/{id}":
		return nil // a file's bytes
	}
	return d.holdJSON(r, res, route)
}

func (d *documented) holdJSON(r *http.Request, res *http.Response, route *routers.Route) error {
	text, err := io.ReadAll(res.Body)
	_ = res.Body.Close()
	if err != nil {
		return err
	}
	res.Body = io.NopCloser(bytes.NewReader(text))
	err = openapi3filter.ValidateResponse(r.Context(), &openapi3filter.ResponseValidationInput{
		RequestValidationInput: &openapi3filter.RequestValidationInput{Request: r, Route: route},
		Status:                 res.StatusCode, Header: res.Header, Body: io.NopCloser(bytes.NewReader(text)),
		Options: &openapi3filter.Options{IncludeResponseStatus: true},
	})
	if err != nil {
		return fmt.Errorf("%s %s: %.500s: %w", r.Method, route.Path, text, err)
	}
	if route.Path != "/notify" || res.StatusCode != http.StatusOK {
		return nil
	}
	var poll struct {
		Data struct{ Events []json.RawMessage }
	}
	if err := json.Unmarshal(text, &poll); err != nil {
		return err
	}
	for _, e := range poll.Data.Events {
		if err := d.holdEvent(e); err != nil {
			return err
		}
	}
	return nil
}

// dataOf names the schemas of what events carry.
var dataOf = map[model.EventKind]string{
	model.EventKindMessage: "MsgData", model.EventKindConversation: "ConversationEvent", model.EventKindUser: "User",
	model.EventKindNotification: "Notification", model.EventKindUpstream: "Upstream",
}

// holdEvent compares an event, and what it carries with what is due for its kind.
func (d *document) holdEvent(text []byte) error {
	if err := d.is("Event", text); err != nil {
		return err
	}
	var e struct {
		Event model.EventKind
		Data  json.RawMessage
	}
	if err := json.Unmarshal(text, &e); err != nil {
		return err
	}
	if name := dataOf[e.Event]; name != "" {
		return d.is(name, e.Data)
	}
	if e.Data != nil {
		return fmt.Errorf("an event of kind %s with data: %s", e.Event, text)
	}
	return nil
}

// holdTold compares what a stream says: with all an event, else a message or, as on a WebSocket, a word on the stream itself.
func (d *document) holdTold(text []byte, all bool) error {
	var head struct{ MsgId string }
	if json.Unmarshal(text, &head) == nil && head.MsgId != "" && !all {
		return d.is("MsgData", text)
	}
	if err := d.holdEvent(text); err != nil {
		return err
	}
	var e struct{ Event model.EventKind }
	if err := json.Unmarshal(text, &e); err != nil || !all && dataOf[e.Event] != "" {
		return fmt.Errorf("a stream of messages tells %s: %w", text, err)
	}
	return nil
}

func (d *document) is(schema string, text []byte) error {
	var v any
	if err := json.Unmarshal(text, &v); err != nil {
		return fmt.Errorf("no %s: %q: %w", schema, text, err)
	}
	if err := d.schemas[schema].Value.VisitJSON(v, openapi3.VisitAsResponse()); err != nil {
		return fmt.Errorf("no %s: %.500s: %w", schema, text, err)
	}
	return nil
}

// An eventStream compares what server-sent events carry as it is read.
type eventStream struct {
	io.ReadCloser
	d    *documented
	all  bool
	rest []byte
	kind string
}

func (s *eventStream) Read(p []byte) (int, error) {
	n, err := s.ReadCloser.Read(p)
	s.rest = append(s.rest, p[:n]...)
	for {
		line, rest, whole := bytes.Cut(s.rest, []byte("\n"))
		if !whole {
			return n, err
		}
		if wrong := s.line(string(line)); wrong != nil {
			return 0, s.d.note(wrong)
		}
		s.rest = rest
	}
}

func (s *eventStream) line(line string) error {
	field, value, _ := strings.Cut(line, ": ")
	switch field {
	case "":
		s.kind = "" // the end of a block, or a comment
	case "id":
		return s.d.is("Position", []byte(`"`+value+`"`))
	case "event":
		s.kind = value
	case "data":
		if !s.all && s.kind == string(model.EventKindMessage) {
			return s.d.is("MsgData", []byte(value))
		}
		return s.d.holdTold([]byte(value), s.all)
	case "retry":
	default:
		return fmt.Errorf("a stream has the line %q", line)
	}
	return nil
}
