package adapter

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/xuangate/xuangate/adapter/legacy"
	"github.com/xuangate/xuangate/gen/model"
)

// userJSON is alice as legacy answers her, with fields changed.
func userJSON(changes map[string]any) string {
	row := map[string]any{
		"id": 4, "account": "alice", "realname": "Alice", "avatar": "", "role": "dev", "dept": 101, "clientStatus": "online", "admin": "no",
		"gender": "f", "email": "", "mobile": "", "phone": "", "site": "", "qq": "", "deleted": 0, "status": "online",
	}
	for field, value := range changes {
		row[field] = value
	}
	b, _ := json.Marshal(row)
	return string(b)
}

func TestGoldenUsers(t *testing.T) {
	everybody := `{"module":"chat","method":"usergetlist","result":"success","users":[0],"data":[` + userJSON(nil) + `],"roles":{"":"","dev":"研发"},"depts":{"102":{"name":"测试部","order":20,"parent":101},"101":{"name":"研发部","order":10,"parent":0}},"lang":"zh-cn","v":"2.2.0"}`
	for name, c := range map[string]struct {
		answers map[string]string
		do      func(context.Context, *Adapter) (any, error)
	}{
		"get_users": {
			map[string]string{"userGetlist": everybody},
			func(ctx context.Context, a *Adapter) (any, error) { return a.Users(ctx, nil) },
		},
		"get_users_by_session": {
			map[string]string{"userGetlist": everybody},
			func(ctx context.Context, a *Adapter) (any, error) { return a.Users(ctx, []string{"4", "9"}) },
		},
		"update_me": {
			map[string]string{"userchange": frame("userchange", userJSON(map[string]any{"mobile": "138", "avatar": "http://site/a.png"}))},
			func(ctx context.Context, a *Adapter) (any, error) {
				return a.UpdateProfile(ctx, 4, model.UpdateMeRequest{Mobile: "138", Avatar: "/a.png", Address: "青岛"})
			},
		},
		"update_me_realname": {
			map[string]string{"userGetlist": everybody, "userchange": frame("userchange", userJSON(nil))},
			func(ctx context.Context, a *Adapter) (any, error) {
				return a.UpdateProfile(ctx, 4, model.UpdateMeRequest{Realname: "Alicia", Mobile: "138"})
			},
		},
		"set_status": {
			map[string]string{"userchange": frame("userchange", userJSON(map[string]any{"status": "busy"}))},
			func(ctx context.Context, a *Adapter) (any, error) {
				a.ChooseStatus(ctx, 4, model.StatusBusy)
				return a.ShowStatus(ctx, 4)
			},
		},
	} {
		t.Run(name, func(t *testing.T) { pin(t, name, c.answers, c.do) })
	}
}

func TestAProfileIsRefusedBeforeTheCall(t *testing.T) {
	for field, r := range map[string]model.UpdateMeRequest{
		"phone": {Phone: "0"}, "site": {Site: "x😀"}, "realname": {Realname: "😀"},
	} {
		a, s := newScripted(t)
		_, err := a.UpdateProfile(t.Context(), 4, r)
		require.Equal(t, model.Conflict, code(err), field)
		require.ErrorContains(t, err, field)
		require.Empty(t, s.methods())
	}
}

func TestWhatLegacyKeepsOfAProfile(t *testing.T) {
	t.Run("another value than was sent is an error, and told all the same", func(t *testing.T) {
		a, s := newScripted(t)
		s.answers["userchange"] = says(t, frame("userchange", userJSON(map[string]any{"mobile": "13"})))
		_, err := a.User(t.Context(), 4)
		require.NoError(t, err)
		_, err = a.UpdateProfile(t.Context(), 4, model.UpdateMeRequest{Mobile: "138"})
		require.Equal(t, model.Conflict, code(err))
		require.Len(t, s.events, 1)
	})
	t.Run("null is nothing changed", func(t *testing.T) {
		a, s := newScripted(t)
		s.answers["userchange"] = says(t, frame("userchange", "null"))
		_, err := a.UpdateProfile(t.Context(), 4, model.UpdateMeRequest{Mobile: "138"})
		require.Equal(t, model.Conflict, code(err))
	})
	for done, want := range map[bool]model.Code{true: model.OK, false: model.Unreachable} {
		t.Run(fmt.Sprintf("no answer came, and it was done: %v", done), func(t *testing.T) {
			a, s := newScripted(t)
			s.answers["userchange"] = func(legacy.Call) (legacy.Response, error) { return legacy.Response{}, errors.New("cut") }
			mobile := ""
			if done {
				mobile = "138"
			}
			s.answers["userGetlist"] = says(t, `{"module":"chat","method":"usergetlist","result":"success","data":[`+userJSON(map[string]any{"mobile": mobile})+`]}`)
			_, err := a.UpdateProfile(t.Context(), 4, model.UpdateMeRequest{Mobile: "138"})
			require.Equal(t, want, code(err))
		})
	}
}
