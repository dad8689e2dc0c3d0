package inline

import (
	"fmt"
	"slices"
	"strings"
)

// A Fault is one of legacy's that is cured in passing, unless it is to stay.
type Fault string

// The faults. What each one does natively, and what we do, is told in Faults.
const (
	Broadcasts  Fault = "broadcasts"
	Kickoffs    Fault = "kickoffs"
	Reserved    Fault = "reserved"
	Anonymous   Fault = "anonymous"
	SecondLogin Fault = "second-login"
	ShortParams Fault = "short-params"
	Noise       Fault = "noise"
	Injection   Fault = "injection"
	Spoofing    Fault = "spoofing"
	Presence    Fault = "presence"
	Loss        Fault = "loss"
	Committers  Fault = "committers"
)

// Faults say of each one what desktop clients suffer from it, and how it is cured.
var Faults = map[Fault]string{
	Broadcasts:  "a refusal, or a success with nobody online to tell, is told to everybody; cured: to the caller alone",
	Kickoffs:    "an unknown call kicks every client of the site out; cured: the caller hears chat/error",
	Reserved:    "a client may make the chat server's own calls, such as serverStart, which sets everybody offline; cured: refused",
	Anonymous:   "calls are carried out before anybody signed in, and /serverInfo carries out any call; cured: refused, but for one that is made up to look like a websocket's, which an xxd passes on as if it were",
	SecondLogin: "signing in twice on one connection crashes the chat server later on; cured: the second one is refused",
	ShortParams: "a call with too few params breaks the caller's connection; cured: he is answered",
	Noise:       "each connection that fails to sign in has a logout of nobody told to everybody; cured: told to nobody",
	Injection:   "a language or file name with a quotation mark rewrites the chat server's own calls; cured: refused",
	Spoofing:    "a message may name any sender; cured: it is the caller",
	Presence:    "the chat server sets users offline who are here too; cured: they go offline with the last one",
	Loss:        "messages are lost to a client that signs in, or whose connection dies; cured: sent once more",
	Committers:  "who may speak by name in a group is refused by the desktop client's form of a message; cured: the other form, which in turn knows no $ADMINS",
}

// DefaultUncured are the faults that are left as they are unless told otherwise: their cure has a fault of its own.
var DefaultUncured = []Fault{Committers}

// ParseFaults reads a list of faults; "all" is each of them: then what passes by is not altered.
func ParseFaults(names []string) (list []Fault, err error) {
	for _, name := range names {
		f := Fault(strings.ToLower(strings.TrimSpace(name)))
		switch _, known := Faults[f]; {
		case f == "all":
			for f := range Faults {
				list = append(list, f)
			}
		case f == "none":
		case known:
			list = append(list, f)
		default:
			return nil, fmt.Errorf("%q is no fault that is cured; known are all, none, %s", name, strings.Join(faultNames(), ", "))
		}
	}
	return list, nil
}

func faultNames() (names []string) {
	for f := range Faults {
		names = append(names, string(f))
	}
	slices.Sort(names)
	return names
}
