package node_test

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/xuangate/xuangate/cmd/xuangate/node"
)

func TestSecretFiles(t *testing.T) {
	folder := t.TempDir()
	file := func(name, text string) node.SecretFile {
		path := filepath.Join(folder, name)
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		return node.SecretFile(path)
	}
	const key = "88888888888888888888888888888888"

	t.Run("every secret has a file beside it", func(t *testing.T) {
		var look func(where string, s reflect.Type)
		look = func(where string, s reflect.Type) {
			for f := range s.Fields() {
				switch {
				case f.Type == reflect.TypeFor[node.Secret]():
					twin, ok := s.FieldByName(f.Name + "File")
					require.True(t, ok && twin.Type == reflect.TypeFor[node.SecretFile](), "%s.%s", where, f.Name)
				case f.Type.Kind() == reflect.Struct:
					look(where+"."+f.Name, f.Type)
				}
			}
		}
		look("Config", reflect.TypeFor[node.Config]())
	})
	for name, ending := range map[string]string{"no newline": "", "a newline": "\n", "one of Windows": "\r\n"} {
		t.Run("a file with "+name+" at its end holds the key", func(t *testing.T) {
			c := valid()
			c.Legacy.XXB.Key, c.Legacy.XXB.KeyFile = "", file("key", key+ending)
			require.Empty(t, c.Validate())
		})
	}
	for _, fault := range []struct {
		name string
		set  func(*node.Config)
		want string
	}{
		{"both", func(c *node.Config) { c.Legacy.XXB.KeyFile = file("both", key) }, "legacy.xxb.key_file: is set beside legacy.xxb.key; keep one of them"},
		{"a second newline is part of it", func(c *node.Config) { c.Legacy.XXB.Key, c.Legacy.XXB.KeyFile = "", file("two", key+"\n\n") }, "legacy.xxb.key: has 33 characters, want 32"},
		{"no such file, which is the one fault", func(c *node.Config) { c.Legacy.XXB.Key, c.Legacy.XXB.KeyFile = "", "/nowhere/key" }, "legacy.xxb.key_file: cannot be read: open /nowhere/key: no such file or directory"},
		{"a folder", func(c *node.Config) { c.Inner.KeyFile = node.SecretFile(folder) }, "inner.key_file: cannot be read: " + folder + " is no file"},
		{"an empty file", func(c *node.Config) { c.Inner.KeyFile = file("empty", "\n") }, "inner.key_file: cannot be read: " + folder + "/empty is empty"},
		{"a log", func(c *node.Config) { c.Inner.KeyFile = file("log", strings.Repeat("x", 5000)) }, "inner.key_file: cannot be read: " + folder + "/log has 5000 bytes, and no secret more than 4096"},
	} {
		t.Run(fault.name, func(t *testing.T) {
			c := valid()
			fault.set(&c)
			faults := c.Validate()
			require.Len(t, faults, 1)
			require.ErrorContains(t, faults[0], fault.want)
		})
	}
	t.Run("one that everybody can read is worth a note", func(t *testing.T) {
		c := before(backend(t))
		c.Legacy.XXB.Key, c.Legacy.XXB.KeyFile = "", file("open", string(c.Legacy.XXB.Key))
		require.NoError(t, os.Chmod(string(c.Legacy.XXB.KeyFile), 0o644))
		found := node.Check(t.Context(), c)
		require.Contains(t, found, node.Finding{Text: "legacy.xxb.key_file: every user of this machine can read " + folder + "/open; chmod o-r it"})
		for _, f := range found {
			require.False(t, f.Fault, f.Text)
		}
	})
}
