package inline

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	// sharedTimeout is how long one step may take. A desktop's call waits for it.
	sharedTimeout = time.Second
	// framesAtOnce is how many frames are read in one step. Redis does nothing else meanwhile.
	framesAtOnce = 500
	// sharedFor is how long Redis keeps what nobody has changed since.
	sharedFor = 30 * 24 * time.Hour
	// knownField is where the record of people has since when it has all of them, beside the users.
	knownField = "known"
)

// Shared is in Redis what the next active node, or this one after a restart, is to know: who is where, and the frames that were
// told lately. A nil Shared keeps nothing. All methods may be used from any goroutine.
type Shared struct {
	client         redis.UniversalClient
	people, frames string // keys
}

// NewShared makes a Shared; prefix begins the names of all keys, the client is the caller's to close.
func NewShared(client redis.UniversalClient, prefix string) *Shared {
	return &Shared{client: client, people: "{" + prefix + ":inline}:people", frames: "{" + prefix + ":inline}:frames"}
}

// save keeps where users are from now on.
func (m *Shared) save(ctx context.Context, users map[int64]record) error {
	fields := make([]any, 0, 2*len(users))
	for user, r := range users {
		text, err := json.Marshal(r)
		if err != nil {
			return err
		}
		fields = append(fields, strconv.FormatInt(user, 10), text)
	}
	ctx, cancel := context.WithTimeout(ctx, sharedTimeout)
	defer cancel()
	_, err := m.client.Pipelined(ctx, func(p redis.Pipeliner) error {
		p.HSet(ctx, m.people, fields...)
		p.PExpire(ctx, m.people, sharedFor)
		return nil
	})
	return err
}

// recall reads where users are, and since when all of them are known: from now on, where nothing was kept yet.
func (m *Shared) recall(ctx context.Context) (users map[int64]record, known time.Time, err error) {
	ctx, cancel := context.WithTimeout(ctx, sharedTimeout)
	defer cancel()
	known = time.Now()
	text, err := known.MarshalText()
	if err != nil {
		return nil, known, err
	}
	if err := m.client.HSetNX(ctx, m.people, knownField, text).Err(); err != nil {
		return nil, known, err
	}
	kept, err := m.client.HGetAll(ctx, m.people).Result()
	if err != nil {
		return nil, known, err
	}
	if err := known.UnmarshalText([]byte(kept[knownField])); err != nil {
		return nil, known, fmt.Errorf("the record of who is where: %w", err)
	}
	delete(kept, knownField)
	users = make(map[int64]record, len(kept))
	for name, text := range kept {
		var r record
		user, err := strconv.ParseInt(name, 10, 64)
		if err != nil || json.Unmarshal([]byte(text), &r) != nil {
			continue // of another version
		}
		users[user] = r
	}
	return users, known, nil
}

// add keeps a frame, and returns under which id. unsaid is since when frames were not handed out yet.
func (m *Shared) add(ctx context.Context, k keptFrame, unsaid time.Time) (id string, err error) {
	ctx, cancel := context.WithTimeout(ctx, sharedTimeout)
	defer cancel()
	var users strings.Builder
	for i, u := range k.users {
		if i > 0 {
			users.WriteByte(',')
		}
		users.WriteString(strconv.FormatInt(u, 10))
	}
	values := []any{"at", k.at.UnixMicro(), "users", users.String(), "frame", k.frame.bytes(), "from", k.from}
	if !unsaid.IsZero() {
		values = append(values, "unsaid", unsaid.UnixMicro())
	}
	return m.client.XAdd(ctx, &redis.XAddArgs{Stream: m.frames, Values: values}).Result()
}

// trim forgets the frames before an id.
func (m *Shared) trim(ctx context.Context, id string) error {
	ctx, cancel := context.WithTimeout(ctx, sharedTimeout)
	defer cancel()
	_, err := m.client.Pipelined(ctx, func(p redis.Pipeliner) error {
		p.XTrimMinIDApprox(ctx, m.frames, id, 0)
		p.PExpire(ctx, m.frames, sharedFor)
		return nil
	})
	return err
}

// errNoFrame says that what is kept is none; another version may have written it.
var errNoFrame = errors.New("what is kept of frames cannot be read")

// before reads the frames before an id, the newest first, some at a time; "" is the end. unsaid is what the newest of them was added with.
func (m *Shared) before(ctx context.Context, id string) (frames []keptFrame, unsaid time.Time, err error) {
	ctx, cancel := context.WithTimeout(ctx, sharedTimeout)
	defer cancel()
	from := "+"
	if id != "" {
		from = "(" + id
	}
	list, err := m.client.XRevRangeN(ctx, m.frames, from, "-", framesAtOnce).Result()
	if err != nil {
		return nil, unsaid, err
	}
	for i, entry := range list {
		k := keptFrame{id: entry.ID}
		text, _ := entry.Values["frame"].(string)
		at, _ := entry.Values["at"].(string)
		users, _ := entry.Values["users"].(string)
		k.from, _ = entry.Values["from"].(string)
		if k.frame, err = parseObject([]byte(text)); err != nil {
			return nil, unsaid, errors.Join(errNoFrame, err)
		}
		for name := range strings.SplitSeq(users, ",") {
			user, err := strconv.ParseInt(name, 10, 64)
			if err != nil {
				return nil, unsaid, errors.Join(errNoFrame, err)
			}
			k.users = append(k.users, user)
		}
		if k.at, err = micros(at); err != nil {
			return nil, unsaid, err
		}
		if text, has := entry.Values["unsaid"].(string); has && i == 0 {
			if unsaid, err = micros(text); err != nil {
				return nil, unsaid, err
			}
		}
		frames = append(frames, k)
	}
	return frames, unsaid, nil
}

func micros(text string) (time.Time, error) {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return time.Time{}, errors.Join(errNoFrame, err)
	}
	return time.UnixMicro(n), nil
}
