package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"

	"github.com/xuangate/xuangate/cmd/xuangate/node"
	"github.com/xuangate/xuangate/gen/model"
	"github.com/xuangate/xuangate/test/xuanxuan"
)

// devGroup is the public group that `xuangate dev` makes: everybody but dave is in it, who can try to join.
const (
	devGroup    = "研发部"
	devOutsider = "dave"
)

// devPlatform is the platform of dev's own sign-in, so that it ends no login of a person who tries the API.
const devPlatform = 1000

// welcome makes the group if this is the first start, and prints what a person needs next.
// desktop, if not empty, is where desktop clients sign in.
func welcome(ctx context.Context, mode string, at node.Addresses, desktop string, to io.Writer) error {
	api := reachable(at.API)
	group, err := ensureGroup(ctx, api)
	if err != nil {
		return fmt.Errorf("make the group %s: %w", devGroup, err)
	}
	var users []string
	for _, u := range xuanxuan.DemoUsers() {
		users = append(users, fmt.Sprintf("%s %d", u.Account, u.ID))
	}
	_, err = strings.NewReplacer(
		"{mode}", mode, "{api}", api, "{users}", strings.Join(users, ", "), "{password}", xuanxuan.DemoPassword,
		"{desktop}", desktopText(desktop), "{group}", group, "{name}", devGroup, "{outsider}", devOutsider, "{key}", devInnerKey,
	).WriteString(to, welcomeText)
	return err
}

const welcomeText = `
Xuangate runs in mode {mode}, in front of a chat server of its own. Ctrl-C ends both.

  chat       {api}/   in a browser; sign in twice, as two users
  API        {api}   described, and to be tried, at {api}/docs
  events     {api}/notify   as server-sent events, WebSocket or long poll
  users      {users}: each account with its session, all with the password {password}
  group      {name}, everybody but {outsider}: {group}
  inner key  {key}   for {api}/inner/…, in the header X-Inner-Key
{desktop}
Sign in as alice, and listen:

  TOKEN=$(curl -s {api}/login -H 'Content-Type: application/json' -d '{"account":"alice","password":"{password}"}' | sed 's/.*"Token":"\([^"]*\)".*/\1/')
  curl -N "{api}/notify?protoc=sse&token=$TOKEN"

Say something to the group, as bob, in another terminal:

  TOKEN=$(curl -s {api}/login -H 'Content-Type: application/json' -d '{"account":"bob","password":"{password}"}' | sed 's/.*"Token":"\([^"]*\)".*/\1/')
  curl -s {api}/send_msg -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json' -d '{"conversation_id":"{group}","type":1,"content":"你好"}'

`

// desktopText tells how a desktop client gets in, where one does.
func desktopText(address string) string {
	if address == "" {
		return ""
	}
	return "  desktop    " + address + "   is the server to name in a desktop client of version 2.x, with any of the users: both hear each other\n"
}

// reachable is the URL of a listener as somebody on this machine reaches it.
func reachable(at net.Addr) string {
	host, port, _ := net.SplitHostPort(at.String())
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return "http://" + net.JoinHostPort(host, port)
}

// ensureGroup answers the id of the demo group. It goes through the API, as anybody would.
func ensureGroup(ctx context.Context, api string) (model.ConversationId, error) {
	admin := &caller{api: api}
	who := model.LoginRequest{Account: "admin", Password: xuanxuan.DemoPassword, Platform: devPlatform}
	var in model.Login
	if err := admin.call(ctx, "/login", who, &in); err != nil {
		return "", err
	}
	admin.token = in.Token

	var joined model.JoinedConversations
	if err := admin.call(ctx, "/get_joined_conversation", struct{}{}, &joined); err != nil {
		return "", err
	}
	for _, id := range joined.Conversations {
		var c model.Conversation
		if err := admin.call(ctx, "/get_conversation_detail", model.ConversationRequest{ConversationId: id}, &c); err != nil {
			return "", err
		}
		if c.Name == devGroup {
			return id, admin.call(ctx, "/logout", struct{}{}, nil)
		}
	}
	group := model.CreateConversationRequest{Name: devGroup, Members: devMembers(), Public: true}
	var created model.ConversationRef
	if err := admin.call(ctx, "/create_conversation", group, &created); err != nil {
		return "", err
	}
	return created.ConversationId, admin.call(ctx, "/logout", struct{}{}, nil)
}

func devMembers() (members []model.Session) {
	for _, u := range xuanxuan.DemoUsers() {
		if u.Account != devOutsider {
			members = append(members, strconv.FormatInt(u.ID, 10))
		}
	}
	return members
}

// caller speaks to the API with one token.
type caller struct{ api, token string }

func (c *caller) call(ctx context.Context, path string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.api+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	answer := struct {
		Code  model.Code      `json:"code"`
		Error string          `json:"error"`
		Data  json.RawMessage `json:"data"`
	}{}
	if err := json.NewDecoder(res.Body).Decode(&answer); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if answer.Code != model.OK {
		return fmt.Errorf("%s: %s (%d)", path, answer.Error, answer.Code)
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(answer.Data, out)
}
