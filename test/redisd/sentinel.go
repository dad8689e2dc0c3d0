package redisd

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/redis/go-redis/v9"
)

// Watched is a master and its replica, over which three sentinels watch.
type Watched struct {
	Master, Replica *Server
	// Name is what the sentinels call the master, and Sentinels where they are.
	Name      string
	Sentinels []string

	t    testing.TB
	dogs []*Server
}

// StartWatched starts them, and waits until the replica follows and the sentinels know of it and of each other.
func StartWatched(t testing.TB) *Watched {
	t.Helper()
	w := &Watched{t: t, Name: "chat", Master: Start(t, "--repl-diskless-sync-delay", "0", "--repl-ping-replica-period", "1")}
	host, port, _ := net.SplitHostPort(w.Master.Addr)
	w.Replica = Start(t, "--replicaof", host, port)
	for range 3 {
		s := newServer(t)
		_, own, _ := net.SplitHostPort(s.Addr)
		settings := filepath.Join(t.TempDir(), "sentinel.conf") // it writes there what it finds out
		text := fmt.Sprintf("port %s\nbind 127.0.0.1\ndir %s\nsentinel monitor %s %s %s 2\n", own, filepath.Dir(settings), w.Name, host, port) +
			fmt.Sprintf("sentinel down-after-milliseconds %[1]s 500\nsentinel failover-timeout %[1]s 5000\n", w.Name)
		if err := os.WriteFile(settings, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		s.args = []string{settings, "--sentinel"}
		s.Start()
		w.dogs = append(w.dogs, s)
		w.Sentinels = append(w.Sentinels, s.Addr)
	}
	for _, s := range w.dogs {
		Until(t, "the sentinel knows all", func(ctx context.Context) error {
			state, err := s.cli.Do(ctx, "SENTINEL", "MASTER", w.Name).Result()
			if err != nil {
				return err
			}
			known := pairs(state)
			if known["num-slaves"] != "1" || known["num-other-sentinels"] != "2" {
				return fmt.Errorf("%v", known)
			}
			return s.cli.Do(ctx, "SENTINEL", "CKQUORUM", w.Name).Err()
		})
	}
	Until(t, "the replica follows", func(ctx context.Context) error {
		replication, err := w.Replica.cli.InfoMap(ctx, "replication").Result()
		if err != nil || replication["Replication"]["master_link_status"] != "up" {
			return fmt.Errorf("%v, %w", replication, err)
		}
		return nil
	})
	return w
}

func pairs(answer any) map[string]string {
	found := map[string]string{}
	switch list := answer.(type) {
	case []any:
		for i := 0; i+1 < len(list); i += 2 {
			found[fmt.Sprint(list[i])] = fmt.Sprint(list[i+1])
		}
	case map[any]any:
		for key, value := range list {
			found[fmt.Sprint(key)] = fmt.Sprint(value)
		}
	}
	return found
}

// Dial makes a client as a gateway has it, which the sentinels tell where the master is.
func (w *Watched) Dial() redis.UniversalClient {
	return NewClient(&redis.UniversalOptions{Addrs: w.Sentinels, MasterName: w.Name})
}

// Replicated waits until the replica has all that the master has.
func (w *Watched) Replicated() {
	w.t.Helper()
	Until(w.t, "the replica has all there is", func(ctx context.Context) error {
		n, err := w.Master.cli.Do(ctx, "WAIT", 1, 100).Int()
		if err == nil && n < 1 {
			err = errors.New("not yet")
		}
		return err
	})
}

// Promoted waits until the sentinels have made the replica the master.
func (w *Watched) Promoted() {
	w.t.Helper()
	Until(w.t, "the replica is the master", func(ctx context.Context) error {
		replication, err := w.Replica.cli.InfoMap(ctx, "replication").Result()
		if err != nil || replication["Replication"]["role"] != "master" {
			return fmt.Errorf("%v, %w", replication, err)
		}
		return nil
	})
}
