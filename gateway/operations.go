package gateway

import (
	"fmt"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/routers"
	"github.com/labstack/echo/v4"

	"github.com/xuangate/xuangate/gen/server"
)

// An operation is what the document says about one route, read once at start.
type operation struct {
	id    string
	route *routers.Route
	// Who may call it; with none of the three, anybody.
	bearer     bool // a token in the header
	queryToken bool // or in the query, or a ticket there
	innerKey   bool
	health     bool // it tells how this server is, to those who watch over it
	// media is what its body must be, "" where it has none. Only a body of JSON is read and checked before the operation.
	media string
}

// readOperations reads the embedded document. Operations are found by method and path as the router has it, /files/:id, with
// a blank between.
func readOperations() (map[string]*operation, error) {
	spec, err := server.GetSpec()
	if err != nil {
		return nil, fmt.Errorf("read the API's document: %w", err)
	}
	list := map[string]*operation{}
	for path, item := range spec.Paths.Map() {
		for method, op := range item.Operations() {
			security := spec.Security
			if op.Security != nil {
				security = *op.Security
			}
			asks := func(scheme string) bool {
				return slices.ContainsFunc(security, func(r openapi3.SecurityRequirement) bool { _, ok := r[scheme]; return ok })
			}
			list[method+" "+strings.NewReplacer("{", ":", "}", "").Replace(path)] = &operation{
				id:         op.OperationID,
				route:      &routers.Route{Spec: spec, Path: path, PathItem: item, Method: method, Operation: op},
				bearer:     asks("bearer"),
				queryToken: asks("token"),
				innerKey:   asks("innerKey"),
				health:     op.OperationID == "Livez" || op.OperationID == "Readyz",
				media:      mediaOf(op),
			}
		}
	}
	return list, nil
}

// mediaOf is the one media type of an operation's body.
func mediaOf(op *openapi3.Operation) string {
	if op.RequestBody == nil {
		return ""
	}
	for media := range op.RequestBody.Value.Content {
		return media
	}
	return ""
}

// operationOf is the operation a request is routed to, or nil.
func (s *Server) operationOf(c echo.Context) *operation {
	return s.operations[c.Request().Method+" "+c.Path()]
}
