package gateway

import (
	"context"

	"github.com/xuangate/xuangate/gen/server"
)

// RenameConversation answers POST /rename_conversation.
func (s rest) RenameConversation(ctx context.Context, r server.RenameConversationRequestObject) (server.RenameConversationResponseObject, error) {
	if err := s.legacy.RenameConversation(ctx, caller(ctx).User, r.Body.ConversationId, r.Body.Name); err != nil {
		return nil, err
	}
	return server.RenameConversation200JSONResponse{ConversationRefReplyJSONResponse: refTo(r.Body.ConversationId)}, nil
}

// SetConversationPublic answers POST /set_conversation_public.
func (s rest) SetConversationPublic(ctx context.Context, r server.SetConversationPublicRequestObject) (server.SetConversationPublicResponseObject, error) {
	if err := s.legacy.SetPublic(ctx, caller(ctx).User, r.Body.ConversationId, r.Body.Public); err != nil {
		return nil, err
	}
	return server.SetConversationPublic200JSONResponse{ConversationRefReplyJSONResponse: refTo(r.Body.ConversationId)}, nil
}

// SetConversationAdmins answers POST /set_conversation_admins.
func (s rest) SetConversationAdmins(ctx context.Context, r server.SetConversationAdminsRequestObject) (server.SetConversationAdminsResponseObject, error) {
	if err := s.legacy.SetAdmins(ctx, caller(ctx).User, r.Body.ConversationId, r.Body.Admins); err != nil {
		return nil, err
	}
	return server.SetConversationAdmins200JSONResponse{ConversationRefReplyJSONResponse: refTo(r.Body.ConversationId)}, nil
}

// SetConversationCommitters answers POST /set_conversation_committers.
func (s rest) SetConversationCommitters(ctx context.Context, r server.SetConversationCommittersRequestObject) (server.SetConversationCommittersResponseObject, error) {
	if err := s.legacy.SetCommitters(ctx, caller(ctx).User, r.Body.ConversationId, r.Body.Committers); err != nil {
		return nil, err
	}
	return server.SetConversationCommitters200JSONResponse{ConversationRefReplyJSONResponse: refTo(r.Body.ConversationId)}, nil
}

// DismissConversation answers POST /dismiss_conversation.
func (s rest) DismissConversation(ctx context.Context, r server.DismissConversationRequestObject) (server.DismissConversationResponseObject, error) {
	if err := s.legacy.DismissConversation(ctx, caller(ctx).User, r.Body.ConversationId); err != nil {
		return nil, err
	}
	return server.DismissConversation200JSONResponse{ConversationRefReplyJSONResponse: refTo(r.Body.ConversationId)}, nil
}
