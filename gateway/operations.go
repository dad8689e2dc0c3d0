package gateway

import (
	"fmt"
	"slices"

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
}

// readOperations reads the embedded document. Operations are found by method and path, with a blank between.
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
			list[method+" "+path] = &operation{
				id:         op.OperationID,
				route:      &routers.Route{Spec: spec, Path: path, PathItem: item, Method: method, Operation: op},
				bearer:     asks("bearer"),
				queryToken: asks("token"),
				innerKey:   asks("innerKey"),
			}
		}
	}
	return list, nil
}

// operationOf is the operation a request is routed to, or nil.
func (s *Server) operationOf(c echo.Context) *operation {
	return s.operations[c.Request().Method+" "+c.Path()]
}
