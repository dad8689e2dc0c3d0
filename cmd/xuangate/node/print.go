package node

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"strings"
	"time"

	"github.com/alecthomas/kong"
	"go.yaml.in/yaml/v3"
)

// printWidth is how wide the comments of a printed configuration are, in characters.
const printWidth = 100

const printHead = `# Every setting of a Xuangate node, with what it is set to.
#
# A setting is also a flag and a variable of the environment: legacy.xxb.url is --legacy.xxb.url and
# XUANGATE_LEGACY_XXB_URL. Flags win over the environment, and that over this file. Secrets that are
# set are not shown; put them in again, here or in the file that the setting's twin _file names.
`

// Print writes the settings as a file that can be read again: each with what it means, its default, and its value, but for
// secrets that are set, which stand there as a comment without their value.
func (c Config) Print(to io.Writer) error {
	out := bytes.NewBufferString(printHead)
	var within []string // the sections that are open
	for _, f := range c.settings() {
		path := strings.Split(key(f), ".")
		sections, name := path[:len(path)-1], path[len(path)-1]
		common := 0
		for common < min(len(within), len(sections)) && within[common] == sections[common] {
			common++
		}
		for i := common; i < len(sections); i++ {
			fmt.Fprintf(out, "\n%s%s:", strings.Repeat("  ", i), sections[i])
		}
		out.WriteByte('\n')
		within = sections
		indent := strings.Repeat("  ", len(sections))
		for _, line := range wrap(meaning(f), printWidth-len(indent)-2) {
			fmt.Fprintf(out, "%s# %s\n", indent, line)
		}
		value, err := written(f.Target.Interface())
		if err != nil {
			return fmt.Errorf("%s: %w", key(f), err)
		}
		if secret, ok := f.Target.Interface().(Secret); ok && secret != "" {
			fmt.Fprintf(out, "%s# %s: %s\n", indent, name, secret) // redacts itself
			continue
		}
		fmt.Fprintf(out, "%s%s: %s\n", indent, name, value)
	}
	_, err := to.Write(out.Bytes())
	return err
}

// meaning is what is said about a setting.
func meaning(f *kong.Flag) string {
	text := f.Help
	if f.Default != "" {
		text += " Default: " + f.Default + "."
	}
	if f.Tag.Has("reload") {
		text += " Taken over on SIGHUP."
	}
	return text
}

// written is a value as it stands in the file.
func written(value any) (string, error) {
	switch v := value.(type) {
	case Secret:
		return `""`, nil // the only one that is shown
	case time.Duration:
		return short(v), nil
	case slog.Level:
		return strings.ToLower(v.String()), nil
	case []netip.Prefix:
		items := make([]string, len(v))
		for i, p := range v {
			items[i] = p.String()
		}
		return written(items)
	case []string:
		if len(v) == 0 {
			return "[]", nil
		}
		return inJSON(v)
	}
	text, err := yaml.Marshal(value)
	if err != nil {
		return "", err
	}
	if one := strings.TrimSuffix(string(text), "\n"); !strings.Contains(one, "\n") {
		return one, nil
	}
	return inJSON(value)
}

// inJSON writes a value on one line; YAML reads JSON.
func inJSON(value any) (string, error) {
	var out strings.Builder
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	err := e.Encode(value)
	return strings.TrimSuffix(out.String(), "\n"), err
}

// wrap breaks text between words into lines of width characters; a longer word has a line of its own.
func wrap(text string, width int) (lines []string) {
	line := ""
	for _, word := range strings.Fields(text) {
		if line != "" && len(line)+1+len(word) > width {
			lines, line = append(lines, line), ""
		}
		line = strings.TrimPrefix(line+" "+word, " ")
	}
	return append(lines, line)
}
