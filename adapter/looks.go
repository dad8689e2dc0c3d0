package adapter

import (
	"context"
	"sync"

	"github.com/xuangate/xuangate/adapter/legacy"
	"github.com/xuangate/xuangate/gen/model"
)

// looks are what users chose to be seen as, where it is not online. The choice outlives connections, and nodes: who is busy stays so
// when a train passes a tunnel. Legacy forgets it as soon as a user goes offline.
type looks struct {
	vault *vault // nil where nothing is kept

	mu     sync.Mutex
	chosen map[legacy.UserID]look // what this node knows; without a vault, all there is
}

type look struct {
	status model.SetStatusRequestStatus
	kept   bool // the vault has it, and may have another by now
}

func newLooks(v *vault) *looks { return &looks{vault: v, chosen: map[legacy.UserID]look{}} }

// choose notes a choice. An error means that only this node knows of it.
func (l *looks) choose(ctx context.Context, u legacy.UserID, status model.SetStatusRequestStatus) (err error) {
	if l.vault != nil {
		err = l.vault.change(ctx, u, func(k *kept) {
			if k.Status = string(status); status == model.StatusOnline {
				k.Status = ""
			}
		})
	}
	l.note(u, look{status, l.vault != nil && err == nil})
	return err
}

// of is what u is to be seen as while he is online. While the vault cannot be asked it is what this node knows.
func (l *looks) of(ctx context.Context, u legacy.UserID) model.SetStatusRequestStatus {
	l.mu.Lock()
	known, ok := l.chosen[u]
	l.mu.Unlock()
	if l.vault != nil && (!ok || known.kept) {
		if k, err := l.vault.open(ctx, u); err == nil {
			known = look{model.SetStatusRequestStatus(k.Status), true}
			l.note(u, known)
		}
	}
	if known.status == "" {
		return model.StatusOnline
	}
	return known.status
}

func (l *looks) note(u legacy.UserID, one look) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if one.status == "" || one.status == model.StatusOnline && one.kept {
		delete(l.chosen, u)
		return
	}
	l.chosen[u] = one
}
