// Package test holds what concerns the whole tree: the import rules here, and in its folders the reference chat server
// and the tests that run against it.
package test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// layers says what each part of the tree may import from this module, in the Go command's patterns; the first layer
// that a package matches is its own. Imports go one way: cmd → gateway → adapter → adapter/legacy.
var layers = []layer{
	{of: "gen/...", imports: []string{"gen/..."}},
	{of: "adapter/legacy", stdlib: true},
	{of: "adapter/...", imports: []string{"gen/model", "adapter/..."}, tests: []string{"test/redisd", "test/xuanxuan"}},
	{of: "gateway/eventlog", imports: []string{"gen/model", "adapter", "adapter/legacy"}, tests: []string{"test/redisd"}},
	{of: "gateway/login", imports: []string{"gen/model", "adapter/legacy"}, tests: []string{"test/redisd"}},
	// The translation, but no wire below it: which one is cmd's choice.
	{of: "gateway/...", imports: []string{"gen/...", "gateway/...", "adapter", "adapter/legacy"}, tests: []string{"test/collector", "test/redisd", "adapter/claims", "adapter/folder", "adapter/xxb", "test/xuanxuan"}},
	{of: "sdk/...", imports: []string{"gen/...", "sdk/..."}, tests: []string{"cmd/xuangate/node", "test/xuanxuan"}},
	{of: "test/xuanxuan", imports: []string{"adapter/legacy"}},
	{of: "test/e2e/...", imports: []string{"..."}},
	{of: "test/...", tests: []string{"..."}},
	{of: "cmd/...", imports: []string{"..."}},
}

// A layer is a part of the tree with one rule: its files import what imports matches, its test files what tests matches
// as well.
type layer struct {
	of             string
	imports, tests []string
	stdlib         bool // and nothing from other modules either
}

func TestImports(t *testing.T) {
	files := goFiles(t)
	require.Contains(t, files, "test/imports_test.go")
	for _, file := range files {
		syntax, err := parser.ParseFile(token.NewFileSet(), filepath.Join("..", file), nil, parser.ImportsOnly)
		require.NoError(t, err)
		for _, spec := range syntax.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			require.NoError(t, err)
			if !allowed(file, imported) {
				t.Errorf("%s must not import %s", file, imported)
			}
		}
	}
}

// goFiles is every Go file of the tree, as slash-separated paths from its root.
func goFiles(t *testing.T) []string {
	var files []string
	require.NoError(t, filepath.WalkDir("..", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && (entry.Name() == ".git" || entry.Name() == "node_modules") {
			return filepath.SkipDir
		}
		if filepath.Ext(name) == ".go" {
			files = append(files, strings.TrimPrefix(filepath.ToSlash(name), "../"))
		}
		return nil
	}))
	return files
}

const module = "github.com/xuangate/xuangate/"

// allowed says whether a file, named by its path in the tree, may import a package.
func allowed(file, imported string) bool {
	test := strings.HasSuffix(file, "_test.go")
	for _, l := range layers {
		if !matches(l.of, path.Dir(file)) {
			continue
		}
		own, ours := strings.CutPrefix(imported, module)
		if !ours {
			return !l.stdlib || test || !strings.Contains(imported, ".")
		}
		match := func(pattern string) bool { return matches(pattern, own) }
		return slices.ContainsFunc(l.imports, match) || test && slices.ContainsFunc(l.tests, match)
	}
	return false // a part of the tree that has no rule yet
}

// matches is the Go command's "a/..." for a and all below it.
func matches(pattern, pkg string) bool {
	root, open := strings.CutSuffix(pattern, "...")
	root = strings.TrimSuffix(root, "/")
	return pkg == root || open && (root == "" || strings.HasPrefix(pkg, root+"/"))
}

func TestAllowed(t *testing.T) {
	for _, rule := range []struct {
		name, file, imported string
		want                 bool
	}{
		{"adapter knows the legacy types", "adapter/messages.go", module + "adapter/legacy", true},
		{"adapter never knows the gateway", "adapter/messages.go", module + "gateway", false},
		{"nor do its tests", "adapter/messages_test.go", module + "gateway", false},
		{"legacy stands on the standard library", "adapter/legacy/call.go", "encoding/json", true},
		{"legacy stands on no other module", "adapter/legacy/call.go", "github.com/google/uuid", false},
		{"legacy stands on nothing of ours", "adapter/legacy/call.go", module + "gen/model", false},
		{"legacy's tests may take a library", "adapter/legacy/call_test.go", "github.com/google/uuid", true},
		{"gateway knows no wire", "gateway/server.go", module + "adapter/xxb", false},
		{"gateway's tests may use one", "gateway/server_test.go", module + "adapter/xxb", true},
		{"gateway knows its leaves", "gateway/server.go", module + "gateway/login", true},
		{"the leaves do not know the gateway", "gateway/login/memory.go", module + "gateway", false},
		{"login does not know the event log", "gateway/login/memory.go", module + "gateway/eventlog", false},
		{"the event log does not know logins", "gateway/eventlog/memory.go", module + "gateway/login", false},
		{"the SDK knows generated code", "sdk/go/client.go", module + "gen/model", true},
		{"the SDK knows nothing else", "sdk/go/client.go", module + "adapter/legacy", false},
		{"tests may start the reference server", "adapter/xxb/caller_test.go", module + "test/xuanxuan", true},
		{"the adapter may not", "adapter/xxb/caller.go", module + "test/xuanxuan", false},
		{"cmd may", "cmd/xuangate/dev.go", module + "test/xuanxuan", true},
		{"a part of the tree without a rule may import nothing of ours", "extra/extra.go", module + "gen/model", false},
	} {
		t.Run(rule.name, func(t *testing.T) {
			require.Equal(t, rule.want, allowed(rule.file, rule.imported))
		})
	}
}
