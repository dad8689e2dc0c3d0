package contract

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/xuangate/xuangate/adapter/legacy"
	"github.com/xuangate/xuangate/adapter/xxd"
	"github.com/xuangate/xuangate/test/xuanxuan"
)

// desk is a desktop client: somebody signed in to the xxd without the gateway, who keeps the messages that he hears.
type desk struct {
	w    *world
	conn *xxd.Conn
	user legacy.UserID
	done chan struct{} // closed when the connection has ended

	mu    sync.Mutex
	heard []legacy.MessageRow
	end   error
}

func digest(password string) string {
	sum := md5.Sum([]byte(password))
	return hex.EncodeToString(sum[:])
}

// desk signs an account in to the xxd as it runs now.
func (w *world) desk(account string) *desk {
	w.t.Helper()
	server, err := xxd.New(xxd.Config{URL: w.xxd.URL(), Fingerprint: w.xxd.Fingerprint()})
	require.NoError(w.t, err)
	conn, welcome, err := server.Dial(w.t.Context(), account, digest(xuanxuan.DemoPassword))
	require.NoError(w.t, err)
	server.Close()
	d := &desk{w: w, conn: conn, user: legacy.UserID(welcome.User.ID), done: make(chan struct{})}
	go d.listen()
	w.t.Cleanup(func() {
		_ = conn.Close()
		<-d.done
	})
	return d
}

func (d *desk) listen() {
	defer close(d.done)
	for {
		p, err := d.conn.Next(context.Background())
		var rows legacy.List[legacy.MessageRow]
		if err == nil && p.Method == "message" {
			err = p.Decode(&rows)
		}
		d.mu.Lock()
		d.heard, d.end = append(d.heard, rows...), err
		d.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// call asks xxd one thing. It may be used from any goroutine.
func (d *desk) call(method string, params ...any) (legacy.Response, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return d.conn.Call(ctx, legacy.Chat(d.user, method, params...))
}

// say sends a message whose gid is made from its content, which must be unique.
func (d *desk) say(conversation, content string) error {
	r, err := d.call("message", []legacy.DraftRow{{
		GID: legacy.MessageGID("desk-" + content), CGID: legacy.ChatGID(conversation), User: d.user,
		Type: "normal", ContentType: "text", Content: content,
	}})
	if err == nil && r.Result != legacy.Success {
		err = errors.New(r.Reason())
	}
	if err != nil {
		return fmt.Errorf("desktop says %s: %w", content, err)
	}
	return nil
}

// hears waits for n messages and returns them in the order in which they came.
func (d *desk) hears(n int) []legacy.MessageRow {
	d.w.t.Helper()
	var heard []legacy.MessageRow
	require.Eventually(d.w.t, func() bool {
		d.mu.Lock()
		defer d.mu.Unlock()
		heard = slices.Clone(d.heard)
		return len(heard) >= n
	}, patience, time.Millisecond)
	return heard
}
