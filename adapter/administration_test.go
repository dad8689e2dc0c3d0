package adapter

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/xuangate/xuangate/adapter/legacy"
	"github.com/xuangate/xuangate/gen/model"
)

// TestTheStateTellsWhatWasDone is about mode xxd: a failure may be that of another user's call, and a success about the
// same chat another user's change.
func TestTheStateTellsWhatWasDone(t *testing.T) {
	team, sys := chatJSON("team", "group", 4, 5), chatJSON("sys", "system", 1, 4, 5, 6)
	for name, c := range map[string]struct {
		method  string
		foreign string // another user's change of the same kind
		before  string
		after   string
		do      func(context.Context, *Adapter) error
	}{
		"rename": {
			"changeName", strings.Replace(team, "Team", "theirs", 1), team, strings.Replace(team, "Team", "ours", 1),
			func(ctx context.Context, a *Adapter) error { return a.RenameConversation(ctx, 4, "team", "ours") },
		},
		"public": {
			"changePublic", team, team, strings.Replace(team, `"public":0`, `"public":1`, 1),
			func(ctx context.Context, a *Adapter) error { return a.SetPublic(ctx, 4, "team", true) },
		},
		"committers": {
			"setCommitters", strings.Replace(team, `"committers":""`, `"committers":"5"`, 1), team, strings.Replace(team, `"committers":""`, `"committers":"4,5"`, 1),
			func(ctx context.Context, a *Adapter) error {
				return a.SetCommitters(ctx, 4, "team", []string{"4", "5"})
			},
		},
		"admins": {
			"setAdmin", strings.Replace(sys, `"admins":""`, `"admins":",6"`, 1), sys, strings.Replace(sys, `"admins":""`, `"admins":",5"`, 1),
			func(ctx context.Context, a *Adapter) error { return a.SetAdmins(ctx, 1, "sys", []string{"5"}) },
		},
		"dismiss": {
			"dismiss", team, team, strings.Replace(team, `"dismissDate":0`, `"dismissDate":1795312800`, 1),
			func(ctx context.Context, a *Adapter) error { return a.DismissConversation(ctx, 4, "team") },
		},
		"invite": {
			"addmember", chatJSON("team", "group", 4, 5, 1), team, chatJSON("team", "group", 4, 5, 6),
			func(ctx context.Context, a *Adapter) error { return a.InviteMembers(ctx, 4, "team", []string{"6"}) },
		},
		"remove": {
			"addmember", chatJSON("team", "group", 4, 5, 6), team, chatJSON("team", "group", 4),
			func(ctx context.Context, a *Adapter) error { return a.RemoveMembers(ctx, 4, "team", []string{"5"}) },
		},
	} {
		// try runs the operation where legacy gives an answer, and is then as state says.
		try := func(t *testing.T, reply func(legacy.Call) (legacy.Response, error), state string) (*script, error) {
			a, s := newScripted(t)
			list := func(row string) {
				s.answers["getlist"] = says(t, frame("getlist", "["+row+"]"))
				var chat legacy.ChatRow
				require.NoError(t, answer(t, legacy.Chat(4, "create"), frame("create", row)).Decode(&chat))
				s.answers["members"] = func(c legacy.Call) (legacy.Response, error) {
					return answer(t, c, frame("members", `{"gid":"team","members":`+row[strings.LastIndex(row, "["):])), nil
				}
			}
			list(c.before)
			s.answers[c.method] = func(call legacy.Call) (legacy.Response, error) {
				list(state)
				return reply(call)
			}
			return s, c.do(t.Context(), a)
		}
		theirs := says(t, frame(c.method, c.foreign))
		unsure := func(reply func(legacy.Call) (legacy.Response, error)) func(legacy.Call) (legacy.Response, error) {
			return func(call legacy.Call) (legacy.Response, error) {
				r, err := reply(call)
				r.Unsure = true
				return r, err
			}
		}
		failed := unsure(says(t, failFrame(c.method, "会话不存在。")))
		silent := unsure(says(t, frame(c.method, "null")))
		dropped := func(legacy.Call) (legacy.Response, error) { return legacy.Response{}, errDropped }
		t.Run(name, func(t *testing.T) {
			for why, reply := range map[string]func(legacy.Call) (legacy.Response, error){
				"another's failure": failed, "no answer to us": silent, "another's success": theirs, "a lost answer": dropped,
			} {
				s, err := try(t, reply, c.after)
				require.NoError(t, err, why)
				require.Len(t, s.events, 1, why)
			}
			for why, reply := range map[string]func(legacy.Call) (legacy.Response, error){
				"a failure of its own": failed, "a success that is not so": theirs, "nothing at all": silent,
			} {
				s, err := try(t, reply, c.before)
				require.Contains(t, []model.Code{model.NotFound, model.Conflict}, code(err), why)
				require.Empty(t, s.events, why)
			}
		})
	}
}

func TestMarksAreAskedForWhereTheAnswerDoesNotTell(t *testing.T) {
	starred := strings.Replace(chatJSON("team", "group", 4, 5), `"members"`, `"star":1,"members"`, 1)
	for name, c := range map[string]struct {
		reply string
		after string
		want  model.Code
	}{
		"another's failure": {failFrame("star", "x"), starred, model.OK},
		"one's own":         {failFrame("star", "x"), chatJSON("team", "group", 4, 5), model.Conflict},
		"not what was said": {frame("star", "null"), chatJSON("team", "group", 4, 5), model.Conflict},
	} {
		a, s := newScripted(t)
		s.answers["star"] = func(call legacy.Call) (legacy.Response, error) {
			s.answers["getlist"] = says(t, frame("getlist", "["+c.after+"]"))
			r := answer(t, call, c.reply)
			r.Unsure = true
			return r, nil
		}
		require.Equal(t, c.want, code(a.StarConversation(t.Context(), 4, "team", true)), name)
		require.Len(t, s.events, map[bool]int{true: 1}[c.want == model.OK], name)
	}
}

func TestAMarkSetOnAnotherDeviceIsTold(t *testing.T) {
	inLink(t, nil, func(t *testing.T, _ *Adapter, d *doorway) {
		muted := strings.Replace(chatJSON("team", "group", 4, 5), `"members"`, `"mute":1,"category":"项目","members"`, 1)
		d.answer("getlist", says(t, frame("getlist", "["+muted+"]")))
		d.push("mute", `{"gid":"team","mute":true}`)
		d.push("category", `{"gids":["team","nosuch"],"category":"项目"}`)
		d.push("star", `{"gid":"nosuch","star":true}`)
		d.push("message", "["+rowJSON(40, "g40", "the end")+"]")
		synctest.Wait()
		require.Len(t, d.told(), 3)
		told := d.told()
		for i, what := range []model.ConversationEventChanged{model.ChangedMuted, model.ChangedCategorized} {
			e := told[i].Data.(model.ConversationEvent)
			require.Equal(t, []model.ConversationEventChanged{what}, e.Changed)
			require.True(t, *e.IsMute)
			require.Equal(t, "项目", *e.Category)
			require.Equal(t, []legacy.UserID{4}, told[i].To.Users)
		}
	})
}

func TestListsLongerThanLegacyKeeps(t *testing.T) {
	a, s := newScripted(t)
	var many []string
	for i := range 60 {
		many = append(many, legacy.UserID(10000+i).String())
	}
	require.Equal(t, model.Conflict, code(a.SetCommitters(t.Context(), 4, "team", many)))
	require.Equal(t, model.Conflict, code(a.SetAdmins(t.Context(), 1, "sys", many)))
	require.Empty(t, s.methods())
}
