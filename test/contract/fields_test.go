package contract

import (
	"encoding/json"
	"maps"
	"os"
	"path"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/stretchr/testify/require"

	"github.com/xuangate/xuangate/adapter/legacy"
	"github.com/xuangate/xuangate/gen/model"
	"github.com/xuangate/xuangate/gen/server"
)

// fields are the fields that held something, as the description names them: "User.QQ" is QQ of the schema User.
type fields map[string]bool

// add takes the fields of a value into account. A field of an object inside a schema counts as the schema's.
func (f fields) add(t *testing.T, schema *openapi3.SchemaRef, name string, value any) {
	if schema.Ref != "" {
		name = path.Base(schema.Ref)
	}
	for _, part := range schema.Value.AllOf {
		f.add(t, part, name, value)
	}
	switch value := value.(type) {
	case []any:
		for _, one := range value {
			f.add(t, schema.Value.Items, name, one)
		}
	case map[string]any:
		for field, of := range schema.Value.Properties {
			v, ok := value[field]
			if !ok || v == nil || reflect.ValueOf(v).IsZero() || reflect.DeepEqual(v, []any{}) || reflect.DeepEqual(v, object{}) {
				continue
			}
			f[name+"."+field] = true
			f.add(t, of, name, v)
		}
	}
}

// toldIn is what all that can be read tells in a mode, of the same installation behind.
func toldIn(t *testing.T, mode string, spec *openapi3.T) fields {
	w := start(t, mode)
	alice, bob := w.signIn("alice"), w.signIn("bob")
	at := bob.here()
	team, over := alice.group("team", bob), alice.group("over", bob)
	get[model.ConversationRef](alice, "/create_conversation", object{"conversation_type": 0, "name": "open", "subject": 7, "public": true})
	w.inner("/create_conversation", object{"conversation_type": 15, "conversation_type_name": "story", "sessions": []string{"4"}, "name": "s"})
	f := alice.upload(team, "a.txt", "x")
	get[model.SentMsg](alice, "/send_msg", object{"conversation_id": team, "type": f.Type, "status": 3, "content": f.Content})
	file := get[model.SentMsg](alice, "/send_msg", object{"conversation_id": team, "type": f.Type, "content": f.Content}).MsgID
	alice.ok("/star_conversation", object{"conversation_id": team, "star": true})
	alice.ok("/hide_conversation", object{"conversation_id": team, "hide": true})
	alice.ok("/set_conversation_committers", object{"conversation_id": team, "committers": []string{"4"}})
	w.signIn("admin").ok("/set_conversation_admins", object{"conversation_id": alice.joined()[0], "admins": []string{"1"}})
	get[model.Settings](alice, "/save_settings", object{"settings": object{"theme": "dark"}})
	// What the server in this mode may have no words for is done behind it.
	for _, c := range []legacy.Call{
		legacy.Chat(4, "userchange", object{"qq": "10001", "mobile": "13800000000", "phone": "010-8000-1234", "site": "https://alice.example.com", "avatar": "/data/a.png"}),
		legacy.Chat(4, "mute", team, true),
		legacy.Chat(4, "category", []string{team}, "later"),
		legacy.Chat(4, "dismiss", over),
	} {
		w.behind(c)
	}
	require.NoError(t, w.legacy.DeleteUser(t.Context(), 7))

	found := fields{}
	operation := func(path string, body object) {
		a := alice.post(path, body)
		require.Equal(t, model.OK, a.Code, "%s: %s", path, a.Error)
		var data any
		require.NoError(t, json.Unmarshal(a.Data, &data))
		answer := spec.Paths.Find(path).Post.Responses.Status(200).Value.Content["application/json"].Schema
		found.add(t, answer.Value.Properties["data"], path, data)
	}
	require.Eventually(t, func() bool {
		changed := get[model.Me](alice, "/get_me", object{}).Mobile != ""
		gone := get[model.Users](alice, "/get_users", object{"sessions": []string{"7"}}).Users
		return changed && (mode == "v1" || (alice.detail(over).IsDelete && len(gone) == 1 && gone[0].Deleted))
	}, patience, patience/100, "what was done behind is seen")
	for _, id := range []string{team, over} {
		operation("/get_conversation_detail", object{"conversation_id": id})
	}
	in := object{"conversation_id": team}
	operation("/get_me", object{})
	operation("/get_users", object{})
	operation("/get_users", object{"sessions": []string{"4", "7"}})
	operation("/get_settings", object{})
	operation("/get_server_info", object{"api_scheme": true})
	operation("/get_joined_conversation", object{})
	operation("/check_joined_conversation", in)
	operation("/get_conversations", object{})
	operation("/get_public_conversations", object{})
	operation("/get_conversation_members", in)
	operation("/get_lastone_msgid", in)
	operation("/get_conversation_lastone_msg", in)
	operation("/get_conversation_last_30_msg", in)
	operation("/get_conversation_msgs", in)
	operation("/get_conversation_30msg_before_the_id", object{"conversation_id": team, "msg_id": file})
	operation("/get_conversation_30msg_after_the_id", object{"conversation_id": team, "msg_id": file})
	operation("/get_conversation_files", in)
	heard, _ := bob.until(at, func(list []event) bool {
		return len(only(list, model.EventKindMessage)) >= 2 && slices.ContainsFunc(changes(t, list, team), func(e model.ConversationEvent) bool {
			return slices.Contains(e.Changed, model.ChangedCommitters)
		})
	})
	for _, e := range heard {
		name, known := map[model.EventKind]string{
			model.EventKindMessage: "MsgData", model.EventKindConversation: "ConversationEvent", model.EventKindUser: "User",
		}[e.Event]
		require.True(t, known, "%s", kinds(heard))
		var data any
		require.NoError(t, json.Unmarshal(e.Data, &data))
		found.add(t, openapi3.NewSchemaRef("#/components/schemas/"+name, spec.Components.Schemas[name].Value), name, data)
	}
	return found
}

// TestWhichFieldsA10ServerLacks reads the same installation through a server of 2.x and one of 1.0, each of which wants every
// user signed in, and compares what is told.
func TestWhichFieldsA10ServerLacks(t *testing.T) {
	t.Parallel()
	spec, err := server.GetSpec()
	require.NoError(t, err)
	other, old := toldIn(t, "xxd", spec), toldIn(t, "v1", spec)
	missing := slices.DeleteFunc(slices.Sorted(maps.Keys(other)), func(field string) bool { return old[field] })
	require.Equal(t, slices.Sorted(maps.Keys(absent)), missing)
	more := slices.DeleteFunc(slices.Sorted(maps.Keys(old)), func(field string) bool { return other[field] })
	require.Empty(t, more, "1.0 tells nothing that others do not")

	for field, why := range absent {
		schema, property, _ := strings.Cut(field, ".")
		require.NotEmpty(t, why)
		if of := spec.Components.Schemas[schema].Value.Properties[property]; of != nil && schema != "Role" && schema != "Department" && schema != "ServerInfo" {
			require.Contains(t, strings.ToLower(of.Value.Description), "version 1.0", "%s is described so", field)
		}
	}
	readme, err := os.ReadFile("../../README.md")
	require.NoError(t, err)
	_, says, _ := strings.Cut(string(readme), "These fields are always empty:")
	says, _, _ = strings.Cut(says, ".\n")
	require.ElementsMatch(t, slices.Collect(maps.Keys(absent)), regexp.MustCompile(`[A-Z]\w+\.[A-Z]\w+`).FindAllString(says, -1), "README.md tells the same")
}
