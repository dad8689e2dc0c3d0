package gateway

import (
	"context"

	"github.com/xuangate/xuangate/gen/server"
)

// GetMe answers POST /get_me.
func (s rest) GetMe(ctx context.Context, _ server.GetMeRequestObject) (server.GetMeResponseObject, error) {
	me, err := s.legacy.Me(ctx, caller(ctx).User)
	if err != nil {
		return nil, err
	}
	return server.GetMe200JSONResponse{Data: me}, nil
}
