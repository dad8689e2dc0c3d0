package gateway

import (
	"context"

	"github.com/xuangate/xuangate/gen/model"
	"github.com/xuangate/xuangate/gen/server"
)

// SendMsg answers POST /send_msg.
func (s rest) SendMsg(ctx context.Context, r server.SendMsgRequestObject) (server.SendMsgResponseObject, error) {
	id, err := s.legacy.SendMessage(ctx, caller(ctx).User, *r.Body)
	if err != nil {
		return nil, err
	}
	return server.SendMsg200JSONResponse{Data: model.SentMsg{MsgID: id}}, nil
}

// GetLastoneMsgid answers POST /get_lastone_msgid.
func (s rest) GetLastoneMsgid(ctx context.Context, r server.GetLastoneMsgidRequestObject) (server.GetLastoneMsgidResponseObject, error) {
	id, err := s.legacy.LastMessageID(ctx, caller(ctx).User, r.Body.ConversationId)
	if err != nil {
		return nil, err
	}
	return server.GetLastoneMsgid200JSONResponse{Data: model.MsgIdData{MsgId: id}}, nil
}

// GetConversationMsgByRange answers POST /get_conversation_msg_by_range.
func (s rest) GetConversationMsgByRange(ctx context.Context, r server.GetConversationMsgByRangeRequestObject) (server.GetConversationMsgByRangeResponseObject, error) {
	reply, err := messages(s.legacy.MessagesInRange(ctx, caller(ctx).User, r.Body.ConversationId, r.Body.StartMsgId, r.Body.EndMsgId, r.Body.Desc))
	if err != nil {
		return nil, err
	}
	return server.GetConversationMsgByRange200JSONResponse{MessagesReplyJSONResponse: reply}, nil
}

// GetConversation30msgBeforeTheId answers POST /get_conversation_30msg_before_the_id.
func (s rest) GetConversation30msgBeforeTheId(ctx context.Context, r server.GetConversation30msgBeforeTheIdRequestObject) (server.GetConversation30msgBeforeTheIdResponseObject, error) {
	reply, err := messages(s.legacy.MessagesBefore(ctx, caller(ctx).User, r.Body.ConversationId, r.Body.MsgId, r.Body.Desc))
	if err != nil {
		return nil, err
	}
	return server.GetConversation30msgBeforeTheId200JSONResponse{MessagesReplyJSONResponse: reply}, nil
}

// GetConversation30msgAfterTheId answers POST /get_conversation_30msg_after_the_id.
func (s rest) GetConversation30msgAfterTheId(ctx context.Context, r server.GetConversation30msgAfterTheIdRequestObject) (server.GetConversation30msgAfterTheIdResponseObject, error) {
	reply, err := messages(s.legacy.MessagesAfter(ctx, caller(ctx).User, r.Body.ConversationId, r.Body.MsgId, r.Body.Desc))
	if err != nil {
		return nil, err
	}
	return server.GetConversation30msgAfterTheId200JSONResponse{MessagesReplyJSONResponse: reply}, nil
}

// GetConversationLast30Msg answers POST /get_conversation_last_30_msg.
func (s rest) GetConversationLast30Msg(ctx context.Context, r server.GetConversationLast30MsgRequestObject) (server.GetConversationLast30MsgResponseObject, error) {
	reply, err := messages(s.legacy.LastMessages(ctx, caller(ctx).User, r.Body.ConversationId, r.Body.Desc))
	if err != nil {
		return nil, err
	}
	return server.GetConversationLast30Msg200JSONResponse{MessagesReplyJSONResponse: reply}, nil
}

// GetConversationLastoneMsg answers POST /get_conversation_lastone_msg.
func (s rest) GetConversationLastoneMsg(ctx context.Context, r server.GetConversationLastoneMsgRequestObject) (server.GetConversationLastoneMsgResponseObject, error) {
	reply, err := messages(s.legacy.LastMessage(ctx, caller(ctx).User, r.Body.ConversationId, r.Body.Desc))
	if err != nil {
		return nil, err
	}
	return server.GetConversationLastoneMsg200JSONResponse{MessagesReplyJSONResponse: reply}, nil
}

// GetConversationMsgs answers POST /get_conversation_msgs.
func (s rest) GetConversationMsgs(ctx context.Context, r server.GetConversationMsgsRequestObject) (server.GetConversationMsgsResponseObject, error) {
	reply, err := messages(s.legacy.MessagesPage(ctx, caller(ctx).User, *r.Body))
	if err != nil {
		return nil, err
	}
	return server.GetConversationMsgs200JSONResponse{MessagesReplyJSONResponse: reply}, nil
}

// InnerSendMsg answers POST /inner/send_msg.
func (s rest) InnerSendMsg(ctx context.Context, r server.InnerSendMsgRequestObject) (server.InnerSendMsgResponseObject, error) {
	id, err := s.legacy.InnerSendMessage(ctx, *r.Body)
	if err != nil {
		return nil, err
	}
	return server.InnerSendMsg200JSONResponse{Data: model.SentMsg{MsgID: id}}, nil
}

func messages(list model.Messages, err error) (server.MessagesReplyJSONResponse, error) {
	return server.MessagesReplyJSONResponse{Data: list}, err
}
