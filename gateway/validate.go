package gateway

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/labstack/echo/v4"

	"github.com/xuangate/xuangate/gen/model"
)

const (
	// maxBody bounds a request's body. Without it one request could take all memory.
	maxBody = 1 << 20
	// bodyTimeout is how long a body may take to arrive. Without it a client that sends a byte a minute holds a
	// connection for ever.
	bodyTimeout = 30 * time.Second
	// maxDrain and drainTimeout bound what is read and thrown away of a body that is too large. A client that is still
	// sending when its connection closes sees a broken pipe and never reads why.
	maxDrain     = 8 << 20
	drainTimeout = 2 * time.Second
)

var (
	validation = &openapi3filter.Options{
		// The handler must get the very value that was checked: decoding again would match names in any case.
		KeepValidatedValue: true,
		AuthenticationFunc: openapi3filter.NoopAuthenticationFunc, // authenticate has been here
	}
	// bodyless is for bodies that their operation reads itself, as they come.
	bodyless = &openapi3filter.Options{
		ExcludeRequestBody: true,
		AuthenticationFunc: openapi3filter.NoopAuthenticationFunc,
	}
)

// validate checks a request against the document before its operation sees it.
func (s *Server) validate(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		r, op := c.Request(), s.operationOf(c)
		if op == nil {
			return next(c)
		}
		options, checked := validation, r.WithContext(r.Context())
		checked.Body = http.NoBody // of what is not JSON: the validator would read all of it into memory, for nothing
		switch op.media {
		case echo.MIMEApplicationJSON:
			body, err := readBody(c)
			if err != nil {
				return err
			}
			if err := checkJSON(r, body); err != nil {
				return err
			}
			r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
			checked = r
		case "":
			if r.ContentLength > maxBody {
				return tooLarge(c)
			}
		default:
			options = bodyless
			if err := checkMedia(r, op.media); err != nil {
				return err
			}
		}
		input := &openapi3filter.RequestValidationInput{Request: checked, Route: op.route, PathParams: pathParams(c), Options: options}
		if err := openapi3filter.ValidateRequest(r.Context(), input); err != nil {
			return refuse(model.InvalidParameter, "%s", sentence(err))
		}
		return next(c)
	}
}

func pathParams(c echo.Context) map[string]string {
	params := map[string]string{}
	for _, name := range c.ParamNames() {
		params[name] = c.Param(name)
	}
	return params
}

// checkMedia refuses a body of another media type.
func checkMedia(r *http.Request, want string) error {
	if media, _, err := mime.ParseMediaType(r.Header.Get(echo.HeaderContentType)); err != nil || media != want {
		return echo.NewHTTPError(http.StatusUnsupportedMediaType, "body: send Content-Type: "+want)
	}
	return nil
}

func readBody(c echo.Context) ([]byte, error) {
	r := c.Request()
	if r.ContentLength > maxBody {
		return nil, tooLarge(c)
	}
	control := http.NewResponseController(c.Response())
	_ = control.SetReadDeadline(time.Now().Add(bodyTimeout)) // what cannot set one needs none: a test's recorder
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	if err != nil {
		// The deadline stays: net/http would otherwise wait for the rest before it answers.
		c.Response().Header().Set(echo.HeaderConnection, "close")
		return nil, refuse(model.InvalidParameter, "body: could not be read to its end")
	}
	if len(body) > maxBody {
		return nil, tooLarge(c)
	}
	_ = control.SetReadDeadline(time.Time{})
	return body, nil
}

func tooLarge(c echo.Context) error {
	if c.Request().Header.Get("Expect") == "" { // else the client waits for our word before it sends
		drain(c)
	}
	return refuse(model.TooLarge, "body: larger than %d bytes", maxBody)
}

// drain reads on for a while what is not wanted, so that the client gets to the answer.
func drain(c echo.Context) {
	control := http.NewResponseController(c.Response())
	_ = control.SetReadDeadline(time.Now().Add(drainTimeout))
	if _, err := io.CopyN(io.Discard, c.Request().Body, maxDrain); err == io.EOF {
		_ = control.SetReadDeadline(time.Time{})
	} else {
		c.Response().Header().Set(echo.HeaderConnection, "close")
	}
}

// checkJSON refuses what the decoder would take with a shrug: another media type, a second value after the first, and
// text it would silently replace. An empty body is left to the document, which knows whether there must be one.
func checkJSON(r *http.Request, body []byte) error {
	if len(body) == 0 {
		return nil
	}
	if err := checkMedia(r, echo.MIMEApplicationJSON); err != nil {
		return err
	}
	if !utf8.Valid(body) {
		return refuse(model.InvalidParameter, "body: must be UTF-8")
	}
	if !json.Valid(body) {
		var any json.RawMessage
		var syntax *json.SyntaxError
		if errors.As(json.Unmarshal(body, &any), &syntax) {
			return refuse(model.InvalidParameter, "body: not valid JSON at byte %d: %s", syntax.Offset, syntax.Error())
		}
		return refuse(model.InvalidParameter, "body: not valid JSON")
	}
	if loneSurrogate(body) {
		return refuse(model.InvalidParameter, `body: has half of a surrogate pair (\ud800 to \udfff)`)
	}
	return nil
}

// loneSurrogate finds an escape in valid JSON that stands for no character. Decoding makes it U+FFFD.
func loneSurrogate(body []byte) bool {
	for i := 0; i < len(body); i++ {
		if body[i] != '\\' {
			continue
		}
		switch first := escape(body[i:]); {
		case first>>10 == 0xd800>>10 && escape(body[i+6:])>>10 == 0xdc00>>10:
			i += 11
		case first>>11 == 0xd800>>11:
			return true
		default:
			i++ // the escaped character, which may be a backslash
		}
	}
	return false
}

// escape is the number in a leading \uXXXX, or 0.
func escape(b []byte) rune {
	if len(b) < 6 || b[0] != '\\' || b[1] != 'u' {
		return 0
	}
	code, _ := strconv.ParseUint(string(b[2:6]), 16, 16) // the JSON is valid, so these are digits
	return rune(code)
}

// sentence says what is wrong with a request: where, and what is wanted there.
func sentence(err error) string {
	var request *openapi3filter.RequestError
	if !errors.As(err, &request) {
		return err.Error()
	}
	where := "body"
	if request.Parameter != nil {
		where = request.Parameter.Name
	}
	var schema *openapi3.SchemaError
	switch {
	case errors.As(request.Err, &schema):
		path := schema.JSONPointer()
		if request.Parameter != nil {
			path = append([]string{where}, path...)
		}
		if len(path) > 0 {
			where = strings.Join(path, ".")
		}
		return where + ": " + wanted(schema)
	case errors.Is(request.Err, openapi3filter.ErrInvalidRequired), errors.Is(request.Err, openapi3filter.ErrInvalidEmptyValue):
		return where + ": must not be empty"
	case request.Parameter != nil && request.Parameter.Schema != nil:
		return where + ": must be " + types[first(request.Parameter.Schema.Value.Type)]
	}
	return where + ": " + request.Reason
}

var types = map[string]string{
	openapi3.TypeString: "a string", openapi3.TypeInteger: "an integer", openapi3.TypeBoolean: "true or false",
	openapi3.TypeArray: "a list", openapi3.TypeObject: "an object", openapi3.TypeNumber: "a number",
}

func first(t *openapi3.Types) string {
	if t == nil || len(*t) == 0 {
		return ""
	}
	return (*t)[0]
}

func wanted(e *openapi3.SchemaError) string {
	s := e.Schema
	switch e.SchemaField {
	case "type", "nullable":
		return "must be " + types[first(s.Type)]
	case "required":
		return "is missing"
	case "properties":
		return unknownField(e)
	case "minLength":
		if s.MinLength == 1 {
			return "must not be empty"
		}
		return fmt.Sprintf("shorter than %d characters", s.MinLength)
	case "maxLength":
		return fmt.Sprintf("longer than %d characters", *s.MaxLength)
	case "minItems":
		return fmt.Sprintf("must have at least %d items", s.MinItems)
	case "maxItems":
		return fmt.Sprintf("has more than %d items", *s.MaxItems)
	case "minimum":
		return fmt.Sprintf("must be at least %v", *s.Min)
	case "maximum":
		return fmt.Sprintf("must be at most %v", *s.Max)
	case "pattern":
		return "must match " + s.Pattern
	case "enum":
		return fmt.Sprintf("must be one of %v", s.Enum)
	}
	return e.Reason
}

// unknownField names a field that the document does not have. The error itself tells it only in words.
func unknownField(e *openapi3.SchemaError) string {
	fields, _ := e.Value.(map[string]any)
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if e.Schema.Properties[name] == nil {
			return fmt.Sprintf("has an unknown field %.60q", name)
		}
	}
	return e.Reason
}
