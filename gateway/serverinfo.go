package gateway

import (
	"context"

	"github.com/xuangate/xuangate/gen/server"
)

// GetServerInfo answers POST /get_server_info.
func (s rest) GetServerInfo(ctx context.Context, r server.GetServerInfoRequestObject) (server.GetServerInfoResponseObject, error) {
	info, err := s.legacy.ServerInfo(ctx, caller(ctx).User, r.Body != nil && r.Body.ApiScheme)
	if err != nil {
		return nil, err
	}
	return server.GetServerInfo200JSONResponse{Data: info}, nil
}
