package login

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/argon2"
)

const (
	// maxStray is how many tries of an account that nobody has signed in to here reach the chat server until a good sign-in. It
	// counts each wrong one twice and locks at the fifth (LEGACY), so a third would lock.
	maxStray = 2
	// maxStrayProven is how many where somebody has: even a right password counts once before it is accepted (its first comparison
	// fails), so after two wrong ones the right one locks.
	maxStrayProven = 1
	// LockTime is how long the chat server locks an account (LEGACY). It begins to count anew then.
	LockTime = 10 * time.Minute
	// openTime is how long a try may be under way before it counts as wrong: its node has died. Longer than any sign-in takes.
	openTime = 2 * time.Minute
)

// Argon2id's parameters: 7 MiB, one pass, one lane, which is some milliseconds. A flood of sign-ins pays for each of them, and we
// with it. What is hashed is the MD5 of a password, for nothing else of it is ever known here.
const (
	argonTime, argonMemory, argonLanes = 1, 7 << 10, 1
	saltSize, proofSize                = 16, 32
)

const (
	// hashesAtOnce bounds the memory (7 MiB each) and the processors that a flood of sign-ins can take.
	hashesAtOnce = 4
	// hashesWaiting bounds those that wait for it. Without it a flood makes everybody wait for minutes.
	hashesWaiting = 256
)

var (
	// ErrTries says that an account has used up the tries that may reach the chat server.
	ErrTries = errors.New("too many wrong passwords for the account")
	// ErrBusy says that more passwords are being checked than may be.
	ErrBusy = errors.New("too many sign-ins at once")
)

// A Guard stands before the sign-in of a chat server that locks an account after some wrong passwords, so that nobody can have
// others locked out. It knows the password that was accepted last: that one is let through whatever else is tried. Of others it
// lets through so few that they cannot lock the account.
//
// It works through Update alone, so all nodes that share the Standings are one Guard. All methods may be used from any goroutine.
type Guard struct {
	standings Standings
	hashing   chan struct{} // holds one token for each hash being made
	waiting   atomic.Int64

	mu    sync.Mutex
	heard map[AccountKey]time.Time // good sign-ins elsewhere
}

// NewGuard makes a Guard.
func NewGuard(s Standings) *Guard {
	return &Guard{standings: s, hashing: make(chan struct{}, hashesAtOnce), heard: map[AccountKey]time.Time{}}
}

// A Try is a sign-in that may reach the chat server. One of its methods is called once, with what came of it.
type Try struct {
	Account string // as the chat server is to be asked

	guard  *Guard
	key    AccountKey
	digest string
	proven bool // the password is the one that was accepted last
}

// Enter lets a sign-in through, or returns ErrTries or ErrBusy. digest is the MD5 of the password, in lower-case hex.
func (g *Guard) Enter(ctx context.Context, account, digest string) (*Try, error) {
	t := &Try{Account: strings.TrimRight(account, " "), guard: g, key: KeyOf(account), digest: digest}
	s, err := g.standings.Update(ctx, t.key, Standing.settled)
	if err != nil {
		return nil, err
	}
	matches, err := g.matches(ctx, t, s.Proof)
	if err != nil {
		return nil, err
	}
	if matches {
		t.Account = s.Spelling // another would be a wrong password: it is part of what the chat server compares
		// In doubt, it is tried once in the time that a lock lasts: either that was it, or the password is another by now.
		if s.Doubt.IsZero() || time.Since(s.Doubt) >= LockTime {
			t.proven = true
			return t, nil
		}
	}
	admitted := false
	_, err = g.standings.Update(ctx, t.key, func(s Standing) Standing {
		s = s.settled()
		if admitted = s.Wrong+s.Open < s.most(); admitted {
			s.Open++
			s.Since = time.Now()
		}
		return s
	})
	if err == nil && !admitted {
		err = ErrTries
	}
	if err != nil {
		return nil, err
	}
	return t, nil
}

// most is how many tries may reach the chat server until a good sign-in.
func (s Standing) most() int {
	if s.Proof != nil && s.Doubt.IsZero() {
		return maxStrayProven
	}
	return maxStray
}

// settled is a standing without what time has ended.
func (s Standing) settled() Standing {
	now := time.Now()
	if !s.Until.IsZero() && !now.Before(s.Until) {
		s.Wrong, s.Until = 0, time.Time{}
	}
	if s.Open > 0 && now.Sub(s.Since) >= openTime {
		s.Wrong, s.Open = s.Wrong+s.Open, 0
	}
	return s
}

// ended takes a try off those under way.
func (s Standing) ended(t *Try) Standing {
	if !t.proven {
		s.Open = max(s.Open-1, 0)
	}
	return s.settled()
}

// Good says that the password was accepted, for the account as it is spelled in the chat server.
func (t *Try) Good(ctx context.Context, spelling string) error {
	var proof []byte
	if !t.proven {
		var err error
		if proof, err = t.guard.prove(ctx, t, nil); err != nil {
			proof = nil // it is not known for the next time, but this one is good
		}
	}
	return t.settle(ctx, func(s Standing) Standing {
		s.Wrong, s.Until, s.Doubt = 0, time.Time{}, time.Time{}
		if proof != nil {
			s.Proof, s.Spelling = proof, spelling
		}
		return s
	})
}

// Wrong says that the password was refused, or that nobody knows.
func (t *Try) Wrong(ctx context.Context) error {
	return t.settle(ctx, func(s Standing) Standing {
		s.Wrong++
		if t.proven {
			s.Doubt = time.Now()
		}
		return s
	})
}

// Locked says that the chat server has locked the account for now. It counts nothing meanwhile.
func (t *Try) Locked(ctx context.Context) error {
	return t.settle(ctx, func(s Standing) Standing {
		s.Wrong, s.Until = maxStray, time.Now().Add(LockTime)
		return s
	})
}

// Back says that the try never reached the chat server, or was not counted.
func (t *Try) Back(ctx context.Context) error {
	return t.settle(ctx, func(s Standing) Standing { return s })
}

func (t *Try) settle(ctx context.Context, change func(Standing) Standing) error {
	_, err := t.guard.standings.Update(ctx, t.key, func(s Standing) Standing { return change(s.ended(t)) })
	return err
}

const (
	// hearAgain is how soon after another a sign-in elsewhere is news: every link of a node tells the same one.
	hearAgain = 2 * time.Second
	// maxHeard bounds those that are remembered for it.
	maxHeard = 10_000
)

// Heard says that somebody signed in to an account elsewhere with the right password, for which the chat server forgets the wrong
// ones. It returns at once where that is known.
func (g *Guard) Heard(ctx context.Context, account string) error {
	key, now := KeyOf(account), time.Now()
	g.mu.Lock()
	if last, ok := g.heard[key]; ok && now.Sub(last) < hearAgain {
		g.mu.Unlock()
		return nil
	}
	if len(g.heard) >= maxHeard {
		clear(g.heard)
	}
	g.heard[key] = now
	g.mu.Unlock()
	_, err := g.standings.Update(ctx, key, func(s Standing) Standing {
		s = s.settled()
		s.Wrong, s.Until = 0, time.Time{}
		return s
	})
	return err
}

// Missed says that a kept password was refused without a Try: a connection of ours could not come back with it.
func (g *Guard) Missed(ctx context.Context, account string) error {
	_, err := g.standings.Update(ctx, KeyOf(account), func(s Standing) Standing {
		s = s.settled()
		s.Wrong++
		s.Doubt = time.Now()
		return s
	})
	return err
}

// matches says whether the password of t is the one that a proof was made of.
func (g *Guard) matches(ctx context.Context, t *Try, proof []byte) (bool, error) {
	if len(proof) != saltSize+proofSize {
		return false, nil
	}
	got, err := g.prove(ctx, t, proof[:saltSize])
	return err == nil && subtle.ConstantTimeCompare(got, proof) == 1, err
}

// prove makes a proof of the password of t: salt, or one at random, and the hash.
func (g *Guard) prove(ctx context.Context, t *Try, salt []byte) ([]byte, error) {
	if g.waiting.Add(1) > hashesWaiting {
		g.waiting.Add(-1)
		return nil, ErrBusy
	}
	defer g.waiting.Add(-1)
	select {
	case g.hashing <- struct{}{}:
		defer func() { <-g.hashing }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if salt == nil {
		salt = make([]byte, saltSize)
		rand.Read(salt) // never fails: it ends the process instead
	}
	hash := argon2.IDKey(append([]byte(t.digest), t.key[:]...), salt, argonTime, argonMemory, argonLanes, proofSize)
	return append(append([]byte{}, salt...), hash...), nil
}

// Proven says that the password is the one that was accepted last.
func (t *Try) Proven() bool { return t.proven }
