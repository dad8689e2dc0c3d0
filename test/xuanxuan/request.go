package xuanxuan

import (
	"regexp"
	"strings"
)

// A request is one call as the backend understands it.
type request struct {
	module, method string // lower-cased; they come back so
	lang           string // zh-cn, zh-tw or en
	user           any    // userID as sent, "" where it is missing or 0
	params         []any  // by position, the user and the client's version behind the last one sent
	baseURL        string // of the site, as the caller addressed it
	odd            bool   // a param has a name that the framework refuses
	trouble
}

// parse reads a decrypted request. Anything that is no JSON object becomes the empty request, which no method answers.
func parse(text []byte) *request {
	v, _ := decode(text)
	in, _ := v.(object)
	r := &request{user: "", lang: "zh-cn"}
	r.module = lowerString(in.get("module"))
	r.method = lowerString(in.get("method"))
	if lang := lowerString(in.get("lang")); lang != "" {
		r.lang = spoken(lang)
	}
	if id := in.get("userID"); truthy(id) {
		r.user = id
	}
	var version any = ""
	if v := in.get("v"); truthy(v) {
		version = v
	}
	r.params = r.positional(in.get("params"), version)
	return r
}

// positional lays params out by position. A list gets the user and the version behind its last element, wherever that
// is, so too few params shift the user into a param's place (recorded: 03_lists, userGetlist without params). An
// object gets nothing and is taken in the order of its text, which xxd makes the alphabetical one.
func (r *request) positional(params, version any) []any {
	if !truthy(params) {
		params = []any{}
	}
	switch params := params.(type) {
	case []any:
		if r.module == "chat" && r.method == "login" && len(params) > 0 {
			params = params[1:] // the server's name
		}
		return append(params, r.user, version)
	case object:
		list := make([]any, len(params))
		for i, m := range params {
			list[i] = m.val
			r.odd = r.odd || oddName.MatchString(m.key)
		}
		return list
	default:
		return []any{params}
	}
}

// oddName is what the framework refuses in a param's name.
var oddName = regexp.MustCompile(`[^a-zA-Z0-9_.]`)

func lowerString(v any) string {
	s, _ := v.(string)
	return strings.ToLower(s)
}

// param returns the param at a position, or the method's default where there is none or null.
func (r *request) param(i int, otherwise any) any {
	if i < len(r.params) && r.params[i] != nil {
		return r.params[i]
	}
	return otherwise
}

// text returns a param as a string.
func (r *request) text(i int) (string, error) { return toString(r.param(i, "")) }
