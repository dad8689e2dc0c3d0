package xuanxuan

import "time"

// A User is an account of the installation.
type User struct {
	ID       int64 // 1 … 8,388,607
	Account  string
	Password string // in clear; empty: DemoPassword
	Realname string
	Avatar   string // path on the site
	Role     string // a key of the site's roles, or ""
	Dept     int64
	Admin    string // "super", "common" or "no"; empty: "no"
	Gender   string // "f", "m" or "u"; empty: "u"
	Email    string
	Deleted  bool
	Locked   time.Time // cannot sign in before; zero: not locked
}

// A Department is part of the users' tree.
type Department struct {
	ID, Parent int64
	Name       string
	Order      int64
}

// DemoPassword is the password of users who were given none.
const DemoPassword = "123456"

// DemoUsers returns the users of the demo installation.
func DemoUsers() []User {
	return []User{
		{ID: 1, Account: "admin", Realname: "Admin", Admin: "super", Gender: "m", Email: "admin@example.com"},
		{ID: 2, Account: "demo", Realname: "Demo", Role: "hr", Dept: 101, Gender: "f", Email: "demo@example.com"},
		{ID: 3, Account: "demo8", Realname: "成程程", Role: "hr", Dept: 101, Gender: "f", Email: "demo8@example.com"},
		{ID: 4, Account: "alice", Realname: "Alice", Role: "dev", Dept: 101, Gender: "f", Email: "alice@example.com"},
		{ID: 5, Account: "bob", Realname: "Bob", Role: "dev", Dept: 102, Gender: "m", Email: "bob@example.com"},
		{ID: 6, Account: "carol", Realname: "Carol", Role: "dev", Dept: 102, Gender: "f", Email: "carol@example.com"},
		{ID: 7, Account: "dave", Realname: "Dave", Admin: "common", Gender: "m", Email: "dave@example.com"},
	}
}

// Eve is the eighth user, who existed when some of the recordings were made.
func Eve() User {
	return User{ID: 8, Account: "eve", Realname: "Eve", Gender: "f", Email: "eve@example.com"}
}

func demoDepartments() []Department {
	return []Department{
		{ID: 101, Name: "研发部", Order: 10},
		{ID: 102, Name: "测试部", Order: 20, Parent: 101},
	}
}

// roles are the labels of User.Role. They stand in the server's language files, not in its database.
var roles = object{
	{"", ""},
	{"dev", "研发"},
	{"pm", "项目经理"},
	{"market", "市场"},
	{"sale", "销售"},
	{"hr", "人事"},
	{"office", "行政"},
	{"service", "客服"},
	{"support", "技术支持"},
	{"marketmgr", "市场主管"},
	{"salemgr", "销售经理"},
	{"hrmgr", "人事主管"},
	{"adminmgr", "行政主管"},
	{"servicemgr", "客服主管"},
	{"supportmgr", "技术支持主管"},
	{"top", "高层管理"},
	{"others", "其他"},
}
