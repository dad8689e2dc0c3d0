package contract

import "slices"

// modes are the ways in which the gateway may stand beside the legacy server. Everything that is promised holds in each of
// them, but for what stands in this file.
var modes = []string{"xxb", "xxd", "v1"}

// lacks is what the server behind a mode does not have. An operation that needs it answers 10007; TestWhatA10ServerLacks has
// the list. A promise about such a thing is made by inEachModeWith, or where has says yes. Beside these:
//
//   - coming back: some 1.0 servers let nobody back into a group who has left it, and say that they did. Nothing of their
//     protocol tells them from the others, so this is found out by trying, and answered 10006.
//   - editing of the system conversation: it has no name and no committers there (seed 001: those of a group may be changed);
//     10006.
//   - directory: a user's row has the codes of his department and his role, and no call tells what they are called, nor who is
//     gone. /get_users has much else to tell, so it answers, with Departments and Roles empty.
var lacks = map[string][]string{
	"v1": {
		"mute", "category", "dismiss", "notices", "extensions", "todos", "profile",
		"directory", "coming back", "editing of the system conversation",
	},
}

func (w *world) has(what string) bool { return !slices.Contains(lacks[w.mode], what) }

// linked says that each user is signed in to the legacy server by himself. Then what the gateway can do for one whose
// password it never had is little, a wrong password and a locked account are not told apart, and calls queue up behind one
// another.
func (w *world) linked() bool { return w.mode != "xxb" }

// countsDates is how many calls it takes at most to count the messages of a chat of n from a date on: one where the server
// can be asked for it, else the place is looked for, 50 messages at a time.
func (w *world) countsDates(n int) int {
	looks := 1
	for pages := (n + 49) / 50; w.mode == "v1" && pages > 1; pages = (pages + 1) / 2 {
		looks++
	}
	return looks
}

// recordsFiles is the method by which the backend hears of an upload.
func (w *world) recordsFiles() string {
	if w.mode == "v1" {
		return "upload"
	}
	return "uploadFile"
}
