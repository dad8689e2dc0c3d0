package adapter

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/xuangate/xuangate/adapter/legacy"
	"github.com/xuangate/xuangate/gen/model"
)

func TestCreateConversationRefusesBeforeAnyCall(t *testing.T) {
	for name, c := range map[string]struct {
		req  model.CreateConversationRequest
		want model.Code
	}{
		"unknown member":          {model.CreateConversationRequest{Members: []string{"99"}}, model.InvalidParameter},
		"no session":              {model.CreateConversationRequest{Members: []string{"bob"}}, model.InvalidParameter},
		"session 0":               {model.CreateConversationRequest{Members: []string{"0"}}, model.InvalidParameter},
		"system":                  {model.CreateConversationRequest{ConversationType: 2}, model.NotAllowed},
		"project":                 {model.CreateConversationRequest{ConversationType: 3}, model.NotAllowed},
		"other":                   {model.CreateConversationRequest{ConversationType: 15}, model.NotAllowed},
		"no such type":            {model.CreateConversationRequest{ConversationType: -1}, model.NotAllowed},
		"one2one with nobody":     {model.CreateConversationRequest{ConversationType: 1}, model.InvalidParameter},
		"one2one with oneself":    {model.CreateConversationRequest{ConversationType: 1, Members: []string{"4"}}, model.InvalidParameter},
		"one2one of three":        {model.CreateConversationRequest{ConversationType: 1, Members: []string{"5", "6"}}, model.InvalidParameter},
		"one2one with a name":     {model.CreateConversationRequest{ConversationType: 1, Members: []string{"5"}, Name: "x"}, model.InvalidParameter},
		"one2one with a stranger": {model.CreateConversationRequest{ConversationType: 1, Members: []string{"99"}}, model.InvalidParameter},
		"emoji in the name":       {model.CreateConversationRequest{Members: []string{"5"}, Name: "party 😄"}, model.Conflict},
	} {
		a, s := newScripted(t)
		_, err := a.CreateConversation(t.Context(), 4, c.req)
		require.Equal(t, c.want, code(err), name)
		require.Empty(t, s.methods(), name)
	}
	for name, c := range map[string]struct {
		req  model.InnerCreateConversationRequest
		want model.Code
	}{
		"system":               {model.InnerCreateConversationRequest{ConversationType: 2, Sessions: []string{"4"}}, model.NotAllowed},
		"system by its name":   {model.InnerCreateConversationRequest{ConversationType: 15, ConversationTypeName: "system", Sessions: []string{"4"}}, model.InvalidParameter},
		"15 without a name":    {model.InnerCreateConversationRequest{ConversationType: 15, Sessions: []string{"4"}}, model.InvalidParameter},
		"a name without 15":    {model.InnerCreateConversationRequest{ConversationTypeName: "story", Sessions: []string{"4"}}, model.InvalidParameter},
		"no such type":         {model.InnerCreateConversationRequest{ConversationType: 7, Sessions: []string{"4"}}, model.InvalidParameter},
		"one2one of one":       {model.InnerCreateConversationRequest{ConversationType: 1, Sessions: []string{"4", "4"}}, model.InvalidParameter},
		"a session of nobody":  {model.InnerCreateConversationRequest{Sessions: []string{"99"}}, model.InvalidParameter},
		"a session of garbage": {model.InnerCreateConversationRequest{Sessions: []string{"4;"}}, model.InvalidParameter},
	} {
		a, s := newScripted(t)
		_, err := a.InnerCreateConversation(t.Context(), c.req)
		require.Equal(t, c.want, code(err), name)
		require.Empty(t, s.methods(), name)
	}
}

func TestGroupsThatNobodyMayChange(t *testing.T) {
	a, s := newScripted(t)
	s.answers["members"] = says(t, frame("members", `{"gid":"sys","members":[1,4,5,6]}`))
	require.Equal(t, model.Conflict, code(a.LeaveConversation(t.Context(), 4, "sys")))
	require.Equal(t, model.NotFound, code(a.LeaveConversation(t.Context(), 4, "nosuch")))
	require.Equal(t, model.Conflict, code(a.InnerKickout(t.Context(), "sys", []string{"4"})))
	require.Equal(t, model.Conflict, code(a.InnerJoin(t.Context(), "sys", []string{"4"})))

	s.answers["getlist"] = says(t, frame("getlist", `[{"gid":"old","type":"group","dismissDate":1795312628,"members":[4]}]`))
	s.answers["members"] = says(t, frame("members", `{"gid":"old","members":[4]}`))
	for _, err := range []error{
		a.LeaveConversation(t.Context(), 4, "old"), a.JoinConversation(t.Context(), 4, "old"),
		a.InnerKickout(t.Context(), "old", []string{"4"}), a.InnerJoin(t.Context(), "old", []string{"5"}),
	} {
		require.Equal(t, model.Conflict, code(err))
	}

	s.answers["members"] = says(t, frame("members", `[]`))
	require.Equal(t, model.NotFound, code(a.InnerKickout(t.Context(), "nosuch", []string{"4"})))
	require.Empty(t, s.events)
}

func TestJoinConversation(t *testing.T) {
	t.Run("private and unknown look the same", func(t *testing.T) {
		a, s := newScripted(t)
		s.answers["getpubliclist"] = says(t, frame("getpubliclist", `[`+chatJSON("open", "group", 5)+`]`))
		for _, id := range []string{"private", "OPEN", "open "} {
			require.Equal(t, model.NotFound, code(a.JoinConversation(t.Context(), 4, id)), id)
		}
	})
	t.Run("who is in already costs no change", func(t *testing.T) {
		a, s := newScripted(t)
		require.NoError(t, a.JoinConversation(t.Context(), 4, "team"))
		require.Equal(t, []string{"getlist"}, s.methods())
		require.Empty(t, s.events)
	})
	t.Run("a refusal by legacy is told by its reason, and nobody hears of it", func(t *testing.T) {
		a, s := newScripted(t)
		s.answers["getpubliclist"] = says(t, frame("getpubliclist", `[`+chatJSON("open", "group", 5)+`]`))
		s.answers["joinchat"] = says(t, failFrame("joinchat", "不是公开会话。"))
		require.Equal(t, model.NotAllowed, code(a.JoinConversation(t.Context(), 4, "open")))
		require.Empty(t, s.events)
	})
}

func TestRemovedMembersAreTold(t *testing.T) {
	a, s := newScripted(t)
	s.answers["joinchat"] = says(t, frame("joinchat", chatJSON("team", "group", 5)))
	require.NoError(t, a.LeaveConversation(t.Context(), 4, "team"))
	require.Equal(t, []legacy.UserID{5, 4}, s.events[0].To.Users)
	t.Run("and are members no more, at once", func(t *testing.T) {
		s.answers["getlist"] = says(t, frame("getlist", "[]"))
		_, err := send(t, a, model.SendMsgRequest{Content: "x"})
		require.Equal(t, model.NotFound, code(err))
	})
}

func TestMembershipIsBelievedFor30Seconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, s := newScripted(t)
		ask := func() []string {
			_, err := a.CheckJoined(t.Context(), 4, "team")
			require.NoError(t, err)
			return s.methods()
		}
		require.Equal(t, []string{"getlist"}, ask())
		time.Sleep(chatFresh)
		require.Empty(t, ask())
		time.Sleep(time.Second)
		require.Equal(t, []string{"getlist"}, ask())
	})
}

func TestAnAnswerOlderThanAChangeIsNotKept(t *testing.T) {
	c := newChats()
	before := c.moment()
	c.put(legacy.ChatRow{GID: "team", Members: legacy.Users{5}}) // alice was removed meanwhile
	c.store(before, []legacy.ChatRow{{GID: "team", Members: legacy.Users{4, 5}}, {GID: "other", Members: legacy.Users{4}}})
	row, ok := c.get("team")
	require.True(t, ok)
	require.False(t, row.Has(4))
	_, ok = c.get("other")
	require.True(t, ok)
	c.store(c.moment(), []legacy.ChatRow{{GID: "team", Members: legacy.Users{4, 5}}})
	row, _ = c.get("team")
	require.True(t, row.Has(4))
}

func TestSignIn(t *testing.T) {
	for said, want := range map[string]model.Code{
		`"data":"成员已经被锁定，请10分钟后再重新尝试登录"`:   model.AccountLocked,
		`"data":"登录失败，请检查您的用户名或密码是否填写正确。"`: model.WrongPassword,
		`"message":""`: model.WrongPassword,
	} {
		a, s := newScripted(t)
		s.answers["login"] = says(t, `{"module":"chat","method":"login","result":"fail",`+said+`,"lang":"zh-cn","v":"2.2.0"}`)
		_, err := a.SignIn(t.Context(), "alice", strings.Repeat("a", 32))
		require.Equal(t, want, code(err), said)
		require.Equal(t, []string{"login"}, s.methods(), "a wrong try must not be repeated")
	}
	t.Run("no answer is not repeated either: it may have counted", func(t *testing.T) {
		a, s := newScripted(t)
		s.answers["login"] = func(legacy.Call) (legacy.Response, error) { return legacy.Response{}, errDropped }
		_, err := a.SignIn(t.Context(), "alice", strings.Repeat("a", 32))
		require.Equal(t, model.Unreachable, code(err))
		require.Equal(t, []string{"login"}, s.methods())
	})
}

func TestUsersAreLookedUpAgainButNotForEachGuess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, s := newScripted(t)
		asked := func() (n int) {
			for _, c := range s.calls {
				if c.Method == "userGetlist" {
					n++
				}
			}
			s.calls = nil
			return n
		}
		_, err := a.User(t.Context(), 4)
		require.NoError(t, err)
		require.Equal(t, 1, asked())
		for range 5 {
			_, err = a.User(t.Context(), 99)
			require.Equal(t, model.NotFound, code(err))
		}
		require.Zero(t, asked())
		time.Sleep(usersAgain)
		_, err = a.User(t.Context(), 99)
		require.Equal(t, model.NotFound, code(err))
		require.Equal(t, 1, asked())
		_, err = a.UserByAccount(t.Context(), "ALICE ")
		require.NoError(t, err)
	})
}

func TestPollTellsOfChangedUsersOnce(t *testing.T) {
	a, s := newScripted(t)
	s.answers["notify"] = says(t, frame("notify", "[]"))
	s.answers["checkUserChange"] = says(t, `{"module":"chat","method":"checkuserchange","result":"success","data":"yes"}`)
	require.NoError(t, a.ask(t.Context()))
	require.Empty(t, s.events, "the first list is no news")
	s.answers["userGetlist"] = says(t, strings.Replace(usersFrame, `"realname":"Bob"`, `"realname":"Robert"`, 1))
	require.NoError(t, a.ask(t.Context()))
	require.NoError(t, a.ask(t.Context()))
	require.Len(t, s.events, 1)
	require.Equal(t, "Robert", s.events[0].Data.(model.User).RealName)
	require.True(t, s.events[0].To.All)
}

func TestComeOnlineKeepsWhatItGotBesideAnError(t *testing.T) {
	a, s := newScripted(t)
	s.answers["userchange"] = says(t, frame("userchange", `{"id":4,"account":"alice","status":"online"}`))
	s.answers["getOfflineNotify"] = says(t, frame("notify", `[{"id":"2","gid":"n2","title":"T","content":"x","contentType":"text","date":1795284504}]`))
	s.answers["getOfflineMessages"] = func(legacy.Call) (legacy.Response, error) { return legacy.Response{}, errDropped }
	events, err := a.ComeOnline(t.Context(), 4)
	require.Equal(t, model.Unreachable, code(err))
	require.Len(t, events, 1)
}
