package legacy

// NoticeDraft is a notice on its way to the server (notifyMSG of seed 002). The seed's table spells subtitle in one way and its
// example in another, so it goes in both.
type NoticeDraft struct {
	Receiver    string         `json:"receiver"` // "users" or "group"
	GID         ChatGID        `json:"gid,omitempty"`
	UserList    []UserID       `json:"userList,omitempty"`
	Title       string         `json:"title"`
	Subtitle    string         `json:"subtitle,omitempty"`
	SubTitle    string         `json:"subTitle,omitempty"`
	Content     string         `json:"content"`
	ContentType string         `json:"contentType"` // "plain" or "text", which is Markdown
	URL         string         `json:"url,omitempty"`
	Actions     []NoticeAction `json:"actions,omitempty"`
	Sender      *NoticeSender  `json:"sender,omitempty"`
}
