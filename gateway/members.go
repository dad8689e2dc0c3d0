package gateway

import (
	"context"

	"github.com/xuangate/xuangate/gen/server"
)

// GetConversationMembers answers POST /get_conversation_members.
func (s rest) GetConversationMembers(ctx context.Context, r server.GetConversationMembersRequestObject) (server.GetConversationMembersResponseObject, error) {
	members, err := s.legacy.Members(ctx, caller(ctx).User, r.Body.ConversationId)
	if err != nil {
		return nil, err
	}
	return server.GetConversationMembers200JSONResponse{Data: members}, nil
}

// InviteMembers answers POST /invite_members.
func (s rest) InviteMembers(ctx context.Context, r server.InviteMembersRequestObject) (server.InviteMembersResponseObject, error) {
	if err := s.legacy.InviteMembers(ctx, caller(ctx).User, r.Body.ConversationId, r.Body.Sessions); err != nil {
		return nil, err
	}
	return server.InviteMembers200JSONResponse{ConversationRefReplyJSONResponse: refTo(r.Body.ConversationId)}, nil
}

// RemoveMembers answers POST /remove_members.
func (s rest) RemoveMembers(ctx context.Context, r server.RemoveMembersRequestObject) (server.RemoveMembersResponseObject, error) {
	if err := s.legacy.RemoveMembers(ctx, caller(ctx).User, r.Body.ConversationId, r.Body.Sessions); err != nil {
		return nil, err
	}
	return server.RemoveMembers200JSONResponse{ConversationRefReplyJSONResponse: refTo(r.Body.ConversationId)}, nil
}

// JoinConversation answers POST /join_conversation.
func (s rest) JoinConversation(ctx context.Context, r server.JoinConversationRequestObject) (server.JoinConversationResponseObject, error) {
	if err := s.legacy.JoinConversation(ctx, caller(ctx).User, r.Body.ConversationId); err != nil {
		return nil, err
	}
	return server.JoinConversation200JSONResponse{ConversationRefReplyJSONResponse: refTo(r.Body.ConversationId)}, nil
}

// LeaveConversation answers POST /leave_conversation.
func (s rest) LeaveConversation(ctx context.Context, r server.LeaveConversationRequestObject) (server.LeaveConversationResponseObject, error) {
	if err := s.legacy.LeaveConversation(ctx, caller(ctx).User, r.Body.ConversationId); err != nil {
		return nil, err
	}
	return server.LeaveConversation200JSONResponse{ConversationRefReplyJSONResponse: refTo(r.Body.ConversationId)}, nil
}

// InnerGetConversationMembers answers POST /inner/get_conversation_members.
func (s rest) InnerGetConversationMembers(ctx context.Context, r server.InnerGetConversationMembersRequestObject) (server.InnerGetConversationMembersResponseObject, error) {
	members, err := s.legacy.InnerMembers(ctx, r.Body.ConversationId)
	if err != nil {
		return nil, err
	}
	return server.InnerGetConversationMembers200JSONResponse{Data: members}, nil
}

// InnerKickoutConversation answers POST /inner/kickout_conversation.
func (s rest) InnerKickoutConversation(ctx context.Context, r server.InnerKickoutConversationRequestObject) (server.InnerKickoutConversationResponseObject, error) {
	if err := s.legacy.InnerKickout(ctx, r.Body.ConversationId, r.Body.Sessions); err != nil {
		return nil, err
	}
	return server.InnerKickoutConversation200JSONResponse{ConversationRefReplyJSONResponse: refTo(r.Body.ConversationId)}, nil
}

// InnerJoinConversation answers POST /inner/join_conversation.
func (s rest) InnerJoinConversation(ctx context.Context, r server.InnerJoinConversationRequestObject) (server.InnerJoinConversationResponseObject, error) {
	if err := s.legacy.InnerJoin(ctx, r.Body.ConversationId, r.Body.Sessions); err != nil {
		return nil, err
	}
	return server.InnerJoinConversation200JSONResponse{ConversationRefReplyJSONResponse: refTo(r.Body.ConversationId)}, nil
}
