package adapter

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"testing/quick"

	"github.com/stretchr/testify/require"

	"github.com/xuangate/xuangate/adapter/legacy"
	"github.com/xuangate/xuangate/gen/model"
)

// trip sends a message through draft and back, as a server with utf8 tables stores it.
func trip(t *testing.T, r model.SendMsgRequest) (model.MsgData, legacy.DraftRow, error) {
	a := &Adapter{maxContent: 65535}
	d, err := a.draft("send message", 4, "c", r)
	if err != nil {
		return model.MsgData{}, d, err
	}
	require.False(t, astral(d.Content), "legacy would store ????")
	return a.message("c", legacy.MessageRow{
		ID: 1, GID: legacy.Text(d.GID), CGID: "c", User: 4, Date: legacy.UnixDate(1795313122),
		Type: legacy.Text(d.Type), ContentType: legacy.Text(d.ContentType), Content: legacy.Text(d.Content),
	}), d, nil
}

func TestKindsSurvive(t *testing.T) {
	contents := []string{
		"", "hello", "消息内容", "a\x00b", `{"type":"xuangate","t":9,"s":1,"c":"x"}`, `{"type":"xuangate","t":`, `{"type":"xuangate","t":1,"s":0,"c":"x"} `,
		`{"gid":"x"}`, `{"name":"猫.png"}`, "\\ud83d", "😄", "👨‍👩‍👧 and 👋🏽", "🥰", "🏳️‍🌈", ":)", "12:30:45", "::", ":nosuch:", strings.Repeat(":", 9),
	}
	check := func(typ model.MsgType, status model.MsgStatus, content string) {
		m, d, err := trip(t, model.SendMsgRequest{ConversationId: "c", Type: typ, Status: status, Content: content})
		require.NoError(t, err, "%d %d %q", typ, status, content)
		require.Equal(t, "normal", d.Type)
		require.Equal(t, typ, m.Type, "%d %d %q", typ, status, content)
		require.Equal(t, status, m.Status, "%d %d %q", typ, status, content)
		require.Equal(t, content, m.Content, "%d %d %q", typ, status, content)
	}
	for _, typ := range []int64{0, 1, 2, 3, 4, 5, 6, 42, -1, math.MaxInt64, math.MinInt64} {
		for _, status := range []int64{0, 1, 2, -7, math.MaxInt64} {
			for _, content := range contents {
				check(typ, status, content)
			}
		}
	}
	t.Run("any type, status and text of the basic plane", func(t *testing.T) {
		f := func(typ, status int64, runes []uint16, wrapped bool) bool {
			var b strings.Builder
			for _, r := range runes {
				b.WriteRune(rune(r)) // surrogates become U+FFFD
			}
			content := strings.ReplaceAll(b.String(), ":", ";") // what looks like a shortname becomes one: see below
			if wrapped {
				j, _ := json.Marshal(wrapper{Type: wrapperType, T: typ, S: status, Content: content})
				content = string(j)
			}
			check(typ, status, content)
			check(typ%6, 0, content)
			return true
		}
		require.NoError(t, quick.Check(f, nil))
	})
}

func TestEmoji(t *testing.T) {
	e := emoji{}
	t.Run("text travels as the shortnames that desktops render", func(t *testing.T) {
		for in, want := range map[string]string{
			"hi 😄!": "hi :smile:!", "👍🏽": ":thumbsup_tone3:", "☝🏻": ":point_up_tone1:", "☺": "☺", "❤️": "❤️", "🇨🇳": ":flag_cn:",
		} {
			got, err := e.write(0, in)
			require.NoError(t, err)
			require.Equal(t, want, got)
		}
	})
	t.Run("what a desktop sent as a shortname or alias is shown as the character", func(t *testing.T) {
		require.Equal(t, "😄 👍 ☺️", e.read(0, ":smile: :+1: :relaxed:"))
	})
	t.Run("a character without a shortname is named", func(t *testing.T) {
		_, err := e.write(0, "𝄞 clef")
		require.ErrorContains(t, err, "𝄞")
		_, err = e.write(0, "古字 𠀀")
		require.ErrorContains(t, err, "𠀀")
	})
	t.Run("an emoji whose colons would run together with the text's is refused", func(t *testing.T) {
		_, err := e.write(0, ":100😄")
		require.Error(t, err)
	})
	t.Run("JSON content carries any character as an escape", func(t *testing.T) {
		got, err := e.write(4, `{"name":"𠀀😄猫.png","q":"\\ud83d"}`)
		require.NoError(t, err)
		require.Equal(t, `{"name":"\ud840\udc00\ud83d\ude04猫.png","q":"\\ud83d"}`, got)
		require.Equal(t, `{"name":"𠀀😄猫.png","q":"\\ud83d"}`, e.read(4, got))
	})
	t.Run("raw sites get characters as they are", func(t *testing.T) {
		raw := emoji{form: Raw}
		got, err := raw.write(0, "😄 :smile:")
		require.NoError(t, err)
		require.Equal(t, "😄 :smile:", got)
		require.Equal(t, "😄 :smile:", raw.read(0, got))
	})
	t.Run("every entry of the table survives", func(t *testing.T) {
		table := emojiTable()
		require.Greater(t, len(table.name), 3900)
		for chars := range table.name {
			stored, err := e.write(0, "a "+chars+" b")
			require.NoError(t, err, chars)
			require.False(t, astral(stored), chars)
			require.Equal(t, bare("a "+chars+" b"), bare(e.read(0, stored)), chars)
		}
	})
}

func TestDraftLimits(t *testing.T) {
	a := &Adapter{maxContent: 65535}
	_, err := a.draft("send message", 4, "c", model.SendMsgRequest{Content: strings.Repeat("x", 65535)})
	require.NoError(t, err)
	_, err = a.draft("send message", 4, "c", model.SendMsgRequest{Content: strings.Repeat("x", 65536)})
	require.Equal(t, model.TooLarge, code(err))
	t.Run("what counts is the form legacy stores", func(t *testing.T) {
		_, err = a.draft("send message", 4, "c", model.SendMsgRequest{Content: strings.Repeat("😄", 10000)}) // 7 bytes each as :smile:
		require.Equal(t, model.TooLarge, code(err))
		_, err = a.draft("send message", 4, "c", model.SendMsgRequest{Content: strings.Repeat("x", 65535), Status: 3})
		require.Equal(t, model.TooLarge, code(err))
	})
	t.Run("a client's own id names only that user's messages in that conversation", func(t *testing.T) {
		one := messageGID(4, "c", "a-1")
		require.Equal(t, one, messageGID(4, "c", "a-1"))
		require.NotEqual(t, one, messageGID(5, "c", "a-1"))
		require.NotEqual(t, one, messageGID(4, "d", "a-1"))
		require.NotEqual(t, messageGID(4, "c", ""), messageGID(4, "c", ""))
		require.NotEqual(t, legacy.MessageGID(one), messageGID(4, "c", string(one)))
	})
}
