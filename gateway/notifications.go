package gateway

import (
	"context"

	"github.com/xuangate/xuangate/gen/model"
	"github.com/xuangate/xuangate/gen/server"
)

// InnerSendNotification answers POST /inner/send_notification.
func (s rest) InnerSendNotification(ctx context.Context, r server.InnerSendNotificationRequestObject) (server.InnerSendNotificationResponseObject, error) {
	if err := s.legacy.SendNotification(ctx, *r.Body); err != nil {
		return nil, err
	}
	return server.InnerSendNotification200JSONResponse{}, nil
}

// InnerGetChatGroups answers POST /inner/get_chat_groups.
func (s rest) InnerGetChatGroups(ctx context.Context, _ server.InnerGetChatGroupsRequestObject) (server.InnerGetChatGroupsResponseObject, error) {
	list, err := s.legacy.ChatGroups(ctx)
	if err != nil {
		return nil, err
	}
	return server.InnerGetChatGroups200JSONResponse{Data: list}, nil
}

// InnerGetChatUsers answers POST /inner/get_chat_users.
func (s rest) InnerGetChatUsers(ctx context.Context, r server.InnerGetChatUsersRequestObject) (server.InnerGetChatUsersResponseObject, error) {
	var id model.ConversationId
	if r.Body != nil {
		id = r.Body.ConversationId
	}
	list, err := s.legacy.ChatUsers(ctx, id)
	if err != nil {
		return nil, err
	}
	return server.InnerGetChatUsers200JSONResponse{Data: list}, nil
}
