package soak

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"

	"github.com/xuangate/xuangate/gen/model"
)

// groups are what two people have made to speak in. They find them again, as people do: the gateway remembers something of every
// conversation, up to a limit that takes longer to reach than we have.
type groups struct{ team, duty string }

// A visit is two people who sign in, use all that the API has, and leave. After the first error nothing more is done.
type visit struct {
	*site
	ctx         context.Context
	n           int
	host, guest *person
	groups
	err error
}

// visit is the nth one, of two accounts that nobody else uses meanwhile.
func (s *site) visit(ctx context.Context, n int, host, guest string) (err error) {
	ctx, hangUp := context.WithCancel(ctx)
	defer hangUp()
	v := &visit{site: s, ctx: ctx, n: n}
	if had, ok := s.groups.Load(host); ok {
		v.groups = had.(groups)
	}
	if v.host, err = s.signIn(ctx, host, 1+n%3, transports[n%3]); err != nil {
		return err
	}
	defer v.host.leaves()
	if v.guest, err = s.signIn(ctx, guest, 1, transports[(n+1)%3]); err != nil {
		return err
	}
	defer v.guest.leaves()
	v.gather()
	ear := newListener(v.guest)
	var listening sync.WaitGroup
	defer listening.Wait()
	defer hangUp()
	listening.Go(func() { ear.listen(ctx, v.team) })
	if v.err == nil {
		v.err = ear.begins()
	}
	v.users()
	v.todos()
	last := v.messages(ear)
	v.history(last)
	v.files()
	v.marks()
	v.manage()
	v.company()
	v.watch()
	hangUp()
	v.part()
	if v.err != nil {
		return fmt.Errorf("%s and %s: %w", host, guest, v.err)
	}
	return nil
}

// does makes a call of somebody.
func (v *visit) does(p *person, path string, in, out any) {
	if v.err == nil {
		v.err = p.call(v.ctx, path, in, out)
	}
}

// refused makes one that must be refused.
func (v *visit) refused(p *person, want model.Code, path string, in any) {
	if v.err == nil {
		v.err = p.refused(v.ctx, want, path, in)
	}
}

// about is what a call on their group names, and more.
func (v *visit) about(more object) object {
	in := object{"conversation_id": v.team}
	for k, value := range more {
		in[k] = value
	}
	return in
}

// gather makes their group unless they have it, and the conversation of the two.
func (v *visit) gather() {
	if v.team == "" {
		var made model.ConversationRef
		v.does(v.host, "/create_conversation", object{"conversation_type": 0, "name": "visit", "members": []string{v.guest.session}}, &made)
		v.team = made.ConversationId
	}
	v.does(v.host, "/create_conversation", object{"conversation_type": 1, "members": []string{v.guest.session}}, nil)
	v.does(v.guest, "/check_joined_conversation", v.about(nil), nil)
	v.does(v.guest, "/get_joined_conversation", object{}, nil)
	v.does(v.guest, "/get_conversation_detail", v.about(nil), nil)
	v.does(v.guest, "/get_conversations", object{}, nil)
	v.does(v.guest, "/get_conversation_members", v.about(nil), nil)
	v.refused(v.guest, model.NotFound, "/get_conversation_detail", object{"conversation_id": "nosuch"})
	v.refused(v.guest, model.InvalidParameter, "/get_conversation_detail", object{"conversation_id": 7})
	v.refused(v.guest, model.WrongPassword, "/login", object{"account": v.guest.account, "password": "a wrong one", "platform": 1})
}

func (v *visit) users() {
	v.does(v.host, "/get_me", object{}, nil)
	v.does(v.host, "/get_users", object{}, nil)
	v.does(v.host, "/get_users", object{"sessions": []string{v.guest.session}}, nil)
	v.does(v.host, "/update_me", object{"mobile": "13800000000"}, nil)
	v.does(v.host, "/set_status", object{"status": "busy"}, nil)
	v.does(v.host, "/set_status", object{"status": "online"}, nil)
	v.does(v.host, "/save_settings", object{"settings": object{"theme": "dark"}}, nil)
	v.does(v.host, "/get_settings", object{}, nil)
	v.does(v.host, "/get_server_info", object{}, nil)
	v.does(v.host, "/get_extensions", object{}, nil)
	v.does(v.host, "/visit_extension", object{"entry_id": 1}, nil)
}

func (v *visit) todos() {
	var todo model.TodoRef
	v.does(v.host, "/save_todo", object{"name": "周报", "date": "2026-12-01"}, &todo)
	v.does(v.host, "/get_todos", object{}, nil)
	v.does(v.host, "/save_todo", object{"id": todo.Id, "delete": true}, nil)
}

// messages has both speak, and the guest hear all of it. It answers the id of the last one.
func (v *visit) messages(ear *listener) (last string) {
	var said []string
	for i := range 4 {
		for j, p := range []*person{v.host, v.guest} {
			var sent model.SentMsg
			id := fmt.Sprintf("%d-%d-%d", v.n, i, j)
			said = append(said, id+strings.Repeat("长", 100))
			v.does(p, "/send_msg", v.about(object{"type": i % 2, "content": said[len(said)-1], "client_msg_id": id}), &sent)
			last = sent.MsgID
		}
	}
	if v.err == nil && ear.misses(said) > 0 {
		v.err = fmt.Errorf("%s did not hear all that was said", ear.account)
	}
	return last
}

func (v *visit) history(last string) {
	v.does(v.guest, "/get_lastone_msgid", v.about(nil), nil)
	v.does(v.guest, "/get_conversation_lastone_msg", v.about(nil), nil)
	v.does(v.guest, "/get_conversation_last_30_msg", v.about(nil), nil)
	v.does(v.guest, "/get_conversation_msgs", v.about(nil), nil)
	var before model.Messages
	v.does(v.guest, "/get_conversation_30msg_before_the_id", v.about(object{"msg_id": last}), &before)
	if v.err != nil || len(before.Msg) == 0 {
		v.err = errors.Join(v.err, errors.New("nothing is before the last message"))
		return
	}
	first := before.Msg[0].MsgId
	v.does(v.guest, "/get_conversation_30msg_after_the_id", v.about(object{"msg_id": first}), nil)
	v.does(v.guest, "/get_conversation_msg_by_range", v.about(object{"start_msg_id": first, "end_msg_id": last}), nil)
}

func (v *visit) files() {
	if v.err != nil {
		return
	}
	content := bytes.Repeat([]byte("%PDF"), 5_000)
	file, err := v.host.sdk.Upload(v.ctx, v.team, "周报.pdf", bytes.NewReader(content), int64(len(content)), nil)
	if err != nil {
		v.err = fmt.Errorf("upload: %w", err)
		return
	}
	v.does(v.host, "/send_msg", v.about(object{"type": file.Type, "content": file.Content}), nil)
	v.does(v.guest, "/get_conversation_files", v.about(nil), nil)
	if v.err != nil {
		return
	}
	if _, v.err = v.guest.sdk.API().HeadFileWithResponse(v.ctx, file.Id); v.err != nil {
		v.err = fmt.Errorf("ask for a file's head: %w", v.err)
		return
	}
	var got bytes.Buffer
	if _, err := v.guest.sdk.Download(v.ctx, file.Id, &got, nil); err != nil || !bytes.Equal(got.Bytes(), content) {
		v.err = fmt.Errorf("download: %d bytes, %w", got.Len(), err)
	}
}

func (v *visit) marks() {
	v.does(v.guest, "/star_conversation", v.about(object{"star": true}), nil)
	v.does(v.guest, "/hide_conversation", v.about(object{"hide": true}), nil)
	v.does(v.guest, "/mute_conversation", v.about(object{"mute": true}), nil)
	v.does(v.guest, "/set_conversation_category", v.about(object{"category": "work"}), nil)
}

// manage changes the group in every way.
func (v *visit) manage() {
	v.does(v.host, "/rename_conversation", v.about(object{"name": fmt.Sprint("visit ", v.n)}), nil)
	v.does(v.host, "/set_conversation_public", v.about(object{"public": true}), nil)
	v.does(v.guest, "/get_public_conversations", object{}, nil)
	v.does(v.host, "/remove_members", v.about(object{"sessions": []string{v.guest.session}}), nil)
	v.does(v.guest, "/join_conversation", v.about(nil), nil)
	v.does(v.guest, "/leave_conversation", v.about(nil), nil)
	v.does(v.guest, "/join_conversation", v.about(nil), nil)
	v.does(v.host, "/invite_members", v.about(object{"sessions": []string{"2"}}), nil)
	v.does(v.host, "/remove_members", v.about(object{"sessions": []string{"2"}}), nil)
	v.does(v.host, "/set_conversation_committers", v.about(object{"committers": []string{v.host.session}}), nil)
	v.refused(v.guest, model.NotAllowed, "/send_msg", v.about(object{"content": "x"}))
	v.does(v.host, "/set_conversation_committers", v.about(object{"committers": []string{}}), nil)
	v.does(v.host, "/set_conversation_public", v.about(object{"public": false}), nil)
}

// company is what a company's own systems do.
func (v *visit) company() {
	inner := func(path string, in, out any) {
		if v.err == nil {
			v.err = v.host.inner(v.ctx, path, in, out)
		}
	}
	const other = 7 // a platform of its own, so that nobody is signed out
	inner("/get_token", object{"session": v.guest.session, "platform": other}, nil)
	inner("/revoke_tokens", object{"session": v.guest.session, "platform": other}, nil)
	both := []string{v.host.session, v.guest.session}
	if v.duty == "" {
		var made model.ConversationRef
		inner("/create_conversation", object{"conversation_type": 0, "name": "on duty", "sessions": []string{v.host.session}}, &made)
		v.duty = made.ConversationId
	}
	group := func(more object) object {
		more["conversation_id"] = v.duty
		return more
	}
	inner("/join_conversation", group(object{"sessions": both}), nil)
	inner("/get_conversation_members", group(object{}), nil)
	inner("/send_msg", group(object{"content": "told by the company"}), nil)
	inner("/set_archive_conversations", object{"conversation_ids": []string{v.duty}, "is_archive": true}, nil)
	inner("/call", object{"call": "chat/members", "params": []string{v.duty}}, nil)
	inner("/get_chat_users", group(object{}), nil)
	inner("/kickout_conversation", group(object{"sessions": []string{v.guest.session}}), nil)
	inner("/get_chat_groups", object{}, nil)
	inner("/send_notification", object{"sessions": []string{v.guest.session}, "title": "周报", "content": "**今天**", "type": 0}, nil)
}

// watch looks at what needs no sign-in, and opens a stream as a browser does.
func (v *visit) watch() {
	for _, path := range []string{"/livez", "/readyz"} {
		if v.err == nil {
			v.err = v.host.get(v.ctx, path, nil)
		}
	}
	var ticket model.NotifyTicket
	v.does(v.host, "/notify_ticket", object{}, &ticket)
	if v.err != nil {
		return
	}
	if v.err = v.host.get(v.ctx, "/notify?protoc=poll&timeout=0&ticket="+url.QueryEscape(ticket.Ticket), nil); v.err != nil {
		return
	}
	res, err := v.host.sdk.API().OpenapiJsonWithResponse(v.ctx)
	if err != nil || res.StatusCode() != http.StatusOK {
		v.err = fmt.Errorf("the API's description: %w", err)
	}
}

// part ends the groups now and then, and half of the sign-ins; those of the others run out.
func (v *visit) part() {
	if v.err != nil {
		return
	}
	ctx := context.WithoutCancel(v.ctx)
	if v.n%10 == 0 {
		v.err = v.host.call(ctx, "/dismiss_conversation", v.about(nil), nil)
		v.groups = groups{}
	}
	v.site.groups.Store(v.host.account, v.groups)
	if v.n%2 == 0 {
		for _, p := range []*person{v.host, v.guest} {
			v.err = errors.Join(v.err, p.call(ctx, "/logout", object{}, nil))
		}
	}
}
