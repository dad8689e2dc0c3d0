package adapter

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/xuangate/xuangate/gen/model"
)

// EmojiForm is how characters above U+FFFF travel to legacy, whose utf8 tables store each of them as "????".
type EmojiForm int

const (
	// Shortname sends an emoji as its emojione shortname, :smile:, as the desktop client does, and gives it back as the
	// character. Right for every site.
	Shortname EmojiForm = iota
	// Raw sends characters as they are, for sites whose tables are utf8mb4.
	Raw
)

// emoji translates text between the facade and legacy's character set.
type emoji struct{ form EmojiForm }

// write gives the form in which content of type t travels. Text carries emoji as shortnames; JSON content (image, file,
// object) as escapes, which need no table. The error names a character that has no form.
func (e emoji) write(t model.MsgType, content string) (string, error) {
	if e.form == Raw || !astral(content) {
		return content, nil
	}
	if holdsJSON(t) && json.Valid([]byte(content)) {
		return escapeAbove(content, 0xffff), nil
	}
	out, err := emojiTable().encode(content)
	if err != nil {
		return "", err
	}
	// ":100" followed by 😄 would come back as 💯 and "smile:"; such text cannot travel.
	if bare(emojiTable().decode(out)) != bare(emojiTable().decode(content)) {
		return "", fmt.Errorf("emoji next to the colons in %q", firstAstral(content))
	}
	return out, nil
}

// read undoes write for what legacy has stored, be it from us or from a desktop.
func (e emoji) read(t model.MsgType, stored string) string {
	if e.form == Raw {
		return stored
	}
	if holdsJSON(t) && json.Valid([]byte(stored)) {
		return unescapePairs(stored)
	}
	if strings.Count(stored, ":") < 2 {
		return stored
	}
	return emojiTable().decode(stored)
}

// unfit names the first character of a name or profile field that legacy cannot store, "" for none. Names have no
// shortnames: desktops show them as they are.
func (e emoji) unfit(name string) string {
	if e.form == Raw {
		return ""
	}
	return firstAstral(name)
}

func holdsJSON(t model.MsgType) bool { return t >= 3 && t <= typeObject }

func astral(s string) bool { return firstAstral(s) != "" }

func firstAstral(s string) string {
	for _, r := range s {
		if r > 0xffff {
			return string(r)
		}
	}
	return ""
}

// bare drops variation selectors and joiners, in which two spellings of one emoji differ.
func bare(s string) string { return strings.NewReplacer("\ufe0f", "", "\u200d", "").Replace(s) }

func writeEscape(b *bytes.Buffer, r rune) {
	if r > 0xffff {
		hi, lo := utf16.EncodeRune(r)
		fmt.Fprintf(b, `\u%04x\u%04x`, hi, lo)
		return
	}
	fmt.Fprintf(b, `\u%04x`, r)
}

// unescapePairs gives back the characters above U+FFFF in a JSON text and leaves every other escape as it is.
func unescapePairs(s string) string {
	if !strings.Contains(s, `\u`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		if s[i] != '\\' || i+1 >= len(s) {
			b.WriteByte(s[i])
			i++
			continue
		}
		if r := utf16.DecodeRune(escapeAt(s, i), escapeAt(s, i+6)); r != utf8.RuneError {
			b.WriteRune(r)
			i += 12
			continue
		}
		b.WriteString(s[i : i+2])
		i += 2
	}
	return b.String()
}

// escapeAt reads the \uXXXX escape at i, or gives utf8.RuneError.
func escapeAt(s string, i int) rune {
	if i+6 > len(s) || s[i] != '\\' || s[i+1] != 'u' {
		return utf8.RuneError
	}
	v, err := strconv.ParseUint(s[i+2:i+6], 16, 16)
	if err != nil {
		return utf8.RuneError
	}
	return rune(v)
}

//go:embed emoji.txt
var emojiText string

// emojiTable is read on first use: half the processes never see an emoji.
var emojiTable = sync.OnceValue(func() *shortnames { return parseShortnames(emojiText) })

type shortnames struct {
	name    map[string]string // characters → shortname without colons
	chars   map[string]string // shortname or alias → characters, fully qualified
	longest int               // bytes of the longest key of name
}

func parseShortnames(text string) *shortnames {
	t := &shortnames{name: map[string]string{}, chars: map[string]string{}}
	for line := range strings.Lines(text) {
		names, forms, ok := strings.Cut(strings.TrimSpace(line), "\t")
		if !ok || strings.HasPrefix(line, "#") {
			continue
		}
		list := strings.Split(names, ",")
		for i, form := range strings.Fields(forms) {
			chars := parseCodePoints(form)
			t.name[chars] = list[0]
			t.longest = max(t.longest, len(chars))
			if i > 0 {
				continue
			}
			for _, n := range list {
				t.chars[n] = chars
			}
		}
	}
	return t
}

func parseCodePoints(form string) string {
	var b strings.Builder
	for h := range strings.SplitSeq(form, "-") {
		v, err := strconv.ParseUint(h, 16, 32)
		if err != nil {
			panic("adapter/emoji.txt: " + form) // the file is ours: a test reads all of it
		}
		b.WriteRune(rune(v))
	}
	return b.String()
}

// encode replaces each sequence that holds a character above U+FFFF by its shortname, the longest match first.
func (t *shortnames) encode(s string) (string, error) {
	var b strings.Builder
	for len(s) > 0 {
		n, name := t.match(s)
		if n == 0 {
			r, size := utf8.DecodeRuneInString(s)
			if r > 0xffff {
				return "", fmt.Errorf("the character %q", string(r))
			}
			b.WriteString(s[:size])
			s = s[size:]
			continue
		}
		b.WriteString(":" + name + ":")
		s = s[n:]
	}
	return b.String(), nil
}

// match finds the longest known sequence at the start of s; what legacy can store as it is does not count.
func (t *shortnames) match(s string) (int, string) {
	if s[0] < utf8.RuneSelf && s[0] != '#' && s[0] != '*' && (s[0] < '0' || s[0] > '9') {
		return 0, ""
	}
	for n := min(t.longest, len(s)); n > 0; n-- {
		if name, ok := t.name[s[:n]]; ok && astral(s[:n]) {
			return n, name
		}
	}
	return 0, ""
}

// decode replaces each known shortname by its characters.
func (t *shortnames) decode(s string) string {
	var b strings.Builder
	for {
		i := strings.IndexByte(s, ':')
		if i < 0 {
			break
		}
		b.WriteString(s[:i])
		s = s[i:]
		j := strings.IndexByte(s[1:], ':')
		if j < 0 {
			break
		}
		if chars, ok := t.chars[s[1:1+j]]; ok {
			b.WriteString(chars)
			s = s[j+2:]
			continue
		}
		b.WriteByte(':')
		s = s[1:]
	}
	b.WriteString(s)
	return b.String()
}
