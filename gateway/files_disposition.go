package gateway

import (
	"fmt"
	"strings"
)

// disposition is the Content-Disposition of a file (RFC 6266). Names that are not plain ASCII come twice: as filename* for
// those who know it, and with "_" in place of each such character for the others.
func disposition(name string, inline bool) string {
	kind := "attachment"
	if inline {
		kind = "inline"
	}
	plain := strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' || strings.ContainsRune(`"\%`, r) { // % because some browsers decode it
			return '_'
		}
		return r
	}, name)
	if plain == name {
		return fmt.Sprintf(`%s; filename="%s"`, kind, name)
	}
	return fmt.Sprintf(`%s; filename="%s"; filename*=UTF-8''%s`, kind, plain, extValue(name))
}

// extValue escapes all but the attr-char of RFC 8187.
func extValue(s string) string {
	var b strings.Builder
	for _, c := range []byte(s) {
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("!#$&+-.^_`|~", c) >= 0 {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}
