package eventlog

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/xuangate/xuangate/adapter/legacy"
	"github.com/xuangate/xuangate/gen/model"
)

// sequenceBits are those of an offset that hold the sequence of a stream's id; the others hold its milliseconds, until the
// year 2527.
const sequenceBits = 20

// streamID is the id of the entry at an offset.
func streamID(offset uint64) string {
	return strconv.FormatUint(offset>>sequenceBits, 10) + "-" + strconv.FormatUint(offset&(1<<sequenceBits-1), 10)
}

func parseStreamID(id string) (offset uint64, err error) {
	ms, seq, ok := strings.Cut(id, "-")
	high, err1 := strconv.ParseUint(ms, 10, 64-sequenceBits)
	low, err2 := strconv.ParseUint(seq, 10, sequenceBits)
	if !ok || err1 != nil || err2 != nil {
		return 0, fmt.Errorf("%q is no id of the event log's stream", id)
	}
	return high<<sequenceBits | low, nil
}

func parsePlace(epoch, id string) (Position, error) {
	n, ok := parseHex(epoch)
	if !ok || len(epoch) != 16 {
		return Position{}, fmt.Errorf("%q is no epoch", epoch)
	}
	offset, err := parseStreamID(id)
	return Position{epoch: n, offset: offset}, err
}

// A link of the chain: an entry of the stream, and the place of the one before it.
type chained struct {
	*Entry
	before uint64
}

// errBroken says that entries of the stream do not follow what is known of it: some are missing, or it is another log.
var errBroken = errors.New("the event log in Redis does not go on from what it was")

// chain reads entries that follow the one at after. With an offset of 0 the first may follow any.
func chain(messages []redis.XMessage, after Position) ([]chained, error) {
	list := make([]chained, 0, len(messages))
	for _, m := range messages {
		e, before, err := decode(m, after.epoch)
		if err != nil {
			return nil, err
		}
		if before == 0 || after.offset != 0 && before != after.offset {
			return nil, errBroken
		}
		after.offset = e.At.offset
		list = append(list, chained{e, before})
	}
	return list, nil
}

// decode reads an entry as redis_append.lua wrote it. The first of a log has none before it.
func decode(m redis.XMessage, epoch uint64) (e *Entry, before uint64, err error) {
	offset, err := parseStreamID(m.ID)
	if err != nil {
		return nil, 0, err
	}
	f := func(name string) string {
		s, _ := m.Values[name].(string)
		return s
	}
	e = &Entry{
		Kind: model.EventKind(f("k")), Login: f("l"), At: Position{epoch: epoch, offset: offset},
		late: f("late") != "", once: f("o"), chat: legacy.ChatGID(f("c")),
	}
	if data := f("d"); data != "" {
		e.data = []byte(data)
	}
	if id := f("i"); id != "" {
		n, err := strconv.ParseInt(id, 10, 64)
		if err != nil {
			return nil, 0, fmt.Errorf("event log, entry %s: %w", m.ID, err)
		}
		e.id = legacy.MessageID(n)
	}
	if e.to.all = f("t") == "*"; !e.to.all {
		e.to.users, err = parseUsers(f("t"))
	}
	if err == nil {
		e.to.except, err = parseUsers(f("x"))
	}
	if err == nil && f("p") != "" {
		before, err = parseStreamID(f("p"))
	}
	if err != nil {
		return nil, 0, fmt.Errorf("event log, entry %s: %w", m.ID, err)
	}
	return e, before, nil
}

// arguments are what redis_append.lua wants to know of an entry.
func (e *Entry) arguments() []any {
	to := "*"
	if !e.to.all {
		to = joinUsers(e.to.users)
	}
	return []any{string(e.Kind), e.Login, e.data, to, e.once, e.name, string(e.chat), int64(e.id)}
}

func joinUsers(users []legacy.UserID) string {
	text := make([]byte, 0, 8*len(users))
	for i, u := range users {
		if i > 0 {
			text = append(text, ',')
		}
		text = strconv.AppendInt(text, int64(u), 10)
	}
	return string(text)
}

func parseUsers(text string) (users []legacy.UserID, err error) {
	if text == "" {
		return nil, nil
	}
	users = make([]legacy.UserID, 0, 1+strings.Count(text, ","))
	for one := range strings.SplitSeq(text, ",") {
		n, err := strconv.ParseInt(one, 10, 64)
		if err != nil {
			return nil, err
		}
		users = append(users, legacy.UserID(n))
	}
	slices.SortFunc(users, cmp.Compare[legacy.UserID]) // a script's order need not be ours
	return users, nil
}
