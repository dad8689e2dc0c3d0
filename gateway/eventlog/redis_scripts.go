package eventlog

import (
	"context"
	_ "embed"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
)

//go:embed redis_log.lua
var luaLog string

//go:embed redis_append.lua
var luaAppend string

//go:embed redis_begin.lua
var luaBegin string

//go:embed redis_look.lua
var luaLook string

var (
	scriptAppend = redis.NewScript(luaLog + luaAppend)
	scriptBegin  = redis.NewScript(luaLog + luaBegin)
	scriptLook   = redis.NewScript(luaLog + luaLook)
)

// The keys of a log, in the scripts' order. They have one hash tag, so a cluster keeps them together.
const (
	keyStream = iota
	keyMeta
	keyOnce
	keyTop
	keyLost
)

func logKeys(prefix string) []string {
	stream := "{" + prefix + ":log}"
	return []string{stream, stream + ":meta", stream + ":once", stream + ":top", stream + ":lost"}
}

// A view is how the log in Redis stood at one moment.
type view struct {
	epoch       uint64 // 0 where there is no log
	start, last uint64
	how         string // what the last entry heard is to it: holds, lost or dropped
}

// put has Redis append an entry. Repeating it appends nothing twice. The answer is the entry's place, or that of the one its
// recipients had.
func (l *Redis) put(ctx context.Context, e *Entry) (Position, error) {
	ctx, cancel := context.WithTimeout(ctx, l.patience)
	defer cancel()
	args := append([]any{l.keep, l.slack, streamID(l.known().offset), hexEpoch(newEpoch())}, e.arguments()...)
	answer, err := scriptAppend.Run(ctx, l.client, l.keys, args...).StringSlice()
	if err != nil {
		return Position{}, fmt.Errorf("append to the event log: %w", err)
	}
	if len(answer) != 2 {
		return Position{}, fmt.Errorf("append to the event log: Redis answered %d values", len(answer))
	}
	return parsePlace(answer[0], answer[1])
}

// begin begins another log in place of one, unless somebody else has done that.
func (l *Redis) begin(ctx context.Context, instead, seen uint64) (v view, err error) {
	ctx, cancel := context.WithTimeout(ctx, l.patience)
	defer cancel()
	expected := ""
	if instead != 0 {
		expected = hexEpoch(instead)
	}
	answer, err := scriptBegin.Run(ctx, l.client, l.keys, expected, hexEpoch(newEpoch()), streamID(seen)).StringSlice()
	if err != nil {
		return v, fmt.Errorf("begin an event log: %w", err)
	}
	return parseView(append(answer, "dropped"))
}

// look asks how the log stands, and has entries dropped that are too old.
func (l *Redis) look(ctx context.Context, heard uint64) (v view, err error) {
	const atOnce = 64 // dropping one entry for 1,000 takes as long as appending it, and Redis does nothing else meanwhile
	for range 100 {
		answer, err := l.lookOnce(ctx, heard, atOnce)
		if err != nil {
			return v, fmt.Errorf("look at the event log: %w", err)
		}
		if len(answer) != 5 {
			return v, fmt.Errorf("look at the event log: Redis answered %d values", len(answer))
		}
		for i, s := range answer {
			if _, ok := s.(string); !ok && i < 4 {
				return v, fmt.Errorf("look at the event log: Redis answered %T", s)
			}
		}
		if v, err = parseView([]string{answer[0].(string), answer[1].(string), answer[2].(string), answer[3].(string)}); err != nil {
			return v, err
		}
		if dropped, _ := answer[4].(int64); dropped < atOnce {
			break
		}
	}
	return v, nil
}

func (l *Redis) lookOnce(ctx context.Context, heard uint64, atOnce int) ([]any, error) {
	ctx, cancel := context.WithTimeout(ctx, l.patience)
	defer cancel()
	return scriptLook.Run(ctx, l.client, l.keys, streamID(heard), time.Now().Add(-l.age).UnixMilli(), atOnce).Slice()
}

func parseView(answer []string) (v view, err error) {
	if len(answer) != 4 {
		return v, fmt.Errorf("the event log's description has %d values", len(answer))
	}
	if answer[0] == "" {
		return view{how: answer[3]}, nil
	}
	start, err := parsePlace(answer[0], answer[1])
	if err != nil {
		return v, err
	}
	last, err := parseStreamID(answer[2])
	return view{epoch: start.epoch, start: start.offset, last: last, how: answer[3]}, err
}

func hexEpoch(n uint64) string { return string(appendHex(nil, n)) }
