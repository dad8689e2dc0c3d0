package inline

import (
	"context"
	"log/slog"
	"slices"
	"sort"
	"sync"
	"time"
)

const (
	// tail is how long before a connection's end frames for it may be lost: xxd notices a dead one after 20 s.
	tail = 25 * time.Second
	// ringAge is how long frames are kept, for repairs and for who comes back to his desktop.
	ringAge = 7 * 24 * time.Hour
	// ringBytes bounds the memory of the frames. Beyond it the oldest go first, and history is the repair.
	ringBytes = 64 << 20
	// trimEvery is after how many frames those that are gone here go where they are shared, too.
	trimEvery = 256
)

// here is from where frames come that no xxd's client has caused.
const here = "*"

// A ring keeps the frames of late with those whom they named. It may be used from any goroutine.
type ring struct {
	mu     sync.Mutex
	kept   []keptFrame
	bytes  int
	added  int
	loaded chan struct{} // closed when what an earlier node kept is there, too; nil where nothing is to come
}

type keptFrame struct {
	at    time.Time
	frame object
	users []int64 // in order
	from  string  // the name of the xxd whose client caused it, or here: the bots of the others told it
	id    string  // where frames are shared; "" where it is not there
}

func (k keptFrame) size() (n int) {
	for _, m := range k.frame {
		n += len(m.name) + len(m.value)
	}
	return n
}

// add keeps a frame, whose users it puts in order. It returns the id of the oldest one left, now and then.
func (r *ring) add(k keptFrame) (oldest string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	k.users = slices.Clone(k.users)
	slices.Sort(k.users)
	r.kept = append(r.kept, k)
	r.bytes += k.size()
	for len(r.kept) > 0 && (k.at.Sub(r.kept[0].at) > ringAge || r.bytes > ringBytes) {
		r.bytes -= r.kept[0].size()
		r.kept[0] = keptFrame{}
		r.kept = r.kept[1:]
	}
	if r.added++; r.added%trimEvery == 0 && len(r.kept) > 0 {
		oldest = r.kept[0].id
	}
	return oldest
}

// since returns the frames that named a user from a time on, oldest first. It waits for those of an earlier node.
func (r *ring) since(ctx context.Context, from time.Time, user int64) (found []object) {
	r.mu.Lock()
	loaded := r.loaded
	r.mu.Unlock()
	if loaded != nil {
		select {
		case <-loaded:
		case <-ctx.Done():
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	first := sort.Search(len(r.kept), func(i int) bool { return !r.kept[i].at.Before(from) })
	for _, k := range r.kept[first:] {
		if _, named := slices.BinarySearch(k.users, user); named {
			found = append(found, k.frame)
		}
	}
	return found
}

// forget empties the ring; what an earlier node kept is to come until the returned function is called with it, oldest first.
func (r *ring) forget() (load func(earlier []keptFrame)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	loaded := make(chan struct{})
	r.kept, r.bytes, r.loaded = nil, 0, loaded
	return func(earlier []keptFrame) {
		r.mu.Lock()
		defer r.mu.Unlock()
		for _, k := range earlier {
			r.bytes += k.size()
		}
		r.kept = append(earlier, r.kept...)
		close(loaded)
	}
}

// recall takes over what the active node before left: who is where, what was told, and what it had not handed out yet.
func (s *Server) recall(ctx context.Context) {
	for _, at := range s.sites {
		at.bot.out.clear()
	}
	if s.shared == nil {
		return
	}
	load := s.ring.forget()
	users, known, err := s.shared.recall(ctx)
	if err != nil {
		s.log.WarnContext(ctx, "what the gateway before knew cannot be read; repairs begin anew", slog.Any("error", err))
		load(nil)
		return
	}
	s.people.recall(users, known, func(name string) *site { return s.sites[name] })
	newest, unsaid, err := s.shared.before(ctx, "")
	s.again(newest, unsaid)
	s.later.Go(func() { load(s.earlier(ctx, newest, err)) })
}

// again has frames handed out that the node before may not have; newest are the last ones, newest first. Twice is harmless: what is told of later
// has a later frame.
func (s *Server) again(newest []keptFrame, unsaid time.Time) {
	if unsaid.IsZero() {
		return
	}
	for _, k := range slices.Backward(newest) {
		if k.at.Before(unsaid) || time.Since(k.at) > waitingFor {
			continue
		}
		for _, at := range s.sites {
			if at.name != k.from {
				at.bot.relay(k.frame, k.users)
			}
		}
	}
}

// earlier reads what is kept before some frames, all of it oldest first.
func (s *Server) earlier(ctx context.Context, newest []keptFrame, err error) []keptFrame {
	all, size := newest, 0
	for more := newest; err == nil && len(more) == framesAtOnce && size < ringBytes; {
		for _, k := range more {
			size += k.size()
		}
		more, _, err = s.shared.before(ctx, all[len(all)-1].id)
		all = append(all, more...)
	}
	if err != nil && ctx.Err() == nil {
		s.log.WarnContext(ctx, "not all that was told lately can be read; repairs may miss some", slog.Any("error", err))
	}
	slices.Reverse(all)
	return all
}

// remember keeps a frame that from caused, for repairs and for the desktops of those who are here alone. Its relays have been
// queued before.
func (s *Server) remember(ctx context.Context, from string, o object, users []int64) {
	if len(users) == 0 || !s.cures(Loss) {
		return
	}
	k := keptFrame{at: time.Now(), frame: o, users: users, from: from}
	if s.shared != nil && !s.lead.apart() {
		var err error
		if k.id, err = s.shared.add(ctx, k, s.unsaid()); err != nil {
			s.log.WarnContext(ctx, "a frame is not kept for the next gateway", slog.Any("error", err))
		}
	}
	if oldest := s.ring.add(k); oldest != "" && s.shared != nil {
		if err := s.shared.trim(ctx, oldest); err != nil {
			s.log.WarnContext(ctx, "old frames are not removed", slog.Any("error", err))
		}
	}
}

// unsaid is since when a frame waits to be handed out by one of the bots; the zero time if none does.
func (s *Server) unsaid() (since time.Time) {
	for _, at := range s.sites {
		if t := at.bot.out.oldest(); !t.IsZero() && (since.IsZero() || t.Before(since)) {
			since = t
		}
	}
	return since
}
