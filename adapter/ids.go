package adapter

import (
	"strconv"

	"github.com/google/uuid"

	"github.com/xuangate/xuangate/adapter/legacy"
	"github.com/xuangate/xuangate/gen/model"
)

// ParseSession reads a facade session, which is the legacy user id in decimal, without sign or leading zeros.
func ParseSession(s model.Session) (legacy.UserID, error) {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n <= 0 || strconv.FormatInt(n, 10) != s {
		return 0, refuse("read session", model.InvalidParameter, "%q is no session: a session is a user's number", s)
	}
	return legacy.UserID(n), nil
}

func parseSessions(list []model.Session) ([]legacy.UserID, error) {
	users := make([]legacy.UserID, 0, len(list))
	seen := map[legacy.UserID]bool{}
	for _, s := range list {
		u, err := ParseSession(s)
		if err != nil {
			return nil, err
		}
		if !seen[u] {
			seen[u] = true
			users = append(users, u)
		}
	}
	return users, nil
}

func sessions(users []legacy.UserID) []model.Session {
	list := make([]model.Session, len(users))
	for i, u := range users {
		list[i] = u.String()
	}
	return list
}

// maxChatGID is legacy's column width; a longer id would be cut there and name another chat.
const maxChatGID = 40

// parseChatGID checks the form of a conversation id from outside. Whether it is legacy's own spelling only legacy can
// tell: see chats.
func parseChatGID(op string, id model.ConversationId) (legacy.ChatGID, error) {
	if id == "" {
		return "", refuse(op, model.InvalidParameter, "conversation_id: must not be empty")
	}
	if len(id) > maxChatGID {
		return "", notMember(op)
	}
	for _, b := range []byte(id) {
		if b <= ' ' || b > '~' {
			return "", notMember(op)
		}
	}
	return legacy.ChatGID(id), nil
}

func newChatGID() legacy.ChatGID { return legacy.ChatGID(uuid.NewString()) }

// one2oneGID is how both desktop clients name the conversation of two users: their ids sorted as strings.
func one2oneGID(a, b legacy.UserID) legacy.ChatGID {
	x, y := a.String(), b.String()
	if x > y {
		x, y = y, x
	}
	return legacy.ChatGID(x + "&" + y)
}

// messageSpace is the UUID namespace of gids made from a client_msg_id. It must never change: a repeated send would
// become a second message.
var messageSpace = uuid.MustParse("5d0c1b9e-8d1f-5a53-9a3f-6f3f0a1e7c42")

// messageGID names a message for legacy. The client's own id goes in hashed with user and chat, so that it can name
// nothing but that user's messages there: a gid taken as it comes could overwrite and reveal another's message.
func messageGID(u legacy.UserID, chat legacy.ChatGID, clientMsgID string) legacy.MessageGID {
	if clientMsgID == "" {
		return legacy.MessageGID(uuid.NewString())
	}
	name := u.String() + "\x00" + string(chat) + "\x00" + clientMsgID
	return legacy.MessageGID(uuid.NewSHA1(messageSpace, []byte(name)).String())
}
