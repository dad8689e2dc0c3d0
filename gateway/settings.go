package gateway

import (
	"context"

	"github.com/xuangate/xuangate/gen/server"
)

// GetSettings answers POST /get_settings.
func (s rest) GetSettings(ctx context.Context, _ server.GetSettingsRequestObject) (server.GetSettingsResponseObject, error) {
	settings, err := s.legacy.Settings(ctx, caller(ctx).User)
	if err != nil {
		return nil, err
	}
	return server.GetSettings200JSONResponse{SettingsReplyJSONResponse: server.SettingsReplyJSONResponse{Data: settings}}, nil
}

// SaveSettings answers POST /save_settings.
func (s rest) SaveSettings(ctx context.Context, r server.SaveSettingsRequestObject) (server.SaveSettingsResponseObject, error) {
	settings, err := s.legacy.SaveSettings(ctx, caller(ctx).User, r.Body.Settings)
	if err != nil {
		return nil, err
	}
	return server.SaveSettings200JSONResponse{SettingsReplyJSONResponse: server.SettingsReplyJSONResponse{Data: settings}}, nil
}
