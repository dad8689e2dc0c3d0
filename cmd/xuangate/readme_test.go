package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/xuangate/xuangate/gen/model"
)

func readme(t *testing.T) string {
	text, err := os.ReadFile("../../README.md")
	require.NoError(t, err)
	return string(text)
}

// table is the rows of README's table with this head, as lines.
func table(t *testing.T, head string) string {
	_, after, found := strings.Cut(readme(t), head+"\n")
	require.True(t, found, "README has a table with the head %s", head)
	_, after, _ = strings.Cut(after, "\n") // the line of dashes
	rows, _, _ := strings.Cut(after, "\n\n")
	return rows + "\n"
}

func TestReadmeListsEverySetting(t *testing.T) {
	var line commandLine
	parser, err := kong.New(&line, kong.Writers(io.Discard, io.Discard))
	require.NoError(t, err)
	ctx, err := kong.Trace(parser, []string{"serve"})
	require.NoError(t, err)

	var want strings.Builder
	for _, f := range ctx.Flags() {
		if f.Name == "help" || f.Name == "config" {
			continue
		}
		byDefault := f.Default
		if byDefault != "" {
			byDefault = "`" + byDefault + "`"
		}
		fmt.Fprintf(&want, "| `%s` | %s | %s |\n", fileKey(f), byDefault, f.Help)
	}
	if diff := cmp.Diff(want.String(), table(t, "| setting | default | meaning |")); diff != "" {
		t.Errorf("README's table of settings is not what the settings are (-settings +README):\n%s\nIt should be:\n%s", diff, want.String())
	}
}

func TestReadmeListsEveryCode(t *testing.T) {
	var got, want []string
	for row := range strings.Lines(table(t, "| code | HTTP | meaning |")) {
		got = append(got, strings.Fields(row)[1])
	}
	for code := model.Code(1); code < 20000; code++ { // 0 is no error
		if code.Valid() {
			want = append(want, fmt.Sprint(code))
		}
	}
	require.Equal(t, want, got)
}
