package gateway

import (
	"context"

	"github.com/xuangate/xuangate/gen/server"
)

// StarConversation answers POST /star_conversation.
func (s rest) StarConversation(ctx context.Context, r server.StarConversationRequestObject) (server.StarConversationResponseObject, error) {
	if err := s.legacy.StarConversation(ctx, caller(ctx).User, r.Body.ConversationId, r.Body.Star); err != nil {
		return nil, err
	}
	return server.StarConversation200JSONResponse{ConversationRefReplyJSONResponse: refTo(r.Body.ConversationId)}, nil
}

// HideConversation answers POST /hide_conversation.
func (s rest) HideConversation(ctx context.Context, r server.HideConversationRequestObject) (server.HideConversationResponseObject, error) {
	if err := s.legacy.HideConversation(ctx, caller(ctx).User, r.Body.ConversationId, r.Body.Hide); err != nil {
		return nil, err
	}
	return server.HideConversation200JSONResponse{ConversationRefReplyJSONResponse: refTo(r.Body.ConversationId)}, nil
}

// MuteConversation answers POST /mute_conversation.
func (s rest) MuteConversation(ctx context.Context, r server.MuteConversationRequestObject) (server.MuteConversationResponseObject, error) {
	if err := s.legacy.MuteConversation(ctx, caller(ctx).User, r.Body.ConversationId, r.Body.Mute); err != nil {
		return nil, err
	}
	return server.MuteConversation200JSONResponse{ConversationRefReplyJSONResponse: refTo(r.Body.ConversationId)}, nil
}

// SetConversationCategory answers POST /set_conversation_category.
func (s rest) SetConversationCategory(ctx context.Context, r server.SetConversationCategoryRequestObject) (server.SetConversationCategoryResponseObject, error) {
	if err := s.legacy.SetCategory(ctx, caller(ctx).User, r.Body.ConversationId, r.Body.Category); err != nil {
		return nil, err
	}
	return server.SetConversationCategory200JSONResponse{ConversationRefReplyJSONResponse: refTo(r.Body.ConversationId)}, nil
}
