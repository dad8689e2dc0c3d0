// Package gen is generated from openapi/openapi.yaml: model holds the facade's types, server its routes and the
// embedded document, client what the Go SDK stands on. This file alone is written by hand; `make generate` writes the rest.
package gen

//go:generate go tool oapi-codegen -config ../openapi/model.cfg.yaml ../openapi/openapi.yaml
//go:generate go tool oapi-codegen -config ../openapi/server.cfg.yaml ../openapi/openapi.yaml
//go:generate go tool oapi-codegen -config ../openapi/client.cfg.yaml ../openapi/openapi.yaml
