package legacy

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
)

// UserRow is a user as login, userGetlist and userChange answer it (seed 000; recorded: 01_login_sequence).
type UserRow struct {
	ID       Int  `json:"id"`
	Account  Text `json:"account"`
	Realname Text `json:"realname"`
	Avatar   Text `json:"avatar"`
	Role     Text `json:"role"`
	Dept     Int  `json:"dept"`
	Admin    Text `json:"admin"`
	Gender   Text `json:"gender"`
	Email    Text `json:"email"`
	Mobile   Text `json:"mobile"`
	Phone    Text `json:"phone"`
	Site     Text `json:"site"`
	QQ       Text `json:"qq"`
	Deleted  Int  `json:"deleted"`
	Status   Text `json:"status"`
}

// ChatRow is a chat. Star, Hide, Mute and Category are the asking user's own marks; only getlist answers them.
type ChatRow struct {
	ID             Int   `json:"id"`
	GID            Text  `json:"gid"`
	Name           Text  `json:"name"`
	Type           Text  `json:"type"`
	Admins         Text  `json:"admins"`
	Committers     Text  `json:"committers"`
	Subject        Int   `json:"subject"`
	Public         Int   `json:"public"`
	CreatedBy      Text  `json:"createdBy"`
	CreatedDate    Date  `json:"createdDate"`
	EditedBy       Text  `json:"editedBy"`
	EditedDate     Date  `json:"editedDate"`
	LastActiveTime Date  `json:"lastActiveTime"`
	DismissDate    Date  `json:"dismissDate"`
	Star           Int   `json:"star"`
	Hide           Int   `json:"hide"`
	Mute           Int   `json:"mute"`
	Category       Text  `json:"category"`
	Members        Users `json:"members"`
}

// The chat types that have a meaning of their own; any other string may be stored.
const (
	TypeGroup   = "group"
	TypeOne2One = "one2one"
	TypeSystem  = "system"
)

// System says that the chat belongs to everybody, whatever its member list says.
func (c ChatRow) System() bool { return string(c.Type) == TypeSystem }

// Silent says that no message was ever sent: an edit sets lastActiveTime to 0 as well (LEGACY: the date corruption).
func (c ChatRow) Silent() bool { return c.LastActiveTime == Date{} && c.EditedBy == "" }

// Has says that u may read the chat.
func (c ChatRow) Has(u UserID) bool { return c.System() || slices.Contains(c.Members, u) }

// MaySpeak says that u may send: everybody, or those listed where committers are set. The list is written ",4,7" or
// "4,5", and "$ADMINS" stands for the chat's admins.
func (c ChatRow) MaySpeak(u UserID) bool {
	list := string(c.Committers)
	if strings.Trim(list, ", ") == "" {
		return true
	}
	if strings.Contains(list, "$ADMINS") {
		list += "," + string(c.Admins)
	}
	return slices.Contains(strings.Split(list, ","), u.String())
}

// AdminList are the chat's admins in the order in which they stand there, as often as they do: legacy keeps duplicates
// (recorded: 08_group_ops).
func (c ChatRow) AdminList() []UserID { return userList(string(c.Admins)) }

// CommitterList are those who may send where committers are set, each once; see MaySpeak.
func (c ChatRow) CommitterList() []UserID {
	list := strings.ReplaceAll(string(c.Committers), "$ADMINS", string(c.Admins))
	users := userList(list)
	seen := map[UserID]bool{}
	return slices.DeleteFunc(users, func(u UserID) bool {
		again := seen[u]
		seen[u] = true
		return again
	})
}

// userList reads ids with commas between; what is no id is passed over.
func userList(s string) []UserID {
	var list []UserID
	for _, field := range strings.Split(s, ",") {
		if n, err := strconv.ParseInt(strings.TrimSpace(field), 10, 64); err == nil && n > 0 {
			list = append(list, UserID(n))
		}
	}
	return list
}

// MessageRow is a message, live or waiting; waiting rows carry their numbers as strings and their date as local time
// (recorded: 12_abrupt_disconnect_offline).
type MessageRow struct {
	ID          Int  `json:"id"`
	GID         Text `json:"gid"`
	CGID        Text `json:"cgid"`
	User        Int  `json:"user"`
	Date        Date `json:"date"`
	Order       Int  `json:"order"`
	Type        Text `json:"type"`
	Content     Text `json:"content"`
	ContentType Text `json:"contentType"`
	Data        Text `json:"data"`
}

// DraftRow is a message on its way to the server: exactly the fields it knows. An unknown one would make it lose the
// message and answer success (LEGACY: the SQL fails silently).
type DraftRow struct {
	GID         MessageGID `json:"gid"`
	CGID        ChatGID    `json:"cgid"`
	Type        string     `json:"type"`
	ContentType string     `json:"contentType"`
	Content     string     `json:"content"`
	Date        string     `json:"date"` // "" is the server's now
	User        UserID     `json:"user"`
	Order       int        `json:"order"`
}

// NoticeRow is a notice as notify and getOfflineNotify answer it (recorded: 17_notify_and_60s_ticks).
type NoticeRow struct {
	ID          Int                `json:"id"`
	GID         Text               `json:"gid"`
	Title       Text               `json:"title"`
	Subtitle    Text               `json:"subtitle"`
	Content     Text               `json:"content"`
	ContentType Text               `json:"contentType"`
	Date        Date               `json:"date"`
	URL         Text               `json:"url"`
	Actions     List[NoticeAction] `json:"actions"`
	Sender      NoticeSender       `json:"sender"`
	Users       Users              `json:"users"`
}

// NoticeAction is a button of a notice.
type NoticeAction struct {
	Label Text `json:"label"`
	URL   Text `json:"url"`
	Type  Text `json:"type"`
	Icon  Text `json:"icon,omitempty"`
}

// NoticeSender names the application that sent a notice. The server writes [] where there is none.
type NoticeSender struct {
	ID     Text `json:"id"`
	Name   Text `json:"name,omitempty"`
	Avatar Text `json:"avatar"`
}

// UnmarshalJSON reads anything but an object as no sender.
func (s *NoticeSender) UnmarshalJSON(b []byte) error {
	*s = NoticeSender{}
	if len(b) == 0 || b[0] != '{' {
		return nil
	}
	type row NoticeSender
	return json.Unmarshal(b, (*row)(s))
}

// List is a list whose empty form may be [], {}, "" or null.
type List[T any] []T

// UnmarshalJSON reads anything but an array as the empty list.
func (l *List[T]) UnmarshalJSON(b []byte) error {
	*l = nil
	if len(b) == 0 || b[0] != '[' {
		return nil
	}
	return json.Unmarshal(b, (*[]T)(l))
}
