package contract

import "slices"

// modes are the ways in which the gateway may stand beside the legacy server. Everything that is promised holds in each of
// them, but for what stands in this file.
var modes = []string{"xxb", "xxd", "inline", "v1"}

// lacks is what the server behind a mode does not have. An operation that needs it answers 10007, always or where it does;
// TestWhatA10ServerLacks has the list. A promise about such a thing is made by inEachModeWith, or where has says yes.
var lacks = map[string][]string{
	"v1": {
		"mute", "category", "dismiss", "notices", "extensions", "todos", "profile", "coming back", "editing of the system conversation",
	},
}

// absent are the fields that are always empty in mode v1, by schema of the description, with the reason.
// TestWhichFieldsA10ServerLacks compares what is told in both.
var absent = map[string]string{
	"Users.Roles":               "a user has the code of his role, and no call tells what codes mean",
	"Role.Role":                 "as Users.Roles",
	"Role.Name":                 "as Users.Roles",
	"Users.Departments":         "a user has the number of his department, and no call tells what departments there are",
	"Department.Dept":           "as Users.Departments",
	"Department.Name":           "as Users.Departments",
	"Department.Parent":         "as Users.Departments",
	"Department.Order":          "as Users.Departments",
	"User.QQ":                   "no row of a user has it",
	"User.Deleted":              "the list of users is without those who are gone, and there is no other way to ask for one",
	"ConversationBase.IsDelete": "there is no dismissing",
	"Conversation.Category":     "there are no categories",
	"ServerInfo.MaxFrame":       "lines have no limit of their own",
}

func (w *world) has(what string) bool { return !slices.Contains(lacks[w.mode], what) }

// tells says whether a field of the description ever holds something.
func (w *world) tells(field string) bool { return w.mode != "v1" || absent[field] == "" }

// linked says that each user is signed in to the legacy server by himself. Then what the gateway can do for one whose
// password it never had is little, a wrong password and a locked account are not told apart, and calls queue up behind one
// another.
func (w *world) linked() bool { return w.mode == "xxd" || w.mode == "v1" }

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
