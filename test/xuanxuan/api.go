package xuanxuan

import (
	"context"
	"io"
	"net/http"
	"strings"
)

// APIPath is where the backend answers other applications (seed 002). What the seed says is here as it says it; how a
// request is refused it does not, so that is in its one form for a failure, a result that is not "success" and a message.
const APIPath = "/api.php"

// An apiMethod answers one request. message is why it is refused, "" for success; data is left out where it is nil.
type apiMethod func(b *Backend, ctx context.Context, req *http.Request) (data any, message string, err error)

// apiMethods are the three APIs, by lower-cased names.
var apiMethods = map[string]apiMethod{
	"chat/getchatgroups": (*Backend).apiGroups,
	"chat/getchatusers":  (*Backend).apiUsers,
	"chat/notifymsg":     (*Backend).apiNotify,
}

// serveAPI answers one request of another application: GET with m, f, code, token and params in the query; POST with the
// params as JSON in the form field data, of either encoding.
func (b *Backend) serveAPI(w http.ResponseWriter, req *http.Request) {
	req.Body = http.MaxBytesReader(w, req.Body, maxBody)
	q := req.URL.Query()
	r := &request{module: strings.ToLower(q.Get("m")), method: strings.ToLower(q.Get("f")), lang: "zh-cn"}
	b.calls.count(r.name(), apiMethods[r.name()] != nil)
	fault := b.faults.take(r)
	fault.spoil(w, req, func(w http.ResponseWriter) {
		data, message, err := b.callAPI(context.WithoutCancel(req.Context()), r, req)
		if err != nil {
			b.log.Error("api call failed", "module", r.module, "method", r.method, "err", err)
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		answer := object{{"result", "success"}}
		switch {
		case message != "":
			answer = object{{"result", "fail"}, {"message", message}}
		case data != nil:
			answer = append(answer, member{"data", data})
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(appendJSON(nil, answer))
	})
}

func (b *Backend) callAPI(ctx context.Context, r *request, req *http.Request) (data any, message string, err error) {
	q := req.URL.Query()
	switch m := apiMethods[r.name()]; {
	case q.Get("code") == "" || q.Get("token") == "":
		return nil, "缺少参数 code 或 token。", nil
	case b.appCode == "" || q.Get("code") != b.appCode:
		return nil, "应用不存在。", nil
	case q.Get("token") != b.appToken:
		return nil, "token 验证失败。", nil
	case m == nil:
		return nil, "没有这个接口。", nil
	default:
		return m(b, ctx, req)
	}
}

// apiGroups lists the groups that are not dismissed, gid and name; PHP writes no groups as [].
func (b *Backend) apiGroups(ctx context.Context, _ *http.Request) (any, string, error) {
	list, err := selectRows(ctx, b.store, scanChat, `SELECT `+chatColumns+` FROM im_chat c WHERE c.type = 'group' AND c.dismissDate = '`+zeroDate+`' ORDER BY c.id`)
	if err != nil || len(list) == 0 {
		return []any{}, "", err
	}
	groups := object{}
	for _, c := range list {
		groups = append(groups, member{c.gid, c.name})
	}
	return groups, "", nil
}

// apiUsers lists the members of a group, or everybody where gid is empty, number and name. A group that nobody is in or that
// does not exist was not tried on a real server; as everywhere in it, no list here means everybody.
func (b *Backend) apiUsers(ctx context.Context, req *http.Request) (any, string, error) {
	var ids []int64
	if gid := req.URL.Query().Get("gid"); gid != "" {
		c, found, err := b.chatByGID(ctx, gid)
		if err == nil && found {
			ids, err = b.chatMembers(ctx, c)
		}
		if err != nil {
			return nil, "", err
		}
	}
	where, args := `deleted = 0`, []any{}
	if len(ids) > 0 {
		where, args = `id IN (SELECT value FROM json_each(?))`, []any{set(ids)}
	}
	list, err := selectRows(ctx, b.store, scanUser, `SELECT `+userColumns+` FROM sys_user WHERE `+where+` ORDER BY id`, args...)
	if err != nil || len(list) == 0 {
		return []any{}, "", err
	}
	users := object{}
	for _, u := range list {
		id, _ := toString(u.id)
		users = append(users, member{id, u.realname})
	}
	return users, "", nil
}

// apiNotify leaves a notice for users or in a group.
func (b *Backend) apiNotify(ctx context.Context, req *http.Request) (any, string, error) {
	if req.Method != http.MethodPost {
		return nil, "请使用 POST 方式请求。", nil
	}
	v, _ := decode([]byte(formField(req, "data")))
	in, ok := v.(object)
	if !ok {
		return nil, "data 不是 JSON 对象。", nil
	}
	n := notice{
		chat: noticeChat, date: b.now(), title: in.get("title"), subtitle: in.get("subtitle"), url: in.get("url"), actions: in.get("actions"), sender: in.get("sender"),
	}
	if n.subtitle == nil { // the seed's table and its example differ in the spelling
		n.subtitle = in.get("subTitle")
	}
	n.content, _ = in.get("content").(string)
	n.contentType, _ = in.get("contentType").(string)
	if !truthy(n.title) || n.contentType != "text" && n.contentType != "plain" {
		return nil, "title 和 contentType 不能为空。", nil
	}
	switch in.get("receiver") {
	case "users":
		list, _ := in.get("userList").([]any)
		for _, one := range list {
			id, err := userKey(one)
			if err != nil {
				return nil, "userList 不正确。", nil
			}
			n.users = append(n.users, id)
		}
		if len(list) == 0 {
			return nil, "userList 不能为空。", nil
		}
	case "group":
		gid, _ := in.get("gid").(string)
		c, found, err := b.chatByGID(ctx, gid)
		if err != nil {
			return nil, "", err
		}
		if !found || gid == "" {
			return nil, textNotExist.cn, nil
		}
		n.chat = c.gid
		if n.users, err = b.chatMembers(ctx, c); err != nil {
			return nil, "", err
		}
	default:
		return nil, "receiver 不正确。", nil
	}
	return nil, "", b.leaveNotice(ctx, n)
}

// formField is a field of a form in either encoding.
func formField(req *http.Request, name string) string {
	if err := req.ParseMultipartForm(maxBody); err != nil {
		_, _ = io.Copy(io.Discard, req.Body)
	}
	return req.PostFormValue(name)
}
