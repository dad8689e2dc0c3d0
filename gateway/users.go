package gateway

import (
	"context"

	"github.com/xuangate/xuangate/gen/model"
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

// GetUsers answers POST /get_users.
func (s rest) GetUsers(ctx context.Context, r server.GetUsersRequestObject) (server.GetUsersResponseObject, error) {
	var sessions []model.Session
	if r.Body != nil {
		sessions = r.Body.Sessions
	}
	users, err := s.legacy.Users(ctx, sessions)
	if err != nil {
		return nil, err
	}
	return server.GetUsers200JSONResponse{Data: users}, nil
}

// UpdateMe answers POST /update_me.
func (s rest) UpdateMe(ctx context.Context, r server.UpdateMeRequestObject) (server.UpdateMeResponseObject, error) {
	user, err := s.legacy.UpdateProfile(ctx, caller(ctx).User, *r.Body)
	if err != nil {
		return nil, err
	}
	return server.UpdateMe200JSONResponse{UserReplyJSONResponse: server.UserReplyJSONResponse{Data: user}}, nil
}

// SetStatus answers POST /set_status.
func (s rest) SetStatus(ctx context.Context, r server.SetStatusRequestObject) (server.SetStatusResponseObject, error) {
	user, err := s.presence.choose(ctx, caller(ctx).User, r.Body.Status)
	if err != nil {
		return nil, err
	}
	return server.SetStatus200JSONResponse{UserReplyJSONResponse: server.UserReplyJSONResponse{Data: user}}, nil
}
