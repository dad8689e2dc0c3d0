package main

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"os"
	"reflect"
	"strings"
	"time"

	"github.com/alecthomas/kong"
	"go.yaml.in/yaml/v3"

	"github.com/xuangate/xuangate/cmd/xuangate/node"
)

// settings is where kong finds what the command line leaves open: the environment first, then the file. kong itself
// would let the file win over the environment and stop at the first value it cannot read; here every fault is kept.
type settings struct {
	args   []string // the command line
	env    func(name string) (string, bool)
	path   string
	file   map[string]entry // by key: legacy.xxb.own_presence
	faults []error
}

// entry is one value of the file, as text, with the line it stands on.
type entry struct {
	text string
	line int
}

// fileKey is a setting's name in the file and in messages: legacy.xxb.own_presence.
func fileKey(f *kong.Flag) string { return strings.ReplaceAll(f.Name, "-", "_") }

// envName is a setting's name in the environment: XUANGATE_LEGACY_XXB_OWN_PRESENCE.
func envName(f *kong.Flag) string {
	return "XUANGATE_" + strings.ToUpper(strings.NewReplacer(".", "_", "-", "_").Replace(f.Name))
}

// Validate is part of kong.Resolver; load has compared the keys by then.
func (s *settings) Validate(*kong.Application) error { return nil }

// Resolve is part of kong.Resolver: the value of a flag that the command line does not give, nil to leave its default.
func (s *settings) Resolve(_ *kong.Context, _ *kong.Path, f *kong.Flag) (any, error) {
	from := envName(f)
	text, ok := s.env(from)
	if !ok {
		var e entry
		if e, ok = s.file[fileKey(f)]; !ok {
			return nil, nil
		}
		text, from = e.text, fmt.Sprintf("%s:%d: %s", s.path, e.line, fileKey(f))
	}
	scan := kong.ScanFromTokens(kong.Token{Type: kong.FlagValueToken, Value: text})
	probe := reflect.New(f.Target.Type()).Elem()
	if err := f.Mapper.Decode(&kong.DecodeContext{Value: f.Value, Scan: scan}, probe); err != nil {
		s.faults = append(s.faults, fmt.Errorf("%s: %q is no %s", from, text, kind(f.Target.Interface())))
		return nil, nil
	}
	return text, nil
}

// kind says how the value of a setting is written.
func kind(v any) string {
	switch v.(type) {
	case time.Duration:
		return "duration such as 10s, 5m or 720h"
	case []netip.Prefix:
		return "list of address ranges such as 10.0.0.0/8"
	case slog.Level:
		return "level such as debug, info, warn or error"
	case bool:
		return "switch: true or false"
	case float64:
		return "number"
	}
	return "whole number"
}

// load reads the file. A key that names none of flags is a fault, and so is a value that is neither text nor a list.
func (s *settings) load(path string, flags []*kong.Flag) {
	s.path, s.file = path, map[string]entry{}
	raw, err := os.ReadFile(path)
	if err != nil {
		s.faults = append(s.faults, fmt.Errorf("read the configuration: %w", err))
		return
	}
	var doc yaml.Node
	if err := yaml.Unmarshal(raw, &doc); err != nil {
		s.faults = append(s.faults, fmt.Errorf("%s: %w", path, err))
		return
	}
	keys := make([]string, 0, len(flags))
	for _, f := range flags {
		keys = append(keys, fileKey(f))
	}
	for _, root := range doc.Content { // none in an empty file
		if root.Kind != yaml.MappingNode {
			s.fault(root, "this is no list of settings; write KEY: VALUE, one per line")
			return
		}
		s.read("", root, keys)
	}
}

// read takes in what stands under a key, down to the last leaf.
func (s *settings) read(key string, n *yaml.Node, keys []string) {
	switch n.Kind {
	case yaml.AliasNode:
		s.read(key, n.Alias, keys)
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			s.read(strings.TrimPrefix(key+"."+n.Content[i].Value, "."), n.Content[i+1], keys)
		}
	case yaml.SequenceNode:
		items := make([]string, len(n.Content))
		for i, item := range n.Content {
			if item.Kind != yaml.ScalarNode {
				s.fault(item, "%s wants plain values", key)
				return
			}
			items[i] = item.Value
		}
		s.keep(key, n, strings.Join(items, ","), keys) // as on the command line
	case yaml.ScalarNode:
		if n.Tag != "!!null" { // a key without a value leaves the default
			s.keep(key, n, n.Value, keys)
		}
	}
}

func (s *settings) keep(key string, n *yaml.Node, text string, keys []string) {
	for _, k := range keys {
		if k == key {
			if _, twice := s.file[key]; twice {
				s.fault(n, "%s stands here a second time", key)
			}
			s.file[key] = entry{text: text, line: n.Line}
			return
		}
	}
	for _, k := range keys {
		if strings.HasPrefix(k, key+".") {
			s.fault(n, "%s holds settings of its own, such as %s", key, k)
			return
		}
	}
	s.fault(n, "unknown key %s; did you mean %s?", key, nearest(key, keys))
}

func (s *settings) fault(n *yaml.Node, format string, args ...any) {
	s.faults = append(s.faults, fmt.Errorf("%s:%d: %s", s.path, n.Line, fmt.Sprintf(format, args...)))
}

// nearest is the key that a mistyped one probably means: the one with its last part if there is one, else the one
// reached with the fewest letters changed.
func nearest(key string, keys []string) string {
	last := key[strings.LastIndexByte(key, '.')+1:]
	best, least := "", 0
	for _, k := range keys {
		d := distance(key, k)
		if k == last || strings.HasSuffix(k, "."+last) {
			d = 0
		}
		if best == "" || d < least {
			best, least = k, d
		}
	}
	return best
}

// distance counts the letters to insert, delete or change to come from a to b.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

// again reads the settings of `xuangate serve` anew, from where these came from.
func (s *settings) again() (node.Config, []error) {
	var line commandLine
	fresh := &settings{args: s.args, env: s.env}
	if _, err := parse(&line, s.args, fresh, output{io.Discard, io.Discard}); err != nil {
		return node.Config{}, append(fresh.faults, err)
	}
	return line.Serve.Node, fresh.faults
}

// check is every fault of the sources, and of what came of them, one per line.
func (s *settings) check(c node.Config) error {
	return errors.Join(append(s.faults, c.Validate()...)...)
}
