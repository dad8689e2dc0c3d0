package xuanxuan

// A text is one of the server's sentences in the languages it speaks.
type text struct{ cn, tw, en string }

// spoken is the language a request is answered in: any other one is English (recorded: 13_errors).
func spoken(lang string) string {
	switch lang {
	case "zh-cn", "zh-tw":
		return lang
	default:
		return "en"
	}
}

func (t text) in(lang string) string {
	switch lang {
	case "zh-cn":
		return t.cn
	case "zh-tw":
		return t.tw
	default:
		return t.en
	}
}

// The sentences. Those of failed writes are English in every language and stand where they are used.
var (
	textNotExist      = text{"会话不存在。", "會話不存在。", "Chat do not exist."}
	textNotGroup      = text{"不是多人会话。", "不是多人會話。", "It is not a group chat."}
	textNotPublic     = text{"不是公开会话。", "不是公開會話。", "It is not a public chat."}
	textNotSystem     = text{"不是系统会话。", "不是系統會話。", "It is not a system chat."}
	textNotAdmin      = text{"不是系统管理员。", "不是系統管理員。", "You are not admin of chat."}
	textCannotChat    = text{"没有发言权限。", "沒有發言權限。", "No rights to chat."}
	textDismissed     = text{"讨论组已被解散", "討論組已被解散", "The chat group has been dismissed."}
	textSeveralChats  = text{"消息不属于同一个会话。", "消息不屬於同一個會話。", "Messages belong to different chats."}
	textLoginFailed   = text{"登录失败，请检查您的成员名或密码是否填写正确。", "登錄失敗，請檢查您的成員名或密碼是否填寫正確。", "Login failed, please check you account and password."}
	textLocked        = text{"成员已经被锁定，请10分钟后再重新尝试登录", "成員已經被鎖定，請10分鐘後再重新嘗試登錄", "Failed too much, please login again after ten minutes"}
	textLockedForDays = text{"成员已经被锁定，请%d天后再重新尝试登录", "成員已經被鎖定，請%d天後再重新嘗試登錄", "Failed too much, please login again after %d days"}
	textLockedForEver = text{"成员已经被永久禁用。", "成員已經被永久禁用。", "User has been forbidden for ever."}
)
