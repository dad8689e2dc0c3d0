package adapter

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/xuangate/xuangate/adapter/legacy"
	"github.com/xuangate/xuangate/gen/model"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden is one operation: what it asks legacy, what it answers, whom it tells what.
type golden struct {
	Calls  []legacy.Call
	Out    any     `json:",omitempty"`
	Error  string  `json:",omitempty"`
	Events []Event `json:",omitempty"`
}

// TestGolden pins each operation's legacy calls, params complete and in order, and its events.
func TestGolden(t *testing.T) {
	anchor := newMsgID(20, 1795313020).format("team")
	later := newMsgID(25, 1795313025).format("team")
	message := frame("message", `[{"id":31,"gid":"50a38555-d3b9-5d64-b875-04d90b2a4e3b","cgid":"team","user":4,"date":1795313122,"order":0,"type":"normal","content":"hello","contentType":"plain","data":""}]`)
	user := `{"id":4,"account":"alice","realname":"Alice","avatar":"","role":"dev","dept":101,"clientStatus":"online","admin":"no","gender":"f","email":"alice@example.com","mobile":"","phone":"","site":"","qq":"","deleted":0,"status":"online"}`

	// A chat once it was edited: legacy has lost its dates.
	edited := strings.NewReplacer(`"createdDate":1795312628`, `"createdDate":-62170013143`, `"editedBy":"",`, `"editedBy":"alice",`,
		`"editedDate":0`, `"editedDate":1795312800`, `"lastActiveTime":1795312700`, `"lastActiveTime":0`).Replace(chatJSON("team", "group", 4, 5))

	for name, c := range map[string]struct {
		answers map[string]string // by method
		do      func(context.Context, *Adapter) (any, error)
	}{
		"login": {
			map[string]string{"login": `{"module":"chat","method":"login","result":"success","lang":"zh-cn","v":"2.2.0"}`},
			func(ctx context.Context, a *Adapter) (any, error) {
				return a.SignIn(ctx, "alice", "E10ADC3949BA59ABBE56E057F20F883E")
			},
		},
		"send_msg": {
			map[string]string{"message": message},
			func(ctx context.Context, a *Adapter) (any, error) {
				return a.SendMessage(ctx, 4, model.SendMsgRequest{ConversationId: "team", Type: 1, Content: "hello", ClientMsgId: "a-1"})
			},
		},
		"check_joined_conversation": {nil, func(ctx context.Context, a *Adapter) (any, error) { return a.CheckJoined(ctx, 4, "team") }},
		"get_joined_conversation":   {nil, func(ctx context.Context, a *Adapter) (any, error) { return a.JoinedConversations(ctx, 4) }},
		"get_conversation_detail":   {nil, func(ctx context.Context, a *Adapter) (any, error) { return a.Conversation(ctx, 4, "team") }},
		"join_conversation": {
			map[string]string{
				"getpubliclist": frame("getpubliclist", `[`+chatJSON("open", "group", 5)+`]`),
				"joinchat":      frame("joinchat", chatJSON("open", "group", 5, 4)),
			},
			func(ctx context.Context, a *Adapter) (any, error) { return nil, a.JoinConversation(ctx, 4, "open") },
		},
		"create_conversation_group": {
			map[string]string{"create": frame("create", `{"id":9,"gid":"0194fdc2-fa2f-4cc0-81d3-ff12045b73c8","name":"Alice、Bob","type":"group","admins":"","committers":"","subject":0,"public":0,"createdBy":"alice","createdDate":1795312628,"editedBy":"","editedDate":0,"lastActiveTime":0,"dismissDate":0,"members":[4,5]}`)},
			func(ctx context.Context, a *Adapter) (any, error) {
				return a.CreateConversation(ctx, 4, model.CreateConversationRequest{Members: []string{"5"}})
			},
		},
		"create_conversation_one2one": {
			map[string]string{"create": frame("create", `{"id":9,"gid":"4&6","name":"","type":"one2one","admins":"","committers":"","subject":0,"public":0,"createdBy":"alice","createdDate":1795312628,"editedBy":"","editedDate":0,"lastActiveTime":0,"dismissDate":0,"members":[4,6]}`)},
			func(ctx context.Context, a *Adapter) (any, error) {
				return a.CreateConversation(ctx, 4, model.CreateConversationRequest{ConversationType: 1, Members: []string{"6"}})
			},
		},
		"leave_conversation": {
			map[string]string{"joinchat": frame("joinchat", chatJSON("team", "group", 5))},
			func(ctx context.Context, a *Adapter) (any, error) { return nil, a.LeaveConversation(ctx, 4, "team") },
		},
		"get_lastone_msgid":            {nil, func(ctx context.Context, a *Adapter) (any, error) { return a.LastMessageID(ctx, 4, "team") }},
		"get_conversation_lastone_msg": {nil, func(ctx context.Context, a *Adapter) (any, error) { return a.LastMessage(ctx, 4, "team", false) }},
		"get_conversation_last_30_msg": {nil, func(ctx context.Context, a *Adapter) (any, error) { return a.LastMessages(ctx, 4, "team", true) }},
		"get_conversation_msg_by_range": {nil, func(ctx context.Context, a *Adapter) (any, error) {
			return a.MessagesInRange(ctx, 4, "team", anchor, later, false)
		}},
		"get_conversation_30msg_before_the_id": {nil, func(ctx context.Context, a *Adapter) (any, error) {
			return a.MessagesBefore(ctx, 4, "team", anchor, false)
		}},
		"get_conversation_30msg_after_the_id": {nil, func(ctx context.Context, a *Adapter) (any, error) {
			return a.MessagesAfter(ctx, 4, "team", anchor, false)
		}},
		"get_conversations": {
			map[string]string{"getlist": frame("getlist", `[`+strings.Replace(chatJSON("sys", "system", 1, 4, 5, 6), `"lastActiveTime":1795312700`, `"lastActiveTime":0`, 1)+`,`+strings.Replace(chatJSON("team", "group", 4, 5), `"members"`, `"star":1,"hide":0,"mute":1,"category":"项目","members"`, 1)+`]`), "history": `{"module":"chat","method":"history","result":"success","data":[{"id":31,"gid":"m31","cgid":"team","user":5,"date":1795312700,"order":0,"type":"normal","content":"hello","contentType":"plain","data":""}],"pager":{"recPerPage":5,"pageID":1,"recTotal":1}}`},
			func(ctx context.Context, a *Adapter) (any, error) { return a.Conversations(ctx, 4) },
		},
		"get_public_conversations": {
			map[string]string{"getpubliclist": frame("getpubliclist", `[`+chatJSON("open", "group", 5)+`,`+chatJSON("team", "group", 4, 5)+`,`+chatJSON("plan", "project", 4)+`]`)},
			func(ctx context.Context, a *Adapter) (any, error) { return a.PublicConversations(ctx, 4) },
		},
		"get_conversation_members": {
			map[string]string{"members": frame("members", `{"gid":"team","members":[4,5]}`)},
			func(ctx context.Context, a *Adapter) (any, error) { return a.Members(ctx, 4, "team") },
		},
		"invite_members": {
			map[string]string{"addmember": frame("addmember", chatJSON("team", "group", 4, 5, 6))},
			func(ctx context.Context, a *Adapter) (any, error) {
				return nil, a.InviteMembers(ctx, 4, "team", []string{"6", "5", "6"})
			},
		},
		"remove_members": {
			map[string]string{"addmember": frame("addmember", chatJSON("team", "group", 4))},
			func(ctx context.Context, a *Adapter) (any, error) {
				return nil, a.RemoveMembers(ctx, 4, "team", []string{"5", "6"})
			},
		},
		"rename_conversation": {
			map[string]string{"changeName": frame("changename", strings.Replace(edited, "Team", "周报", 1))},
			func(ctx context.Context, a *Adapter) (any, error) {
				return nil, a.RenameConversation(ctx, 4, "team", " 周报 ")
			},
		},
		"set_conversation_public": {
			map[string]string{"changePublic": frame("changepublic", strings.Replace(edited, `"public":0`, `"public":1`, 1))},
			func(ctx context.Context, a *Adapter) (any, error) { return nil, a.SetPublic(ctx, 4, "team", true) },
		},
		"set_conversation_committers": {
			map[string]string{"setCommitters": frame("setcommitters", strings.Replace(edited, `"committers":""`, `"committers":"4,5"`, 1))},
			func(ctx context.Context, a *Adapter) (any, error) {
				return nil, a.SetCommitters(ctx, 4, "team", []string{"4", "5"})
			},
		},
		"set_conversation_admins": {
			map[string]string{"setAdmin": frame("setadmin", strings.Replace(chatJSON("sys", "system", 1, 4, 5, 6), `"admins":""`, `"admins":",5"`, 1))},
			func(ctx context.Context, a *Adapter) (any, error) {
				return nil, a.SetAdmins(ctx, 1, "sys", []string{"5"})
			},
		},
		"dismiss_conversation": {
			map[string]string{"dismiss": frame("dismiss", strings.Replace(edited, `"dismissDate":0`, `"dismissDate":1795312800`, 1))},
			func(ctx context.Context, a *Adapter) (any, error) { return nil, a.DismissConversation(ctx, 4, "team") },
		},
		"star_conversation": {
			map[string]string{"star": frame("star", `{"gid":"team","star":true}`)},
			func(ctx context.Context, a *Adapter) (any, error) {
				return nil, a.StarConversation(ctx, 4, "team", true)
			},
		},
		"hide_conversation": {
			map[string]string{"hide": frame("hide", `{"gid":"team","hide":true}`)},
			func(ctx context.Context, a *Adapter) (any, error) {
				return nil, a.HideConversation(ctx, 4, "team", true)
			},
		},
		"mute_conversation": {
			map[string]string{"mute": frame("mute", `{"gid":"team","mute":true}`)},
			func(ctx context.Context, a *Adapter) (any, error) {
				return nil, a.MuteConversation(ctx, 4, "team", true)
			},
		},
		"set_conversation_category": {
			map[string]string{"category": frame("category", `{"gids":["team"],"category":"项目"}`)},
			func(ctx context.Context, a *Adapter) (any, error) {
				return nil, a.SetCategory(ctx, 4, "team", "项目")
			},
		},
		"get_conversation_msgs": {nil, func(ctx context.Context, a *Adapter) (any, error) {
			return a.MessagesPage(ctx, 4, model.ConversationMsgsPageRequest{ConversationId: "team", Before: anchor, Limit: 50})
		}},
		"inner_get_conversation_members": {
			map[string]string{"members": frame("members", `{"gid":"team","members":[4,5]}`)},
			func(ctx context.Context, a *Adapter) (any, error) { return a.InnerMembers(ctx, "team") },
		},
		"inner_send_msg": {
			map[string]string{"members": frame("members", `{"gid":"team","members":[4,5]}`), "message": strings.Replace(strings.Replace(message, `"user":4`, `"user":1`, 1), "50a38555-d3b9-5d64-b875-04d90b2a4e3b", "0b662086-eb13-5247-a4c1-6bda60d9906f", 1)},
			func(ctx context.Context, a *Adapter) (any, error) {
				return a.InnerSendMessage(ctx, model.InnerSendMsgRequest{ConversationId: "team", Type: 1, Content: "hello", ClientMsgId: "a-1"})
			},
		},
		"inner_create_conversation_owned": {
			map[string]string{"create": frame("create", `{"id":9,"gid":"0194fdc2-fa2f-4cc0-81d3-ff12045b73c8","name":"值班","type":"group","admins":"","committers":"","subject":0,"public":0,"createdBy":"alice","createdDate":1795312628,"editedBy":"","editedDate":0,"lastActiveTime":0,"dismissDate":0,"members":[4,5]}`)},
			func(ctx context.Context, a *Adapter) (any, error) {
				return a.InnerCreateConversation(ctx, model.InnerCreateConversationRequest{Name: "值班", Owner: "4", Sessions: []string{"5"}})
			},
		},
		"inner_get_token": {nil, func(ctx context.Context, a *Adapter) (any, error) { return a.User(ctx, 5) }},
		"inner_create_conversation": {
			map[string]string{"create": frame("create", `{"id":9,"gid":"0194fdc2-fa2f-4cc0-81d3-ff12045b73c8","name":"值班","type":"story","admins":"","committers":"","subject":0,"public":0,"createdBy":"admin","createdDate":1795312628,"editedBy":"","editedDate":0,"lastActiveTime":0,"dismissDate":0,"members":[4,5]}`)},
			func(ctx context.Context, a *Adapter) (any, error) {
				return a.InnerCreateConversation(ctx, model.InnerCreateConversationRequest{ConversationType: 15, ConversationTypeName: "story", Name: "值班", Sessions: []string{"4", "5", "4"}})
			},
		},
		"inner_kickout_conversation": {
			map[string]string{"members": frame("members", `{"gid":"team","members":[4,5]}`), "addmember": frame("addmember", chatJSON("team", "group", 4))},
			func(ctx context.Context, a *Adapter) (any, error) {
				return nil, a.InnerKickout(ctx, "team", []string{"5", "6"})
			},
		},
		"inner_join_conversation": {
			map[string]string{"members": frame("members", `{"gid":"team","members":[4,5]}`), "addmember": frame("addmember", chatJSON("team", "group", 4, 5, 6))},
			func(ctx context.Context, a *Adapter) (any, error) {
				return nil, a.InnerJoin(ctx, "team", []string{"5", "6"})
			},
		},
		"inner_set_archive_conversations": {
			map[string]string{"members": frame("members", `{"gid":"team","members":[4]}`), "getlist": frame("getlist", "["+chatJSON("team", "group", 4)+"]"), "hide": frame("hide", `{"gid":"team","hide":true}`)},
			func(ctx context.Context, a *Adapter) (any, error) {
				return a.InnerSetArchive(ctx, []string{"team"}, true)
			},
		},
		"notify_first_stream": {
			map[string]string{
				"userchange":         frame("userchange", user),
				"getOfflineNotify":   frame("notify", `[{"id":"2","gid":"n2","content":"hello","date":1795284504,"contentType":"text","title":"T2","subtitle":"sub","url":"http://x/y","actions":[{"label":"Open","url":"http://x/z","type":"primary"}],"sender":{"id":"todo","name":"Todo"},"users":[4]}]`),
				"getOfflineMessages": frame("message", `[{"id":"9","gid":"m9","cgid":"team","user":"5","date":"2026-11-22 10:05:23","order":"0","type":"normal","content":"two","contentType":"text","data":""},{"id":"8","gid":"m8","cgid":"team","user":"5","date":"2026-11-22 10:05:22","order":"0","type":"normal","content":"one :smile:","contentType":"text","data":""}]`),
			},
			func(ctx context.Context, a *Adapter) (any, error) { return a.ComeOnline(ctx, 4) },
		},
		"notify_last_stream_gone": {
			map[string]string{"logout": frame("logout", user)},
			func(ctx context.Context, a *Adapter) (any, error) { return nil, a.GoOffline(ctx, 4) },
		},
		"readyz": {
			map[string]string{"ping": `{"module":"chat","method":"ping","result":"success","users":[1],"lang":"zh-cn","v":"2.2.0"}`},
			func(ctx context.Context, a *Adapter) (any, error) { return nil, a.Ping(ctx) },
		},
		"poll": {
			map[string]string{
				"notify":          frame("notify", `{"4":[{"id":"2","gid":"n2","content":"hello","date":1795284504,"contentType":"text","title":"T2","subtitle":"","url":"","actions":[],"sender":[],"users":[4,5]}],"5":[{"id":"2","gid":"n2","content":"hello","date":1795284504,"contentType":"text","title":"T2","subtitle":"","url":"","actions":[],"sender":[],"users":[4,5]}]}`),
				"checkUserChange": `{"module":"chat","method":"checkuserchange","result":"success","data":"no","lang":"zh-cn","v":"2.2.0"}`,
			},
			func(ctx context.Context, a *Adapter) (any, error) { return nil, a.ask(ctx) },
		},
	} {
		t.Run(name, func(t *testing.T) { pin(t, name, c.answers, c.do) })
	}
}

// pin compares what an operation asks, answers and tells with its golden file.
func pin(t *testing.T, name string, answers map[string]string, do func(context.Context, *Adapter) (any, error)) {
	uuid.SetRand(bytes.NewReader(bytes.Repeat([]byte{1, 0x94, 0xfd, 0xc2, 0xfa, 0x2f, 0xfc, 0xc0, 0x41, 0xd3, 0xff, 0x12, 0x04, 0x5b, 0x73, 0xc8}, 8)))
	defer uuid.SetRand(nil)
	a, s := newScripted(t)
	for method, f := range answers {
		s.answers[method] = says(t, f)
	}
	out, err := do(t.Context(), a)
	g := golden{Calls: s.calls, Out: out, Events: s.events}
	if err != nil {
		g.Error = err.Error()
	}
	got, err := json.MarshalIndent(g, "", "  ")
	require.NoError(t, err)
	file := filepath.Join("testdata", "golden", name+".json")
	if *update {
		require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
		require.NoError(t, os.WriteFile(file, append(got, '\n'), 0o644))
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err, "run go test ./adapter -run Golden -update and read what it wrote")
	require.JSONEq(t, string(want), string(got))
}
