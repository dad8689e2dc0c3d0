package gateway

import (
	"context"

	"github.com/xuangate/xuangate/gen/server"
)

// InnerCall answers POST /inner/call.
func (s rest) InnerCall(ctx context.Context, r server.InnerCallRequestObject) (server.InnerCallResponseObject, error) {
	data, err := s.legacy.Call(ctx, *r.Body)
	if err != nil {
		return nil, err
	}
	return server.InnerCall200JSONResponse{Data: data}, nil
}
