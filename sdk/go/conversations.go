package sdk

import (
	"context"

	"github.com/xuangate/xuangate/gen/model"
)

// Me is the user the token stands for, and how that user's connection to the chat server is.
func (c *Client) Me(ctx context.Context) (model.Me, error) {
	r, err := c.api.GetMeWithResponse(ctx, model.EmptyRequest{})
	if err != nil {
		return model.Me{}, err
	}
	return r.JSON200.Data, nil
}

// Conversations are the ids of those the caller is a member of, the system conversation first.
func (c *Client) Conversations(ctx context.Context) ([]string, error) {
	r, err := c.api.GetJoinedConversationWithResponse(ctx, model.JoinedConversationsRequest{})
	if err != nil {
		return nil, err
	}
	return r.JSON200.Data.Conversations, nil
}

// Conversation is one of them.
func (c *Client) Conversation(ctx context.Context, id string) (Conversation, error) {
	r, err := c.api.GetConversationDetailWithResponse(ctx, model.ConversationRequest{ConversationId: id})
	if err != nil {
		return Conversation{}, err
	}
	return r.JSON200.Data, nil
}

// CreateGroup makes a group of the caller and others, named by their sessions, and returns its id. A group without a name is
// named after its members.
func (c *Client) CreateGroup(ctx context.Context, name string, members ...string) (id string, err error) {
	return c.create(ctx, model.CreateConversationRequest{ConversationType: 0, Name: name, Members: members})
}

// OpenOneToOne returns the id of the conversation with one other, which is made if there is none.
func (c *Client) OpenOneToOne(ctx context.Context, session string) (id string, err error) {
	return c.create(Repeatable(ctx), model.CreateConversationRequest{ConversationType: 1, Members: []string{session}})
}

func (c *Client) create(ctx context.Context, what model.CreateConversationRequest) (string, error) {
	r, err := c.api.CreateConversationWithResponse(ctx, what)
	if err != nil {
		return "", err
	}
	return r.JSON200.Data.ConversationId, nil
}

// Join makes the caller a member of a public group. Joining again changes nothing.
func (c *Client) Join(ctx context.Context, conversation string) error {
	_, err := c.api.JoinConversationWithResponse(Repeatable(ctx), model.ConversationRequest{ConversationId: conversation})
	return err
}

// Leave takes the caller out of a group.
func (c *Client) Leave(ctx context.Context, conversation string) error {
	_, err := c.api.LeaveConversationWithResponse(ctx, model.ConversationRequest{ConversationId: conversation})
	return err
}

// LastMessages are the last 30 of a conversation, oldest first; fewer are all there are.
func (c *Client) LastMessages(ctx context.Context, conversation string) ([]Message, error) {
	r, err := c.api.GetConversationLast30MsgWithResponse(ctx, model.ConversationMsgsRequest{ConversationId: conversation})
	if err != nil {
		return nil, err
	}
	return r.JSON200.Data.Msg, nil
}

// MessagesBefore are the 30 before a message, oldest first; fewer are all there are.
func (c *Client) MessagesBefore(ctx context.Context, conversation, id string) ([]Message, error) {
	r, err := c.api.GetConversation30msgBeforeTheIdWithResponse(ctx, model.MsgAnchorRequest{ConversationId: conversation, MsgId: id})
	if err != nil {
		return nil, err
	}
	return r.JSON200.Data.Msg, nil
}

// MessagesAfter are the 30 after a message, oldest first; fewer are all there are.
func (c *Client) MessagesAfter(ctx context.Context, conversation, id string) ([]Message, error) {
	r, err := c.api.GetConversation30msgAfterTheIdWithResponse(ctx, model.MsgAnchorRequest{ConversationId: conversation, MsgId: id})
	if err != nil {
		return nil, err
	}
	return r.JSON200.Data.Msg, nil
}
