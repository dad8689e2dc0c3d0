package contract

import "slices"

// modes are the ways in which the gateway may stand beside the legacy server. Everything that is promised holds in each of
// them, but for what stands in this file.
var modes = []string{"xxb", "xxd", "inline", "v1"}

// lacks is what the server behind a mode does not have. An operation that needs it answers 10007, and what it would tell does
// not come; but for the last three: nothing is told of departments, roles and those who are gone, a group takes nobody back
// (10006), and the system conversation stays as it is (10006). A promise about such a thing is made by inEachModeWith, or
// where has says yes.
var lacks = map[string][]string{
	"v1": {
		"mute", "category", "dismiss", "notices", "extensions", "todos", "profile", "files",
		"directory", "coming back", "editing of the system conversation",
	},
}

func (w *world) has(what string) bool { return !slices.Contains(lacks[w.mode], what) }

// linked says that each user is signed in to the legacy server by himself. Then what the gateway can do for one whose
// password it never had is little, a wrong password and a locked account are not told apart, and calls queue up behind one
// another.
func (w *world) linked() bool { return w.mode == "xxd" || w.mode == "v1" }

// keepsPlain says that the server tells plain text from text; else a message of Type 1 is one of Type 0.
func (w *world) keepsPlain() bool { return w.mode != "v1" }

// countsDates is how many calls it takes at most to count the messages of a chat of n from a date on: one where the server
// can be asked for it, else the place is looked for, 50 messages at a time.
func (w *world) countsDates(n int) int {
	looks := 1
	for pages := (n + 49) / 50; w.mode == "v1" && pages > 1; pages = (pages + 1) / 2 {
		looks++
	}
	return looks
}
