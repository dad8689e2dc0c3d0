package contract

import (
	"encoding/json"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/xuangate/xuangate/adapter/legacy"
	"github.com/xuangate/xuangate/adapter/xxb"
	"github.com/xuangate/xuangate/gen/model"
	"github.com/xuangate/xuangate/test/xuanxuan"
)

// desktopSettings is what the desktop client reads of an account's settings.
func (w *world) desktopSettings(account string) string {
	w.t.Helper()
	if w.v1 != nil {
		var text string
		require.NoError(w.t, w.oldDesktop(legacy.Chat(4, "settings", account, "")).Decode(&text))
		return text
	}
	key, err := legacy.NewKey(xuanxuan.DefaultKey)
	require.NoError(w.t, err)
	client := xxb.New(xxb.Config{URL: w.legacy.URL(), Key: key})
	defer client.Close()
	r, err := client.Call(w.t.Context(), legacy.Chat(4, "settings", account, ""))
	require.NoError(w.t, err)
	return string(r.Data)
}

func TestSettingsLieBesideTheDesktopClients(t *testing.T) {
	inEachMode(t, func(t *testing.T, w *world) {
		alice, bob := w.signIn("alice"), w.signIn("bob")
		require.Empty(t, get[model.Settings](alice, "/get_settings", object{}).Settings)
		desktop := `{"ui.lang":"zh-cn","<b>/&":["中","\ud83d\ude00"],"n":1.5,"long":1234567890123,"list":[],"none":{},"deep":{"a":[{"b":null}]}}`
		w.desktop(legacy.Chat(4, "settings", "alice", json.RawMessage(desktop)))
		require.Empty(t, get[model.Settings](alice, "/get_settings", object{}).Settings, "the desktop client's are not ours to show")

		own := object{"theme": "dark", "mood": "😀", "n": -2.5, "empty": object{}, "list": []any{}, "": nil}
		for range 2 {
			saved := get[model.Settings](alice, "/save_settings", object{"settings": own})
			require.Equal(t, own, object(saved.Settings))
		}
		require.Equal(t, own, object(get[model.Settings](alice, "/get_settings", object{}).Settings))
		var whole map[string]json.RawMessage
		require.NoError(t, json.Unmarshal([]byte(w.desktopSettings("alice")), &whole))
		delete(whole, "xuangate")
		rest, err := json.Marshal(whole)
		require.NoError(t, err)
		require.JSONEq(t, desktop, string(rest))

		require.Empty(t, get[model.Settings](bob, "/get_settings", object{}).Settings, "each user has his own")
		get[model.Settings](alice, "/save_settings", object{"settings": object{}})
		require.Empty(t, get[model.Settings](alice, "/get_settings", object{}).Settings)
	})
}

func TestSettingsThatCannotBeKept(t *testing.T) {
	inEachMode(t, func(t *testing.T, w *world) {
		alice := w.signIn("alice")
		alice.fails(model.TooLarge, "/save_settings", object{"settings": object{"x": strings.Repeat("/", 9000)}})
		alice.fails(model.InvalidParameter, "/save_settings", object{"settings": object{"x": 1e300}})
		alice.fails(model.InvalidParameter, "/save_settings", object{"settings": []any{}})
		alice.fails(model.InvalidParameter, "/save_settings", object{"settings": object{}, "account": "bob"})
		alice.fails(model.InvalidParameter, "/save_settings", object{"settings": object{"\x00": 1}})

		// With the desktop client's they would no longer fit, and then be gone altogether.
		w.desktop(legacy.Chat(4, "settings", "alice", object{"p": strings.Repeat("x", 60000)}))
		alice.fails(model.TooLarge, "/save_settings", object{"settings": object{"x": strings.Repeat("y", 6000)}})
		require.Contains(t, w.desktopSettings("alice"), "xxx")
		require.Equal(t, model.OK, alice.post("/get_settings", object{}).Code)
	})
}

func TestSettingsSavedAtOnceAreOneOfThem(t *testing.T) {
	inEachMode(t, func(t *testing.T, w *world) {
		w.desktop(legacy.Chat(4, "settings", "alice", object{"desktop": true}))
		alice := w.signIn("alice")
		var all sync.WaitGroup
		for i := range 8 {
			all.Go(func() {
				if a, err := alice.ask("/save_settings", object{"settings": object{"n": i}}); err != nil || a.Code != model.OK {
					t.Errorf("save: %v %v", a, err)
				}
			})
		}
		all.Wait()
		require.Contains(t, get[model.Settings](alice, "/get_settings", object{}).Settings, "n")
		require.Contains(t, w.desktopSettings("alice"), `"desktop":true`)
	})
}

func TestAnAccountWithADotHasNoSettings(t *testing.T) {
	for _, mode := range modes {
		t.Run(mode, func(t *testing.T) {
			w := start(t, mode, func(s *site) {
				s.legacy.Users = append(xuanxuan.DemoUsers(), xuanxuan.User{ID: 20, Account: "alice.b", Realname: "Alice B"})
			})
			w.desktop(legacy.Chat(4, "settings", "alice", object{"xuangate": object{"whose": "alice"}}))
			dotted := w.signIn("alice.b")
			dotted.fails(model.Unsupported, "/get_settings", object{})
			dotted.fails(model.Unsupported, "/save_settings", object{"settings": object{"mine": true}})
			require.Contains(t, w.desktopSettings("alice"), `"whose":"alice"`)
		})
	}
}
