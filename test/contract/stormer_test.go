package contract

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/xuangate/xuangate/gen/model"
)

// stormer is one of its users. Only his own operations change what he is a member of, so what each must answer is known.
type stormer struct {
	*user
	*storm
	rand *rand.Rand
	step int
	own  []string // groups that he made
}

// act does one thing at random; one of five is to fail.
func (u *stormer) act() error {
	u.step++
	if u.rand.IntN(5) == 0 {
		return u.blunder()
	}
	switch u.rand.IntN(14) {
	case 10, 11:
		return u.administer()
	case 12:
		return u.mark()
	case 13:
		return u.invite()
	case 0:
		return u.create()
	case 1:
		return u.talkTo(stormFirst + u.rand.IntN(stormUsers))
	case 2, 3:
		return u.join(pick(u.rand, u.public))
	case 4:
		return u.leave(pick(u.rand, u.public))
	case 5:
		return u.read()
	}
	if mine := u.mine(); len(mine) > 0 {
		return u.send(pick(u.rand, mine))
	}
	return u.create()
}

// mine are the conversations that he is a member of.
func (u *stormer) mine() []string {
	mine := slices.Clone(u.own)
	for _, c := range u.public {
		if u.isIn(c) {
			mine = append(mine, c)
		}
	}
	return mine
}

// blunder does what must be refused.
func (u *stormer) blunder() error {
	type blunder struct {
		path string
		body object
		want model.Code
	}
	list := []blunder{
		{"/join_conversation", object{"conversation_id": "nosuch"}, model.NotFound},
		{"/join_conversation", object{"conversation_id": pick(u.rand, u.private)}, model.NotFound},
		{"/leave_conversation", object{"conversation_id": pick(u.rand, u.private)}, model.NotFound},
		{"/send_msg", object{"conversation_id": pick(u.rand, u.private), "content": "x"}, model.NotFound},
		{"/send_msg", object{"conversation_id": "nosuch", "content": "x"}, model.NotFound},
		{"/send_msg", object{"conversation_id": pick(u.rand, u.private), "content": ""}, model.NotFound},
		{"/get_conversation_last_30_msg", object{"conversation_id": pick(u.rand, u.private)}, model.NotFound},
		{"/create_conversation", object{"conversation_type": 0, "name": strings.Repeat("x", 61)}, model.InvalidParameter},
		{"/create_conversation", object{"conversation_type": 0, "name": "x", "members": []string{"99999"}}, model.InvalidParameter},
		{"/create_conversation", object{"conversation_type": 2, "name": "x"}, model.NotAllowed},
		{"/rename_conversation", object{"conversation_id": pick(u.rand, u.private), "name": "x"}, model.NotFound},
		{"/set_conversation_public", object{"conversation_id": pick(u.rand, u.private), "public": true}, model.NotFound},
		{"/set_conversation_committers", object{"conversation_id": "nosuch", "committers": []string{}}, model.NotFound},
		{"/set_conversation_admins", object{"conversation_id": pick(u.rand, u.private), "admins": []string{}}, model.NotFound},
		{"/dismiss_conversation", object{"conversation_id": "nosuch"}, model.NotFound},
		{"/invite_members", object{"conversation_id": pick(u.rand, u.private), "sessions": []string{u.session}}, model.NotFound},
		{"/star_conversation", object{"conversation_id": pick(u.rand, u.private), "star": true}, model.NotFound},
	}
	for _, c := range u.own {
		list = append(list, blunder{"/rename_conversation", object{"conversation_id": c, "name": " "}, model.InvalidParameter},
			blunder{"/invite_members", object{"conversation_id": c, "sessions": []string{"99999"}}, model.InvalidParameter})
	}
	for _, c := range u.public {
		if u.isIn(c) {
			list = append(list, blunder{"/rename_conversation", object{"conversation_id": c, "name": "x"}, model.NotAllowed},
				blunder{"/dismiss_conversation", object{"conversation_id": c}, model.NotAllowed},
				blunder{"/remove_members", object{"conversation_id": c, "sessions": []string{u.session}}, model.NotAllowed})
		} else {
			list = append(list, blunder{"/send_msg", object{"conversation_id": c, "content": "x"}, model.NotFound},
				blunder{"/leave_conversation", object{"conversation_id": c}, model.NotFound},
				blunder{"/rename_conversation", object{"conversation_id": c, "name": "x"}, model.NotFound})
		}
	}
	b := pick(u.rand, list)
	return u.expect(b.want, b.path, b.body)
}

func (u *stormer) expect(want model.Code, path string, body object) error {
	a, err := u.ask(path, body)
	if err == nil && a.Code != want {
		err = fmt.Errorf("%s %v: code %d where %d is right: %s", path, body, a.Code, want, a.Error)
	}
	return err
}

func (u *stormer) isIn(conversation string) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.joins[conversation][u.session]
}

func (u *stormer) note(conversation, session string, member bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.joins[conversation] == nil {
		u.joins[conversation] = map[string]bool{}
	}
	u.joins[conversation][session] = member
}

func (u *stormer) join(conversation string) error {
	u.note(conversation, u.session, true)
	return u.expect(model.OK, "/join_conversation", object{"conversation_id": conversation})
}

func (u *stormer) leave(conversation string) error {
	if !u.isIn(conversation) {
		return u.expect(model.NotFound, "/leave_conversation", object{"conversation_id": conversation})
	}
	u.note(conversation, u.session, false)
	return u.expect(model.OK, "/leave_conversation", object{"conversation_id": conversation})
}

func (u *stormer) create() error {
	ref, err := asked[model.ConversationRef](u, "/create_conversation", object{"conversation_type": 0, "name": fmt.Sprint(u.account, " ", u.step)})
	if err != nil {
		return err
	}
	u.note(ref.ConversationId, u.session, true)
	u.own = append(u.own, ref.ConversationId)
	u.mu.Lock()
	u.made[ref.ConversationId] = &made{by: u.session, name: fmt.Sprint(u.account, " ", u.step)}
	u.mu.Unlock()
	c, err := asked[model.Conversation](u, "/get_conversation_detail", object{"conversation_id": ref.ConversationId})
	if err == nil && c.Name != fmt.Sprint(u.account, " ", u.step) {
		err = fmt.Errorf("the group made is called %q", c.Name)
	}
	return err
}

func (u *stormer) talkTo(other int) error {
	session := fmt.Sprint(other)
	if session == u.session {
		return u.expect(model.InvalidParameter, "/create_conversation", object{"conversation_type": 1, "members": []string{session}})
	}
	ref, err := asked[model.ConversationRef](u, "/create_conversation", object{"conversation_type": 1, "members": []string{session}})
	pair := []string{u.session, session}
	slices.Sort(pair)
	if err == nil && ref.ConversationId != strings.Join(pair, "&") {
		err = fmt.Errorf("the conversation with %s is %s", session, ref.ConversationId)
	}
	if err != nil {
		return err
	}
	u.note(ref.ConversationId, u.session, true)
	u.note(ref.ConversationId, session, true)
	return u.send(ref.ConversationId)
}

// administer changes one of his groups.
func (u *stormer) administer() error {
	if len(u.own) == 0 {
		return u.create()
	}
	i := u.rand.IntN(len(u.own))
	c := u.own[i]
	m := u.group(c)
	body := object{"conversation_id": c}
	switch u.rand.IntN(7) {
	case 0, 1:
		m.name = fmt.Sprint(u.account, " renamed ", u.step)
		body["name"] = m.name
		return u.expect(model.OK, "/rename_conversation", body)
	case 2, 3:
		m.public = !m.public
		body["public"] = m.public
		return u.expect(model.OK, "/set_conversation_public", body)
	case 4, 5:
		m.committers = u.session // he is the only one who speaks there
		body["committers"] = []string{u.session}
		return u.expect(model.OK, "/set_conversation_committers", body)
	}
	m.dismissed = true
	u.own = slices.Delete(u.own, i, i+1)
	if err := u.expect(model.OK, "/dismiss_conversation", body); err != nil {
		return err
	}
	body["name"] = "back"
	return u.expect(model.Conflict, "/rename_conversation", body)
}

// group is how a group of his must be. He alone writes to it, and it is read when all is over.
func (u *stormer) group(conversation string) *made {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.made[conversation]
}

// mark sets a mark of his own.
func (u *stormer) mark() error {
	if len(u.own) == 0 {
		return u.create()
	}
	c := pick(u.rand, u.own)
	m := u.group(c)
	switch u.rand.IntN(3) {
	case 0:
		m.star = !m.star
		return u.expect(model.OK, "/star_conversation", object{"conversation_id": c, "star": m.star})
	case 1:
		m.mute = !m.mute
		return u.expect(model.OK, "/mute_conversation", object{"conversation_id": c, "mute": m.mute})
	}
	m.category = fmt.Sprint("category ", u.step)
	return u.expect(model.OK, "/set_conversation_category", object{"conversation_id": c, "category": m.category})
}

// invite takes somebody into a group of his, or throws him out again; he does nothing there.
func (u *stormer) invite() error {
	if len(u.own) == 0 {
		return u.create()
	}
	c, guest := pick(u.rand, u.own), fmt.Sprint(stormFirst+stormUsers+u.rand.IntN(stormGuests))
	u.mu.Lock()
	in := u.joins[c][guest]
	u.mu.Unlock()
	u.note(c, guest, !in)
	path := "/invite_members"
	if in {
		path = "/remove_members"
	}
	return u.expect(model.OK, path, object{"conversation_id": c, "sessions": []string{guest}})
}

// send sends a message. One that legacy loses must be told so, to its own sender.
func (u *stormer) send(conversation string) error {
	content := fmt.Sprint(u.account, "-", u.step)
	a, err := u.ask("/send_msg", object{"conversation_id": conversation, "content": content})
	if err != nil {
		return err
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if a.Code == model.Conflict && strings.Contains(a.Error, "lost") {
		u.lost[content] = true
		return nil
	}
	sent, err := decoded[model.SentMsg](a)
	if err != nil {
		return fmt.Errorf("send to %s: %w", conversation, err)
	}
	if u.said[conversation] == nil {
		u.said[conversation] = map[string]string{}
	}
	u.said[conversation][content] = sent.MsgID
	return nil
}

// read reads a group that only he writes in: it holds what was answered as sent, and nothing else.
func (u *stormer) read() error {
	if len(u.own) == 0 {
		return u.create()
	}
	c := pick(u.rand, u.own)
	m, err := asked[model.Messages](u, "/get_conversation_last_30_msg", object{"conversation_id": c})
	if err != nil {
		return err
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	heard := map[string]string{}
	for _, m := range m.Msg {
		heard[m.Content] = m.MsgId
	}
	if !maps.Equal(heard, u.said[c]) {
		return fmt.Errorf("%s holds %v where %v was said", c, heard, u.said[c])
	}
	return nil
}

func asked[T any](u *stormer, path string, body object) (v T, err error) {
	a, err := u.ask(path, body)
	if err != nil {
		return v, err
	}
	if v, err = decoded[T](a); err != nil {
		err = fmt.Errorf("%s %v: %w", path, body, err)
	}
	return v, err
}
