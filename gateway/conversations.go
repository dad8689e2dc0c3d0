package gateway

import (
	"context"

	"github.com/xuangate/xuangate/gen/model"
	"github.com/xuangate/xuangate/gen/server"
)

// CheckJoinedConversation answers POST /check_joined_conversation.
func (s rest) CheckJoinedConversation(ctx context.Context, r server.CheckJoinedConversationRequestObject) (server.CheckJoinedConversationResponseObject, error) {
	joined, err := s.legacy.CheckJoined(ctx, caller(ctx).User, r.Body.ConversationId)
	if err != nil {
		return nil, err
	}
	return server.CheckJoinedConversation200JSONResponse{Data: model.Joined{Joined: joined}}, nil
}

// GetJoinedConversation answers POST /get_joined_conversation.
func (s rest) GetJoinedConversation(ctx context.Context, r server.GetJoinedConversationRequestObject) (server.GetJoinedConversationResponseObject, error) {
	u := caller(ctx).User
	if r.Body != nil && r.Body.SessionId != "" && r.Body.SessionId != u.String() {
		return nil, refuse(model.NotAllowed, "SessionId: only your own session, %s, or none", u)
	}
	ids, err := s.legacy.JoinedConversations(ctx, u)
	if err != nil {
		return nil, err
	}
	return server.GetJoinedConversation200JSONResponse{Data: model.JoinedConversations{Conversations: ids}}, nil
}

// GetConversationDetail answers POST /get_conversation_detail.
func (s rest) GetConversationDetail(ctx context.Context, r server.GetConversationDetailRequestObject) (server.GetConversationDetailResponseObject, error) {
	conversation, err := s.legacy.Conversation(ctx, caller(ctx).User, r.Body.ConversationId)
	if err != nil {
		return nil, err
	}
	return server.GetConversationDetail200JSONResponse{Data: conversation}, nil
}

// GetConversations answers POST /get_conversations.
func (s rest) GetConversations(ctx context.Context, _ server.GetConversationsRequestObject) (server.GetConversationsResponseObject, error) {
	list, err := s.legacy.Conversations(ctx, caller(ctx).User)
	if err != nil {
		return nil, err
	}
	return server.GetConversations200JSONResponse{Data: list}, nil
}

// GetPublicConversations answers POST /get_public_conversations.
func (s rest) GetPublicConversations(ctx context.Context, _ server.GetPublicConversationsRequestObject) (server.GetPublicConversationsResponseObject, error) {
	list, err := s.legacy.PublicConversations(ctx, caller(ctx).User)
	if err != nil {
		return nil, err
	}
	return server.GetPublicConversations200JSONResponse{Data: list}, nil
}

// CreateConversation answers POST /create_conversation.
func (s rest) CreateConversation(ctx context.Context, r server.CreateConversationRequestObject) (server.CreateConversationResponseObject, error) {
	id, err := s.legacy.CreateConversation(ctx, caller(ctx).User, *r.Body)
	if err != nil {
		return nil, err
	}
	return server.CreateConversation200JSONResponse{ConversationRefReplyJSONResponse: refTo(id)}, nil
}

// InnerCreateConversation answers POST /inner/create_conversation.
func (s rest) InnerCreateConversation(ctx context.Context, r server.InnerCreateConversationRequestObject) (server.InnerCreateConversationResponseObject, error) {
	id, err := s.legacy.InnerCreateConversation(ctx, *r.Body)
	if err != nil {
		return nil, err
	}
	return server.InnerCreateConversation200JSONResponse{ConversationRefReplyJSONResponse: refTo(id)}, nil
}

// InnerSetArchiveConversations answers POST /inner/set_archive_conversations.
func (s rest) InnerSetArchiveConversations(ctx context.Context, r server.InnerSetArchiveConversationsRequestObject) (server.InnerSetArchiveConversationsResponseObject, error) {
	result, err := s.legacy.InnerSetArchive(ctx, r.Body.ConversationIds, r.Body.IsArchive)
	if err != nil {
		return nil, err
	}
	return server.InnerSetArchiveConversations200JSONResponse{Data: result}, nil
}

func refTo(id model.ConversationId) server.ConversationRefReplyJSONResponse {
	return server.ConversationRefReplyJSONResponse{Data: model.ConversationRef{ConversationId: id}}
}
