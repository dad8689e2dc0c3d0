package v1

import (
	"bytes"
	"encoding/json"
	"strings"

	"github.com/xuangate/xuangate/adapter/legacy"
)

// news are those pushes that say something to the translation, as 2.x would say it.
func news(items []legacy.Push) (list []legacy.Push) {
	for _, p := range items {
		if n, ok := translate(p); ok {
			list = append(list, n)
		}
	}
	return list
}

// translate turns a push of 1.0 into one of 2.x. ok is false for one that tells nothing.
func translate(p legacy.Push) (n legacy.Push, ok bool) {
	p.Method, p.Result = strings.ToLower(p.Method), legacy.Success
	switch p.Method {
	case "getlist": // of a login; changes come one by one
		return p, false
	case "message":
		return p, asRows(&p)
	case "userchangename", "userchangestatus":
		p.Method = "userchange"
	}
	data := bytes.TrimSpace(p.Data)
	return p, len(data) > 0 && (data[0] == '{' || data[0] == '[') // a logout of false is a garbled line's
}

// asRows makes the one message of a push the list that 2.x sends. A message without a number is stored nowhere: the server
// says so that a chat has another name, which the chat's own push tells as well.
func asRows(p *legacy.Push) bool {
	if data := bytes.TrimSpace(p.Data); len(data) > 0 && data[0] == '{' {
		p.Data = append(append([]byte{'['}, data...), ']')
	}
	var rows []row
	if json.Unmarshal(p.Data, &rows) != nil {
		return false
	}
	kept := rows[:0]
	for _, r := range rows {
		var id legacy.Int
		if json.Unmarshal(r["id"], &id) == nil && id > 0 {
			kept = append(kept, r)
		}
	}
	if len(kept) == 0 {
		return false
	}
	if len(kept) < len(rows) {
		p.Data, _ = json.Marshal(kept) // what was read can be written
	}
	p.Data = readContents(p.Data)
	return true
}

// ownNews is the answer to a message as the others hear it.
func ownNews(a answer) []legacy.Push {
	if a.Result == legacy.Denied {
		return nil
	}
	return news([]legacy.Push{{Module: "chat", Method: "message", Data: a.Data}})
}
