package chaos

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/xuangate/xuangate/adapter/legacy"
	"github.com/xuangate/xuangate/adapter/xxb"
	"github.com/xuangate/xuangate/test/xuanxuan"
)

// stored is what the legacy server holds of each conversation, contents by message gid: a gid that it stored twice counts
// once.
func stored(ctx context.Context, url string, rooms []string) (map[string]map[string]string, error) {
	key, err := legacy.NewKey(xuanxuan.DefaultKey)
	if err != nil {
		return nil, err
	}
	client := xxb.New(xxb.Config{URL: url, Key: key})
	defer client.Close()
	all := map[string]map[string]string{}
	for _, room := range rooms {
		r, err := client.Call(ctx, legacy.Chat(1, "history", room, 100000, 1, 0, false, 0))
		if err != nil {
			return nil, err
		}
		var rows []legacy.MessageRow
		if err := r.Decode(&rows); err != nil {
			return nil, err
		}
		all[room] = map[string]string{}
		for _, row := range rows {
			all[room][string(row.GID)] = string(row.Content)
		}
	}
	return all, nil
}

// A verdict is what the checker found.
type verdict struct {
	stored, delivered, resets      int
	lost, doubled, inverted, twice []string
}

func (v *verdict) add(o verdict) {
	v.stored += o.stored
	v.delivered += o.delivered
	v.resets += o.resets
	v.lost = append(v.lost, o.lost...)
	v.doubled = append(v.doubled, o.doubled...)
	v.inverted = append(v.inverted, o.inverted...)
	v.twice = append(v.twice, o.twice...)
}

func (v verdict) faults() string {
	var b strings.Builder
	for name, list := range map[string][]string{"lost": v.lost, "doubled": v.doubled, "out of order": v.inverted, "stored twice": v.twice} {
		for _, one := range list[:min(len(list), 10)] {
			fmt.Fprintf(&b, "%s: %s\n", name, one)
		}
		if len(list) > 10 {
			fmt.Fprintf(&b, "%s: %d in all\n", name, len(list))
		}
	}
	return b.String()
}

// judge compares what is stored with what was said and what each reader got.
func judge(truth map[string]map[string]string, writers []*writer, readers []*reader) (v verdict) {
	times := map[string]int{}
	for _, room := range truth {
		for _, content := range room {
			times[content]++
			v.stored++
		}
	}
	for _, w := range writers {
		for content := range w.said {
			if times[content] == 0 {
				v.lost = append(v.lost, fmt.Sprintf("%s was answered as stored and is not", content))
			}
		}
	}
	for content, n := range times {
		if n > 1 {
			v.twice = append(v.twice, fmt.Sprintf("%s, %d times", content, n))
		}
	}
	for _, r := range readers {
		v.add(r.judge(slices.Sorted(maps.Keys(times))))
	}
	return v
}

// judge compares what one reader got with what it should have got.
func (r *reader) judge(contents []string) (v verdict) {
	name := r.String()
	for _, content := range contents {
		if !r.knows(content) {
			v.lost = append(v.lost, fmt.Sprintf("%s never got %s", name, content))
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	v.resets = r.resets
	seen, highest := map[string]bool{}, map[string]string{}
	for _, h := range r.heard {
		if h.reset {
			clear(highest) // the reader starts over, with all that is stored
			clear(seen)
			continue
		}
		v.delivered++
		if seen[h.MsgId] {
			v.doubled = append(v.doubled, fmt.Sprintf("%s got %s (%s) again", name, h.MsgId, h.Content))
		}
		seen[h.MsgId] = true
		if top := highest[h.ConversationID]; h.MsgId < top && !h.Late {
			v.inverted = append(v.inverted, fmt.Sprintf("%s got %s (%s) after %s", name, h.MsgId, h.Content, top))
		}
		highest[h.ConversationID] = max(highest[h.ConversationID], h.MsgId)
	}
	return v
}
