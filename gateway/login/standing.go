package login

import (
	"context"
	"crypto/sha256"
	"strings"
	"time"
	"unicode"

	"golang.org/x/text/runes"
	"golang.org/x/text/transform"
	"golang.org/x/text/unicode/norm"
)

// A Standing is what a Guard knows of an account. The zero value is an account nobody has tried.
type Standing struct {
	Wrong int       `json:"w,omitempty"` // tries that the chat server has counted, or may have, since a good sign-in
	Open  int       `json:"o,omitempty"` // tries under way
	Since time.Time `json:"s,omitzero"`  // when the last of them began
	Until time.Time `json:"u,omitzero"`  // the chat server has locked the account until then, and then begins to count anew

	Spelling string    `json:"a,omitempty"` // of the account, as it was accepted; empty: nobody has signed in to it here
	Proof    []byte    `json:"p,omitempty"` // of the password that was accepted last
	Doubt    time.Time `json:"d,omitzero"`  // when that password was refused, if it was
}

// Standings keep a Standing for each account that somebody tried. All methods may be used from any goroutine.
type Standings interface {
	// Update changes the standing of an account in one step among all who share the Standings, and returns what it is then.
	// change may be called more than once, and changes nothing else. An error means that nothing was changed, or ErrAway that it
	// may have been.
	Update(ctx context.Context, account AccountKey, change func(Standing) Standing) (Standing, error)
}

const (
	// maxTried is of how many accounts without a sign-in here the tries are remembered; the one tried longest ago goes first. Without
	// it whoever makes up names fills the store. To have an account forgotten one must try as many others, which the limits of
	// addresses draw out over hours.
	maxTried = 100_000
	// maxProven is of how many accounts the accepted password is known. Only the chat server's own accounts get there.
	maxProven = 200_000
)

// An AccountKey is an account as Standings name it: of one size, whatever was sent as an account.
type AccountKey [16]byte

// KeyOf folds all spellings that the chat server may take for one account into one key. Its SQL ignores case, accents and trailing
// blanks (LEGACY, utf8_general_ci), so each of them would otherwise have tries of its own. It folds more than SQL does, which
// is no harm: accounts are made of ASCII letters, digits, dots and underscores.
func KeyOf(account string) AccountKey {
	ignored := runes.Predicate(func(r rune) bool { return unicode.In(r, unicode.Mn, unicode.Cf, unicode.Cc) })
	folded, _, err := transform.String(transform.Chain(norm.NFKD, runes.Remove(ignored)), account)
	if err != nil {
		folded = account // not UTF-8, which no account is
	}
	folded = strings.ToLower(strings.ToUpper(strings.TrimRight(folded, " ")))
	sum := sha256.Sum256([]byte(strings.ReplaceAll(folded, "ß", "s")))
	return AccountKey(sum[:16])
}
