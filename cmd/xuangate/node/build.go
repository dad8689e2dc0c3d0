package node

import (
	"cmp"
	"runtime"
	"runtime/debug"
)

// release is the version that make release stamps in.
var release string

// Build is what runs: the version, the commit it was built from, and Go's own version. What is not known is "unknown".
func Build() (version, commit, goVersion string) {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return cmp.Or(release, "unknown"), "unknown", runtime.Version()
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			commit = s.Value
		}
	}
	return cmp.Or(release, info.Main.Version, "unknown"), cmp.Or(commit, "unknown"), runtime.Version()
}
